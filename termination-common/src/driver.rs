//! How a segment, or the passing of time, reaches its slot: find, lock, check,
//! step, count, report, release; claim and free. Generic over the memory, so
//! that the kernel, the captures and the loom model run the same protocol.
//!
//! Order of locks: line locks by index, then one slot. Every wait is bounded;
//! who gives up counts it.

use crate::{
    counters::{self, Event, Loss},
    engine::{self, Effects, Flow},
    exchange::{Operation, swept},
    policy::Timers,
    segment::{Segment, mark},
    slot::{SlotId, bit},
    state::{Snapshot, fact},
    table::{
        ATTEMPTS_MAX, Head, LINE, LOCKS, LineRef, Memory, Place, SlotRef, census, entry, lock,
        ones, pick, position,
    },
    taxonomy::{Outcome, Sequel},
    timer,
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
    let (mut state, effects, done) = slot.with(|hot, cold| {
        if taken.is_free() || cold.tuple != segment.tuple {
            return (taken, Effects::NONE, Visit::Gone as u32);
        }
        let mut flow = Flow {
            state: taken,
            hot,
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
fn unlock(slot: &impl SlotRef, taken: Snapshot, state: Snapshot) {
    let marked = state.is_live() && slot.load() != taken.locked();
    let state = if marked {
        state.with(fact::GAPS)
    } else {
        state
    };
    slot.store(state.released());
}

/// Counts, reports and follows up what a step did, with the slot's lock held.
/// Returns the new state.
#[inline(always)]
pub fn act<M: Memory>(
    memory: &M,
    index: u32,
    segment: &Segment,
    state: Snapshot,
    effects: Effects,
) -> Snapshot {
    let mut state = memory.tell(index, segment.time, segment.sender, state, effects);
    let mut effects = effects;
    if effects.any(Effects::REOPEN) {
        let Some(slot) = memory.slot(index) else {
            return state;
        };
        if !state.is_reported() {
            let time = slot.with(|_, cold| cold.turned_at);
            if !report_ending(memory, index, state, time, 0) {
                memory.count(counters::LOSS + Loss::RecordLost as usize);
            }
        }
        let again;
        (state, again) = slot.with(|hot, cold| {
            let mut flow = Flow { state, hot, cold };
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
    state
}

/// The class in the fingerprint follows the state.
#[inline(always)]
fn set_class<M: Memory>(memory: &M, index: u32, state: Snapshot, settled: bool) {
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
fn report_ending<M: Memory>(memory: &M, index: u32, state: Snapshot, time: u64, side: u8) -> bool {
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
    if effects.has(Event::TimeWait) {
        memory.count(counters::SEQUEL + effects.sequel_number() as usize);
    }
    let wanted = memory.settings().events;
    let mut number = Event::TimeWait as u32;
    while number <= Event::Established as u32 {
        if effects.0 & 1 << number != 0 {
            memory.count(counters::EVENT + number as usize);
            if wanted & 1 << number != 0 {
                tell_event(memory, index, time, side, state, effects, number);
            }
        }
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
        side,
        detail: if time_wait {
            effects.sequel_number()
        } else {
            effects.verdict_number()
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

/// The locks of a place, in index order; the second may be the first.
#[inline(always)]
fn locks_of(place: &Place) -> (u32, u32) {
    let (a, b) = (place.first & (LOCKS - 1), place.second & (LOCKS - 1));
    if a < b { (a, b) } else { (b, a) }
}

/// Claims a slot for a connection that the table does not hold. Returns the
/// slot if another CPU has claimed it meanwhile, else [`NOWHERE`].
#[inline(always)]
pub fn claim<M: Memory>(memory: &M, place: &Place, segment: &Segment) -> u32 {
    let (low, high) = locks_of(place);
    if !memory.lock_line(low) {
        memory.count(counters::LOSS + Loss::Contended as usize);
        return NOWHERE;
    }
    if high != low && !memory.lock_line(high) {
        memory.unlock_line(low);
        memory.count(counters::LOSS + Loss::Contended as usize);
        return NOWHERE;
    }
    let found = claim_locked(memory, place, segment);
    if high != low {
        memory.unlock_line(high);
    }
    memory.unlock_line(low);
    found
}

/// [`claim`] with the line locks held.
#[inline(always)]
fn claim_locked<M: Memory>(memory: &M, place: &Place, segment: &Segment) -> u32 {
    let found = find(memory, place);
    if found != NOWHERE {
        return found;
    }
    let (Some(first), Some(second)) = (memory.line(place.first), memory.line(place.second)) else {
        return NOWHERE;
    };
    let (a, b) = (census(&first), census(&second));
    let (room_a, room_b) = (
        ones(a.attempts) < ATTEMPTS_MAX,
        ones(b.attempts) < ATTEMPTS_MAX,
    );
    let choice = (segment.time >> 10) as u32 ^ (place.fingerprint >> 40) as u32;
    // Free entries first, in the emptier line; then lingering ones; attempts
    // displace only attempts, and never grow beyond half a line.
    let (line, mask, loss) = if room_a && a.free != 0 && (ones(a.free) >= ones(b.free) || !room_b) {
        (place.first, a.free, 0)
    } else if room_b && b.free != 0 {
        (place.second, b.free, 0)
    } else if room_a && a.ended != 0 {
        (place.first, a.ended, Loss::LingerDisplaced as usize)
    } else if room_b && b.ended != 0 {
        (place.second, b.ended, Loss::LingerDisplaced as usize)
    } else if !room_a {
        (place.first, a.attempts, Loss::AttemptDisplaced as usize)
    } else if !room_b {
        (place.second, b.attempts, Loss::AttemptDisplaced as usize)
    } else {
        memory.count(counters::LOSS + Loss::TableFull as usize);
        return NOWHERE;
    };
    let index = line * LINE + pick(mask, choice);
    memory.fill(index, place.fingerprint, segment, loss);
    NOWHERE
}

/// Opens the connection in a chosen slot, displacing what was there.
#[inline(always)]
pub fn fill<M: Memory>(memory: &M, index: u32, fingerprint: u64, segment: &Segment, loss: usize) {
    let Some(slot) = memory.slot(index) else {
        return;
    };
    let Some(mut state) = lock(&slot) else {
        memory.count(counters::LOSS + Loss::Contended as usize);
        return;
    };
    if !state.is_free() {
        let made;
        (state, made) = displace(memory, index, &slot, state, segment, loss);
        if !made {
            slot.store(state.released());
            return;
        }
    }
    let effects;
    (state, effects) = slot.with(|hot, cold| {
        let mut flow = Flow { state, hot, cold };
        let effects = engine::open(&mut flow, segment);
        (flow.state, effects)
    });
    let opened = if segment.flags.syn() && !segment.flags.rst() {
        counters::OPENED
    } else {
        counters::MIDSTREAM
    };
    memory.count(opened);
    if let Some(line) = memory.line(index / LINE) {
        line.set(index % LINE, fingerprint);
    }
    set_class(memory, index, state, effects.any(Effects::SETTLED));
    if effects != Effects::NONE {
        state = memory.tell(index, segment.time, segment.sender, state, effects);
    }
    slot.store(state.released());
}

/// Makes room: what was there is ended (`evicted`) or its wait is over, if it
/// still is what its class said. Returns the new state, and whether there is
/// room.
#[inline(always)]
fn displace<M: Memory>(
    memory: &M,
    index: u32,
    slot: &impl SlotRef,
    state: Snapshot,
    segment: &Segment,
    loss: usize,
) -> (Snapshot, bool) {
    let attempt = loss == Loss::AttemptDisplaced as usize;
    let (mut state, effects, unfit) = slot.with(|hot, cold| {
        let both = hot.half[0].bits & hot.half[1].bits & bit::SEEN != 0;
        let settled = state.is(fact::ESTABLISHED) && both;
        let mut flow = Flow { state, hot, cold };
        if loss == 0 || state.is_live() != attempt || (attempt && settled) {
            return (state, Effects::NONE, true);
        }
        let effects = if attempt {
            timer::drop_observed(&mut flow, segment.time, true)
        } else if state.is_time_wait() {
            Effects::sequel(Sequel::Evicted)
        } else {
            Effects::NONE
        };
        (flow.state, effects, false)
    });
    if unfit {
        memory.count(counters::LOSS + Loss::TableFull as usize);
        return (state, false);
    }
    memory.count(counters::LOSS + loss);
    if !effects.has(Event::Ending) && !state.is_reported() {
        let time = slot.with(|_, cold| cold.turned_at);
        if report_ending(memory, index, state, time, 0) {
            state = state.reported();
        }
    }
    if effects != Effects::NONE {
        state = memory.tell(index, segment.time, 0, state, effects);
    }
    if !state.is_reported() {
        memory.count(counters::LOSS + Loss::RecordLost as usize);
    }
    (state, true)
}

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
    let freeing = seen.is_ended() || matches!(operation, Operation::Shutdown);
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
        Some(taken) => {
            let (state, status) = pass(memory, id.slot, &slot, taken, operation, now, timers);
            unlock(&slot, taken, state);
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
        (state, effects) = slot.with(|hot, cold| {
            let mut flow = Flow { state, hot, cold };
            let effects = if stopping {
                timer::drop_observed(&mut flow, now, false)
            } else {
                timer::expire(&mut flow, now, timers).0
            };
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
    let sequel = if !stopping {
        let (effects, over) = slot.with(|hot, cold| {
            let mut flow = Flow { state, hot, cold };
            timer::expire(&mut flow, now, timers)
        });
        if !over {
            return (state, status);
        }
        effects.sequel_number()
    } else if state.is_time_wait() {
        Sequel::Shutdown as u8
    } else {
        0
    };
    if sequel != 0 {
        let head = Head {
            event: Event::TimeWait as u8,
            side: 0,
            detail: sequel,
            repeated: false,
            slot: index,
            time: now,
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
