//! The model as the driver sees it.

use std::sync::atomic::{AtomicBool, Ordering as StdOrdering};

use loom::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
};
use termination_common::{
    attention,
    counters::{self, Event},
    exchange::Record,
    policy::{Level, Settings},
    slot::{Cold, Half, Hot, Slot},
    state::{LOCK_TRIES, Snapshot},
    table::{Head, HotRef, LINE, LineRef, Memory, SlotRef, entry},
};

use super::{
    model::{Cell, Model},
    script,
};

/// An entry that belongs to a connection outside of the model.
const FOREIGN: u64 = !entry::CLASS | entry::USED;

#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    entries: &'a [AtomicU64],
    held: &'a AtomicBool,
}

impl LineRef for Line<'_> {
    fn entry(&self, position: u32) -> u64 {
        let entry = self.entries.get(position as usize);
        entry.map_or(FOREIGN, |entry| entry.load(Ordering::Relaxed))
    }

    fn set(&self, position: u32, value: u64) {
        let entry = &self.entries[position as usize];
        // Only under the slot's lock, so nobody writes between these two.
        let kept = entry.load(Ordering::Relaxed) & entry::USED == value & entry::USED;
        let held = self.held.load(StdOrdering::Relaxed);
        assert!(kept || held, "used or freed without the line's lock");
        entry.store(value, Ordering::Relaxed);
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Handle<'a> {
    cell: &'a Cell,
    patient: bool,
}

impl HotRef for Handle<'_> {
    fn load(&self) -> Snapshot {
        let state = Snapshot(self.cell.word.load(Ordering::Relaxed));
        if state.is_locked() && self.patient {
            thread::yield_now();
        }
        state
    }

    fn exchange(&self, old: Snapshot, new: Snapshot) -> bool {
        let word = &self.cell.word;
        let done = word
            .compare_exchange(old.0, new.0, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok();
        if !done && self.patient {
            thread::yield_now();
        }
        done
    }

    fn store(&self, new: Snapshot) {
        // An exchange, as on machines other than x86: loom does not know that
        // a plain store comes after an exchange that read the word before it
        // (`mark_missed`), which holds everywhere.
        self.cell.word.swap(new.0, Ordering::Release);
    }

    fn halves<R>(&self, f: impl FnOnce(&mut [Half; 2]) -> R) -> R {
        self.with(|half, _| f(half))
    }
}

impl SlotRef for Handle<'_> {
    fn with<R>(&self, f: impl FnOnce(&mut [Half; 2], &mut Cold) -> R) -> R {
        self.cell.contents.with_mut(|contents| {
            // SAFETY: loom checks that nobody else is here.
            let (half, cold) = unsafe { &mut *contents };
            f(half, cold)
        })
    }
}

impl Memory for Model {
    type Line<'a> = Line<'a>;
    type Slot<'a> = Handle<'a>;
    type Hot<'a> = Handle<'a>;

    fn mask(&self) -> u32 {
        self.lines.len() as u32 - 1
    }

    fn seed(&self) -> [u64; 2] {
        script::SEED
    }

    fn line(&self, index: u32) -> Option<Line<'_>> {
        Some(Line {
            entries: self.lines.get(index as usize)?,
            held: &self.held[index as usize],
        })
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

    fn hot(&self, index: u32) -> Option<Handle<'_>> {
        self.slot(index)
    }

    fn lock_line(&self, lock: u32) -> bool {
        let word = &self.locks[lock as usize];
        for _ in 0..LOCK_TRIES {
            if word
                .compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
            {
                self.held[lock as usize].store(true, StdOrdering::Relaxed);
                return true;
            }
            if self.patient {
                thread::yield_now();
            }
        }
        false
    }

    fn unlock_line(&self, lock: u32) {
        self.held[lock as usize].store(false, StdOrdering::Relaxed);
        self.locks[lock as usize].store(0, Ordering::Release);
    }

    fn count(&self, counter: usize) {
        self.tally.lock().unwrap().counters.0[counter] += 1;
        if counter == counters::EVENT + Event::HalfClosed as usize {
            let intruder = self.intruder.lock().unwrap().take();
            intruder
                .into_iter()
                .for_each(|segment| self.observe(segment));
        }
    }

    fn report(&self, head: Head) -> bool {
        let room = &self.room;
        let left = room.load(StdOrdering::Relaxed);
        if left == 0 {
            return false;
        }
        room.store(left - 1, StdOrdering::Relaxed);
        let slot = self.slot(head.slot).expect("a slot of the model");
        let (half, cold) = slot.with(|half, cold| (*half, *cold));
        let word = head.state.released().0;
        let hot = Hot { word, half };
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

    fn level(&self) -> Level {
        self.level
    }

    fn attention(&self, _index: u32) -> u64 {
        self.filter.load(Ordering::Relaxed)
    }

    fn attention_exchange(&self, _index: u32, old: u64, new: u64) -> bool {
        self.filter
            .compare_exchange(old, new, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    fn attention_fill(&self, _index: u32) {
        self.filter.swap(attention::FULL, Ordering::SeqCst);
    }

    fn now(&self) -> u64 {
        script::at(0)
    }
}
