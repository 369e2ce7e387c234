//! When which place has to be looked at: a queue by time, then place.
//!
//! A heap of all alarms is megabytes wide, and every turn of it misses the
//! caches. So only those of the second that time has reached are in a heap; the
//! others wait in the order in which they came, by their second.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

/// Nanoseconds of a "second", as a power of two.
const SECOND_SHIFT: u32 = 30;

/// One alarm: nanoseconds, place.
type Alarm = (u64, u32);

/// The queue.
#[derive(Default)]
pub(super) struct Alarms {
    /// All up to the end of [`Alarms::second`].
    near: BinaryHeap<Reverse<Alarm>>,
    /// The second that is in the heap.
    second: u64,
    /// Those of later seconds.
    far: BTreeMap<u64, Vec<Alarm>>,
    count: usize,
}

impl Alarms {
    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.count
    }

    /// Adds one.
    pub(super) fn push(&mut self, time: u64, place: u32) {
        self.count += 1;
        let second = time >> SECOND_SHIFT;
        if second <= self.second {
            self.near.push(Reverse((time, place)));
        } else {
            self.far.entry(second).or_default().push((time, place));
        }
    }

    /// Takes out the first that is not after `time`.
    #[inline]
    pub(super) fn pop(&mut self, time: u64) -> Option<Alarm> {
        while self.near.is_empty() {
            let entry = self.far.first_entry()?;
            if *entry.key() > time >> SECOND_SHIFT {
                return None;
            }
            self.second = *entry.key();
            self.near = entry.remove().into_iter().map(Reverse).collect();
        }
        if self.near.peek()?.0.0 > time {
            return None;
        }
        self.count -= 1;
        self.near.pop().map(|Reverse(alarm)| alarm)
    }

    /// Forgets those that `keep` does not want.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(Alarm) -> bool) {
        self.near.retain(|&Reverse(alarm)| keep(alarm));
        self.far.retain(|_, alarms| {
            alarms.retain(|&alarm| keep(alarm));
            alarms.shrink_to_fit();
            !alarms.is_empty()
        });
        self.count = self.near.len() + self.far.values().map(Vec::len).sum::<usize>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_one_heap_whatever_comes_and_goes() {
        let mut alarms = Alarms::default();
        let mut heap = BinaryHeap::new();
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut now = 0;
        for round in 0..100_000_u32 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // From the past to a century ahead; many at the same moment.
            let ahead = (state % 64) << (state >> 32 & 0x3f).min(56);
            let time = (now + ahead).saturating_sub(1 << 30);
            let place = (state >> 40) as u32 % 100;
            alarms.push(time, place);
            heap.push(Reverse((time, place)));
            now += state >> 34;
            if round % 3_000 == 0 {
                now += 1 << 50;
            }
            if round % 1_000 == 0 {
                alarms.retain(|(_, place)| place % 7 != 0);
                heap.retain(|&Reverse((_, place))| place % 7 != 0);
            }
            if round % 5 == 0 {
                while heap.peek().is_some_and(|&Reverse((at, _))| at <= now) {
                    let expected = heap.pop().map(|Reverse(alarm)| alarm);
                    assert_eq!(alarms.pop(now), expected);
                }
                assert_eq!(alarms.pop(now), None);
            }
            assert_eq!(alarms.len(), heap.len());
        }
    }
}
