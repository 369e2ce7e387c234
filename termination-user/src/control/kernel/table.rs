//! The slot table, mapped read-only: a sequence-lock reader (see
//! `termination_common::state` for the protocol and its memory ordering).
//!
//! Kernel programs write while we read, so nothing here is ever a reference
//! into the mapping: words are loaded atomically one by one, and a copy counts
//! only if the slot's state word was the same, unlocked, before and after.

use std::{
    hint, io, iter,
    marker::PhantomData,
    os::fd::{AsFd, AsRawFd as _},
    ptr::NonNull,
    sync::atomic::{AtomicU64, Ordering, fence},
};

use termination_common::{
    slot::{Cold, Hot, Pending, Slot, SlotId},
    state::Snapshot,
    table::LINE,
};

use super::plain::Plain;
use crate::prefetch::prefetch;

/// Tries before a reader gives a slot up: a program holds the lock for well
/// under a microsecond, unless its virtual CPU was taken away.
const READ_TRIES: u32 = 4096;

/// Lines between what a walk looks at and what it has fetched meanwhile: about as
/// many misses as a processor has under way at once.
const WALKS_AHEAD: u32 = 2;

/// A BPF array with `BPF_F_MMAPABLE`, mapped read-only as `u64` words.
#[derive(Debug)]
struct Mapping<T> {
    base: NonNull<AtomicU64>,
    bytes: usize,
    entries: u32,
    kind: PhantomData<fn() -> T>,
}

// SAFETY: the mapping is read-only shared memory, read atomically; it can be
// read and unmapped from any thread.
unsafe impl<T> Send for Mapping<T> {}

impl<T> Mapping<T> {
    const WORDS: usize = size_of::<T>() / size_of::<u64>();

    fn new(map: impl AsFd, entries: u32) -> io::Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(size_of::<u64>())) };
        let bytes = entries as usize * size_of::<T>();
        // SAFETY: a new mapping at a place of the kernel's choice; the result
        // is checked. The kernel refuses lengths beyond the array
        // (kernel/bpf/arraymap.c, array_map_mmap).
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ,
                libc::MAP_SHARED,
                map.as_fd().as_raw_fd(),
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self {
            base,
            bytes,
            entries,
            kind: PhantomData,
        })
    }

    /// One word of one entry.
    #[inline]
    fn word(&self, index: u32, word: usize) -> &AtomicU64 {
        assert!(
            index < self.entries && word < Self::WORDS,
            "entry {index} of {}",
            self.entries
        );
        // SAFETY: inside the mapping, as just checked; pages are aligned and so
        // is each word; it lives as long as `self`.
        unsafe { self.base.add(index as usize * Self::WORDS + word).as_ref() }
    }
}

impl<T: Plain> Mapping<T> {
    /// A copy of one entry, word by word: consistent only if its writers were
    /// quiet meanwhile.
    #[inline]
    fn copy(&self, index: u32) -> T {
        let mut copy = std::mem::MaybeUninit::<T>::uninit();
        let to = copy.as_mut_ptr().cast::<u64>();
        // One check for all of them: this is what a look at the table consists of.
        let from = std::ptr::from_ref(self.word(index, 0));
        for word in 0..Self::WORDS {
            // SAFETY: the entry has `WORDS` words, all inside the mapping since
            // its first one is.
            let value = unsafe { (*from.add(word)).load(Ordering::Relaxed) };
            // SAFETY: `T` has `WORDS` words, and this is one of them; written
            // unaligned, since `T` itself may ask for less than eight.
            unsafe { to.add(word).write_unaligned(value) };
        }
        // SAFETY: all words were written, and `Plain` takes any.
        unsafe { copy.assume_init() }
    }
}

impl<T> Drop for Mapping<T> {
    fn drop(&mut self) {
        // SAFETY: mapped with this length in `new`, unmapped only here.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

/// The whole table, for reading.
#[derive(Debug)]
pub struct Table {
    fingerprints: Mapping<[u64; LINE as usize]>,
    hot: Mapping<Hot>,
    cold: Mapping<Cold>,
    lines: u32,
}

impl Table {
    /// Maps the three arrays of a table of `lines` lines.
    ///
    /// # Errors
    ///
    /// What mmap(2) answered: EINVAL for an array without `BPF_F_MMAPABLE` or
    /// of another size, ENOMEM.
    pub fn map(
        fingerprints: impl AsFd,
        hot: impl AsFd,
        cold: impl AsFd,
        lines: u32,
    ) -> io::Result<Self> {
        Ok(Self {
            fingerprints: Mapping::new(fingerprints, lines)?,
            hot: Mapping::new(hot, lines * LINE)?,
            cold: Mapping::new(cold, lines * LINE)?,
            lines,
        })
    }

    /// Number of slots.
    pub const fn slots(&self) -> u32 {
        self.lines * LINE
    }

    /// Number of lines.
    pub const fn lines(&self) -> u32 {
        self.lines
    }

    /// Slots of a line that hold something, as of now; a line is one cache line of
    /// fingerprints, so that empty regions cost an eighth of a look each.
    #[inline]
    pub fn occupied_in(&self, line: u32) -> impl Iterator<Item = u32> {
        // Which are used is as good as random: one branch a slot in use, and none
        // to be guessed for each place.
        let mut places = (0..LINE).fold(0, |places, place| {
            let fingerprint = self.fingerprints.word(line, place as usize);
            places | u32::from(fingerprint.load(Ordering::Relaxed) != 0) << place
        });
        iter::from_fn(move || {
            let place = (places != 0).then(|| places.trailing_zeros())?;
            places &= places - 1;
            Some(line * LINE + place)
        })
    }

    /// A walk over the table is at this line: has the processor fetch the hot lines
    /// of what it comes to soon.
    #[inline]
    fn walk_at(&self, line: u32) {
        let ahead = line + WALKS_AHEAD;
        if ahead < self.lines {
            for slot in self.occupied_in(ahead) {
                prefetch(self.hot.word(slot, 0));
            }
        }
    }

    /// Slots that hold something, as of when the iterator passes them.
    pub fn occupied(&self) -> impl Iterator<Item = u32> {
        self.occupied_from(0, self.slots())
    }

    /// The same for the lines of the slots `from..to`; lets a long walk be done
    /// in pieces.
    pub fn occupied_from(&self, from: u32, to: u32) -> impl Iterator<Item = u32> {
        let lines = from / LINE..to.div_ceil(LINE).min(self.lines);
        lines.flat_map(|line| {
            self.walk_at(line);
            self.occupied_in(line)
        })
    }

    /// The state word of a slot; it may be locked.
    #[inline]
    pub fn state(&self, slot: u32) -> Snapshot {
        Snapshot(self.hot.word(slot, 0).load(Ordering::Acquire))
    }

    /// Runs `read` between two equal, unlocked readings of the state word.
    /// `None` when a program kept the lock all the while.
    #[inline]
    fn consistent<T>(&self, slot: u32, read: impl Fn() -> T) -> Option<T> {
        for _ in 0..READ_TRIES {
            let before = self.state(slot);
            if before.is_locked() {
                hint::spin_loop();
                continue;
            }
            let copy = read();
            // Orders the loads of the copy before that of the word.
            fence(Ordering::Acquire);
            if self.hot.word(slot, 0).load(Ordering::Relaxed) == before.0 {
                return Some(copy);
            }
        }
        None
    }

    /// A consistent copy of a slot; `None` when a program kept its lock.
    pub fn slot(&self, slot: u32) -> Option<Slot> {
        self.consistent(slot, || Slot {
            hot: self.hot.copy(slot),
            cold: self.cold.copy(slot),
        })
    }

    /// A consistent copy of the hot line alone.
    #[inline]
    pub fn hot(&self, slot: u32) -> Option<Hot> {
        self.consistent(slot, || self.hot.copy(slot))
    }

    /// What a slot waits for, as it is now: who acts on it looks again under
    /// the lock.
    pub fn pending(&self, slot: u32) -> Pending {
        self.cold.copy(slot).pending
    }

    /// Who holds TIME_WAIT and how it ended, packed
    /// ([`termination_common::taxonomy::Outcome`]); as it is now.
    pub fn outcome(&self, slot: u32) -> u32 {
        self.cold.copy(slot).outcome
    }
}

/// The id of the connection in a slot.
pub const fn id(slot: u32, state: Snapshot) -> SlotId {
    SlotId {
        slot,
        generation: state.generation(),
    }
}
