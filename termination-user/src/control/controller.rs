//! What the event loop and those who answer questions share. One thread: cells
//! instead of locks, and nothing borrowed across an await.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use termination_common::{
    counters::{self, Counters, Event},
    exchange::{Operation, Record, SWEEP_BATCH},
    policy::{Settings, setting},
    slot::SlotId,
    taxonomy::Ending,
};
use tokio::{
    sync::watch,
    task,
    time::{Instant, sleep, timeout_at},
};

use super::{
    clock,
    hub::Hub,
    load::Loaded,
    ring::{Pump, TURN},
    scale::Scale,
    status::{Facts, InterfaceStatus, Status},
    sweep::{self, Tally},
};
use crate::{
    policy::{HostRules, Policy},
    report::{
        Clock, Gauges, Report, Stats,
        stats::{Scaled, Tally as Named},
    },
};

/// Batches between two looks at the ring: so many slots yield at most a sixth
/// of the records that the smallest default ring holds.
const BATCHES_A_TURN: usize = 32;

/// How long the end waits in all for followers that are behind.
const PATIENCE: Duration = Duration::from_secs(5);

/// RSTs at guards that are remembered as examples.
const EXAMPLES: usize = 100;

/// Readings of counters and table before `difference` is believed under load.
const READINGS: usize = 5;

/// How far the controller's life has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Observing.
    Running,
    /// Asked to stop.
    Stopping,
    /// Nothing is attached any more, and all that lived has ended.
    Stopped,
}

/// The shared state.
pub struct Controller {
    loaded: Loaded,
    facts: Facts,
    interfaces: RefCell<Vec<InterfaceStatus>>,
    policy: RefCell<Rc<Policy>>,
    /// The rules for traffic are new: what they leave out has to end.
    narrowed: Cell<bool>,
    scale: RefCell<Scale>,
    /// Endings that were no news, by rule.
    benign: RefCell<BTreeMap<String, u64>>,
    /// The last RSTs that a guard dropped, or would have.
    guarded: RefCell<VecDeque<Record>>,
    clock: Cell<Clock>,
    /// Who hears of what happens.
    pub hub: RefCell<Hub>,
    /// How far its life has come.
    pub stage: watch::Sender<Stage>,
}

impl Controller {
    /// Over what was loaded.
    pub fn new(loaded: Loaded, facts: Facts, policy: Policy, clock: Clock) -> Self {
        let hub = Hub::new(facts.pinned.is_some(), facts.resumed);
        Self {
            loaded,
            facts,
            interfaces: RefCell::default(),
            policy: RefCell::new(Rc::new(policy)),
            narrowed: Cell::new(false),
            scale: RefCell::default(),
            benign: RefCell::default(),
            guarded: RefCell::default(),
            clock: Cell::new(clock),
            hub: RefCell::new(hub),
            stage: watch::Sender::new(Stage::Running),
        }
    }

    /// The programs and the table.
    pub const fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// What is fixed from start to end.
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The policy in effect.
    pub fn policy(&self) -> Rc<Policy> {
        Rc::clone(&self.policy.borrow())
    }

    /// The offset last measured.
    pub const fn clock(&self) -> Clock {
        self.clock.get()
    }

    /// Measures the offset again: the wall clock may have been set.
    pub fn measure_clock(&self) {
        // Cannot fail where it did not fail at the start; then the last stays.
        if let Ok(offset_ns) = clock::offset() {
            self.clock.set(Clock { offset_ns });
        }
    }

    /// What runs.
    pub fn status(&self) -> Status {
        Status::new(
            &self.facts,
            self.interfaces.borrow().clone(),
            self.loaded.sizes,
        )
    }

    /// What is attached now.
    pub fn set_interfaces(&self, interfaces: Vec<InterfaceStatus>) {
        self.interfaces.replace(interfaces);
    }

    /// Puts the policy file into effect anew. On failure the old one stays.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, with line and key.
    pub fn reload(&self) -> anyhow::Result<String> {
        let Some(path) = &self.facts.policy else {
            bail!(
                "no policy file was given to `run`, so there is none to read again; \
                 start it with --policy FILE"
            );
        };
        let policy = Policy::read(path)?;
        let moved = policy.interfaces != self.policy().interfaces;
        self.apply(policy)
            .with_context(|| format!("cannot put {} into effect", path.display()))?;
        let more = if moved {
            "; its interfaces are for the next `termination run`"
        } else {
            ""
        };
        Ok(format!("policy {} is in effect{more}", path.display()))
    }

    /// Puts a policy into effect.
    fn apply(&self, policy: Policy) -> anyhow::Result<()> {
        let old = self.policy();
        if !policy.traffic.is_all() && !self.loaded.has_rules {
            bail!(
                "it has rules for traffic, and the programs were loaded without, since there \
                 were none when `termination run` began: start that again"
            );
        }
        let counters = self.counters()?;
        self.loaded
            .enforce(settings(&policy, self.facts.rfc1337), &policy.traffic)?;
        if policy.traffic.sample != old.traffic.sample {
            self.scale
                .borrow_mut()
                .change(&counters, old.traffic.sample);
        }
        if policy.traffic != old.traffic {
            self.narrowed.set(true);
        }
        self.policy.replace(Rc::new(policy));
        Ok(())
    }

    /// A record came out of the ring.
    pub fn publish(&self, record: Record) {
        let (epoch, clock) = (self.loaded.epoch, self.clock.get());
        let policy = self.policy();
        let opinion = policy.opinion(&record);
        if let Some(name) = opinion.benign
            && record.repeated == 0
        {
            *self.benign.borrow_mut().entry(name.to_owned()).or_default() += 1;
        }
        if record.event == Event::RstGuarded as u8 {
            let mut guarded = self.guarded.borrow_mut();
            if guarded.len() == EXAMPLES {
                guarded.pop_front();
            }
            guarded.push_back(record);
        }
        // What policy does not want told has its number and its place in the
        // ring all the same.
        self.hub
            .borrow_mut()
            .publish(record, |record| line_of(record, epoch, &clock, &policy));
    }

    /// The remembered records as lines, oldest first.
    pub fn recent(&self, count: usize) -> Vec<String> {
        let (epoch, clock) = (self.loaded.epoch, self.clock.get());
        let (hub, policy) = (self.hub.borrow(), self.policy());
        hub.recent(count)
            .filter_map(|record| line_of(record, epoch, &clock, &policy))
            .collect()
    }

    /// The same with their numbers ([`Hub::numbered`]), all of them.
    pub fn numbered(&self) -> Vec<(u64, String)> {
        let (epoch, clock) = (self.loaded.epoch, self.clock.get());
        let (hub, policy) = (self.hub.borrow(), self.policy());
        hub.numbered()
            .filter_map(|(number, record)| Some((number, line_of(record, epoch, &clock, &policy)?)))
            .collect()
    }

    /// The last RSTs that a guard dropped or would have, at most `count`, as
    /// lines, oldest first.
    pub fn guarded(&self, count: usize) -> Vec<String> {
        let (epoch, clock) = (self.loaded.epoch, self.clock.get());
        let guarded = self.guarded.borrow();
        guarded
            .iter()
            .skip(guarded.len().saturating_sub(count))
            .filter_map(|record| Report::from_record(record, epoch, &clock))
            .filter_map(|report| serde_json::to_string(&report).ok())
            .collect()
    }

    /// One look at the timers: finds what is due, has it done, hands on what
    /// comes of it.
    ///
    /// # Errors
    ///
    /// The kernel refused a batch; what was not done is found again next time.
    pub async fn look_at_timers(&self, pump: &mut Pump) -> anyhow::Result<Tally> {
        if self.narrowed.get() {
            self.end_what_is_left_out(pump).await?;
        }
        let ids = sweep::due(
            &self.loaded.table,
            clock::monotonic()?,
            &self.policy().timers,
        );
        self.act(Operation::Visit, ids, pump).await
    }

    /// Nobody watches any more what new rules leave out: that ends, rather than
    /// look silent. What has ended already lingers on by its timer.
    async fn end_what_is_left_out(&self, pump: &mut Pump) -> anyhow::Result<()> {
        let rules = HostRules::new(&self.policy().traffic);
        let table = &self.loaded.table;
        let mut ids = Vec::new();
        let mut passed_over = false;
        for index in table.occupied() {
            match table.slot(index) {
                Some(slot) if slot.state().is_live() => {
                    if rules.leave_out(&slot.cold.tuple, self.loaded.seed) {
                        ids.push(super::table::id(index, slot.state()));
                    }
                }
                Some(_) => {}
                None => passed_over = true,
            }
        }
        let tally = self.act(Operation::Shutdown, ids, pump).await?;
        self.narrowed.set(passed_over || tally.contended > 0);
        Ok(())
    }

    /// Ends what lives and frees the rest. Nothing may be attached any more.
    ///
    /// # Errors
    ///
    /// The kernel refused a batch.
    pub async fn end_all(&self, pump: &mut Pump) -> anyhow::Result<()> {
        // A program may still have been at work when its hook was dropped; a
        // lock that stayed taken and a full ring are asked again.
        const PASSES: usize = 8;
        self.hub.borrow_mut().hurry();
        for _ in 0..PASSES {
            let ids = sweep::everything(&self.loaded.table);
            if ids.is_empty() {
                break;
            }
            self.act(Operation::Shutdown, ids, pump).await?;
        }
        self.drain(pump);
        Ok(())
    }

    /// Takes all records that are there, and what is added meanwhile, as far as
    /// they can be taken.
    pub fn drain(&self, pump: &mut Pump) {
        loop {
            let room = self.hub.borrow().room();
            let taken = pump.drain(room, |record| self.publish(record));
            self.settle(pump);
            if taken < TURN {
                return;
            }
        }
    }

    /// Gives the ring back what has arrived.
    pub fn settle(&self, pump: &mut Pump) {
        pump.settle(self.hub.borrow().delivered());
    }

    /// Nobody will answer after this: gives those who listen a moment to get
    /// what is on its way.
    pub async fn last_words(&self, pump: &mut Pump) {
        self.drain(pump);
        let progress = self.hub.borrow().progress();
        let until = Instant::now() + PATIENCE;
        while self.hub.borrow().is_behind() && timeout_at(until, progress.notified()).await.is_ok()
        {
        }
        self.settle(pump);
    }

    /// Hands slots to the kernel batch by batch, emptying the ring in between
    /// and letting those who answer questions go on.
    async fn act(
        &self,
        operation: Operation,
        mut ids: Vec<SlotId>,
        pump: &mut Pump,
    ) -> anyhow::Result<Tally> {
        let (sweep, timers) = (self.loaded.sweep(), self.policy().timers);
        let stopping = matches!(operation, Operation::Shutdown);
        let patience = Instant::now() + PATIENCE;
        let mut sum = Tally::default();
        // Once more for those that found the ring full; then the next look.
        for _ in 0..2 {
            for (number, batch) in ids.chunks(SWEEP_BATCH).enumerate() {
                if number > 0 && number.is_multiple_of(BATCHES_A_TURN) {
                    self.drain(pump);
                    if stopping {
                        self.wait_for_followers(patience).await;
                    }
                    task::yield_now().await;
                }
                let now = clock::monotonic()?;
                let tally = sweep::batch(sweep, now, operation, timers, batch)
                    .context("the kernel did not run `sweep` (BPF_PROG_TEST_RUN)")?;
                sum.add(tally);
            }
            ids = std::mem::take(&mut sum.unreported);
            if ids.is_empty() {
                break;
            }
            self.drain(pump);
        }
        Ok(sum)
    }

    /// At the end there is time for those who are behind, as long as they read;
    /// while observing, the timers do not wait for them.
    async fn wait_for_followers(&self, until: Instant) {
        const STEP: Duration = Duration::from_millis(2);
        const STUCK: u32 = 25;
        let (mut last, mut idle) = (usize::MAX, 0);
        while idle < STUCK && Instant::now() < until {
            let backlog = self.hub.borrow().backlog();
            if backlog == 0 {
                return;
            }
            idle = if backlog == last { idle + 1 } else { 0 };
            last = backlog;
            sleep(STEP).await;
        }
    }

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
        let mut stats = self.figures().await?;
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

    /// The counters, summed over all CPUs.
    ///
    /// # Errors
    ///
    /// What bpf(2) answered.
    pub fn counters(&self) -> anyhow::Result<Counters> {
        self.loaded.counters().context("cannot read the counters")
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

/// The settings of a policy on this host.
pub const fn settings(policy: &Policy, rfc1337: bool) -> Settings {
    let mut settings = policy.settings;
    settings.flags |= policy.guards.flags();
    if !policy.guards.are_off() {
        // Examples, whoever else wants them.
        settings.events |= 1 << Event::RstGuarded as u32;
    }
    if rfc1337 {
        settings.flags |= setting::RFC1337;
    }
    settings
}

/// The line of a record; `None` if it makes no sense, or policy does not want
/// it told.
fn line_of(record: &Record, epoch: u16, clock: &Clock, policy: &Policy) -> Option<String> {
    let opinion = policy.opinion(record);
    if !opinion.wanted {
        return None;
    }
    let mut report = Report::from_record(record, epoch, clock)?;
    if let Report::Ending(ending) = &mut report {
        ending.benign = opinion.benign.map(str::to_owned);
    }
    serde_json::to_string(&report).ok()
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
