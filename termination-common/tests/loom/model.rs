//! A table of a few slots in loom's memory, and what must hold of it at rest.
//!
//! Words, entries and line locks have the orderings that the BPF programs have
//! (loads of the word are relaxed there: BPF has no acquire load). A slot's
//! contents are a cell, so that loom reports any access outside of its lock.

use std::{
    collections::HashSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering as StdOrdering},
    },
};

use loom::{
    cell::UnsafeCell,
    sync::atomic::{AtomicU64, Ordering},
};
use termination_common::{
    attention,
    counters::{self, Counters, Event, Loss},
    driver,
    exchange::{Operation, Record},
    policy::{Level, Settings, Timers},
    segment::Segment,
    slot::{Cold, Half, Hot, Slot, SlotId},
    state::Snapshot,
    table::{LINE, Memory, Place, entry},
    tuple::Tuple,
};

/// Preemptions that loom tries, unless `LOOM_MAX_PREEMPTIONS` says otherwise.
const PREEMPTIONS: usize = 2;

/// Runs a model; says how many interleavings it took.
pub(crate) fn explore(name: &str, model: impl Fn() + Sync + Send + 'static) {
    explore_within(PREEMPTIONS, name, model);
}

/// The same, for what would take minutes otherwise.
pub(crate) fn explore_within(
    preemptions: usize,
    name: &str,
    model: impl Fn() + Sync + Send + 'static,
) {
    static RUNS: Mutex<()> = Mutex::new(());
    let runs = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    // One at a time: loom's time is the machine's.
    let guard = RUNS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = 20_000;
    builder.check(move || {
        counted.fetch_add(1, StdOrdering::Relaxed);
        model();
    });
    drop(guard);
    println!("{name}: {} interleavings", runs.load(StdOrdering::Relaxed));
}

/// A table whose lines have few places; the others are taken for good.
pub(crate) struct Model {
    pub(crate) lines: Vec<Vec<AtomicU64>>,
    pub(crate) places: u32,
    pub(crate) slots: Vec<Cell>,
    pub(crate) locks: Vec<AtomicU64>,
    /// Line locks that somebody holds; not loom's, only to be asserted.
    pub(crate) held: Vec<AtomicBool>,
    pub(crate) settings: Settings,
    pub(crate) level: Level,
    /// The attention filter: one word, so that all meet in it.
    pub(crate) filter: AtomicU64,
    /// Who meets a taken lock lets others run first, so that nobody gives up.
    pub(crate) patient: bool,
    /// Records that the ring still has room for.
    pub(crate) room: AtomicU32,
    pub(crate) tally: Mutex<Tally>,
    /// Seen while the program that counts a half-close holds the slot.
    pub(crate) intruder: Mutex<Option<Segment>>,
}

/// What was counted and reported. Not loom's: it takes part in nothing.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) counters: Counters,
    pub(crate) records: Vec<Record>,
}

pub(crate) struct Cell {
    pub(crate) word: AtomicU64,
    pub(crate) contents: UnsafeCell<([Half; 2], Cold)>,
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
                    contents: UnsafeCell::default(),
                })
                .collect(),
            locks: (0..lines).map(|_| AtomicU64::new(0)).collect(),
            held: (0..lines).map(|_| AtomicBool::new(false)).collect(),
            settings: Settings::DEFAULT,
            level: Level::Full,
            filter: AtomicU64::new(0),
            patient: true,
            room: AtomicU32::new(u32::MAX),
            tally: Mutex::default(),
            intruder: Mutex::default(),
        }
    }

    /// Nobody waits for anybody: locks are given up while their holder is
    /// away, as when a virtual CPU is.
    pub(crate) fn impatient(mut self) -> Self {
        self.patient = false;
        self
    }

    /// At the level `closing`.
    pub(crate) fn closing(mut self) -> Self {
        self.level = Level::Closing;
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
        let ids: Vec<_> = (0..self.slots.len())
            .filter_map(|index| self.id(index))
            .collect();
        let visit = |&id: &SlotId| self.sweep_one(id, operation, now);
        ids.iter().map(visit).fold(0, std::ops::BitOr::bitor)
    }

    /// As the controller, of what it has seen before.
    pub(crate) fn sweep_one(&self, id: SlotId, operation: Operation, now: u64) -> u32 {
        driver::sweep(self, id, operation, now, &Timers::DEFAULT)
    }

    /// The connection in a place, if any.
    pub(crate) fn id(&self, index: usize) -> Option<SlotId> {
        let state = Snapshot(self.slots[index].word.load(Ordering::Relaxed));
        let (line, position) = (index as u32 / self.places, index as u32 % self.places);
        (!state.is_free()).then_some(SlotId {
            slot: line * LINE + position,
            generation: state.generation(),
        })
    }

    fn contents(&self, index: usize) -> Slot {
        let state = Snapshot(self.slots[index].word.load(Ordering::Relaxed));
        assert!(!state.is_locked());
        self.slots[index].contents.with(|contents| {
            // SAFETY: loom checks that nobody writes meanwhile.
            let (half, cold) = unsafe { *contents };
            let word = state.0;
            Slot {
                hot: Hot { word, half },
                cold,
            }
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

    /// Somebody gave a lock up. Among three, two that wait may run in turns,
    /// patient or not, until they have spent their tries.
    pub(crate) fn gave_up(&self) -> bool {
        self.lost(Loss::Contended) > 0
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
        self.check_attention();
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

    /// Whoever needs attention has it.
    fn check_attention(&self) {
        let filter = self.filter.load(Ordering::Relaxed);
        for slot in self.slots() {
            let key = attention::key(&slot.cold.tuple, self.seed());
            let wanted = self.level.is_closing() && attention::wanted(slot.state());
            assert!(
                !wanted || attention::says_yes(filter, key),
                "a set was lost"
            );
        }
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
