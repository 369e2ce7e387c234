//! Which connections a plain segment has to be looked up for, at the level
//! `closing` ([`crate::policy::Level`]).
//!
//! A filter small enough for the caches: words of sixteen four-bit counters. A
//! connection that needs attention counts in two counters of one word, chosen
//! by a keyed hash that is the same for both directions; a segment whose two
//! are not both above zero belongs to none of them.
//!
//! It may say yes where no is right, which costs a look at the table. It never
//! says no where yes is right:
//!
//! - A connection is counted in and out under its slot's lock, in step with the
//!   slot's word ([`wanted`]): once each, whatever happens to programs and
//!   locks. So no counter is ever taken down that was not put up.
//! - Counting in cannot fail: where a compare-and-swap loses too often, the
//!   whole word is set to fifteen by an exchange that nobody can refuse.
//! - A counter that has reached fifteen stays there. So does one that cannot be
//!   counted down because others keep changing its word. That costs time.
//!
//! A word for every 64 slots: an eighth of a byte a slot, 32 KiB for a table of
//! 262,144 and 256 KiB for two million. With 1 % of a million connections
//! closing, in a table of two million, one in 170 of the others is looked up in
//! vain (`of_the_others_few_are_looked_up`). Even where an attack has every
//! second slot wait for its handshake, a counter reaches fifteen once in fifty
//! thousand.

use crate::{
    state::{Snapshot, fact},
    tuple::Tuple,
};

/// Slots for which there is one word.
pub const SLOTS_PER_WORD: u32 = 64;
/// Words of the smallest filter: one page would not hold less.
const LEAST: u32 = 64;
/// Tries before a word is given up: when counting in, to fifteen.
pub const TRIES: u32 = if cfg!(loom) { 1 } else { 16 };
/// A word that says yes to everything.
pub const FULL: u64 = u64::MAX;

/// Bits of a counter, and its largest value.
const BITS: u32 = 4;
const MOST: u64 = 15;

/// Odd factors: the golden ratio, and that of the square root of five.
const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
const ODD_TOO: u64 = 0xd1b5_4a32_d192_ed03;

/// Number of words for so many slots, a power of two.
pub const fn words(slots: u32) -> u32 {
    let words = slots / SLOTS_PER_WORD;
    if words < LEAST { LEAST } else { words }
}

/// The connection in a slot needs attention: segments without SYN, FIN and RST
/// may decide something about it. A function of its word alone.
#[inline(always)]
pub const fn wanted(state: Snapshot) -> bool {
    let open = !state.is(fact::ESTABLISHED) || state.is(fact::FIN);
    let pending = state.is(fact::PENDING) && !state.is_free();
    pending || state.is_live() && open
}

/// One end's part of the hash. Bits move from low to high by the product, and
/// back by the fold, so that the sum of two ends is not that of others.
#[inline(always)]
const fn end([high, low]: [u64; 2], port: u16, seed: [u64; 2]) -> u64 {
    let word = low.rotate_left(16) ^ port as u64 ^ seed[1];
    let product = (word ^ high.wrapping_mul(ODD_TOO)).wrapping_mul(ODD);
    product ^ product >> 32
}

/// The keyed hash of a connection by its two ends, in any order.
#[inline(always)]
pub const fn key_of(a: ([u64; 2], u16), b: ([u64; 2], u16), seed: [u64; 2]) -> u64 {
    let sum = end(a.0, a.1, seed).wrapping_add(end(b.0, b.1, seed));
    sum.wrapping_mul(ODD_TOO)
}

/// The same of a tuple.
#[inline(always)]
pub const fn key(tuple: &Tuple, seed: [u64; 2]) -> u64 {
    let [a, b, c, d, ports] = tuple.words;
    key_of(([a, b], ports as u16), ([c, d], (ports >> 16) as u16), seed)
}

/// Which word a connection counts in; `mask` = words - 1.
#[inline(always)]
pub const fn index(key: u64, mask: u32) -> u32 {
    (key >> 40) as u32 & mask
}

/// Shifts of its two counters in that word.
#[inline(always)]
const fn places(key: u64) -> (u32, u32) {
    let first = (key >> 60) as u32;
    let second = first ^ (1 + ((key >> 32) as u32 & 7));
    (first * BITS, second * BITS)
}

/// Both counters are above zero: somebody there needs attention.
#[inline(always)]
pub const fn says_yes(word: u64, key: u64) -> bool {
    let (a, b) = places(key);
    word >> a & MOST != 0 && word >> b & MOST != 0
}

/// The word with one more.
#[inline(always)]
pub const fn with(word: u64, key: u64) -> u64 {
    let (a, b) = places(key);
    up(up(word, a), b)
}

/// The word with one less.
#[inline(always)]
pub const fn without(word: u64, key: u64) -> u64 {
    let (a, b) = places(key);
    down(down(word, a), b)
}

#[inline(always)]
const fn up(word: u64, shift: u32) -> u64 {
    let room = (word >> shift & MOST != MOST) as u64;
    word.wrapping_add(room << shift)
}

#[inline(always)]
const fn down(word: u64, shift: u32) -> u64 {
    let count = word >> shift & MOST;
    let counted = (count != MOST && count != 0) as u64;
    word.wrapping_sub(counted << shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuple::{Endpoint, Family};

    const SEED: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];

    fn ends(n: u32) -> (Endpoint, Endpoint) {
        let client = Endpoint::v4(0x0a01_0000 + (n >> 14), 2048 + (n & 0x3fff) as u16);
        (client, Endpoint::v4(0x0a00_0001, 443))
    }

    fn tuple(n: u32) -> Tuple {
        let (a, b) = ends(n);
        Tuple::new(a, b, Family::V4, 0).unwrap().0
    }

    #[test]
    fn the_key_does_not_know_directions() {
        for n in [0, 1, 77_777] {
            let (a, b) = ends(n);
            let (a, b) = ((a.address, a.port), (b.address, b.port));
            assert_eq!(key_of(a, b, SEED), key_of(b, a, SEED));
            assert_eq!(key_of(a, b, SEED), key(&tuple(n), SEED));
            assert_ne!(key_of(a, b, SEED), key_of(a, b, [SEED[0], 5]));
        }
    }

    #[test]
    fn the_key_knows_all_of_both_ends() {
        let end = |high: u64, port: u16| ([high, 0xffff_0a00_0001], port);
        let key = |a, b| key_of(a, b, [0; 2]);
        // The network part of an IPv6 address; and the sum of two ends is not
        // that of others.
        assert_ne!(key(end(1, 1), end(0, 4)), key(end(2, 1), end(0, 4)));
        assert_ne!(key(end(0, 1), end(0, 4)), key(end(0, 2), end(0, 3)));
    }

    #[test]
    fn what_is_counted_in_and_out_leaves_nothing() {
        let mut word = 0;
        for n in 0..5 {
            word = with(word, key(&tuple(n), SEED));
        }
        for n in 0..5 {
            assert!(says_yes(word, key(&tuple(n), SEED)));
            word = without(word, key(&tuple(n), SEED));
        }
        assert_eq!(word, 0);
    }

    #[test]
    fn a_full_counter_stays_and_leaves_its_neighbours_alone() {
        let one = key(&tuple(1), SEED);
        let mut word = 0;
        for _ in 0..20 {
            word = with(word, one);
        }
        assert_eq!(word.count_ones(), 8, "two counters at fifteen: {word:x}");
        assert_eq!(without(word, one), word, "it stays");
        for _ in 0..20 {
            word = without(word, one);
        }
        assert!(says_yes(word, one), "a set is never lost");
        assert_eq!(without(0, one), 0, "nor taken from others");
    }

    /// The share of connections that are looked up in vain with `closing` others
    /// in a table of `slots`.
    fn in_vain(slots: u32, closing: u32) -> f64 {
        let mask = words(slots) - 1;
        let mut filter = vec![0_u64; words(slots) as usize];
        for n in 0..closing {
            let key = key(&tuple(n * 97), SEED);
            let word = &mut filter[index(key, mask) as usize];
            *word = with(*word, key);
        }
        let others = 1_u32 << 20;
        let found = (0..others).filter(|n| {
            let (_, server) = ends(0);
            let other = Endpoint::v4(0x0b00_0000 + (n >> 14), (n & 0x3fff) as u16);
            let (tuple, _) = Tuple::new(other, server, Family::V4, 0).unwrap();
            let key = key(&tuple, SEED);
            says_yes(filter[index(key, mask) as usize], key)
        });
        found.count() as f64 / f64::from(others)
    }

    #[test]
    fn of_the_others_few_are_looked_up() {
        for (slots, closing, most) in [
            (1 << 21, 10_000, 0.007),
            (1 << 20, 10_000, 0.02),
            (1 << 18, 2_600, 0.02),
            (1 << 12, 40, 0.02),
        ] {
            let share = in_vain(slots, closing);
            println!("{closing} of {slots} slots closing: {:.2} %", share * 100.0);
            assert!(share < most && share > 0.0, "{share}");
        }
    }

    #[test]
    fn attention_is_wanted_until_the_handshake_and_from_the_first_fin() {
        let live = Snapshot::default().transition_to_live(0);
        assert!(wanted(live) && !wanted(Snapshot::default()));
        let open = live.with(fact::ESTABLISHED);
        assert!(!wanted(open));
        assert!(wanted(open.with(fact::FIN)) && wanted(open.with(fact::PENDING)));
        let waits = open.with(fact::FIN).transition_to_ended(true);
        assert!(!wanted(waits) && wanted(waits.with(fact::PENDING)));
        assert!(!wanted(waits.with(fact::PENDING).transition_to_free()));
    }
}
