//! The rules for traffic in BPF maps: [`Rules`] for the kernel.

use aya_ebpf::btf_maps::lpm_trie::Key;
use termination_common::{
    counters,
    segment::mark,
    table::Memory as _,
    traffic::{self, HEAD_BITS, PrefixKey, Rules, rule},
};

use crate::{
    maps::{PORTS, PREFIXES},
    memory::{Maps, count_nth, scratch},
};

/// All bits of a key: bank, family and address.
const WHOLE: u32 = HEAD_BITS + 128;

impl Rules for Maps {
    #[inline(always)]
    fn class(&self, key: &PrefixKey) -> u32 {
        PREFIXES.get(&Key::new(WHOLE, *key)).copied().unwrap_or(0)
    }

    #[inline(always)]
    fn ports(&self, index: u32) -> u64 {
        PORTS.get(index).copied().unwrap_or(0)
    }
}

/// The segment in SCRATCH is tracked as far as policy is concerned; otherwise
/// it is counted by reason. Without rules this is one bit of what the step reads
/// anyway, and the fast way does not ask: what is left out has no slot.
#[inline(always)]
pub fn admits() -> bool {
    Maps.settings().flags & rule::ANY == 0 || left_out() == 0
}

/// [`traffic::left_out`] of the segment in SCRATCH, a function that the
/// verifier walks once.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn left_out() -> u32 {
    let Some(segment) = scratch() else {
        return 0;
    };
    let settings = Maps.settings();
    let why = traffic::left_out(&Maps, settings, Maps.seed(), &segment.tuple);
    if why != 0 {
        count_nth(counters::LEFT_OUT, why);
    } else if settings.sample > 1 {
        segment.marks |= mark::SAMPLED;
    }
    why
}
