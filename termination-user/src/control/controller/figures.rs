//! Counters and gauges, and what policy makes of them.

use anyhow::Context as _;
use termination_common::{
    counters::{self, Counters},
    taxonomy::Ending,
};
use tokio::task;

use super::{super::timers::clock, Controller};
use crate::report::{
    Gauges, Stats,
    stats::{Scaled, Tally as Named},
};

/// Readings of counters and table before `difference` is believed under load.
const READINGS: usize = 5;

impl Controller {
    /// One walk over the table.
    fn gauges(&self) -> Gauges {
        let mut gauges = Gauges::default();
        let table = &self.loaded.table;
        for slot in table.occupied() {
            if let Some(hot) = table.hot(slot) {
                gauges.count(&hot, || table.outcome(slot));
            }
        }
        gauges
    }

    /// Counters and gauges, and what policy makes of them.
    ///
    /// # Errors
    ///
    /// What bpf(2) answered.
    pub async fn stats(&self) -> anyhow::Result<Stats> {
        let room = self.loaded.account.room();
        let figures = self.figures().await?;
        let mut stats = figures.within(room.into(), room.refusals);
        let policy = self.policy();
        let mut benign = self.benign.borrow().clone();
        let mut named = Vec::new();
        for rule in &policy.benign {
            let count = benign.remove(&rule.name).unwrap_or(0);
            named.push((rule.name.clone(), count));
        }
        // Of rules that are gone.
        named.extend(benign);
        stats.benign = Named(named);
        stats.level = self.facts.level.into();
        let one_in = policy.traffic.sample;
        if one_in > 1 {
            let sums = self.scale.borrow().of(&self.counters()?, one_in);
            stats.scaled = Some(Scaled::new(&sums, &stats.live, one_in));
        }
        Ok(stats)
    }

    /// Counters and gauges. A difference that is only due to reading both
    /// while connections come and go is not reported: it has to persist.
    ///
    /// # Errors
    ///
    /// What bpf(2) answered.
    async fn figures(&self) -> anyhow::Result<Stats> {
        let mut before = self.counters()?;
        let mut least: Option<Stats> = None;
        for _ in 0..READINGS {
            let gauges = self.gauges();
            let after = self.counters()?;
            let at = Some(self.clock().at(clock::monotonic()?));
            let mut stats = Stats::new(&after, &gauges, at);
            if balance(&before) == balance(&after) {
                // Quiet, or as many came as went: nothing explains a
                // difference away.
                return Ok(stats);
            }
            // What lives was counted somewhere between the two readings.
            let first = Stats::new(&before, &gauges, None).difference;
            if first.signum() * stats.difference.signum() <= 0 {
                stats.difference = 0;
                return Ok(stats);
            }
            let small = least
                .as_ref()
                .is_none_or(|least| stats.difference.abs() < least.difference.abs());
            if small {
                least = Some(stats);
            }
            before = after;
            task::yield_now().await;
        }
        least.context("no reading of the counters")
    }
}

/// What would be live by the counters alone: opened + midstream - endings.
const fn balance(counters: &Counters) -> [u64; 2] {
    let mut endings = 0;
    let mut ending = 0;
    while ending < Ending::ALL.len() {
        endings += counters.0[counters::ENDING + Ending::ALL[ending] as usize];
        ending += 1;
    }
    [
        counters.0[counters::OPENED] + counters.0[counters::MIDSTREAM],
        endings,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_should_live_is_opened_and_midstream_without_endings() {
        let mut counters = Counters::default();
        counters.0[counters::OPENED] = 3;
        counters.0[counters::MIDSTREAM] = 1;
        counters.0[counters::ENDING + Ending::Reset as usize] = 2;
        assert_eq!(balance(&counters), [4, 2]);
    }
}
