//! The rules for traffic in the kernel: prefixes in a trie, ports in bitmaps,
//! each in two banks, so that a new policy takes effect whole.

use std::{collections::BTreeMap, io, thread, time::Duration};

use aya::maps::{
    Array, MapData, MapError,
    lpm_trie::{Key, LpmTrie},
};
use termination_common::{
    policy::Settings,
    traffic::{PORT_WORDS, PrefixKey},
};

use super::{
    load::is_memory,
    plain::{Raw, bytes_of},
};
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

    /// The rules of a bank are these, so that nothing has to be written: a restart
    /// by the same policy needs no memory, of which there may be too little.
    ///
    /// # Errors
    ///
    /// What bpf(2) answered.
    pub fn holds(&self, traffic: &Traffic, bank: u32) -> Result<bool, MapError> {
        let wanted = traffic.prefixes(bank);
        let mut wanted: BTreeMap<_, _> = wanted
            .map(|(bits, key, class)| ((bits, bytes_of(&key).to_vec()), class))
            .collect();
        for key in self.prefixes.keys() {
            let key = key?;
            let data = key.data();
            if u32::from(data.0.head[0]) != bank {
                continue;
            }
            let known = wanted.remove(&(key.prefix_len(), bytes_of(&data.0).to_vec()));
            if known != Some(self.prefixes.get(&key, 0)?) {
                return Ok(false);
            }
        }
        if !wanted.is_empty() {
            return Ok(false);
        }
        for (index, word) in (2 * PORT_WORDS * bank..).zip(traffic.bitmaps()) {
            if self.ports.get(&index, 0)? != word {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The rules of a bank, of which `settings` say what counts.
    ///
    /// # Errors
    ///
    /// What bpf(2) answered.
    pub fn read(&self, settings: &Settings, bank: u32) -> Result<Traffic, MapError> {
        let mut rules = Vec::new();
        for key in self.prefixes.keys() {
            let key = key?;
            if u32::from(key.data().0.head[0]) == bank {
                rules.push((key.prefix_len(), key.data().0, self.prefixes.get(&key, 0)?));
            }
        }
        let words = 2 * PORT_WORDS * bank..2 * PORT_WORDS * (bank + 1);
        let bitmaps: Vec<_> = words
            .map(|index| self.ports.get(&index, 0))
            .collect::<Result<_, _>>()?;
        Ok(Traffic::from_rules(settings, rules, &bitmaps))
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
            self.insert(&Key::new(bits, Raw(key)), class)?;
        }
        for (index, word) in (2 * PORT_WORDS * bank..).zip(traffic.bitmaps()) {
            self.ports.set(index, word, 0)?;
        }
        Ok(())
    }
}

impl Filter {
    /// The trie's nodes come from a cache that the kernel refills behind our back;
    /// found empty, it is refused, and full a moment later.
    fn insert(&mut self, key: &Key<Raw<PrefixKey>>, class: u32) -> Result<(), MapError> {
        const TRIES: u32 = 4;
        const PAUSE: Duration = Duration::from_millis(2);
        for _ in 1..TRIES {
            match self.prefixes.insert(key, class, 0) {
                Err(error) if is_memory(&error) => thread::sleep(PAUSE),
                done => return done,
            }
        }
        self.prefixes.insert(key, class, 0)
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
