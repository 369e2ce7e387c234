//! The ring of records.

use core::ptr::{read_volatile, write_volatile};

use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_RING_SIZE},
    helpers::bpf_ringbuf_query,
};
use termination_common::{
    exchange::{self, Record},
    slot::{Cold, Hot},
    table::Memory as _,
    taxonomy::Outcome,
};

use crate::{maps::EVENTS, memory::Maps};

/// How much of the ring is waiting for user space, in parts of
/// [`exchange::WHOLE`].
#[inline(always)]
fn filled() -> u64 {
    let ring = (&raw const EVENTS).cast_mut().cast();
    // SAFETY: the ring buffer, and what may be asked of it.
    let (waiting, size) = unsafe {
        (
            bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA.into()),
            bpf_ringbuf_query(ring, BPF_RB_RING_SIZE.into()),
        )
    };
    // Its size is a power of two, and never less than a page.
    waiting / (size / exchange::WHOLE).max(1)
}

/// Fills a record in the ring, if there is room for its kind. Word by word: a
/// plain copy of this size becomes a call of `memcpy`, which BPF has only byte by
/// byte.
#[inline(always)]
pub(crate) fn report(first: u64, time: u64, word: u64) -> bool {
    let Some(slot) = Maps.slot((first >> 32) as u32) else {
        return false;
    };
    let (hot, cold) = slot.words();
    // SAFETY: a whole map value.
    let outcome = unsafe { read_volatile(&raw const (*cold.cast::<Cold>()).outcome) };
    let share = exchange::share(first as u8, Outcome::packed_ending(outcome));
    if share < exchange::WHOLE && filled() >= share {
        return false;
    }
    let Some(mut entry) = EVENTS.reserve(0) else {
        return false;
    };
    let to = entry.as_mut_ptr().cast::<u64>();
    // SAFETY: `to` has the 27 words of a `Record` (216 bytes): two of head,
    // eight of hot, seventeen of cold, checked at compile time below. The
    // sources are whole map values of 8 and 17 words.
    unsafe {
        write_volatile(to, first);
        write_volatile(to.add(1), time);
        write_volatile(to.add(2), word);
        let mut index = 1;
        while index < 8 {
            write_volatile(to.add(2 + index), read_volatile(hot.add(index)));
            index += 1;
        }
        let mut index = 0;
        while index < 17 {
            write_volatile(to.add(10 + index), read_volatile(cold.add(index)));
            index += 1;
        }
    }
    entry.submit(0);
    true
}

const _: () = {
    use core::mem::{offset_of, size_of};
    use termination_common::slot::Slot;
    assert!(size_of::<Record>() == 27 * 8);
    assert!(offset_of!(Record, copy) == 16);
    assert!(offset_of!(Slot, cold) == 64);
    assert!(size_of::<Hot>() == 64 && size_of::<Cold>() == 17 * 8);
};
