//! The shape of the slot table and how it is reached.
//!
//! A fingerprint line holds eight entries; a connection's slot is the entry's
//! index in the hot and cold arrays. A tuple has two candidate lines. An entry
//! is 61 bits of the keyed hash and three bits of class:
//!
//! | bits | meaning |
//! |---|---|
//! | 0 | an attempt (or a midstream seen one way): may be displaced |
//! | 1 | ended, lingering: may be displaced |
//! | 2 | in use; a free entry is 0 |
//! | 3..63 | fingerprint |
//!
//! An entry changes only under its slot's lock, and becomes used or free only
//! under its line's lock as well. Readers take it as a hint: the slot's lock
//! and the full tuple decide.

use crate::{
    attention, driver,
    engine::Effects,
    policy::{Level, Settings},
    segment::Segment,
    slot::{Cold, Half},
    state::{LOCK_TRIES, Snapshot},
    tuple::Tuple,
};

/// Entries in a line: 64 bytes, one cache line.
pub const LINE: u32 = 8;
/// At most this many entries of a line are attempts.
pub const ATTEMPTS_MAX: u32 = LINE / 2;
/// Line locks; lines share them by their low bits.
pub const LOCKS: u32 = 1 << 12;

/// Bits of an entry.
pub mod entry {
    /// May be displaced by a newer attempt.
    pub const ATTEMPT: u64 = 1 << 0;
    /// May be displaced by any new connection.
    pub const ENDED: u64 = 1 << 1;
    /// In use.
    pub const USED: u64 = 1 << 2;
    /// Not the fingerprint.
    pub const CLASS: u64 = 0b111;
}

/// Where a tuple may live: its fingerprint and its two lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The entry without its class, `USED` set.
    pub fingerprint: u64,
    /// The first line.
    pub first: u32,
    /// The second line; differs from the first unless there is only one.
    pub second: u32,
}

impl Place {
    /// From the keyed hash; `mask` = lines - 1.
    #[inline(always)]
    pub const fn new(hash: u64, mask: u32) -> Self {
        let first = hash as u32 & mask;
        // An odd step keeps the two apart and makes each find the other.
        let step = ((hash >> 32) as u32) | 1;
        Self {
            fingerprint: hash & !entry::CLASS | entry::USED,
            first,
            second: (first ^ step) & mask,
        }
    }

    /// From a tuple.
    #[inline(always)]
    pub const fn of(tuple: &Tuple, seed: [u64; 2], mask: u32) -> Self {
        Self::new(tuple.hash(seed), mask)
    }
}

/// One fingerprint line.
pub trait LineRef: Copy {
    /// Reads an entry; `position` < [`LINE`].
    fn entry(&self, position: u32) -> u64;
    /// Writes an entry.
    fn set(&self, position: u32, value: u64);
}

/// The hot line of a slot.
pub trait HotRef: Copy {
    /// Reads the word (acquire).
    fn load(&self) -> Snapshot;
    /// Compare-and-swap on the word (acquire); true if it was `old`.
    fn exchange(&self, old: Snapshot, new: Snapshot) -> bool;
    /// Writes the word (release).
    fn store(&self, new: Snapshot);
    /// What of it the lock guards. Only called with the slot's lock held.
    fn halves<R>(&self, f: impl FnOnce(&mut [Half; 2]) -> R) -> R;
}

/// Something to be done with what a slot's lock guards. Not a closure where it is
/// large: a compiler may leave that a function of its own, for whose stack there
/// is no room in a BPF program.
pub trait Work {
    /// What comes of it.
    type Result;
    /// Does it.
    fn run(self, half: &mut [Half; 2], cold: &mut Cold) -> Self::Result;
}

/// One slot.
pub trait SlotRef: HotRef {
    /// Has the memory fetch all of the slot, since it is wanted: the wait for
    /// it and for the lock is then one.
    #[inline(always)]
    fn fetch(&self) {}
    /// What the lock guards. Only called with the slot's lock held.
    fn with<R>(&self, f: impl FnOnce(&mut [Half; 2], &mut Cold) -> R) -> R;
    /// The same.
    #[inline(always)]
    fn work<W: Work>(&self, work: W) -> W::Result {
        self.with(|half, cold| work.run(half, cold))
    }
}

/// What a table lives in: BPF maps, the heap, a loom model.
pub trait Memory {
    /// Handle of a line.
    type Line<'a>: LineRef
    where
        Self: 'a;
    /// Handle of a slot.
    type Slot<'a>: SlotRef
    where
        Self: 'a;
    /// Handle of its hot line alone.
    type Hot<'a>: HotRef
    where
        Self: 'a;

    /// Number of lines - 1; the number is a power of two.
    fn mask(&self) -> u32;
    /// Key of the hash.
    fn seed(&self) -> [u64; 2];
    /// A line, if the index is in range.
    fn line(&self, index: u32) -> Option<Self::Line<'_>>;
    /// A slot, if the index is in range.
    fn slot(&self, index: u32) -> Option<Self::Slot<'_>>;
    /// Its hot line, likewise.
    fn hot(&self, index: u32) -> Option<Self::Hot<'_>>;
    /// Tries to take a line lock, bounded.
    fn lock_line(&self, lock: u32) -> bool;
    /// Gives a line lock back.
    fn unlock_line(&self, lock: u32);
    /// Adds one to a counter ([`crate::counters`]).
    fn count(&self, counter: usize);
    /// Hands a record to user space, with a copy of the slot that `head` names
    /// and whose lock is held; false if there is no room.
    fn report(&self, head: Head) -> bool;
    /// Policy.
    fn settings(&self) -> &Settings;
    /// The time with full resolution, for a segment that came with
    /// [`crate::segment::mark::COARSE_TIME`].
    fn now(&self) -> u64;
    /// Lets the holder of a slot's lock finish, for far longer than
    /// [`LOCK_TRIES`] take; bounded, too. Nothing where nobody else can hold it.
    #[inline(always)]
    fn wait(&self, _slot: u32) {}

    /// How much is tracked.
    #[inline(always)]
    fn level(&self) -> Level {
        Level::Full
    }
    /// Words of the attention filter - 1 ([`crate::attention`]).
    #[inline(always)]
    fn attention_mask(&self) -> u32 {
        0
    }
    /// Reads a word of it.
    #[inline(always)]
    fn attention(&self, _index: u32) -> u64 {
        attention::FULL
    }
    /// Compare-and-swap on a word of it; true if it was `old`.
    #[inline(always)]
    fn attention_exchange(&self, _index: u32, _old: u64, _new: u64) -> bool {
        true
    }
    /// Sets a word of it to [`attention::FULL`], whatever it was.
    #[inline(always)]
    fn attention_fill(&self, _index: u32) {}

    // The seams of the driver. In the kernel each is a function of scalars that
    // the verifier walks once by itself, instead of once for every path that
    // leads to it; elsewhere they are plain calls.

    /// [`driver::visit`].
    #[inline(always)]
    fn visit(&self, index: u32, segment: &mut Segment) -> driver::Visit
    where
        Self: Sized,
    {
        driver::visit(self, index, segment)
    }

    /// [`driver::act`].
    #[inline(always)]
    fn act(&self, index: u32, segment: &Segment, visit: driver::Visit)
    where
        Self: Sized,
    {
        driver::act(self, index, segment, visit);
    }

    /// [`driver::tell`].
    #[inline(always)]
    fn tell(&self, index: u32, time: u64, side: u8, state: Snapshot, effects: Effects) -> Snapshot
    where
        Self: Sized,
    {
        driver::tell(self, index, time, side, state, effects)
    }

    /// [`driver::attend`].
    #[inline(always)]
    fn attend(&self, key: u64, begins: bool)
    where
        Self: Sized,
    {
        driver::attend(self, key, begins);
    }

    /// [`driver::claim`].
    #[inline(always)]
    fn claim(&self, place: &Place, segment: &Segment) -> driver::Claimed
    where
        Self: Sized,
    {
        driver::claim(self, place, segment)
    }

    /// [`driver::fill`].
    #[inline(always)]
    fn fill(&self, index: u32, fingerprint: u64, segment: &Segment, loss: usize)
    where
        Self: Sized,
    {
        driver::fill(self, index, fingerprint, segment, loss);
    }
}

/// The part of a [`crate::exchange::Record`] that is not the slot's copy.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    /// [`crate::counters::Event`] as a number.
    pub event: u8,
    /// Side whose segment it was.
    pub side: u8,
    /// Sequel or verdict.
    pub detail: u8,
    /// May have been handed over before.
    pub repeated: bool,
    /// Index of the slot.
    pub slot: u32,
    /// Nanoseconds.
    pub time: u64,
    /// The word to put into the copy.
    pub state: Snapshot,
}

/// What a line holds, one bit per position; found without a branch per entry,
/// which would multiply the verifier's paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    /// Free entries.
    pub free: u32,
    /// Attempts.
    pub attempts: u32,
    /// Ended.
    pub ended: u32,
}

/// Counts a line.
#[inline(always)]
pub fn census(line: &impl LineRef) -> Census {
    let mut census = Census {
        free: 0,
        attempts: 0,
        ended: 0,
    };
    let mut position = 0;
    while position < LINE {
        let entry = line.entry(position);
        let used = (entry >> 2) as u32 & 1;
        census.free |= (used ^ 1) << position;
        census.attempts |= (entry as u32 & 1) << position;
        census.ended |= ((entry >> 1) as u32 & 1) << position;
        position += 1;
    }
    census
}

/// Number of set bits among the low eight, without a branch.
#[inline(always)]
pub const fn ones(mask: u32) -> u32 {
    let pairs = mask - ((mask >> 1) & 0x55);
    let quads = (pairs & 0x33) + ((pairs >> 2) & 0x33);
    (quads + (quads >> 4)) & 0xf
}

/// Position of one set bit among the low eight, chosen by `choice`: the first
/// at or after `choice` modulo 8. `mask` must not be 0.
#[inline(always)]
pub const fn pick(mask: u32, choice: u32) -> u32 {
    let turn = choice & 7;
    let turned = (mask >> turn | mask << (8 - turn)) & 0xff;
    let low = turned & turned.wrapping_neg();
    // Index of a single bit: bits of the index from masks.
    let index = ((low >> 1 | low >> 3 | low >> 5 | low >> 7) & 1)
        | ((low >> 2 | low >> 3 | low >> 6 | low >> 7) & 1) << 1
        | ((low >> 4 | low >> 5 | low >> 6 | low >> 7) & 1) << 2;
    (index + turn) & 7
}

/// Where in its line an entry stands if there was room. Then the hash alone says where
/// its slot is, and a processor that foresees the branch fetches that while it still
/// waits for the line: one wait for memory instead of two.
#[inline(always)]
pub const fn preferred(fingerprint: u64) -> u32 {
    (fingerprint >> 61) as u32
}

/// The position of a fingerprint in a line, or [`LINE`].
#[inline(always)]
pub fn position(line: &impl LineRef, fingerprint: u64) -> u32 {
    let is_here = |position| line.entry(position) & !(entry::ATTEMPT | entry::ENDED) == fingerprint;
    let preferred = preferred(fingerprint);
    if is_here(preferred) {
        return preferred;
    }
    // All eight by number, that one again: a walk from it would take the program's stack
    // beyond what the verifier allows.
    let mut position = 0;
    while position < LINE {
        if is_here(position) {
            return position;
        }
        position += 1;
    }
    LINE
}

/// Takes a slot's lock; `None` when it stayed taken.
#[inline(always)]
pub fn lock(slot: &impl HotRef) -> Option<Snapshot> {
    let mut tries = 0;
    while tries < LOCK_TRIES {
        let state = slot.load();
        if !state.is_locked() && slot.exchange(state, state.locked()) {
            return Some(state);
        }
        tries += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_lines_differ_and_stay_in_range() {
        for hash in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
            let place = Place::new(hash, 0xff);
            assert_ne!(place.first, place.second);
            assert!(place.first <= 0xff && place.second <= 0xff);
            assert_ne!(place.fingerprint & entry::USED, 0);
        }
    }

    #[test]
    fn picking_goes_round() {
        for mask in 1..=0xff_u32 {
            for choice in 0..16 {
                let position = pick(mask, choice);
                assert!(mask & 1 << position != 0);
                let turn = (0..8).find(|n| mask & 1 << ((choice + n) & 7) != 0);
                assert_eq!(position, (choice + turn.unwrap()) & 7);
            }
            assert_eq!(ones(mask), mask.count_ones());
        }
    }
}
