//! What a sample stands for: counts times what they were sampled at.

use termination_common::counters::{COUNT, Counters};

/// Counts of before the rate last changed, scaled, and as they were.
#[derive(Clone, Debug, Default)]
pub struct Scale {
    scaled: Counters,
    since: Counters,
}

impl Scale {
    /// The rate changes at `now`; until then one in `one_in` was tracked.
    pub fn change(&mut self, now: &Counters, one_in: u32) {
        self.scaled = self.of(now, one_in);
        self.since = *now;
    }

    /// What the counters of `now` stand for.
    pub fn of(&self, now: &Counters, one_in: u32) -> Counters {
        let mut scaled = self.scaled;
        for index in 0..COUNT {
            // Another controller may have begun in between.
            let more = now.0[index].saturating_sub(self.since.0[index]);
            scaled.0[index] += more * u64::from(one_in.max(1));
        }
        scaled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_is_scaled_by_the_rate_of_its_time() {
        let at = |count| {
            let mut counters = Counters::default();
            counters.0[3] = count;
            counters
        };
        let mut scale = Scale::default();
        assert_eq!(scale.of(&at(5), 0).0[3], 5);
        assert_eq!(scale.of(&at(5), 10).0[3], 50);
        scale.change(&at(5), 0);
        assert_eq!(scale.of(&at(7), 10).0[3], 25);
        scale.change(&at(7), 10);
        assert_eq!(scale.of(&at(8), 100).0[3], 125);
    }
}
