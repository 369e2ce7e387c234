//! From tuples to places, by hash: open addressing with linear probing.
//!
//! Written here because the one thing it must do is be asked ahead: with many
//! connections every look-up misses the caches, and only several at once hide
//! that. An entry keeps half of the hash, so that neither growth nor removal
//! looks at a place.

use super::huge::Huge;
use crate::prefetch::prefetch;

/// Entries at first.
const SIZE: usize = 1 << 10;

/// The table. Entry: hash << 32 | (place + 1), or 0.
pub(super) struct Index {
    entries: Huge<u64>,
    used: usize,
}

impl Index {
    pub(super) fn new() -> Self {
        Self {
            entries: Huge::zeroed(SIZE),
            used: 0,
        }
    }

    /// How many places are in it.
    pub(super) const fn len(&self) -> usize {
        self.used
    }

    /// Where the search starts; the length is a power of two.
    #[inline(always)]
    fn home(&self, hash: u32) -> usize {
        hash as usize & (self.entries.len() - 1)
    }

    #[inline(always)]
    fn next(&self, at: usize) -> usize {
        (at + 1) & (self.entries.len() - 1)
    }

    /// [`Index::find`] will be called for this hash.
    #[inline(always)]
    pub(super) fn expect(&self, hash: u32) {
        if let Some(entry) = self.entries.get(self.home(hash)) {
            prefetch(entry);
        }
    }

    /// The place with this hash that `is` what was meant.
    #[inline(always)]
    pub(super) fn find(&self, hash: u32, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let mut at = self.home(hash);
        loop {
            let entry = *self.entries.get(at)?;
            if entry == 0 {
                return None;
            }
            let place = (entry as u32).wrapping_sub(1);
            if (entry >> 32) as u32 == hash && is(place) {
                return Some(place);
            }
            at = self.next(at);
        }
    }

    /// Adds a place that is not in it.
    pub(super) fn insert(&mut self, hash: u32, place: u32) {
        // At most three quarters, so that searches stay short.
        if (self.used + 1) * 4 > self.entries.len() * 3 {
            self.grow();
        }
        self.used += 1;
        self.put(u64::from(hash) << 32 | (u64::from(place) + 1));
    }

    fn put(&mut self, entry: u64) {
        let mut at = self.home((entry >> 32) as u32);
        while self.entries[at] != 0 {
            at = self.next(at);
        }
        self.entries[at] = entry;
    }

    fn grow(&mut self) {
        let size = 2 * self.entries.len();
        let old = std::mem::replace(&mut self.entries, Huge::zeroed(size));
        for &entry in &*old {
            if entry != 0 {
                self.put(entry);
            }
        }
    }

    /// Takes a place out.
    pub(super) fn remove(&mut self, hash: u32, place: u32) {
        let wanted = u64::from(hash) << 32 | (u64::from(place) + 1);
        let mut at = self.home(hash);
        while self.entries[at] != wanted {
            if self.entries[at] == 0 {
                return;
            }
            at = self.next(at);
        }
        // What follows moves up, unless it would land before its home.
        let mut hole = at;
        loop {
            at = self.next(at);
            let entry = self.entries[at];
            if entry == 0 {
                break;
            }
            let mask = self.entries.len() - 1;
            let home = self.home((entry >> 32) as u32);
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.entries[hole] = entry;
                hole = at;
            }
        }
        self.entries[hole] = 0;
        self.used -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn it_agrees_with_a_map_whatever_comes_and_goes() {
        let mut index = Index::new();
        let mut map: HashMap<u32, u32> = HashMap::new();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..200_000_u32 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let place = (state >> 40) as u32 % 5_000;
            // Few hashes, so that many collide.
            let hash = (place % 700).wrapping_mul(0x9e37_79b9);
            if let Some(hash) = map.remove(&place) {
                index.remove(hash, place);
            } else {
                index.insert(hash, place);
                map.insert(place, hash);
            }
            if round % 1_000 == 0 {
                assert_eq!(index.len(), map.len());
                for place in 0..5_000_u32 {
                    let hash = (place % 700).wrapping_mul(0x9e37_79b9);
                    let found = index.find(hash, |found| found == place);
                    assert_eq!(found.is_some(), map.contains_key(&place));
                }
            }
        }
    }
}
