//! Time passes: what ran out is ended, what is unreported is reported, what has
//! lingered becomes free.

use crate::{
    counters::{self, Event, Loss},
    engine::{Effects, Flow},
    exchange::{Operation, swept},
    policy::Timers,
    slot::SlotId,
    state::{Snapshot, fact},
    table::{Head, HotRef, LINE, LOCKS, LineRef, Memory, SlotRef, lock},
    taxonomy::Sequel,
    timer,
};

use super::{
    follow,
    report::{report_ending, set_class},
    unlock,
};

/// Visits a slot because time has passed, or because observation stops.
/// Returns [`swept`].
#[inline(always)]
pub fn sweep<M: Memory>(
    memory: &M,
    id: SlotId,
    operation: Operation,
    now: u64,
    timers: &Timers,
) -> u32 {
    let Some(slot) = memory.slot(id.slot) else {
        return swept::LEFT;
    };
    let line = (id.slot / LINE) & (LOCKS - 1);
    let seen = slot.load();
    if seen.is_free() || seen.generation() != id.generation {
        return swept::LEFT;
    }
    // Only what has ended can become free, which takes the line's lock.
    let mark = matches!(operation, Operation::Mark);
    let freeing = !mark && (seen.is_ended() || matches!(operation, Operation::Shutdown));
    if freeing && !memory.lock_line(line) {
        return swept::CONTENDED;
    }
    let status = match lock(&slot) {
        Some(state) if state.is_free() || state.generation() != id.generation => {
            slot.store(state.released());
            swept::LEFT
        }
        Some(state) if state.is_ended() && !freeing => {
            // It ended since it was looked at. The next visit comes with the
            // line's lock, without which no slot may become free.
            slot.store(state.released());
            swept::LEFT
        }
        Some(state) if mark => {
            // Nothing after the ending changes the ending; that is taken care of.
            unlock(&slot, state.with(fact::GAPS));
            swept::MARKED
        }
        Some(taken) => {
            let (state, status) = pass(memory, id.slot, &slot, taken, operation, now, timers);
            follow(memory, taken, state, || slot.with(|_, cold| cold.tuple));
            unlock(&slot, state);
            status
        }
        None => swept::CONTENDED,
    };
    if freeing {
        memory.unlock_line(line);
    }
    status
}

/// Time passes for a slot whose lock is held. Returns the new state and
/// [`swept`].
#[inline(always)]
fn pass<M: Memory>(
    memory: &M,
    index: u32,
    slot: &impl SlotRef,
    state: Snapshot,
    operation: Operation,
    now: u64,
    timers: &Timers,
) -> (Snapshot, u32) {
    let stopping = matches!(operation, Operation::Shutdown);
    let mut state = state;
    let mut status = 0;
    if state.is_live() {
        let effects;
        (state, effects) = slot.with(|half, cold| {
            let mut flow = Flow { state, half, cold };
            let mut effects = timer::expire_at(memory.level(), &mut flow, now, timers).0;
            if stopping && effects == Effects::NONE {
                effects = timer::drop_observed(&mut flow, now, false);
            }
            (flow.state, effects)
        });
        if effects == Effects::NONE {
            return (state, swept::LEFT);
        }
        state = memory.tell(index, now, 0, state, effects);
        set_class(memory, index, state, false);
        status |= swept::ENDED;
        if state.is_reported() {
            status |= swept::REPORTED;
        }
        // What ended just now lingers, unless nobody will watch it.
        if !stopping {
            return (state, status);
        }
    }
    let more;
    (state, more) = release(memory, index, slot, state, stopping, now, timers);
    status |= more;
    if status == 0 {
        status = swept::LEFT;
    }
    (state, status)
}

/// Reports an ended connection that was not, and frees its slot when it has
/// lingered. Its line's lock is held. Returns the new state and [`swept`].
#[inline(always)]
fn release<M: Memory>(
    memory: &M,
    index: u32,
    slot: &impl SlotRef,
    state: Snapshot,
    stopping: bool,
    now: u64,
    timers: &Timers,
) -> (Snapshot, u32) {
    let mut state = state;
    let mut status = 0;
    if !state.is_reported() {
        let time = slot.with(|_, cold| cold.turned_at);
        if report_ending(memory, index, state, time, 0) {
            state = state.reported();
            status |= swept::REPORTED;
        } else if stopping {
            memory.count(counters::LOSS + Loss::RecordLost as usize);
        } else {
            return (state, swept::RING_FULL);
        }
    }
    let (effects, over, then) = slot.with(|half, cold| {
        let mut flow = Flow { state, half, cold };
        let then = timer::ran_out(&flow, now, timers);
        let (effects, over) = timer::expire(&mut flow, now, timers);
        (effects, over, then)
    });
    let (sequel, time) = if over {
        (effects.sequel_number(), then)
    } else if !stopping {
        return (state, status);
    } else if state.is_time_wait() {
        (Sequel::Shutdown as u8, now)
    } else {
        (0, now)
    };
    if sequel != 0 {
        let head = Head {
            event: Event::TimeWait as u8,
            side: 0,
            detail: sequel,
            repeated: false,
            slot: index,
            time,
            state,
        };
        if !memory.report(head) {
            if !stopping {
                // The slot keeps it until the ring was read.
                return (state, status | swept::RING_FULL);
            }
            memory.count(counters::LOSS + Loss::RecordLost as usize);
        }
        memory.count(counters::SEQUEL + sequel as usize);
        memory.count(counters::EVENT + Event::TimeWait as usize);
    }
    if let Some(line) = memory.line(index / LINE) {
        line.set(index % LINE, 0);
    }
    (state.transition_to_free(), status | swept::FREED)
}
