//! The driver's protocol over the heap.

use std::{
    array,
    cell::{Cell, RefCell},
};

use termination_common::{
    attention,
    counters::{self, COUNT, Counters},
    driver,
    engine::closing::{self, is_plain},
    exchange::{Operation, Record},
    policy::{Level, Settings, Timers},
    segment::{Fast, Segment, mark},
    slot::{Cold, Half, Hot, Slot, SlotId},
    state::Snapshot,
    table::{Head, HotRef, LINE, LOCKS, LineRef, Memory, SlotRef},
    time::tick,
    timer,
    wire::{self, Context},
};

use super::{Hook, Sight, placeless, placeless_record};

const LINES: u32 = 8;

/// A slot: its word, and what the lock in it guards.
type Words = (Cell<u64>, RefCell<([Half; 2], Cold)>);

/// A small table, what it counted, and the records it handed out.
pub(crate) struct Host {
    lines: Vec<[Cell<u64>; LINE as usize]>,
    slots: Vec<Words>,
    locked: Vec<Cell<bool>>,
    locks: Cell<u32>,
    counters: Vec<Cell<u64>>,
    records: RefCell<Vec<Record>>,
    pub(crate) settings: Settings,
    way: Way,
    level: Level,
    filter: Vec<Cell<u64>>,
    fast: Cell<u64>,
    meanwhile: RefCell<Option<Meanwhile>>,
}

/// What another CPU does.
type Meanwhile = Box<dyn FnOnce(&Host)>;

/// Which way segments go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The fast one if it is theirs, as everywhere but in a test.
    Fast,
    /// All through the whole step: what the fast way is measured by. At the level
    /// `closing`, all as far as their slot: what the filter is measured by.
    Whole,
}

impl Host {
    pub(crate) fn new(settings: Settings) -> Self {
        Self::at(Level::Full, settings, Way::Fast)
    }

    pub(crate) fn at(level: Level, settings: Settings, way: Way) -> Self {
        let words = attention::words(LINES * LINE);
        Self {
            way,
            level,
            filter: (0..words).map(|_| Cell::new(0)).collect(),
            fast: Cell::new(0),
            meanwhile: RefCell::default(),
            lines: (0..LINES)
                .map(|_| array::from_fn(|_| Cell::new(0)))
                .collect(),
            slots: (0..LINES * LINE).map(|_| Default::default()).collect(),
            locked: (0..LOCKS).map(|_| Cell::new(false)).collect(),
            locks: Cell::new(0),
            counters: (0..COUNT).map(|_| Cell::new(0)).collect(),
            records: RefCell::default(),
            settings,
        }
    }

    /// Reads the bytes of a frame and applies it. Whether a guard drops it.
    pub(crate) fn see(&self, sight: &Sight, bytes: &[u8]) -> bool {
        let drops = match parse(sight, bytes) {
            Ok(mut segment) => {
                if segment.has(mark::ODD_FLAGS) {
                    self.count(counters::ODD_FLAGS);
                }
                self.apply(&mut segment, bytes)
            }
            Err(skip) => {
                self.count(counters::SKIP + skip as usize);
                false
            }
        };
        self.check();
        drops
    }

    fn apply(&self, segment: &mut Segment, bytes: &[u8]) -> bool {
        if self.level.is_closing() {
            return self.apply_closing(segment, bytes);
        }
        let short = Fast::of(segment);
        if let Some(read) = wire::fast(bytes) {
            let read = Fast {
                tick: segment.tick(),
                home: segment.home,
                packets: segment.packets,
                ..read
            };
            assert_eq!(Some(read), short, "both parsers read the same");
            let handed_on = read.whole(segment.time, 0);
            assert_eq!(Fast::of(&handed_on), short, "nothing is lost on the way");
        }
        let near = match short {
            Some(short) if self.way == Way::Fast => match driver::fast(self, &short) {
                Ok(()) => {
                    self.fast.set(self.fast.get() + 1);
                    return false;
                }
                Err(near) => near,
            },
            _ => driver::NOWHERE,
        };
        driver::observe_any(self, segment, near)
    }

    fn apply_closing(&self, segment: &mut Segment, bytes: &[u8]) -> bool {
        if let Some(key) = wire::light(bytes, self.seed()) {
            let same = attention::key(&segment.tuple, self.seed());
            assert_eq!(key, same, "both parsers read the same");
            assert!(is_plain(segment), "it may be left alone");
            if self.way == Way::Fast && !driver::is_attended(self, key) {
                self.fast.set(self.fast.get() + 1);
                return false;
            }
        }
        let wanted = self.way == Way::Whole || driver::is_wanted(self, segment);
        wanted && driver::observe_any(self, segment, driver::NOWHERE)
    }

    /// The filter knows those who need attention, and counts nobody else; who was
    /// left alone is known as one of whom nothing is known.
    fn check_attention(&self) {
        let mut expected = vec![0_u64; self.filter.len()];
        for slot in 0..self.slots.len() as u32 {
            let state = self.state(slot);
            let (half, cold) = *self.slots[slot as usize].1.borrow();
            if attention::wanted(state) {
                let key = attention::key(&cold.tuple, self.seed());
                let word = &mut expected[attention::index(key, self.attention_mask()) as usize];
                *word = attention::with(*word, key);
            } else if state.is_live() {
                assert!(half.iter().all(closing::is_stale), "{half:?}");
            }
        }
        let filter: Vec<_> = self.filter.iter().map(Cell::get).collect();
        assert_eq!(filter, expected, "the filter is what the slots say");
    }

    /// Has this done between the next look for a slot on the fast way and the
    /// look at the slot.
    pub(crate) fn meanwhile(&self, done: impl FnOnce(&Self) + 'static) {
        *self.meanwhile.borrow_mut() = Some(Box::new(done));
    }

    /// Segments that went the fast way.
    pub(crate) fn fast(&self) -> u64 {
        self.fast.get()
    }

    /// What the controller does at `now`, until nothing is due any more.
    pub(crate) fn sweep(&self, now: u64, operation: Operation, timers: &Timers) {
        loop {
            let due: Vec<_> = (0..self.slots.len() as u32)
                .filter(|&slot| self.is_due(slot, now, operation, timers))
                .collect();
            for &slot in &due {
                let generation = self.state(slot).generation();
                driver::sweep(self, SlotId { slot, generation }, operation, now, timers);
            }
            self.check();
            // What is marked stays as it is.
            if due.is_empty() || matches!(operation, Operation::Mark) {
                return;
            }
        }
    }

    fn is_due(&self, slot: u32, now: u64, operation: Operation, timers: &Timers) -> bool {
        let state = self.state(slot);
        let (half, cold) = *self.slots[slot as usize].1.borrow();
        let word = state.0;
        let hot = Hot { word, half };
        let all = !matches!(operation, Operation::Visit) && !state.is_free();
        all || timer::due(&hot, || cold.pending, tick(now), timers)
    }

    fn state(&self, slot: u32) -> Snapshot {
        Snapshot(self.slots[slot as usize].0.get())
    }

    /// Nothing stays locked, and connections are neither lost nor doubled.
    fn check(&self) {
        assert_eq!(self.locks.get(), 0, "every line lock was given back");
        let states = || (0..self.slots.len() as u32).map(|slot| self.state(slot));
        assert!(states().all(|state| !state.is_locked()));
        let live = states().filter(|state| state.is_live()).count() as u64;
        if self.level.is_closing() {
            self.check_attention();
        }
        let counters = self.counters().0;
        let begun = counters[counters::OPENED] + counters[counters::MIDSTREAM];
        assert_eq!(begun, live + self.counters().endings(), "conservation");
    }

    /// Where the slots in use are.
    pub(crate) fn places(&self) -> Vec<u32> {
        let slots = 0..self.slots.len() as u32;
        slots.filter(|&slot| !self.state(slot).is_free()).collect()
    }

    /// All slots in use, without their places.
    pub(crate) fn slots(&self) -> Vec<Slot> {
        let mut slots: Vec<_> = (0..self.slots.len() as u32)
            .filter(|&slot| !self.state(slot).is_free())
            .map(|slot| placeless(self.copy(slot)))
            .collect();
        slots.sort_by_key(|slot| slot.cold.tuple.words);
        slots
    }

    fn copy(&self, slot: u32) -> Slot {
        let (half, cold) = *self.slots[slot as usize].1.borrow();
        let word = self.state(slot).0;
        let hot = Hot { word, half };
        Slot { hot, cold }
    }

    /// Takes the records since the last call, without their places.
    pub(crate) fn records(&self) -> Vec<Record> {
        let taken = self.records.take();
        taken.into_iter().map(placeless_record).collect()
    }

    pub(crate) fn counters(&self) -> Counters {
        Counters(array::from_fn(|index| self.counters[index].get()))
    }
}

/// What the program of that hook makes of a frame.
pub(crate) fn parse(sight: &Sight, bytes: &[u8]) -> Result<Segment, wire::Skip> {
    let mut segment = Segment::default();
    let context = Context {
        time: sight.time,
        home: sight.home,
        marks: match sight.hook {
            Hook::Egress => mark::EGRESS,
            _ => 0,
        },
        packets: sight.gso.max(1) as u16,
        length: bytes.len() as u32,
        verify_checksum: !matches!(sight.hook, Hook::Egress) && sight.gso <= 1,
        ..Context::default()
    };
    wire::ethernet(bytes, &context, &mut segment)?;
    Ok(segment)
}

/// Handle of a line.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a>(&'a [Cell<u64>; LINE as usize]);

impl LineRef for Line<'_> {
    fn entry(&self, position: u32) -> u64 {
        self.0[position as usize].get()
    }

    fn set(&self, position: u32, value: u64) {
        self.0[position as usize].set(value);
    }
}

/// Handle of a slot: its word and the rest.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a>(&'a Words);

impl HotRef for Place<'_> {
    fn load(&self) -> Snapshot {
        Snapshot(self.0.0.get())
    }

    fn exchange(&self, old: Snapshot, new: Snapshot) -> bool {
        let same = self.load() == old;
        if same {
            self.0.0.set(new.0);
        }
        same
    }

    fn store(&self, new: Snapshot) {
        self.0.0.set(new.0);
    }

    fn halves<R>(&self, f: impl FnOnce(&mut [Half; 2]) -> R) -> R {
        self.with(|half, _| f(half))
    }
}

impl SlotRef for Place<'_> {
    fn with<R>(&self, f: impl FnOnce(&mut [Half; 2], &mut Cold) -> R) -> R {
        assert!(self.load().is_locked(), "the lock guards the contents");
        let (half, cold) = &mut *self.0.1.borrow_mut();
        f(half, cold)
    }
}

impl Memory for Host {
    type Line<'a> = Line<'a>;
    type Slot<'a> = Place<'a>;
    type Hot<'a> = Place<'a>;

    fn mask(&self) -> u32 {
        LINES - 1
    }

    fn seed(&self) -> [u64; 2] {
        [1, 2]
    }

    fn line(&self, index: u32) -> Option<Line<'_>> {
        self.lines.get(index as usize).map(Line)
    }

    fn slot(&self, index: u32) -> Option<Place<'_>> {
        self.slots.get(index as usize).map(Place)
    }

    fn hot(&self, index: u32) -> Option<Place<'_>> {
        if let Some(done) = self.meanwhile.take() {
            done(self);
        }
        self.slot(index)
    }

    fn lock_line(&self, lock: u32) -> bool {
        self.locks.set(self.locks.get() + 1);
        !self.locked[lock as usize].replace(true)
    }

    fn unlock_line(&self, lock: u32) {
        assert!(self.locked[lock as usize].replace(false), "it was locked");
        self.locks.set(self.locks.get() - 1);
    }

    fn count(&self, counter: usize) {
        let counter = &self.counters[counter];
        counter.set(counter.get() + 1);
    }

    fn report(&self, head: Head) -> bool {
        let mut copy = self.copy(head.slot);
        copy.hot.word = head.state.released().0;
        self.records.borrow_mut().push(Record {
            event: head.event,
            side: head.side,
            detail: head.detail,
            repeated: head.repeated.into(),
            slot: head.slot,
            time: head.time,
            copy,
        });
        true
    }

    fn settings(&self) -> &Settings {
        &self.settings
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
        self.filter[index as usize].replace(new) == old
    }

    fn attention_fill(&self, index: u32) {
        self.filter[index as usize].set(attention::FULL);
    }

    fn now(&self) -> u64 {
        unreachable!("the frames of the tests come with their time")
    }
}
