//! The rules for traffic in the kernel: prefixes in a trie, ports in bitmaps,
//! each in two banks, so that a new policy takes effect whole.

use std::io;

use aya::maps::{
    Array, MapData, MapError,
    lpm_trie::{Key, LpmTrie},
};
use termination_common::traffic::{PORT_WORDS, PrefixKey};

use super::plain::Raw;
use crate::policy::Traffic;

/// The maps `PREFIXES` and `PORTS`.
pub struct Filter {
    /// [`termination_common::traffic::class`] by prefix.
    pub prefixes: LpmTrie<MapData, Raw<PrefixKey>, u32>,
    /// Bitmaps ([`termination_common::traffic::port_word`]).
    pub ports: Array<MapData, u64>,
}

impl Filter {
    /// Writes rules into a bank that no program reads. The other one stays as
    /// it is: a program that has begun with it may still be at work.
    ///
    /// # Errors
    ///
    /// What bpf(2) answered; what holds was not touched, and nothing is left of
    /// what was written.
    pub fn write(&mut self, traffic: &Traffic, bank: u32) -> Result<(), MapError> {
        self.clear(bank)?;
        let written = self.fill(traffic, bank);
        if written.is_err() {
            // Half of it would only take memory, of which there is too little.
            let _ = self.clear(bank);
        }
        written
    }

    /// Takes the prefixes of a bank away.
    fn clear(&mut self, bank: u32) -> Result<(), MapError> {
        let mut old = Vec::new();
        for key in self.prefixes.keys() {
            let key = key?;
            if u32::from(key.data().0.head[0]) == bank {
                old.push(key);
            }
        }
        for key in old {
            match self.prefixes.remove(&key) {
                Err(error) if !is_missing(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn fill(&mut self, traffic: &Traffic, bank: u32) -> Result<(), MapError> {
        for (bits, key, class) in traffic.prefixes(bank) {
            self.prefixes.insert(&Key::new(bits, Raw(key)), class, 0)?;
        }
        for (index, word) in (2 * PORT_WORDS * bank..).zip(traffic.bitmaps()) {
            self.ports.set(index, word, 0)?;
        }
        Ok(())
    }
}

/// The key is gone already.
fn is_missing(error: &MapError) -> bool {
    match error {
        MapError::KeyNotFound => true,
        MapError::SyscallError(error) => error.io_error.kind() == io::ErrorKind::NotFound,
        _ => false,
    }
}
