//! What a step did, made known: counters, records, events, and the class in the
//! fingerprint. All under the slot's lock.

use crate::{
    counters::{self, Event, Loss},
    engine::{self, Effects, Flow, linger::over_at},
    segment::Segment,
    state::Snapshot,
    table::{Head, HotRef, LINE, LineRef, Memory, SlotRef, entry},
    taxonomy::{Outcome, Sequel},
    time::untick,
};

use super::{Visit, follow, unlock};

/// Counts, reports and follows up what a step did in a [`super::visit`] that
/// left the slot locked, and gives the lock back.
#[inline(always)]
pub fn act<M: Memory>(memory: &M, index: u32, segment: &Segment, visit: Visit) {
    let Some(slot) = memory.slot(index) else {
        return;
    };
    // The word is still that of before the step, but for the lock.
    let before = slot.load();
    let state = visit.state(before);
    let mut effects = visit.effects();
    let mut state = memory.tell(index, segment.time, segment.sender, state, effects);
    if effects.any(Effects::REOPEN) {
        if !state.is_reported() {
            let time = slot.with(|_, cold| cold.turned_at);
            if !report_ending(memory, index, state, time, 0) {
                memory.count(counters::LOSS + Loss::RecordLost as usize);
            }
        }
        let again;
        (state, again) = slot.with(|half, cold| {
            let mut flow = Flow { state, half, cold };
            let again = engine::reopen(&mut flow, segment);
            (flow.state, again)
        });
        memory.count(counters::OPENED);
        if again.0 & !Effects::SETTLED != 0 {
            state = memory.tell(index, segment.time, segment.sender, state, again);
        }
        effects = again.with(Effects::REOPEN);
    }
    if effects.has(Event::Ending)
        || effects.has(Event::TimeWait)
        || effects.any(Effects::SETTLED | Effects::REOPEN)
    {
        set_class(memory, index, state, effects.any(Effects::SETTLED));
    }
    follow(memory, before, state, || segment.tuple);
    unlock(&slot, state);
}

/// The class in the fingerprint follows the state.
#[inline(always)]
pub(super) fn set_class<M: Memory>(memory: &M, index: u32, state: Snapshot, settled: bool) {
    let Some(line) = memory.line(index / LINE) else {
        return;
    };
    let position = index % LINE;
    let old = line.entry(position) & !(entry::ATTEMPT | entry::ENDED);
    let class = if state.is_ended() {
        entry::ENDED
    } else if settled {
        0
    } else {
        entry::ATTEMPT
    };
    line.set(position, old | class);
}

/// Hands the record of an ending over.
#[inline(always)]
pub(super) fn report_ending<M: Memory>(
    memory: &M,
    index: u32,
    state: Snapshot,
    time: u64,
    side: u8,
) -> bool {
    memory.report(Head {
        event: Event::Ending as u8,
        side,
        detail: 0,
        repeated: false,
        slot: index,
        time,
        state,
    })
}

/// Counts and reports. Returns the new state.
#[inline(always)]
pub fn tell<M: Memory>(
    memory: &M,
    index: u32,
    time: u64,
    side: u8,
    state: Snapshot,
    effects: Effects,
) -> Snapshot {
    let mut state = state;
    if effects.any(Effects::JUDGED) {
        memory.count(counters::VERDICT + effects.verdict_number() as usize);
    }
    if effects.guarded_number() != 0 {
        memory.count(counters::GUARDED + effects.guarded_number() as usize);
    }
    if effects.any(Effects::FIN_RESTART) {
        memory.count(counters::FIN_RESTARTS);
    }
    if effects.has(Event::Ending) {
        let Some(slot) = memory.slot(index) else {
            return state;
        };
        let (outcome, time) = slot.with(|_, cold| (cold.outcome, cold.turned_at));
        memory.count(counters::ENDING + Outcome::packed_ending(outcome) as usize);
        if state.is_time_wait() {
            memory.count(counters::TIME_WAIT);
        }
        if report_ending(memory, index, state, time, side) {
            state = state.reported();
        } else {
            memory.count(counters::LOSS + Loss::RingFull as usize);
        }
    }
    // Of a wait that was over before this segment: when it was.
    let mut left_at = time;
    if effects.has(Event::TimeWait) {
        memory.count(counters::SEQUEL + effects.sequel_number() as usize);
        if effects.sequel_number() == Sequel::Expired as u8
            && let Some(slot) = memory.hot(index)
        {
            left_at = slot.halves(|half| untick(over_at(half, memory.settings()), time));
        }
    }
    let wanted = memory.settings().events;
    let mut number = Event::TimeWait as u32;
    while number <= Event::RstGuarded as u32 {
        if effects.0 & 1 << number != 0 {
            memory.count(counters::EVENT + number as usize);
            if wanted & 1 << number != 0 {
                tell_event(memory, index, left_at, side, state, effects, number);
            }
        }
        left_at = time;
        number += 1;
    }
    state
}

/// Hands over one event.
#[inline(always)]
fn tell_event<M: Memory>(
    memory: &M,
    index: u32,
    time: u64,
    side: u8,
    state: Snapshot,
    effects: Effects,
    number: u32,
) {
    let time_wait = number == Event::TimeWait as u32;
    let head = Head {
        event: number as u8,
        side: effects.side_of(number, side),
        detail: if time_wait {
            effects.sequel_number()
        } else {
            effects.verdict_number() | effects.guarded_number() << 4
        },
        repeated: false,
        slot: index,
        time,
        state,
    };
    if !memory.report(head) {
        let loss = if time_wait {
            Loss::RecordLost
        } else {
            Loss::EventLost
        };
        memory.count(counters::LOSS + loss as usize);
    }
}
