//! What is there for the sake of the kernel's verifier alone.

/// The same number, of which the verifier no longer knows how it came about: it
/// would walk on once for each way that has led here, and that of Linux 6.1 does
/// so even where nothing that follows depends on it. It sees something that it
/// does not know, `noise`, mixed in twice, not that twice is never.
#[inline(always)]
pub(crate) fn forget(number: u32, noise: u32) -> u32 {
    #[cfg(target_arch = "bpf")]
    let number = {
        let mut value = u64::from(number);
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
        value as u32
    };
    #[cfg(not(target_arch = "bpf"))]
    let _ = noise;
    number
}
