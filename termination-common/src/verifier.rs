//! What is there for the sake of the kernel's verifier alone.

/// The same value, of which the verifier no longer knows how its low 32 bits came
/// about: it would walk on once for each way that has led here, and that of Linux
/// 6.1 does so even where nothing that follows depends on it. It sees something
/// that it does not know, `noise`, mixed in twice, not that twice is never.
#[inline(always)]
pub fn blur(value: u64, noise: u32) -> u64 {
    #[cfg(target_arch = "bpf")]
    let value = {
        let mut value = value;
        // Not `pure`, or the compiler would move it to where it is of no use.
        // SAFETY: computes with two registers and touches nothing else.
        unsafe {
            core::arch::asm!(
                "{0} ^= {1}",
                "{0} ^= {1}",
                inout(reg) value,
                in(reg) u64::from(noise),
                options(nomem, nostack, preserves_flags)
            );
        }
        value
    };
    #[cfg(not(target_arch = "bpf"))]
    let _ = noise;
    value
}
