//! The way of nearly every segment: fingerprint line, hot line, done. The first ACKs
//! and payload of an end have one word more.

use super::{NOWHERE, unlock};
use crate::{
    counters,
    engine::{self, fast::Taken},
    segment::Fast,
    table::{HotRef, LINE, LineRef, Memory, Place, SlotRef, position},
};

/// Applies a segment to the table if it takes no more than its half of a hot
/// line, and perhaps a letter of its history.
///
/// # Errors
/// It takes more. Then nothing was changed, and [`super::observe_any`] decides;
/// it is handed the slot that has the segment's fingerprint, or [`NOWHERE`].
///
/// Whose slot it is, the entry says: 61 bits of a hash under a secret key. An
/// entry changes only under its slot's lock, so it is looked at again once that
/// is held. The tuple, in another cache line, is left alone.
#[inline(always)]
pub fn fast<M: Memory>(memory: &M, segment: &Fast) -> Result<(), u32> {
    let place = Place::of(&segment.tuple, memory.seed(), memory.mask());
    let Some(mut line) = memory.line(place.first) else {
        return Err(NOWHERE);
    };
    let mut number = place.first;
    let mut found = position(&line, place.fingerprint);
    if found == LINE {
        let Some(second) = memory.line(place.second) else {
            return Err(NOWHERE);
        };
        (line, number) = (second, place.second);
        found = position(&line, place.fingerprint);
        if found == LINE {
            return Err(NOWHERE);
        }
    }
    let index = number * LINE + found;
    let Some(hot) = memory.hot(index) else {
        return Err(NOWHERE);
    };
    let state = hot.load();
    if engine::fast::applies(state) && hot.exchange(state, state.locked()) {
        let mut taken = Taken::No;
        if line.entry(found) == place.fingerprint {
            taken = hot.halves(|half| engine::fast::step(half, segment));
            if taken == Taken::ButForNote
                && let Some(slot) = memory.slot(index)
            {
                slot.with(|_, cold| engine::fast::note(cold, segment));
            }
        }
        unlock(&hot, state);
        if taken != Taken::No {
            memory.count(counters::SEGMENTS);
            return Ok(());
        }
    }
    // All of the slot will be wanted, once the segment is parsed.
    if let Some(slot) = memory.slot(index) {
        slot.fetch();
    }
    Err(index)
}
