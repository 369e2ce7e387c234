//! Which connections are tracked at all: by prefix, by port, by sample.
//!
//! One decision for kernel, captures and tests. It is a function of the tuple
//! alone, so that both directions of a connection are tracked or neither, and
//! so that it is the same from its first segment to its last.

use crate::{
    policy::Settings,
    taxonomy::vocabulary,
    tuple::{Side, Tuple},
};

vocabulary! {
    /// Why policy leaves a segment out.
    LeftOut {
        /// An address is excluded, or none is included.
        Prefix = 1, "prefix";
        /// A port is excluded, or none is included.
        Port = 2, "port";
        /// Its connection is not in the sample.
        Sample = 3, "sample";
    }
}

/// Bits of [`Settings::flags`] for this decision; those of the engine are in
/// [`crate::policy::setting`].
pub mod rule {
    /// Prefixes are named: both addresses are looked up.
    pub const PREFIXES: u32 = 1 << 8;
    /// One of the two addresses has to be included.
    pub const PREFIX_WANTED: u32 = 1 << 9;
    /// Ports are named: both are looked up.
    pub const PORTS: u32 = 1 << 10;
    /// One of the two ports has to be included.
    pub const PORT_WANTED: u32 = 1 << 11;
    /// Which of the two copies of the rules holds: a new policy is written
    /// into the other one, and takes effect whole, by this bit.
    pub const BANK: u32 = 1 << 12;
    /// There are rules: prefixes, ports or a sample. Without, nothing is asked.
    pub const ANY: u32 = 1 << 13;
}

/// What the longest prefix says of an address; both bits never.
pub mod class {
    /// It is included.
    pub const INCLUDE: u32 = 1;
    /// It is excluded.
    pub const EXCLUDE: u32 = 2;
}

/// Words of one bitmap of ports.
pub const PORT_WORDS: u32 = (1 << 16) / 64;
/// Words of all bitmaps: included and excluded ports, of two banks.
pub const PORTS: u32 = 4 * PORT_WORDS;
/// Bits of [`PrefixKey`] before the address.
pub const HEAD_BITS: u32 = 32;

/// An address as the prefixes are looked up by: bytes in the order in which a
/// longest prefix match compares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct PrefixKey {
    /// Bank, IP version, 0, 0: the families never mix.
    pub head: [u8; 4],
    /// The address; IPv4 in the first four bytes.
    pub address: [u32; 4],
}

const _: () = assert!(size_of::<PrefixKey>() == 20);

impl PrefixKey {
    /// Of an end of a tuple; `flags` says which bank.
    #[inline(always)]
    pub const fn of(tuple: &Tuple, side: Side, flags: u32) -> Self {
        let [high, low] = tuple.endpoint(side).address;
        let family = (tuple.words[4] >> 48) as u8;
        let address = if family == 4 {
            [(low as u32).to_be(), 0, 0, 0]
        } else {
            [
                ((high >> 32) as u32).to_be(),
                (high as u32).to_be(),
                ((low >> 32) as u32).to_be(),
                (low as u32).to_be(),
            ]
        };
        Self {
            head: [bank(flags) as u8, family, 0, 0],
            address,
        }
    }
}

/// The bank that holds, 0 or 1.
#[inline(always)]
pub const fn bank(flags: u32) -> u32 {
    (flags & rule::BANK) / rule::BANK
}

/// Index of the word with a port's bit, in the bitmap of the included or of
/// the excluded ones.
#[inline(always)]
pub const fn port_word(bank: u32, excluded: bool, port: u16) -> u32 {
    (bank << 1 | excluded as u32) * PORT_WORDS + (port >> 6) as u32
}

/// Where the rules are kept.
pub trait Rules {
    /// The [`class`] of the longest prefix of an address; 0 if it has none.
    fn class(&self, key: &PrefixKey) -> u32;
    /// A word of the bitmaps of ports ([`port_word`]).
    fn ports(&self, index: u32) -> u64;
}

/// Why a connection is left out: the number of a [`LeftOut`], or 0.
///
/// The longest prefix that an address has decides about that address. One
/// excluded end is enough to leave a connection out; where something has to be
/// included, one included end is enough. The same of ports.
#[inline(always)]
pub fn left_out(rules: &impl Rules, settings: &Settings, seed: [u64; 2], tuple: &Tuple) -> u32 {
    let flags = settings.flags;
    if flags & rule::PREFIXES != 0 {
        let found = rules.class(&PrefixKey::of(tuple, 0, flags))
            | rules.class(&PrefixKey::of(tuple, 1, flags));
        let missing = flags & rule::PREFIX_WANTED != 0 && found & class::INCLUDE == 0;
        if found & class::EXCLUDE != 0 || missing {
            return LeftOut::Prefix as u32;
        }
    }
    if flags & rule::PORTS != 0 {
        let ends = tuple.words[4];
        let (a, b) = (ends as u16, (ends >> 16) as u16);
        let has = |excluded, port: u16| {
            rules.ports(port_word(bank(flags), excluded, port)) >> (port & 63) & 1
        };
        let missing = flags & rule::PORT_WANTED != 0 && has(false, a) | has(false, b) == 0;
        if has(true, a) | has(true, b) != 0 || missing {
            return LeftOut::Port as u32;
        }
    }
    if settings.sample > 1 && !sampled(tuple, seed, settings.sample) {
        return LeftOut::Sample as u32;
    }
    0
}

/// A connection is in a sample of one in `of`.
///
/// By the keyed hash, so that a sender cannot choose. With the halves of the
/// key exchanged: the table takes its lines from the hash itself, and a sample
/// by the same bits would fill some lines and leave others empty.
#[inline(always)]
pub const fn sampled(tuple: &Tuple, seed: [u64; 2], of: u32) -> bool {
    let hash = tuple.hash([seed[1], seed[0]]);
    // The upper half times `of`: below 1 in one case of `of`.
    ((hash >> 32) * of as u64) >> 32 == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuple::{Endpoint, Family};

    fn tuple(n: u32) -> Tuple {
        let a = Endpoint::v4(0x0a00_0000 | n >> 12, 30_000 + (n & 0xfff) as u16);
        Tuple::new(a, Endpoint::v4(0x0b00_0001, 443), Family::V4, 0)
            .unwrap()
            .0
    }

    #[test]
    fn a_sample_is_as_large_as_it_says_and_spread_over_the_table() {
        for of in [2, 10, 100] {
            let all = 200_000;
            let seed = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];
            let chosen: Vec<_> = (0..all).filter(|&n| sampled(&tuple(n), seed, of)).collect();
            let expected = f64::from(all) / f64::from(of);
            let off = (chosen.len() as f64 - expected).abs() / expected.sqrt();
            assert!(off < 5.0, "{} of {all} at one in {of}", chosen.len());
            // The eighths of the table are hit alike.
            let mut eighths = [0_f64; 8];
            for &n in &chosen {
                eighths[(tuple(n).hash(seed) & 7) as usize] += 1.0;
            }
            let each = chosen.len() as f64 / 8.0;
            assert!(eighths.iter().all(|n| (n - each).abs() < 5.0 * each.sqrt()));
        }
    }

    #[test]
    fn keys_are_in_network_order_and_know_bank_and_family() {
        let key = PrefixKey::of(&tuple(0), 0, rule::BANK);
        assert_eq!(key.head, [1, 4, 0, 0]);
        assert_eq!(key.address[0].to_ne_bytes(), [10, 0, 0, 0]);
        let six = |last| {
            let mut address = [0; 16];
            (address[0], address[15]) = (0x20, last);
            Endpoint::v6(address, 1)
        };
        let (tuple, _) = Tuple::new(six(1), six(2), Family::V6, 0).unwrap();
        let key = PrefixKey::of(&tuple, 1, 0);
        assert_eq!(key.head, [0, 6, 0, 0]);
        assert_eq!(key.address[0].to_ne_bytes(), [0x20, 0, 0, 0]);
        assert_eq!(key.address[3].to_ne_bytes(), [0, 0, 0, 2]);
    }
}
