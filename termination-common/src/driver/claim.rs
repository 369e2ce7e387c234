//! Room for a connection that the table does not hold: free entries, what
//! lingers, what may be displaced.

use crate::{
    counters::{self, Event, Loss},
    engine::{
        self, Effects, Flow,
        closing::{is_plain, may_rest},
        linger,
    },
    segment::Segment,
    slot::bit,
    state::{Snapshot, fact},
    table::{
        ATTEMPTS_MAX, HotRef, LINE, LOCKS, LineRef, Memory, Place, SlotRef, census, lock, ones,
        pick, preferred,
    },
    taxonomy::Sequel,
    timer,
    verifier::blur,
};

use super::{
    NOWHERE, find, follow,
    report::{report_ending, set_class},
};

/// The locks of a place, in index order; the second may be the first.
#[inline(always)]
fn locks_of(place: &Place) -> (u32, u32) {
    let (a, b) = (place.first & (LOCKS - 1), place.second & (LOCKS - 1));
    if a < b { (a, b) } else { (b, a) }
}

/// What [`claim`] has found, in one register: a slot, or [`NOWHERE`]; if it is
/// one to fill, so, and the [`Loss`] that this means, 0 for none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Claimed(pub u64);

impl Claimed {
    /// The slot is to be filled, and the lines are locked until it is.
    const ROOM: u64 = 1 << 63;
    const LOSS_SHIFT: u32 = 32;
    /// Nothing.
    pub const NOTHING: Self = Self(NOWHERE as u64);

    /// A slot that has become this connection's meanwhile.
    const fn found(index: u32) -> Self {
        Self(index as u64)
    }

    const fn room(index: u32, loss: usize) -> Self {
        Self(Self::ROOM | (loss as u64) << Self::LOSS_SHIFT | index as u64)
    }

    /// The slot is to be filled.
    #[inline(always)]
    pub const fn is_room(self) -> bool {
        self.0 & Self::ROOM != 0
    }

    /// The slot, or [`NOWHERE`].
    #[inline(always)]
    pub const fn slot(self) -> u32 {
        self.0 as u32
    }

    /// Number of the [`Loss`].
    #[inline(always)]
    pub const fn loss(self) -> usize {
        ((self.0 & !Self::ROOM) >> Self::LOSS_SHIFT) as usize
    }
}

/// Looks for room for a connection that the table does not hold. If there is
/// some, its lines stay locked for [`fill`] until [`unlock_lines`]: a call of
/// that from here would need more stack than a BPF program has.
#[inline(always)]
pub fn claim<M: Memory>(memory: &M, place: &Place, segment: &Segment) -> Claimed {
    if memory.level().is_closing() && is_plain(segment) {
        // Whether it is looked up at all is chance: it opens nothing.
        return Claimed::NOTHING;
    }
    let (low, high) = locks_of(place);
    if !memory.lock_line(low) {
        memory.count(counters::LOSS + Loss::Contended as usize);
        return Claimed::NOTHING;
    }
    if high != low && !memory.lock_line(high) {
        memory.unlock_line(low);
        memory.count(counters::LOSS + Loss::Contended as usize);
        return Claimed::NOTHING;
    }
    let found = claim_locked(memory, place);
    if !found.is_room() {
        unlock_lines(memory, place);
    }
    found
}

/// Gives the locks of a place back.
#[inline(always)]
pub fn unlock_lines<M: Memory>(memory: &M, place: &Place) {
    let (low, high) = locks_of(place);
    if high != low {
        memory.unlock_line(high);
    }
    memory.unlock_line(low);
}

/// [`claim`] with the line locks held.
#[inline(always)]
fn claim_locked<M: Memory>(memory: &M, place: &Place) -> Claimed {
    let found = find(memory, place);
    if found != NOWHERE {
        return Claimed::found(found);
    }
    let (Some(first), Some(second)) = (memory.line(place.first), memory.line(place.second)) else {
        return Claimed::NOTHING;
    };
    let (a, b) = (census(&first), census(&second));
    let (room_a, room_b) = (
        ones(a.attempts) < ATTEMPTS_MAX,
        ones(b.attempts) < ATTEMPTS_MAX,
    );
    // Free entries first: in the first line until half of it is used, so that
    // most are found at the first look; then in the emptier one. Then lingering
    // ones; attempts displace only attempts, and never grow beyond half a line.
    let near = ones(a.free) > LINE / 2 || ones(a.free) >= ones(b.free);
    let (line, mask, loss) = if room_a && a.free != 0 && (near || !room_b) {
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
        return Claimed::NOTHING;
    };
    Claimed::room(line * LINE + pick(mask, preferred(place.fingerprint)), loss)
}

/// Opens the connection in a chosen slot, displacing what was there.
#[inline(always)]
pub fn fill<M: Memory>(memory: &M, index: u32, fingerprint: u64, segment: &Segment, loss: usize) {
    let Some(slot) = memory.slot(index) else {
        return;
    };
    slot.fetch();
    let Some(mut state) = lock(&slot) else {
        memory.count(counters::LOSS + Loss::Contended as usize);
        return;
    };
    if !state.is_free() {
        let before = state;
        let made;
        (state, made) = displace(memory, index, &slot, state, segment, loss);
        if !made {
            slot.store(state.released());
            return;
        }
        // What was there needs nothing any more.
        let none = Snapshot::default();
        follow(memory, before, none, || slot.with(|_, cold| cold.tuple));
        state = Snapshot(blur(state.0, segment.seq));
    }
    let effects;
    (state, effects) = slot.with(|half, cold| {
        let mut flow = Flow { state, half, cold };
        let effects = engine::open(&mut flow, segment);
        (flow.state, effects)
    });
    let effects = Effects(blur(effects.0.into(), segment.seq) as u32);
    state = Snapshot(blur(state.0, segment.seq));
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
    follow(memory, Snapshot::default(), state, || segment.tuple);
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
    // What was over before is displaced by nobody.
    let (mut state, effects, unfit, over) = slot.with(|half, cold| {
        let both = half[0].bits & half[1].bits & bit::SEEN != 0;
        let settled = state.is(fact::ESTABLISHED) && both;
        let mut flow = Flow { state, half, cold };
        if loss == 0 || state.is_live() != attempt || (attempt && settled) {
            return (state, Effects::NONE, true, false);
        }
        let timers = &memory.settings().timers;
        let mut over = false;
        let effects = if attempt {
            let asleep = memory.level().is_closing() && may_rest(flow.state);
            let lapsed = if asleep {
                Effects::NONE
            } else {
                timer::lapse(&mut flow, segment.time, timers)
            };
            over = lapsed != Effects::NONE;
            if over {
                lapsed
            } else {
                timer::drop_observed(&mut flow, segment.time, true)
            }
        } else if state.is_time_wait() {
            over = linger::is_over(flow.half, segment.tick(), memory.settings());
            Effects::sequel(if over {
                Sequel::Expired
            } else {
                Sequel::Evicted
            })
        } else {
            Effects::NONE
        };
        (flow.state, effects, false, over)
    });
    if unfit {
        memory.count(counters::LOSS + Loss::TableFull as usize);
        return (state, false);
    }
    if !over {
        memory.count(counters::LOSS + loss);
    }
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
