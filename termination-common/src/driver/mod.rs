//! How a segment, or the passing of time, reaches its slot: find, lock, check,
//! step, count, report, release; claim and free. Generic over the memory, so
//! that the kernel, the captures and the loom model run the same protocol.
//!
//! Order of locks: line locks by index, then one slot. Every wait is bounded;
//! who gives up counts it.

mod claim;
mod fast;
mod report;
mod sweep;

pub use claim::{claim, fill};
pub use fast::fast;
pub use report::{act, tell};
pub use sweep::sweep;

use crate::{
    counters::{self, Loss},
    engine::{self, Effects, Flow},
    segment::{Fast, Segment, mark},
    state::{Snapshot, fact},
    table::{HotRef, LINE, LineRef, Memory, Place, SlotRef, entry, lock, position},
};

/// What became of a visit to a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Visit {
    /// The segment was applied, or given up and counted.
    Done = 0,
    /// The slot holds another connection, or none: look once more.
    Gone = 1,
}

/// Applies one segment to the table.
#[inline(always)]
pub fn observe<M: Memory>(memory: &M, segment: &mut Segment) {
    if let Some(plain) = Fast::of(segment)
        && fast(memory, &plain)
    {
        return;
    }
    observe_any(memory, segment);
}

/// [`observe`] for a segment that is not for the fast way: the kernel programs,
/// which have tried that with less than a whole [`Segment`].
#[inline(always)]
pub fn observe_any<M: Memory>(memory: &M, segment: &mut Segment) {
    memory.count(counters::SEGMENTS);
    let place = Place::of(&segment.tuple, memory.seed(), memory.mask());
    // A slot that was freed or taken over meanwhile is looked for once more.
    let mut round = 0;
    while round < 2 {
        let index = find(memory, &place);
        if index == NOWHERE {
            break;
        }
        if memory.visit(index, segment) == Visit::Done as u32 {
            return;
        }
        round += 1;
    }
    let index = memory.claim(&place, segment);
    // Another CPU has claimed it for the same connection meanwhile. Or it is
    // another connection's of the same hash, which keeps its place: the index
    // cannot tell the two apart.
    if index != NOWHERE && memory.visit(index, segment) == Visit::Gone as u32 {
        memory.count(counters::UNTRACKED);
    }
}

/// No slot.
pub const NOWHERE: u32 = u32::MAX;

/// The slot whose entry has this fingerprint.
#[inline(always)]
fn find<M: Memory>(memory: &M, place: &Place) -> u32 {
    if let Some(line) = memory.line(place.first) {
        let found = position(&line, place.fingerprint);
        if found < LINE {
            return place.first * LINE + found;
        }
    }
    if let Some(line) = memory.line(place.second) {
        let found = position(&line, place.fingerprint);
        if found < LINE {
            return place.second * LINE + found;
        }
    }
    NOWHERE
}

/// Steps the connection in a slot, if it is this one. Returns [`Visit`].
#[inline(always)]
pub fn visit<M: Memory>(memory: &M, index: u32, segment: &mut Segment) -> u32 {
    let Some(slot) = memory.slot(index) else {
        return Visit::Gone as u32;
    };
    let Some(taken) = lock(&slot) else {
        memory.count(counters::LOSS + Loss::Contended as usize);
        mark_missed(memory, index, &slot, segment);
        return Visit::Done as u32;
    };
    if taken.is(fact::FIN) && segment.has(mark::COARSE_TIME) {
        // From the first FIN on, delays are reported.
        segment.time = memory.now();
        segment.marks &= !mark::COARSE_TIME;
    }
    let (mut state, effects, done) = slot.with(|half, cold| {
        if taken.is_free() || !cold.tuple.is(&segment.tuple) {
            return (taken, Effects::NONE, Visit::Gone as u32);
        }
        let mut flow = Flow {
            state: taken,
            half,
            cold,
        };
        let effects = engine::step(&mut flow, segment, memory.settings());
        (flow.state, effects, Visit::Done as u32)
    });
    if effects != Effects::NONE {
        state = memory.act(index, segment, state, effects);
    }
    unlock(&slot, taken, state);
    done
}

/// An honest missed segment: says `GAPS` in the word of its connection, whose
/// lock somebody else holds.
///
/// The slot may be another connection's by now, so its entry is asked, and the
/// exchange at the end fails if the lock changed hands meanwhile: entry and
/// word are then of one holding. [`unlock`] keeps the mark; a holder that opens
/// the slot for a new connection drops it.
#[inline(always)]
fn mark_missed<M: Memory>(memory: &M, index: u32, slot: &impl SlotRef, segment: &Segment) {
    let seen = slot.load();
    // The word for itself: what is read after it is not older.
    if !seen.is_live() || !slot.exchange(seen, seen) {
        return;
    }
    let place = Place::of(&segment.tuple, memory.seed(), memory.mask());
    if let Some(line) = memory.line(index / LINE)
        && line.entry(index % LINE) & !(entry::ATTEMPT | entry::ENDED) == place.fingerprint
    {
        slot.exchange(seen, seen.with(fact::GAPS));
    }
}

/// Gives a slot's lock back, with `GAPS` if somebody gave a segment up
/// meanwhile. A mark set between the look and the store is lost: a gap is then
/// not said, but never invented.
#[inline(always)]
fn unlock(slot: &impl HotRef, taken: Snapshot, state: Snapshot) {
    let marked = state.is_live() && slot.load() != taken.locked();
    let state = if marked {
        state.with(fact::GAPS)
    } else {
        state
    };
    slot.store(state.released());
}
