//! What no table of this shape can do without: the parse, one line of
//! fingerprints, one line of the slot, and what an established segment writes
//! into it, under the slot's lock. No question is asked of the segment.

use aya_ebpf::programs::XdpContext;
use termination_common::{
    segment::Fast,
    table::{HotRef as _, LINE, Memory as _, Place, position},
    time::tick,
    wire,
};
use termination_ebpf::{
    memory::Maps,
    packet::Linear,
    programs::{Live, Source as _, coarse},
};

/// Looks the segment up and writes it into its half.
#[inline(always)]
pub(crate) fn floor(context: &XdpContext) {
    let Some(mut segment) = wire::fast(Linear::xdp(context)) else {
        return;
    };
    segment.home = Live::xdp(context).1;
    segment.tick = tick(coarse());
    keep(&segment);
}

#[inline(always)]
fn keep(segment: &Fast) -> Option<()> {
    let place = Place::of(&segment.tuple, Maps.seed(), Maps.mask());
    let mut number = place.first;
    let mut found = position(&Maps.line(number)?, place.fingerprint);
    if found == LINE {
        number = place.second;
        found = position(&Maps.line(number)?, place.fingerprint);
        if found == LINE {
            return None;
        }
    }
    let hot = Maps.hot(number * LINE + found)?;
    let state = hot.load();
    if !hot.exchange(state, state.locked()) {
        return None;
    }
    hot.halves(|half| {
        let half = &mut half[segment.side() & 1];
        half.sent = segment.seq.wrapping_add(segment.payload);
        half.acked = segment.ack;
        half.window = segment.window;
        half.last = segment.tick;
    });
    hot.store(state);
    Some(())
}
