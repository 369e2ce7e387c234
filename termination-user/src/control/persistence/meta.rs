//! What a table that outlives its controller has to say of itself: an array of
//! one element, pinned beside the others, last of all. Who finds it finds a
//! whole table.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    sync::atomic::Ordering,
};

use crate::control::kernel::{bpf, mapping::Mapping};

/// Words of the element; a word never changes its meaning, whatever the ABI.
#[derive(Clone, Copy, Debug)]
#[repr(usize)]
pub enum Word {
    /// `MAGIC`.
    Magic,
    /// [`termination_common::slot::ABI`] of the table.
    Abi,
    /// Fingerprint lines.
    Lines,
    /// Bytes of the ring.
    Ring,
    /// First half of the key of the hash.
    SeedLow,
    /// Second half.
    SeedHigh,
    /// [`crate::control::kernel::load::Loaded::epoch`].
    Epoch,
    /// Process that controls it, or did last.
    Pid,
    /// Fingerprint of the programs that are attached; 0 while they are being
    /// replaced ([`crate::control::kernel::programs`]).
    Build,
    /// Device and inode of the network namespace of the interfaces.
    NetnsDevice,
    /// See there.
    NetnsInode,
    /// Position in the ring up to which records may have been handed over.
    Handed,
    /// Fingerprint lines that were asked for; 0 where nobody wrote it down.
    AskedLines,
    /// Bytes of the ring that were asked for.
    AskedRing,
    /// How often memory was refused.
    Refusals,
    /// [`termination_common::policy::Level`] of the table as a number.
    Level,
    /// Number of words; those beyond are 0.
    End = 32,
}

/// "tcpends" and a zero.
const MAGIC: u64 = u64::from_le_bytes(*b"tcpends\0");

/// The element, mapped.
#[derive(Debug)]
pub struct Meta {
    words: Mapping,
}

impl Meta {
    /// Bytes of the element.
    pub const BYTES: u32 = Word::End as u32 * 8;

    /// A new one, and the map it is in, to be pinned once it is filled.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn create() -> io::Result<(Self, OwnedFd)> {
        let map = bpf::array("META", Self::BYTES, 1, true)?;
        let meta = Self::open(&map)?;
        meta.set(Word::Magic, MAGIC);
        Ok((meta, map))
    }

    /// Maps one that is there.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn open(map: impl AsFd) -> io::Result<Self> {
        let words = Mapping::new(map, 0, Self::BYTES as usize, true)?;
        Ok(Self { words })
    }

    /// It is what it should be.
    pub fn is_genuine(&self) -> bool {
        self.get(Word::Magic) == MAGIC
    }

    /// Reads a word.
    pub fn get(&self, word: Word) -> u64 {
        self.words.word(word as usize * 8).load(Ordering::Acquire)
    }

    /// Writes a word. It is there from then on, however this process ends.
    pub fn set(&self, word: Word, value: u64) {
        self.words
            .word(word as usize * 8)
            .store(value, Ordering::Release);
    }
}
