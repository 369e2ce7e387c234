//! What the event loop and those who answer questions share. One thread: cells
//! instead of locks, and nothing borrowed across an await.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    rc::Rc,
    time::Instant,
};

use anyhow::Context as _;
use termination_common::{
    counters::{Counters, Event},
    exchange::Record,
    policy::Level,
};
use tokio::sync::watch;

use super::{
    answers::status::{Facts, Status, describe},
    hooks::attached::Attached,
    kernel::{load::Loaded, scale::Scale},
    records::hub::Hub,
    timers::{clock, schedule::Schedule},
};
use crate::{
    policy::Policy,
    report::{Clock, Report, line},
};

mod figures;
mod reload;
mod sight;
mod time;

pub use reload::settings;
use sight::Orphans;

/// RSTs at guards that are remembered as examples.
const EXAMPLES: usize = 100;

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
    /// What is attached. Not borrowed across an await.
    pub attached: RefCell<Attached>,
    policy: RefCell<Rc<Policy>>,
    /// The rules for traffic are new: what they leave out has to end.
    narrowed: Cell<bool>,
    /// What was seen only at hooks that were let go, and has not been dealt with.
    orphans: RefCell<Vec<Orphans>>,
    scale: RefCell<Scale>,
    /// Endings that were no news, by rule.
    benign: RefCell<BTreeMap<String, u64>>,
    /// The last RSTs that a guard dropped, or would have.
    guarded: RefCell<VecDeque<Record>>,
    clock: Cell<Clock>,
    schedule: RefCell<Schedule>,
    /// Who hears of what happens.
    pub hub: RefCell<Hub>,
    /// How far its life has come.
    pub stage: watch::Sender<Stage>,
}

impl Controller {
    /// Over what was loaded and is attached.
    pub fn new(
        loaded: Loaded,
        attached: Attached,
        facts: Facts,
        policy: Policy,
        clock: Clock,
    ) -> Self {
        let hub = Hub::new(facts.pinned.is_some(), facts.resumed);
        // The rules and hooks of an earlier controller may have been others.
        let narrowed = facts.resumed && !policy.traffic.is_all();
        Self {
            loaded,
            facts,
            attached: RefCell::new(attached),
            policy: RefCell::new(Rc::new(policy)),
            narrowed: Cell::new(narrowed),
            orphans: RefCell::default(),
            scale: RefCell::default(),
            benign: RefCell::default(),
            guarded: RefCell::default(),
            clock: Cell::new(clock),
            schedule: RefCell::default(),
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
            describe(self.attached.borrow().attachments()),
            self.loaded.sizes,
        )
    }

    /// A record came out of the ring, about `at` this time. Those who listen get it
    /// with [`Hub::hand_over`].
    fn publish(&self, at: Instant, record: Record) {
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
        self.hub.borrow_mut().publish(at, record, |record, to| {
            push_line(to, record, epoch, &clock, &policy)
        });
    }

    /// The remembered records as lines, oldest first.
    pub fn recent(&self, count: usize) -> Vec<u8> {
        let (epoch, clock) = (self.loaded.epoch, self.clock.get());
        let (hub, policy) = (self.hub.borrow(), self.policy());
        let mut lines = Vec::new();
        for record in hub.recent(count) {
            push_line(&mut lines, record, epoch, &clock, &policy);
        }
        lines
    }

    /// The same one by one with their numbers ([`Hub::numbered`]), all of them.
    pub fn numbered(&self) -> Vec<(u64, Vec<u8>)> {
        let (epoch, clock) = (self.loaded.epoch, self.clock.get());
        let (hub, policy) = (self.hub.borrow(), self.policy());
        hub.numbered()
            .filter_map(|(number, record)| {
                let mut line = Vec::new();
                push_line(&mut line, record, epoch, &clock, &policy).then_some((number, line))
            })
            .collect()
    }

    /// The last RSTs that a guard dropped or would have, at most `count`, oldest
    /// first.
    pub fn guarded(&self, count: usize) -> Vec<Report> {
        let (epoch, clock) = (self.loaded.epoch, self.clock.get());
        let guarded = self.guarded.borrow();
        guarded
            .iter()
            .skip(guarded.len().saturating_sub(count))
            .filter_map(|record| Report::from_record(record, epoch, &clock))
            .collect()
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

/// Adds the line of a record; `false` if it makes no sense, or policy does not want
/// it told.
fn push_line(
    to: &mut Vec<u8>,
    record: &Record,
    epoch: u16,
    clock: &Clock,
    policy: &Policy,
) -> bool {
    let opinion = policy.opinion(record);
    if !opinion.wanted {
        return false;
    }
    let Some(mut report) = Report::from_record(record, epoch, clock) else {
        return false;
    };
    if let Report::Ending(mut ending) = report {
        ending.benign = opinion.benign.map(str::to_owned);
        if policy.level == Some(Level::Closing) {
            ending = ending.at_closing(&record.copy);
        }
        report = Report::Ending(ending);
    }
    line::push(to, &report).is_ok()
}
