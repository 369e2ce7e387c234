//! The maps. Sizes of the table and of the ring are set by the loader.

use aya_ebpf::{
    Global,
    btf_maps::{Array, LpmTrie, PerCpuArray, RingBuf},
    macros::btf_map,
};
use termination_common::{
    counters::Counters,
    exchange::Record,
    policy::Settings,
    segment::Segment,
    slot::{Cold, Hot},
    table::{LINE, LOCKS},
    traffic::{self, PrefixKey},
};

/// BPF_F_MMAPABLE (include/uapi/linux/bpf.h): user space maps it.
const MMAPABLE: usize = 1 << 10;

/// Lines of eight fingerprints.
#[btf_map]
pub static FINGERPRINTS: Array<[u64; LINE as usize], 1, MMAPABLE> = Array::new();

/// The hot line of each slot.
#[btf_map]
pub static HOT: Array<Hot, 8, MMAPABLE> = Array::new();

/// The rest of each slot.
#[btf_map]
pub static COLD: Array<Cold, 8, MMAPABLE> = Array::new();

/// Line locks: 0 free, 1 taken.
#[btf_map]
pub static LOCKED: Array<u64, { LOCKS as usize }> = Array::new();

/// Counters, per CPU so that counting is not shared.
#[btf_map]
pub static COUNTERS: PerCpuArray<Counters, 1> = PerCpuArray::new();

/// Records to user space.
#[btf_map]
pub static EVENTS: RingBuf<Record, 16777216> = RingBuf::new();

/// Policy; user space writes it.
#[btf_map]
pub static SETTINGS: Array<Settings, 1, MMAPABLE> = Array::new();

/// Where a program parses into: a segment is a fifth of a BPF stack, and what
/// is read back from a map costs the verifier no paths.
#[btf_map]
pub static SCRATCH: PerCpuArray<Segment, 1> = PerCpuArray::new();

/// This CPU's last reading of the coarse clock.
#[btf_map]
pub static CLOCK: PerCpuArray<Clock, 1> = PerCpuArray::new();

/// A reading of the coarse clock, and until when it holds.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Clock {
    /// The kernel's tick at which it was read.
    pub jiffies: u64,
    /// `CLOCK_MONOTONIC_COARSE`.
    pub nanoseconds: u64,
}

/// Which addresses are tracked, by their longest prefix; user space writes it.
#[btf_map]
pub static PREFIXES: LpmTrie<PrefixKey, u32, 1> = LpmTrie::new();

/// Which ports are tracked, as bitmaps; user space writes it.
#[btf_map]
pub static PORTS: Array<u64, { traffic::PORTS as usize }> = Array::new();

/// Who needs attention, at the level `closing`
/// ([`termination_common::attention`]); otherwise one word that nobody reads.
#[btf_map]
pub static ATTENTION: Array<u64, 1> = Array::new();

/// [`termination_common::policy::Level`] as a number; the verifier drops the code
/// of the other one.
#[unsafe(no_mangle)]
pub static LEVEL: Global<u32> = Global::new(0);

/// Words of ATTENTION - 1.
#[unsafe(no_mangle)]
pub static ATTENTION_MASK: Global<u32> = Global::new(0);

/// Number of fingerprint lines - 1.
#[unsafe(no_mangle)]
pub static LINE_MASK: Global<u32> = Global::new(0);

/// Key of the hash.
#[unsafe(no_mangle)]
pub static SEED: Global<[u64; 2]> = Global::new([0; 2]);

/// Encapsulations to look into ([`termination_common::wire::tunnel::Follow`]);
/// 0: none, and the verifier drops the code.
#[unsafe(no_mangle)]
pub static FOLLOW: Global<u32> = Global::new(0);
