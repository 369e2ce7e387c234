//! The kernel side: entry points and glue, nothing that decides.
//!
//! Everything that decides is in `termination-common` and runs on the host as
//! well; here are the maps ([`maps`]), the table's memory in them ([`memory`],
//! `patience`, `ring`), the rules for traffic ([`filter`]), a frame's bytes
//! ([`packet`]) and the bodies of the programs ([`programs`]).
//! Three objects are linked from this crate: `live.rs`, `replay.rs` and `bench.rs`.
#![no_std]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch, core_intrinsics))]
#![cfg_attr(
    target_arch = "bpf",
    expect(internal_features, reason = "BPF has no AtomicU64::compare_exchange")
)]

#[cfg(target_arch = "bpf")]
pub mod filter;
#[cfg(target_arch = "bpf")]
pub mod maps;
#[cfg(target_arch = "bpf")]
pub mod memory;
#[cfg(target_arch = "bpf")]
pub mod packet;
#[cfg(target_arch = "bpf")]
mod patience;
#[cfg(target_arch = "bpf")]
pub mod programs;
#[cfg(target_arch = "bpf")]
mod ring;

/// A panic cannot be reached: the verifier refuses programs with a loop that
/// has no end. It must exist all the same.
#[cfg(target_arch = "bpf")]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// The helpers that these programs call are for programs under the GPL.
#[cfg(target_arch = "bpf")]
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
