//! What makes a table this one: its sizes, the key of its hash, its number.

use std::{fs::File, io::Read as _};

use termination_common::{
    attention,
    policy::Level,
    slot::{ABI, Cold, Hot},
    table::{LINE, LOCKS},
    wire::tunnel::Follow,
};

use super::LoadError;
use crate::control::persistence::meta::{Meta, Word};

/// How large the maps are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Lines of [`LINE`] slots, a power of two.
    pub lines: u32,
    /// Bytes of the ring buffer: a power of two and whole pages.
    pub ring: u32,
    /// How much is tracked in it.
    pub level: Level,
}

impl Sizes {
    /// Most connections: the largest power of two whose arrays stay below
    /// 4 GiB each for the loader and slots below 2^24 for ids.
    pub const MOST: u32 = 1 << 24;

    /// Sizes for at least `connections` and `ring` bytes.
    ///
    /// # Errors
    ///
    /// [`LoadError::TooMany`].
    pub fn new(connections: u32, ring: u32) -> Result<Self, LoadError> {
        if connections > Self::MOST {
            return Err(LoadError::TooMany(connections));
        }
        // Two lines at least: every tuple has two candidates.
        let lines = connections.div_ceil(LINE).next_power_of_two().max(2);
        let ring = ring.clamp(1 << 16, 1 << 30).next_power_of_two();
        Ok(Self {
            lines,
            ring,
            level: Level::Full,
        })
    }

    /// The same at a level.
    #[must_use]
    pub const fn at(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// Words of the attention filter; one that nobody reads where there is none.
    pub const fn attention(self) -> u32 {
        match self.level {
            Level::Full => 1,
            Level::Closing => attention::words(self.slots()),
        }
    }

    /// Number of slots.
    pub const fn slots(self) -> u32 {
        self.lines * LINE
    }

    /// Words of the filter that somebody reads.
    const fn filter(self) -> u64 {
        match self.level {
            Level::Full => 0,
            Level::Closing => self.attention() as u64,
        }
    }

    /// Bytes the kernel sets aside: fingerprint, hot and cold part of each
    /// slot, the line locks, the attention filter, the ring.
    pub const fn bytes(self) -> u64 {
        let slot = size_of::<u64>() + size_of::<Hot>() + size_of::<Cold>();
        self.slots() as u64 * slot as u64
            + (LOCKS as u64 + self.filter()) * size_of::<u64>() as u64
            + self.ring as u64
    }

    /// The same in MiB.
    pub fn mebibytes(self) -> f64 {
        self.bytes() as f64 / f64::from(1 << 20)
    }
}

/// What makes a table this one and no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// How large its maps are.
    pub sizes: Sizes,
    /// Key of the hash.
    pub seed: [u64; 2],
    /// Half of the table's id, new with each table.
    pub epoch: u16,
    /// Encapsulations that are looked into ([`Follow`]).
    pub follow: u32,
}

impl Identity {
    /// Of a new table. `tunnels`: the innermost packet counts.
    ///
    /// # Errors
    ///
    /// No random numbers.
    pub fn new(sizes: Sizes, tunnels: bool) -> Result<Self, LoadError> {
        let [low, high, epoch] = random()?;
        Ok(Self {
            sizes,
            seed: [low, high],
            epoch: epoch as u16,
            follow: follow(tunnels),
        })
    }

    /// Of the table that is pinned. What is followed is not its own: it may
    /// change with the programs.
    pub fn read(meta: &Meta, tunnels: bool) -> Option<Self> {
        let small = |word| u32::try_from(meta.get(word)).ok();
        Some(Self {
            sizes: Sizes {
                lines: small(Word::Lines).filter(|lines| lines.is_power_of_two())?,
                ring: small(Word::Ring).filter(|ring| ring.is_power_of_two())?,
                // Tables from before there were levels say 0.
                level: small(Word::Level).and_then(level)?,
            },
            seed: [meta.get(Word::SeedLow), meta.get(Word::SeedHigh)],
            epoch: u16::try_from(meta.get(Word::Epoch)).ok()?,
            follow: follow(tunnels),
        })
    }

    /// Writes all of it down.
    pub fn write(&self, meta: &Meta) {
        let Self {
            sizes: Sizes { lines, ring, level },
            seed: [low, high],
            epoch,
            follow: _,
        } = *self;
        meta.set(Word::Abi, ABI.into());
        meta.set(Word::Lines, lines.into());
        meta.set(Word::Ring, ring.into());
        meta.set(Word::Level, level as u64);
        meta.set(Word::SeedLow, low);
        meta.set(Word::SeedHigh, high);
        meta.set(Word::Epoch, epoch.into());
    }
}

fn level(number: u32) -> Option<Level> {
    Level::ALL.into_iter().find(|&level| level as u32 == number)
}

fn follow(tunnels: bool) -> u32 {
    u32::from(if tunnels { Follow::ALL.0 } else { 0 })
}

/// 24 bytes that a sender cannot guess.
fn random() -> Result<[u64; 3], LoadError> {
    let mut bytes = [0; 24];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|source| LoadError::Io {
            action: "read /dev/urandom",
            source,
        })?;
    let (words, _) = bytes.as_chunks::<8>();
    Ok([0, 1, 2].map(|index| u64::from_ne_bytes(words[index])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_round_up_and_are_what_design_says() {
        let sizes = Sizes::new(262_144, 8 << 20).unwrap();
        assert_eq!(
            (sizes.slots(), sizes.lines, sizes.ring),
            (262_144, 32_768, 8 << 20)
        );
        assert_eq!(
            sizes.bytes(),
            262_144 * 208 + u64::from(LOCKS) * 8 + (8 << 20)
        );
        let filter = sizes.at(Level::Closing).bytes() - sizes.bytes();
        assert_eq!(filter, 32 << 10, "an eighth of a byte a slot");
        assert_eq!(Sizes::new(262_145, 1).unwrap().slots(), 524_288);
        assert_eq!(
            Sizes::new(1, 0).unwrap(),
            Sizes {
                lines: 2,
                ring: 1 << 16,
                level: Level::Full,
            }
        );
        assert!(matches!(
            Sizes::new(u32::MAX, 0),
            Err(LoadError::TooMany(_))
        ));
    }
}
