//! The slot table in BPF maps: [`Memory`] for the kernel.

use core::{
    arch::asm,
    intrinsics::{AtomicOrdering, atomic_cxchg, atomic_xchg},
    ptr::{read_volatile, write_volatile},
};

use aya_ebpf::helpers::bpf_ktime_get_ns;
use termination_common::{
    attention, counters,
    driver::{Claimed, Visit},
    engine::Effects,
    policy::{Level, Settings},
    segment::Segment,
    slot::{Cold, Half, Hot},
    state::{LOCK_TRIES, Snapshot},
    table::{Head, HotRef, LineRef, Memory, Place, SlotRef, Work},
};

use crate::{
    maps::{
        ATTENTION, ATTENTION_MASK, COLD, COUNTERS, FINGERPRINTS, HOT, LEVEL, LINE_MASK, LOCKED,
        SCRATCH, SEED, SETTINGS,
    },
    patience::{wait_for_line, wait_for_slot},
};

/// Where this CPU's program parses into.
#[inline(always)]
pub fn scratch<'a>() -> Option<&'a mut Segment> {
    // SAFETY: this CPU's own; programs run with bottom halves off, so nobody
    // else uses it until this one has returned.
    SCRATCH
        .get_ptr_mut(0)
        .map(|segment| unsafe { &mut *segment })
}

/// The table that the maps of this object are.
#[derive(Clone, Copy)]
pub struct Maps;

/// Adds one to a counter among several that stand side by side.
#[inline(always)]
pub fn count_nth(first: usize, number: u32) {
    let mut counter = first + number as usize;
    // SAFETY: adds nothing to a register. The compiler forgets how the sum was made, so that
    // it compares the register that it then uses: the verifier of Linux 6.1 takes
    // note of no other.
    unsafe { asm!("{0} += 0", inout(reg) counter, options(pure, nomem, nostack)) };
    Maps.count(counter);
}

/// A line of FINGERPRINTS.
#[derive(Clone, Copy)]
pub struct Line(*mut u64);

/// An element of HOT.
#[derive(Clone, Copy)]
pub struct HotLine(*mut Hot);

/// A slot: its elements of HOT and COLD.
#[derive(Clone, Copy)]
pub struct Slot {
    hot: HotLine,
    cold: *mut Cold,
}

impl Slot {
    /// Its two parts, word by word.
    #[inline(always)]
    pub const fn words(&self) -> (*const u64, *const u64) {
        (
            self.hot.0.cast_const().cast(),
            self.cold.cast_const().cast(),
        )
    }
}

impl LineRef for Line {
    #[inline(always)]
    fn entry(&self, position: u32) -> u64 {
        // SAFETY: a map value of eight words; the position is masked to it.
        // Volatile: another CPU may write it.
        unsafe { read_volatile(self.0.add((position & 7) as usize)) }
    }

    #[inline(always)]
    fn set(&self, position: u32, value: u64) {
        // SAFETY: as above.
        unsafe { write_volatile(self.0.add((position & 7) as usize), value) };
    }
}

/// Stores `value` after everything before it (release).
#[inline(always)]
fn release(word: *mut u64, value: u64) {
    if cfg!(bpf_target_arch = "x86_64") {
        // x86 keeps stores in order; only the compiler must be told. A plain
        // store is a tenth of the cost of an exchange.
        // SAFETY: no instruction, only a barrier to the compiler.
        unsafe { asm!("", options(nostack, preserves_flags)) };
        // SAFETY: `word` points at an aligned u64 in a map value.
        unsafe { write_volatile(word, value) };
    } else {
        // SAFETY: as above. An exchange is a full barrier everywhere.
        unsafe {
            atomic_xchg::<u64, { AtomicOrdering::SeqCst }>(word, value);
        }
    }
}

/// Compare-and-swap, a full barrier.
#[inline(always)]
fn exchange(word: *mut u64, old: u64, new: u64) -> bool {
    // SAFETY: `word` points at an aligned u64 in a map value, and every writer
    // uses this function or holds the lock in it.
    unsafe {
        atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(word, old, new)
            .1
    }
}

impl HotRef for HotLine {
    #[inline(always)]
    fn load(&self) -> Snapshot {
        // SAFETY: a map value; an aligned 64-bit read is atomic.
        Snapshot(unsafe { read_volatile(&raw const (*self.0).word) })
    }

    #[inline(always)]
    fn exchange(&self, old: Snapshot, new: Snapshot) -> bool {
        // SAFETY: taking the address of a field of a valid map value.
        exchange(unsafe { &raw mut (*self.0).word }, old.0, new.0)
    }

    #[inline(always)]
    fn store(&self, new: Snapshot) {
        // SAFETY: as above.
        release(unsafe { &raw mut (*self.0).word }, new.0);
    }

    #[inline(always)]
    fn halves<R>(&self, f: impl FnOnce(&mut [Half; 2]) -> R) -> R {
        // SAFETY: a map value lives as long as the program runs, and the caller
        // holds the slot's lock, so nobody else has a reference to these. The
        // word before them is not among them.
        unsafe { f(&mut (*self.0).half) }
    }
}

impl HotRef for Slot {
    #[inline(always)]
    fn load(&self) -> Snapshot {
        self.hot.load()
    }

    #[inline(always)]
    fn exchange(&self, old: Snapshot, new: Snapshot) -> bool {
        self.hot.exchange(old, new)
    }

    #[inline(always)]
    fn store(&self, new: Snapshot) {
        self.hot.store(new);
    }

    #[inline(always)]
    fn halves<R>(&self, f: impl FnOnce(&mut [Half; 2]) -> R) -> R {
        self.hot.halves(f)
    }
}

impl SlotRef for Slot {
    /// The hot line and three of the cold part, of which the last may be two. To be
    /// read before the lock is taken, which on x86 lets nothing overtake it.
    #[inline(always)]
    fn fetch(&self) {
        let cold = self.cold.cast::<u64>();
        // SAFETY: words of two map values, read and forgotten.
        unsafe {
            read_volatile(&raw const (*self.hot.0).word);
            read_volatile(cold);
            read_volatile(cold.add(8));
            read_volatile(cold.add(16));
        }
    }

    #[inline(always)]
    fn with<R>(&self, f: impl FnOnce(&mut [Half; 2], &mut Cold) -> R) -> R {
        // SAFETY: as for the halves.
        self.hot.halves(|half| f(half, unsafe { &mut *self.cold }))
    }

    #[inline(always)]
    fn work<W: Work>(&self, work: W) -> W::Result {
        // SAFETY: as above.
        unsafe { work.run(&mut (*self.hot.0).half, &mut *self.cold) }
    }
}

impl Memory for Maps {
    type Line<'a> = Line;
    type Slot<'a> = Slot;
    type Hot<'a> = HotLine;

    #[inline(always)]
    fn mask(&self) -> u32 {
        LINE_MASK.load()
    }

    #[inline(always)]
    fn seed(&self) -> [u64; 2] {
        SEED.load()
    }

    #[inline(always)]
    fn line(&self, index: u32) -> Option<Line> {
        FINGERPRINTS
            .get_ptr_mut(index)
            .map(|line| Line(line.cast()))
    }

    #[inline(always)]
    fn slot(&self, index: u32) -> Option<Slot> {
        let hot = self.hot(index)?;
        let cold = COLD.get_ptr_mut(index)?;
        Some(Slot { hot, cold })
    }

    #[inline(always)]
    fn hot(&self, index: u32) -> Option<HotLine> {
        HOT.get_ptr_mut(index).map(HotLine)
    }

    #[inline(always)]
    fn lock_line(&self, lock: u32) -> bool {
        let Some(word) = LOCKED.get_ptr_mut(lock) else {
            return false;
        };
        let mut tries = 0;
        while tries < LOCK_TRIES {
            if exchange(word, 0, 1) {
                return true;
            }
            tries += 1;
        }
        false
    }

    #[inline(always)]
    fn unlock_line(&self, lock: u32) {
        if let Some(word) = LOCKED.get_ptr_mut(lock) {
            release(word, 0);
        }
    }

    #[inline(always)]
    fn count(&self, counter: usize) {
        let Some(counters) = COUNTERS.get_ptr_mut(0) else {
            return;
        };
        if counter < counters::COUNT {
            // SAFETY: this CPU's own value; programs run with bottom halves
            // off, so none interrupts another between the read and the write.
            unsafe {
                let place = (&raw mut (*counters).0).cast::<u64>().add(counter);
                *place = (*place).wrapping_add(1);
            }
        }
    }

    #[inline(always)]
    fn report(&self, head: Head) -> bool {
        let first = u64::from(head.event)
            | u64::from(head.side) << 8
            | u64::from(head.detail) << 16
            | u64::from(head.repeated) << 24
            | u64::from(head.slot) << 32;
        seams::report(first, head.time, head.state.released().0) != 0
    }

    #[inline(always)]
    fn settings(&self) -> &Settings {
        const DEFAULT: &Settings = &Settings::DEFAULT;
        SETTINGS.get(0).unwrap_or(DEFAULT)
    }

    #[inline(always)]
    fn level(&self) -> Level {
        if LEVEL.load() == Level::Full as u32 {
            Level::Full
        } else {
            Level::Closing
        }
    }

    #[inline(always)]
    fn attention_mask(&self) -> u32 {
        ATTENTION_MASK.load()
    }

    #[inline(always)]
    fn attention(&self, index: u32) -> u64 {
        // Without such a word, which cannot be, everybody would be looked up.
        // SAFETY: a map value; an aligned 64-bit read is atomic.
        ATTENTION
            .get_ptr_mut(index)
            .map_or(attention::FULL, |word| unsafe { read_volatile(word) })
    }

    #[inline(always)]
    fn attention_exchange(&self, index: u32, old: u64, new: u64) -> bool {
        ATTENTION
            .get_ptr_mut(index)
            .is_some_and(|word| exchange(word, old, new))
    }

    #[inline(always)]
    fn attention_fill(&self, index: u32) {
        if let Some(word) = ATTENTION.get_ptr_mut(index) {
            // SAFETY: `word` points at an aligned u64 in a map value that all
            // writers write atomically.
            unsafe {
                atomic_xchg::<u64, { AtomicOrdering::SeqCst }>(word, attention::FULL);
            }
        }
    }

    #[inline(always)]
    fn now(&self) -> u64 {
        // SAFETY: no arguments.
        unsafe { bpf_ktime_get_ns() }
    }

    #[inline(always)]
    fn wait(&self, slot: u32) {
        wait_for_slot(slot);
    }

    #[inline(always)]
    fn visit(&self, index: u32, _segment: &mut Segment) -> Visit {
        Visit(seams::visit(index))
    }

    #[inline(always)]
    fn act(&self, index: u32, _segment: &Segment, visit: Visit) {
        seams::act(index, visit.0);
    }

    #[inline(always)]
    fn tell(&self, index: u32, time: u64, side: u8, state: Snapshot, effects: Effects) -> Snapshot {
        Snapshot(seams::tell(index, time, side.into(), state.0, effects.0))
    }

    #[inline(always)]
    fn attend(&self, key: u64, begins: bool) {
        seams::attend(key, begins.into());
    }

    #[inline(always)]
    fn claim(&self, place: &Place, _segment: &Segment) -> Claimed {
        wait_for_line(place.first);
        wait_for_line(place.second);
        Claimed(seams::claim(place.fingerprint, place.first, place.second))
    }

    #[inline(always)]
    fn fill(&self, index: u32, fingerprint: u64, _segment: &Segment, loss: usize) {
        wait_for_slot(index);
        seams::fill(index, fingerprint, loss as u64);
    }
}

/// Functions of scalars with external linkage: the verifier walks each of them
/// once, with arguments that may be anything ("global functions",
/// Documentation/bpf/btf.rst), not once for every path of its callers. The
/// segment is the one in SCRATCH.
mod seams {
    use termination_common::{
        driver::{self, Visit},
        engine::Effects,
        state::Snapshot,
        table::Place,
    };

    use super::{Maps, scratch};
    use crate::{maps::SCRATCH, ring};

    #[unsafe(no_mangle)]
    #[inline(never)]
    pub(super) extern "C" fn report(first: u64, time: u64, word: u64) -> u32 {
        u32::from(ring::report(first, time, word))
    }

    #[unsafe(no_mangle)]
    #[inline(never)]
    pub(super) extern "C" fn visit(index: u32) -> u64 {
        match scratch() {
            Some(segment) => driver::visit(&Maps, index, segment).0,
            None => Visit::DONE.0,
        }
    }

    #[unsafe(no_mangle)]
    #[inline(never)]
    pub(super) extern "C" fn act(index: u32, visit: u64) -> u32 {
        if let Some(segment) = SCRATCH.get(0) {
            driver::act(&Maps, index, segment, Visit(visit));
        }
        0
    }

    #[unsafe(no_mangle)]
    #[inline(never)]
    pub(super) extern "C" fn tell(
        index: u32,
        time: u64,
        side: u32,
        state: u64,
        effects: u32,
    ) -> u64 {
        driver::tell(
            &Maps,
            index,
            time,
            side as u8,
            Snapshot(state),
            Effects(effects),
        )
        .0
    }

    #[unsafe(no_mangle)]
    #[inline(never)]
    pub(super) extern "C" fn attend(key: u64, begins: u32) -> u32 {
        driver::attend(&Maps, key, begins != 0);
        0
    }

    #[unsafe(no_mangle)]
    #[inline(never)]
    pub(super) extern "C" fn claim(fingerprint: u64, first: u32, second: u32) -> u64 {
        let place = Place {
            fingerprint,
            first,
            second,
        };
        match SCRATCH.get(0) {
            Some(segment) => driver::claim(&Maps, &place, segment).0,
            None => driver::Claimed::NOTHING.0,
        }
    }

    #[unsafe(no_mangle)]
    #[inline(never)]
    pub(super) extern "C" fn fill(index: u32, fingerprint: u64, loss: u64) -> u32 {
        if let Some(segment) = SCRATCH.get(0) {
            driver::fill(&Maps, index, fingerprint, segment, loss as usize);
        }
        0
    }
}
