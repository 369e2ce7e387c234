//! A table of a few slots in loom's memory, and what must hold of it at rest.
//!
//! Words, entries and line locks have the orderings that the BPF programs have
//! (loads of the word are relaxed there: BPF has no acquire load). A slot's
//! contents are a cell, so that loom reports any access outside of its lock.

use std::{
    collections::HashSet,
    sync::{
        Mutex,
        atomic::{AtomicU32, AtomicUsize, Ordering as StdOrdering},
    },
};

use loom::{
    cell::UnsafeCell,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};
use termination_common::{
    counters::{self, Counters, Event, Loss},
    driver,
    exchange::{Operation, Record},
    policy::{Settings, Timers},
    segment::Segment,
    slot::{Cold, Hot, Slot, SlotId},
    state::{LOCK_TRIES, Snapshot},
    table::{Head, LINE, LineRef, Memory, Place, SlotRef, entry},
    tuple::Tuple,
};

/// Preemptions that loom tries, unless `LOOM_MAX_PREEMPTIONS` says otherwise.
const PREEMPTIONS: usize = 2;

/// Runs a model; says how many interleavings it took.
pub(crate) fn explore(name: &str, model: impl Fn() + Sync + Send + 'static) {
    static RUNS: Mutex<()> = Mutex::new(());
    let runs = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    // One at a time: loom's time is the machine's.
    let guard = RUNS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(PREEMPTIONS);
    builder.max_branches = 20_000;
    builder.check(move || {
        counted.fetch_add(1, StdOrdering::Relaxed);
        model();
    });
    drop(guard);
    println!("{name}: {} interleavings", runs.load(StdOrdering::Relaxed));
}

/// An entry that belongs to a connection outside of the model.
const FOREIGN: u64 = !entry::CLASS | entry::USED;

/// A table whose lines have few places; the others are taken for good.
pub(crate) struct Model {
    lines: Vec<Vec<AtomicU64>>,
    places: u32,
    slots: Vec<Cell>,
    locks: Vec<AtomicU64>,
    settings: Settings,
    /// Who meets a taken lock lets others run first, so that nobody gives up.
    patient: bool,
    /// Records that the ring still has room for.
    room: AtomicU32,
    tally: Mutex<Tally>,
}

/// What was counted and reported. Not loom's: it takes part in nothing.
#[derive(Default)]
struct Tally {
    counters: Counters,
    records: Vec<Record>,
}

struct Cell {
    word: AtomicU64,
    contents: UnsafeCell<(Hot, Cold)>,
}

impl Model {
    /// One place in each of `lines` lines is `places` wide.
    pub(crate) fn new(lines: u32, places: u32) -> Self {
        assert!(lines.is_power_of_two() && places <= LINE);
        Self {
            lines: (0..lines)
                .map(|_| (0..places).map(|_| AtomicU64::new(0)).collect())
                .collect(),
            places,
            slots: (0..lines * places)
                .map(|_| Cell {
                    word: AtomicU64::new(0),
                    contents: UnsafeCell::new((POISONED, Cold::default())),
                })
                .collect(),
            locks: (0..lines).map(|_| AtomicU64::new(0)).collect(),
            settings: Settings::DEFAULT,
            patient: true,
            room: AtomicU32::new(u32::MAX),
            tally: Mutex::default(),
        }
    }

    /// Nobody waits for anybody: locks are given up while their holder is
    /// away, as when a virtual CPU is.
    pub(crate) fn impatient(mut self) -> Self {
        self.patient = false;
        self
    }

    /// The ring has room for so many records more.
    pub(crate) fn set_room(&self, records: u32) {
        self.room.store(records, StdOrdering::Relaxed);
    }

    pub(crate) fn observe(&self, segment: Segment) {
        driver::observe(self, &mut { segment });
    }

    pub(crate) fn observe_all(&self, segments: impl IntoIterator<Item = Segment>) {
        segments
            .into_iter()
            .for_each(|segment| self.observe(segment));
    }

    /// As the controller: hands over every slot that holds something.
    pub(crate) fn sweep(&self, operation: Operation, now: u64) -> u32 {
        let mut status = 0;
        for index in 0..self.lines.len() as u32 * self.places {
            let slot = index / self.places * LINE + index % self.places;
            let state = Snapshot(self.slots[index as usize].word.load(Ordering::Relaxed));
            if !state.is_free() {
                let id = SlotId {
                    slot,
                    generation: state.generation(),
                };
                status |= driver::sweep(self, id, operation, now, &Timers::DEFAULT);
            }
        }
        status
    }

    fn contents(&self, index: usize) -> Slot {
        let state = Snapshot(self.slots[index].word.load(Ordering::Relaxed));
        assert!(!state.is_locked());
        self.slots[index].contents.with(|contents| {
            // SAFETY: loom checks that nobody writes meanwhile.
            let (mut hot, cold) = unsafe { *contents };
            hot.word = state.0;
            Slot { hot, cold }
        })
    }

    /// Slots that are not free.
    pub(crate) fn slots(&self) -> Vec<Slot> {
        (0..self.slots.len())
            .map(|index| self.contents(index))
            .filter(|slot| !slot.state().is_free())
            .collect()
    }

    /// The one slot that holds `tuple`, if any.
    pub(crate) fn slot_of(&self, tuple: &Tuple) -> Option<Slot> {
        self.slots()
            .into_iter()
            .find(|slot| slot.cold.tuple == *tuple)
    }

    pub(crate) fn counted(&self, counter: usize) -> u64 {
        self.tally.lock().unwrap().counters.0[counter]
    }

    pub(crate) fn lost(&self, loss: Loss) -> u64 {
        self.counted(counters::LOSS + loss as usize)
    }

    /// Records of one kind, in order.
    pub(crate) fn records(&self, event: Event) -> Vec<Record> {
        let tally = self.tally.lock().unwrap();
        let kind = |record: &&Record| record.event == event as u8;
        tally.records.iter().filter(kind).copied().collect()
    }

    /// What holds whenever nobody is at work.
    pub(crate) fn check(&self) {
        let slots = self.slots();
        assert!(
            self.locks
                .iter()
                .all(|lock| lock.load(Ordering::Relaxed) == 0)
        );
        self.check_entries();
        let tuples: HashSet<_> = slots.iter().map(|slot| slot.cold.tuple).collect();
        assert_eq!(tuples.len(), slots.len(), "two slots for one connection");

        // What was opened lives or has ended.
        let count = |keep: fn(&Slot) -> bool| slots.iter().filter(|slot| keep(slot)).count() as u64;
        let counters = self.tally.lock().unwrap().counters;
        let opened = counters.0[counters::OPENED] + counters.0[counters::MIDSTREAM];
        let live = count(|slot| slot.state().is_live());
        assert_eq!(opened, live + counters.endings(), "conservation");

        // Every ending has its record, once, or is counted as lost.
        let endings = self.records(Event::Ending);
        let ids: HashSet<_> = endings.iter().map(id).collect();
        assert_eq!(ids.len(), endings.len(), "an ending was reported twice");
        let unreported = count(|slot| slot.state().is_ended() && !slot.state().is_reported());
        let lost = self.lost(Loss::RecordLost);
        let told = ids.len() as u64 + unreported;
        assert!(told <= counters.endings() && counters.endings() <= told + lost);
        for record in &endings {
            assert!(record.copy.state().is_ended() && tuples_agree(self, record));
        }

        // The same of TIME_WAITs and their sequels.
        let sequels: u64 = counters.0[counters::SEQUEL..counters::VERDICT].iter().sum();
        let waiting = count(|slot| slot.state().is_time_wait());
        assert_eq!(counters.0[counters::TIME_WAIT], waiting + sequels);
        let told: Vec<_> = self.records(Event::TimeWait).iter().map(id).collect();
        let once: HashSet<_> = told.iter().collect();
        assert_eq!(once.len(), told.len(), "a sequel was reported twice");
        assert!(told.len() as u64 <= sequels && sequels <= told.len() as u64 + lost);
    }

    /// An entry is there exactly for what its slot holds.
    fn check_entries(&self) {
        for (index, entry) in self.lines.iter().flatten().enumerate() {
            let entry = entry.load(Ordering::Relaxed);
            let slot = self.contents(index);
            let state = slot.state();
            if state.is_free() {
                assert_eq!(entry, 0, "an entry without a connection");
                continue;
            }
            let place = Place::of(&slot.cold.tuple, self.seed(), self.mask());
            let print = entry & !(entry::ATTEMPT | entry::ENDED);
            assert_eq!(print, place.fingerprint, "an entry of another connection");
            assert_eq!(state.is_ended(), entry & entry::ENDED != 0);
            assert!(!state.is_ended() || entry & entry::ATTEMPT == 0);
        }
    }
}

/// The tuple of a record is one that its place may hold.
fn tuples_agree(model: &Model, record: &Record) -> bool {
    let place = Place::of(&record.copy.cold.tuple, model.seed(), model.mask());
    [place.first, place.second].contains(&(record.slot / LINE))
}

fn id(record: &Record) -> SlotId {
    SlotId {
        slot: record.slot,
        generation: record.copy.state().generation(),
    }
}

/// The word in the cell stands for the real one, which is locked whenever the
/// cell is open: reading it is nonsense, writing it would break the lock.
const POISONED: Hot = Hot {
    word: u64::MAX,
    half: [HALF; 2],
};
const HALF: termination_common::slot::Half = termination_common::slot::Half {
    sent: 0,
    acked: 0,
    last: 0,
    segments: 0,
    home: 0,
    window: 0,
    window_max: 0,
    wraps: 0,
    bits: 0,
};

#[derive(Clone, Copy)]
pub(crate) struct Line<'a>(&'a [AtomicU64]);

impl LineRef for Line<'_> {
    fn entry(&self, position: u32) -> u64 {
        let entry = self.0.get(position as usize);
        entry.map_or(FOREIGN, |entry| entry.load(Ordering::Relaxed))
    }

    fn set(&self, position: u32, value: u64) {
        self.0[position as usize].store(value, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Handle<'a> {
    cell: &'a Cell,
    patient: bool,
}

impl SlotRef for Handle<'_> {
    fn load(&self) -> Snapshot {
        let state = Snapshot(self.cell.word.load(Ordering::Relaxed));
        if state.is_locked() && self.patient {
            thread::yield_now();
        }
        state
    }

    fn exchange(&self, old: Snapshot, new: Snapshot) -> bool {
        let word = &self.cell.word;
        word.compare_exchange(old.0, new.0, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    fn store(&self, new: Snapshot) {
        self.cell.word.store(new.0, Ordering::Release);
    }

    fn with<R>(&self, f: impl FnOnce(&mut Hot, &mut Cold) -> R) -> R {
        self.cell.contents.with_mut(|contents| {
            // SAFETY: loom checks that nobody else is here.
            let (hot, cold) = unsafe { &mut *contents };
            let result = f(hot, cold);
            assert_eq!(hot.word, POISONED.word, "the lock's word was written");
            result
        })
    }
}

impl Memory for Model {
    type Line<'a> = Line<'a>;
    type Slot<'a> = Handle<'a>;

    fn mask(&self) -> u32 {
        self.lines.len() as u32 - 1
    }

    fn seed(&self) -> [u64; 2] {
        super::script::SEED
    }

    fn line(&self, index: u32) -> Option<Line<'_>> {
        self.lines.get(index as usize).map(|line| Line(line))
    }

    fn slot(&self, index: u32) -> Option<Handle<'_>> {
        let (line, position) = (index / LINE, index % LINE);
        if position >= self.places {
            return None;
        }
        Some(Handle {
            cell: self.slots.get((line * self.places + position) as usize)?,
            patient: self.patient,
        })
    }

    fn lock_line(&self, lock: u32) -> bool {
        let lock = &self.locks[lock as usize];
        for _ in 0..LOCK_TRIES {
            if lock
                .compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
            {
                return true;
            }
            if self.patient {
                thread::yield_now();
            }
        }
        false
    }

    fn unlock_line(&self, lock: u32) {
        self.locks[lock as usize].store(0, Ordering::Release);
    }

    fn count(&self, counter: usize) {
        self.tally.lock().unwrap().counters.0[counter] += 1;
    }

    fn report(&self, head: Head) -> bool {
        let room = &self.room;
        let left = room.load(StdOrdering::Relaxed);
        if left == 0 {
            return false;
        }
        room.store(left - 1, StdOrdering::Relaxed);
        let slot = self.slot(head.slot).expect("a slot of the model");
        let (mut hot, cold) = slot.with(|hot, cold| (*hot, *cold));
        hot.word = head.state.released().0;
        self.tally.lock().unwrap().records.push(Record {
            event: head.event,
            side: head.side,
            detail: head.detail,
            repeated: head.repeated.into(),
            slot: head.slot,
            time: head.time,
            copy: Slot { hot, cold },
        });
        true
    }

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn now(&self) -> u64 {
        super::script::at(0)
    }
}
