//! How a segment, or the passing of time, reaches its slot: find, lock, check,
//! step, count, report, release; claim and free. Generic over the memory, so
//! that the kernel, the captures and the loom model run the same protocol.
//!
//! Order of locks: line locks by index, then one slot. Every wait is bounded;
//! who gives up counts it.

mod attend;
mod claim;
mod fast;
mod report;
mod sweep;

use attend::follow;
pub use attend::{attend, is_attended, is_wanted};
pub use claim::{Claimed, claim, fill, unlock_lines};
pub use fast::fast;
pub use report::{act, tell};
pub use sweep::sweep;

use crate::{
    attention,
    counters::{self, Loss},
    engine::{
        self, Effects, Flow,
        closing::is_plain,
        guard::{self, Guarded},
    },
    policy::{Level, Settings},
    segment::{Fast, Segment, mark},
    slot::{Cold, Half},
    state::{Snapshot, fact},
    table::{
        HotRef, LINE, LineRef, Memory, Place, SlotRef, Work, entry, lock, position, preferred,
    },
    verifier::blur,
};

/// What became of a visit to a slot, in one register.
///
/// A step that has something to say leaves the slot locked, for [`act`]: a call
/// of that from within a visit would need more stack than a BPF program has.
/// What a step changes of the state word are its facts and its life; the rest
/// is read from the slot again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Visit(pub u64);

impl Visit {
    /// The segment was applied, or given up and counted.
    pub const DONE: Self = Self(0);
    /// The slot holds another connection, or none: look once more.
    pub const GONE: Self = Self(1);
    /// Its lock stayed taken: wait, and visit it once more.
    pub const BUSY: Self = Self(2);
    const HELD: u64 = 1 << 63;
    const EFFECTS_SHIFT: u32 = 17;
    const FACTS: u64 = (1 << Self::EFFECTS_SHIFT) - 1;

    #[inline(always)]
    const fn held(state: Snapshot, effects: Effects) -> Self {
        let effects = (effects.0 as u64) << Self::EFFECTS_SHIFT;
        Self(Self::HELD | effects | state.0 & Self::FACTS)
    }

    /// The slot is still locked.
    #[inline(always)]
    const fn is_held(self) -> bool {
        self.0 & Self::HELD != 0
    }

    /// What the step had to say.
    #[inline(always)]
    const fn effects(self) -> Effects {
        Effects((self.0 >> Self::EFFECTS_SHIFT) as u32)
    }

    /// The working copy of a word of which the rest is `word`.
    #[inline(always)]
    const fn state(self, word: Snapshot) -> Snapshot {
        Snapshot(word.0 & !Self::FACTS | self.0 & Self::FACTS)
    }
}

/// Applies one segment to the table. True if a guard drops it.
#[inline(always)]
pub fn observe<M: Memory>(memory: &M, segment: &mut Segment) -> bool {
    if memory.level().is_closing() {
        return is_wanted(memory, segment) && observe_any(memory, segment, NOWHERE);
    }
    let near = match Fast::of(segment).map(|plain| fast(memory, &plain)) {
        Some(Ok(())) => return false,
        Some(Err(near)) => near,
        None => NOWHERE,
    };
    observe_any(memory, segment, near)
}

/// [`observe`] for a segment that is not for the fast way: the kernel programs,
/// which have tried that with less than a whole [`Segment`]. `near` is the slot
/// that was found there, or [`NOWHERE`].
#[inline(always)]
pub fn observe_any<M: Memory>(memory: &M, segment: &mut Segment, near: u32) -> bool {
    let effects = apply(memory, segment, near);
    if effects.guarded_number() == 0 && guard::concerns(segment, memory.settings()) {
        memory.count(counters::GUARDED + Guarded::NotJudged as usize);
    }
    effects.drops()
}

/// Finds the segment's connection and steps it, or opens one. What the step had
/// to say, if it was one of a connection that was there.
#[inline(always)]
fn apply<M: Memory>(memory: &M, segment: &mut Segment, near: u32) -> Effects {
    // At `closing` a plain one counts once it is known to concern somebody.
    if !memory.level().is_closing() || !is_plain(segment) {
        memory.count(counters::SEGMENTS);
    }
    if near != NOWHERE {
        let visit = enter(memory, near, segment);
        if visit != Visit::GONE {
            return visit.effects();
        }
    }
    let place = Place::of(&segment.tuple, memory.seed(), memory.mask());
    // Most stand where they prefer to, or will: all of the slot is fetched together with
    // the line that says so, not after it.
    if let Some(slot) = memory.slot(place.first * LINE + preferred(place.fingerprint)) {
        slot.fetch();
    }
    // A slot that was freed or taken over meanwhile is looked for once more.
    let mut round = 0;
    while round < 2 {
        let index = find(memory, &place);
        if index == NOWHERE {
            break;
        }
        let visit = enter(memory, index, segment);
        if visit != Visit::GONE {
            return visit.effects();
        }
        round += 1;
    }
    let claimed = memory.claim(&place, segment);
    let index = claimed.slot();
    if claimed.is_room() {
        memory.fill(index, place.fingerprint, segment, claimed.loss());
        unlock_lines(memory, &place);
        return Effects::NONE;
    }
    // Another CPU has claimed it for the same connection meanwhile. Or it is
    // another connection's of the same hash, which keeps its place: the index
    // cannot tell the two apart.
    if index == NOWHERE {
        return Effects::NONE;
    }
    let visit = enter(memory, index, segment);
    if visit == Visit::GONE {
        memory.count(counters::UNTRACKED);
    }
    visit.effects()
}

/// Visits a slot and follows up.
#[inline(always)]
fn enter<M: Memory>(memory: &M, index: u32, segment: &mut Segment) -> Visit {
    let mut visit = memory.visit(index, segment);
    if visit == Visit::BUSY {
        memory.wait(index);
        visit = memory.visit(index, segment);
    }
    if visit.is_held() {
        memory.act(index, segment, visit);
    }
    visit
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

/// Steps the connection in a slot, if it is this one.
#[inline(always)]
pub fn visit<M: Memory>(memory: &M, index: u32, segment: &mut Segment) -> Visit {
    let Some(slot) = memory.slot(index) else {
        return Visit::GONE;
    };
    let plain = memory.level().is_closing() && is_plain(segment);
    if plain && !attention::wanted(slot.load()) {
        // The filter meant another one. Or attention is only about to be wanted,
        // by a segment that is seen at the same time: then this one came before.
        return Visit::DONE;
    }
    slot.fetch();
    let Some(taken) = lock(&slot) else {
        if !segment.has(mark::WAITED) {
            // Its holder does not run. It is the segment of a connection that is
            // known: that is worth more patience than a stranger's.
            segment.marks |= mark::WAITED;
            return Visit::BUSY;
        }
        memory.count(counters::LOSS + Loss::Contended as usize);
        mark_missed(memory, index, &slot, segment);
        return Visit::DONE;
    };
    if taken.is(fact::FIN) && segment.has(mark::COARSE_TIME) {
        // From the first FIN on, delays are reported.
        segment.time = memory.now();
        segment.marks &= !mark::COARSE_TIME;
    }
    let (state, effects, gone) = slot.work(Step {
        taken,
        segment,
        settings: memory.settings(),
        level: memory.level(),
    });
    if gone {
        unlock(&slot, taken);
        return Visit::GONE;
    }
    if plain {
        memory.count(counters::SEGMENTS);
    }
    let effects = Effects(blur(effects.0.into(), segment.seq) as u32);
    let state = Snapshot(blur(state.0, segment.seq));
    let state = slot.with(|half, cold| guard::listen(state, half, cold, segment));
    if effects != Effects::NONE {
        return Visit::held(state, effects);
    }
    follow(memory, taken, state, || segment.tuple);
    unlock(&slot, state);
    Visit::DONE
}

/// The step of a slot's connection, if it is the segment's.
struct Step<'a> {
    taken: Snapshot,
    segment: &'a Segment,
    settings: &'a Settings,
    level: Level,
}

impl Work for Step<'_> {
    /// The new state, what happened, and whether it is another connection's.
    type Result = (Snapshot, Effects, bool);

    #[inline(always)]
    fn run(self, half: &mut [Half; 2], cold: &mut Cold) -> Self::Result {
        let Self {
            taken,
            segment,
            settings,
            level,
        } = self;
        if taken.is_free() || !cold.tuple.is(&segment.tuple) {
            return (taken, Effects::NONE, true);
        }
        let mut flow = Flow {
            state: taken,
            half,
            cold,
        };
        let effects = engine::step_at(level, &mut flow, segment, settings);
        (flow.state, effects, false)
    }
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
fn unlock(slot: &impl HotRef, state: Snapshot) {
    let word = slot.load();
    let same = state.is_live() && word.generation() == state.generation();
    let state = if same && word.is(fact::GAPS) {
        state.with(fact::GAPS)
    } else {
        state
    };
    slot.store(state.released());
}
