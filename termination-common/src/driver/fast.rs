//! The way of nearly every segment: fingerprint line, hot line, done.

use super::unlock;
use crate::{
    counters, engine,
    segment::Fast,
    table::{HotRef, LINE, LineRef, Memory, Place, settled},
};

/// Applies a segment to the table if it takes no more than its half of a hot
/// line. False if it takes more; then nothing was changed, and
/// [`super::observe_any`] decides.
///
/// Whose slot it is, the entry says: 61 bits of a hash under a secret key. An
/// entry changes only under its slot's lock, so it is looked at again once that
/// is held. The tuple, in another cache line, is left alone.
#[inline(always)]
pub fn fast<M: Memory>(memory: &M, segment: &Fast) -> bool {
    let place = Place::of(&segment.tuple, memory.seed(), memory.mask());
    let Some(mut line) = memory.line(place.first) else {
        return false;
    };
    let mut number = place.first;
    let mut position = settled(&line, place.fingerprint);
    if position == LINE {
        let Some(second) = memory.line(place.second) else {
            return false;
        };
        (line, number) = (second, place.second);
        position = settled(&line, place.fingerprint);
        if position == LINE {
            return false;
        }
    }
    let Some(hot) = memory.hot(number * LINE + position) else {
        return false;
    };
    let state = hot.load();
    if !engine::fast::applies(state) || !hot.exchange(state, state.locked()) {
        return false;
    }
    let done = line.entry(position) == place.fingerprint
        && hot.halves(|half| engine::fast::step(half, segment));
    unlock(&hot, state);
    if done {
        memory.count(counters::SEGMENTS);
    }
    done
}
