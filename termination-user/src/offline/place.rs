//! Where a slot lies, and how it is found and fetched.

use termination_common::{
    segment::Segment,
    slot::{Hot, Slot},
    tuple::Tuple,
};

/// Key of the hash; a capture has no adversary to hide it from.
const SEED: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344];
/// No alarm is set.
pub(super) const NEVER: u64 = u64::MAX;

/// The half of the hash that the index keeps.
#[inline(always)]
pub(super) const fn hash(tuple: &Tuple) -> u32 {
    (tuple.hash(SEED) >> 32) as u32
}

/// Has the processor fetch what will be read soon.
#[inline(always)]
pub(super) fn prefetch<T>(wanted: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch reads nothing and faults never; the address is that
    // of a reference besides.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(wanted).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = wanted;
}

/// A slot that starts on a cache line, so that its hot part is one.
#[derive(Default)]
#[repr(C, align(64))]
pub(super) struct Place {
    pub(super) slot: Slot,
    /// When its alarm rings, nanoseconds, or [`NEVER`]; not after its deadline.
    pub(super) alarm: u64,
}

/// A segment that waits for its batch.
#[derive(Clone, Copy, Default)]
pub(super) struct Waiting {
    pub(super) segment: Segment,
    /// The latest time seen up to it: a packet between two segments lets time
    /// pass as well.
    pub(super) clock: u64,
    pub(super) hash: u32,
}

/// What decides a slot's timer, beside the time itself: life and facts, the
/// bits of both halves.
#[inline(always)]
pub(super) const fn shape(hot: &Hot) -> u64 {
    let [a, b] = &hot.half;
    hot.word & 0xffff | (a.bits as u64) << 16 | (b.bits as u64) << 32
}
