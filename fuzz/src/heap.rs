//! A slot table on the heap, for one thread, and what must hold of it.

use std::{
    cell::{Cell, RefCell},
    collections::HashSet,
};

use termination_common::{
    attention,
    counters::{self, Counters, Event, Loss},
    driver,
    engine::closing,
    exchange::{Operation, Record},
    policy::{Level, Settings, Timers},
    segment::Segment,
    slot::{Cold, Half, Hot, Slot, SlotId},
    state::Snapshot,
    table::{Head, HotRef, LINE, LineRef, Memory, Place, SlotRef, entry},
    taxonomy::Verdict,
};

/// Which way segments go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The fast one if it is theirs; at the level `closing`, where the filter
    /// says.
    Short,
    /// All of them to their slot, by the whole step.
    Whole,
}

/// A table, its ring and its counters.
pub struct Heap {
    level: Level,
    way: Way,
    /// The attention filter.
    filter: Vec<Cell<u64>>,
    entries: Vec<Cell<u64>>,
    words: Vec<Cell<u64>>,
    contents: Vec<RefCell<([Half; 2], Cold)>>,
    locks: Vec<Cell<bool>>,
    settings: Settings,
    timers: Timers,
    /// Records that the ring still has room for.
    room: Cell<u32>,
    counters: RefCell<Counters>,
    records: RefCell<Vec<Record>>,
    endings: RefCell<HashSet<(u32, u32)>>,
    sequels: RefCell<HashSet<(u32, u32)>>,
    now: Cell<u64>,
}

impl Heap {
    /// A table of so many lines, a power of two.
    pub fn new(lines: u32, level: Level, settings: Settings, way: Way) -> Self {
        let slots = (lines * LINE) as usize;
        let words = attention::words(lines * LINE);
        Self {
            level,
            way,
            filter: (0..words).map(|_| Cell::new(0)).collect(),
            entries: vec![Cell::new(0); slots],
            words: vec![Cell::new(0); slots],
            contents: (0..slots).map(|_| RefCell::default()).collect(),
            locks: vec![Cell::new(false); lines as usize],
            settings,
            timers: Timers::DEFAULT,
            room: Cell::new(u32::MAX),
            counters: RefCell::default(),
            records: RefCell::default(),
            endings: RefCell::default(),
            sequels: RefCell::default(),
            now: Cell::new(0),
        }
    }

    /// The ring has room for so many records more.
    pub fn set_room(&self, records: u32) {
        self.room.set(records);
    }

    /// One segment; true if a guard drops it. No RST that its receiver throws away
    /// ends anything, nor one that it never gets.
    pub fn observe(&self, mut segment: Segment) -> bool {
        self.now.set(segment.time);
        let before = *self.counters.borrow();
        let drops = match self.way {
            Way::Short => driver::observe(self, &mut segment),
            Way::Whole => driver::observe_any(self, &mut segment, driver::NOWHERE),
        };
        let after = *self.counters.borrow();
        let thrown_away = [Verdict::Old, Verdict::Future, Verdict::SynSentBad]
            .map(|verdict| counters::VERDICT + verdict as usize)
            .into_iter()
            .any(|counter| after.0[counter] > before.0[counter]);
        assert!(!thrown_away || after.endings() == before.endings());
        // What was there ends, and an RST may open and end one.
        assert!(after.endings() - before.endings() <= 2);
        assert!(!drops || after.endings() == before.endings());
        assert!(!drops || segment.flags.rst() && segment.home & 1 == 0);
        drops
    }

    /// The other has come to the same, byte for byte.
    pub fn assert_same(&self, other: &Self) {
        assert_eq!(self.entries, other.entries);
        for slot in 0..self.words.len() {
            let state = self.state(slot);
            assert_eq!(lasting(state.0), lasting(other.state(slot).0));
            // What was freed is nobody's.
            if !state.is_free() {
                assert_eq!(self.contents[slot], other.contents[slot]);
            }
        }
        assert_eq!(*self.counters.borrow(), *other.counters.borrow());
        assert_eq!(*self.records.borrow(), *other.records.borrow());
        assert_eq!(self.filter, other.filter);
    }

    /// As the controller: hands over all that is there.
    pub fn sweep(&self, operation: Operation, now: u64) {
        self.now.set(now);
        for slot in 0..self.words.len() as u32 {
            let generation = self.state(slot as usize).generation();
            let id = SlotId { slot, generation };
            driver::sweep(self, id, operation, now, &self.timers);
        }
    }

    fn state(&self, slot: usize) -> Snapshot {
        Snapshot(self.words[slot].get())
    }

    fn slot_states(&self) -> impl Iterator<Item = Snapshot> {
        (0..self.words.len()).map(|slot| self.state(slot))
    }

    /// Slots that are not free.
    pub fn used(&self) -> usize {
        self.slot_states().filter(|state| !state.is_free()).count()
    }

    /// What holds after every step.
    pub fn check(&self) {
        assert!(self.locks.iter().all(|lock| !lock.get()));
        let mut tuples = HashSet::new();
        for slot in 0..self.words.len() {
            let state = self.state(slot);
            assert!(!state.is_locked());
            let entry = self.entries[slot].get();
            if state.is_free() {
                assert_eq!(entry, 0);
                continue;
            }
            let tuple = self.contents[slot].borrow().1.tuple;
            assert!(tuples.insert(tuple), "two slots for one connection");
            let place = Place::of(&tuple, self.seed(), self.mask());
            assert_eq!(entry & !(entry::ATTEMPT | entry::ENDED), place.fingerprint);
            assert_eq!(entry & entry::ENDED != 0, state.is_ended());
        }
        if self.level.is_closing() {
            self.check_attention();
        }
        let counters = self.counters.borrow();
        let count = |keep: fn(&Snapshot) -> bool| self.slot_states().filter(keep).count() as u64;
        let opened = counters.0[counters::OPENED] + counters.0[counters::MIDSTREAM];
        assert_eq!(opened, count(|state| state.is_live()) + counters.endings());
        // Each ending has its record, still waits for it, or lost it.
        let waiting = count(|state| state.is_ended() && !state.is_reported());
        let told = self.endings.borrow().len() as u64 + waiting;
        let lost = counters.0[counters::LOSS + Loss::RecordLost as usize];
        assert!(told <= counters.endings() && counters.endings() <= told + lost);
        // Each TIME_WAIT has one sequel, or goes on.
        let sequels: u64 = counters.0[counters::SEQUEL..counters::VERDICT].iter().sum();
        let waiting = count(|state| state.is_time_wait());
        assert_eq!(counters.0[counters::TIME_WAIT], sequels + waiting);
    }

    /// The filter knows those who need attention, and counts nobody else; who was
    /// left alone is known as one of whom nothing is known.
    fn check_attention(&self) {
        let mut expected = vec![0_u64; self.filter.len()];
        for (slot, contents) in self.contents.iter().enumerate() {
            let state = self.state(slot);
            let (half, cold) = &*contents.borrow();
            if attention::wanted(state) {
                let key = attention::key(&cold.tuple, self.seed());
                let word = &mut expected[attention::index(key, self.attention_mask()) as usize];
                *word = attention::with(*word, key);
            } else if state.is_live() {
                assert!(half.iter().all(closing::is_stale));
            }
        }
        assert!(self.filter.iter().map(Cell::get).eq(expected));
    }
}

/// A slot's word without its sequence, which counts how often its lock was given
/// back: the fast way may take it and leave the segment to the whole step.
const fn lasting(word: u64) -> u64 {
    word & ((1 << 40) - 1)
}

/// One line.
#[derive(Clone, Copy)]
pub struct Line<'a>(&'a [Cell<u64>], &'a Cell<bool>);

impl LineRef for Line<'_> {
    fn entry(&self, position: u32) -> u64 {
        self.0[position as usize].get()
    }

    fn set(&self, position: u32, value: u64) {
        let kept = (self.entry(position) ^ value) & entry::USED == 0;
        assert!(
            kept || self.1.get(),
            "used or freed without the line's lock"
        );
        self.0[position as usize].set(value);
    }
}

/// One slot.
#[derive(Clone, Copy)]
pub struct Handle<'a>(&'a Heap, usize);

impl HotRef for Handle<'_> {
    fn load(&self) -> Snapshot {
        self.0.state(self.1)
    }

    fn exchange(&self, old: Snapshot, new: Snapshot) -> bool {
        let same = self.load() == old;
        if same {
            self.0.words[self.1].set(new.0);
        }
        same
    }

    fn store(&self, new: Snapshot) {
        assert!(self.load().is_locked() && !new.is_locked());
        self.0.words[self.1].set(new.0);
    }

    fn halves<R>(&self, f: impl FnOnce(&mut [Half; 2]) -> R) -> R {
        self.with(|half, _| f(half))
    }
}

impl SlotRef for Handle<'_> {
    fn with<R>(&self, f: impl FnOnce(&mut [Half; 2], &mut Cold) -> R) -> R {
        assert!(self.load().is_locked());
        let (half, cold) = &mut *self.0.contents[self.1].borrow_mut();
        f(half, cold)
    }
}

impl Memory for Heap {
    type Line<'a> = Line<'a>;
    type Slot<'a> = Handle<'a>;
    type Hot<'a> = Handle<'a>;

    fn mask(&self) -> u32 {
        self.locks.len() as u32 - 1
    }

    fn seed(&self) -> [u64; 2] {
        [7, 11]
    }

    fn line(&self, index: u32) -> Option<Line<'_>> {
        let first = (index * LINE) as usize;
        let line = self.entries.get(first..first + LINE as usize)?;
        Some(Line(line, self.locks.get(index as usize)?))
    }

    fn slot(&self, index: u32) -> Option<Handle<'_>> {
        let index = index as usize;
        (index < self.words.len()).then_some(Handle(self, index))
    }

    fn hot(&self, index: u32) -> Option<Handle<'_>> {
        self.slot(index)
    }

    fn lock_line(&self, lock: u32) -> bool {
        assert!(!self.locks[lock as usize].replace(true), "waits for itself");
        true
    }

    fn unlock_line(&self, lock: u32) {
        assert!(self.locks[lock as usize].replace(false));
    }

    fn count(&self, counter: usize) {
        self.counters.borrow_mut().0[counter] += 1;
    }

    fn report(&self, head: Head) -> bool {
        let Some(room) = self.room.get().checked_sub(1) else {
            return false;
        };
        self.room.set(room);
        let (half, cold) = *self.contents[head.slot as usize].borrow();
        let word = head.state.released().0;
        let hot = Hot { word, half };
        let slot = Slot { hot, cold };
        let record = Record {
            event: head.event,
            side: head.side,
            detail: head.detail,
            repeated: head.repeated.into(),
            slot: head.slot,
            time: head.time,
            copy: slot,
        };
        let mut kept = record;
        kept.copy.hot.word = lasting(record.copy.hot.word);
        self.records.borrow_mut().push(kept);
        let id = (record.slot, slot.state().generation());
        if record.event == Event::Ending as u8 {
            assert!(slot.state().is_ended());
            assert!(self.endings.borrow_mut().insert(id), "told twice");
        } else if record.event == Event::TimeWait as u8 {
            assert!(self.sequels.borrow_mut().insert(id), "two sequels");
        }
        true
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn now(&self) -> u64 {
        self.now.get()
    }

    fn level(&self) -> Level {
        self.level
    }

    fn attention_mask(&self) -> u32 {
        self.filter.len() as u32 - 1
    }

    fn attention(&self, index: u32) -> u64 {
        self.filter[index as usize].get()
    }

    fn attention_exchange(&self, index: u32, old: u64, new: u64) -> bool {
        let word = &self.filter[index as usize];
        let same = word.get() == old;
        if same {
            word.set(new);
        }
        same
    }

    fn attention_fill(&self, index: u32) {
        self.filter[index as usize].set(attention::FULL);
    }
}
