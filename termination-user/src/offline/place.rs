//! Where a slot lies, and how it is found and fetched.

use std::ops::{Index, IndexMut};

use termination_common::{
    segment::{Flags, Segment},
    slot::{Hot, Slot},
    tuple::Tuple,
};

use super::huge::Huge;
use crate::{control::kernel::plain::Plain, prefetch::prefetch};

/// Key of the hash; a capture has no adversary to hide it from.
const SEED: [u64; 2] = [0x243f_6a88_85a3_08d3, 0x1319_8a2e_0370_7344];
/// No alarm is set.
pub(super) const NEVER: u64 = u64::MAX;

/// The half of the hash that the index keeps.
#[inline(always)]
pub(super) const fn hash(tuple: &Tuple) -> u32 {
    (tuple.hash(SEED) >> 32) as u32
}

/// A slot that starts on a cache line, so that its hot part is one.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Place {
    pub(super) slot: Slot,
    /// When its alarm rings, nanoseconds, or [`NEVER`]; not after its deadline.
    pub(super) alarm: u64,
    reserved: [u64; 6],
}

// SAFETY: repr(C); 200 + 8 + 6 * 8 = 256 bytes of integers without a gap.
unsafe impl Plain for Place {}

const _: () = assert!(size_of::<Place>() == 256);

impl Place {
    /// A segment with these flags will be tracked here.
    #[inline(always)]
    pub(super) fn expect(&self, flags: Flags) {
        prefetch(&self.slot.hot);
        prefetch(&self.slot.cold);
        // The others need no more.
        if flags.any(Flags::SYN | Flags::FIN | Flags::RST) {
            prefetch(&self.slot.cold.half);
            prefetch(&self.alarm);
        }
    }
}

/// Places of a piece, as a power of two: 32 MiB, taken as they are needed.
const PIECE_SHIFT: u32 = 17;

/// All places. They stay where they are: growth copies nothing.
#[derive(Default)]
pub(super) struct Places {
    pieces: Vec<Huge<Place>>,
    count: u32,
}

impl Places {
    /// How many there are.
    pub(super) const fn len(&self) -> u32 {
        self.count
    }

    /// Adds an empty one.
    pub(super) fn push(&mut self) -> u32 {
        let number = self.count;
        if number as usize == self.pieces.len() << PIECE_SHIFT {
            self.pieces.push(Huge::zeroed(1 << PIECE_SHIFT));
        }
        self.count = number
            .checked_add(1)
            .expect("fewer than 2^32 slots fit into memory");
        self[number].alarm = NEVER;
        number
    }

    const fn within(number: u32) -> usize {
        number as usize & ((1 << PIECE_SHIFT) - 1)
    }
}

impl Index<u32> for Places {
    type Output = Place;

    #[inline(always)]
    fn index(&self, number: u32) -> &Place {
        &self.pieces[(number >> PIECE_SHIFT) as usize][Self::within(number)]
    }
}

impl IndexMut<u32> for Places {
    #[inline(always)]
    fn index_mut(&mut self, number: u32) -> &mut Place {
        &mut self.pieces[(number >> PIECE_SHIFT) as usize][Self::within(number)]
    }
}

/// A segment that waits for its batch.
#[derive(Clone, Copy, Default)]
pub(super) struct Waiting {
    pub(super) segment: Segment,
    /// The latest time seen up to it: a packet between two segments lets time
    /// pass as well.
    pub(super) clock: u64,
    pub(super) hash: u32,
    /// Where the connection probably is.
    pub(super) guess: Option<u32>,
}

/// What decides a slot's timer, beside the time itself: life and facts, the
/// bits of both halves.
#[inline(always)]
pub(super) const fn shape(hot: &Hot) -> u64 {
    let [a, b] = &hot.half;
    hot.word & 0xffff | (a.bits as u64) << 16 | (b.bits as u64) << 32
}
