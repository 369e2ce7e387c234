//! From the records of a capture to what is written.

use std::collections::HashMap;

use termination_common::exchange::Record;

use super::super::{Halt, output::Output};
use crate::{
    policy::Policy,
    report::{
        Clock, Ending, Id, Report, TimeWait,
        stats::Tally,
        table::{Events, Style},
        zeek_log,
    },
};

/// Captures keep Unix time.
const CLOCK: Clock = Clock { offset_ns: 0 };
/// There is no table that an id could be confused with.
const EPOCH: u16 = 0;

/// Writes what was asked for.
#[derive(Debug)]
pub(super) struct Reporter {
    form: Form,
    /// What comes before the first record was written.
    begun: bool,
    policy: Policy,
    /// Endings that were no news, in the order of the policy's rules.
    benign: Vec<u64>,
}

/// What was asked for.
#[derive(Debug)]
enum Form {
    /// Nothing: the summary comes at the end.
    Silent,
    /// One line per connection, once its TIME_WAIT is over.
    Json {
        /// Events too.
        events: bool,
        /// Endings in TIME_WAIT: at most what waits at one moment of the
        /// capture, whatever the size of the file.
        waiting: HashMap<Id, Ending>,
    },
    /// conn.log.
    Zeek,
    /// One row each.
    Rows(Events),
}

impl Reporter {
    /// What the flags ask for.
    pub(super) fn new(json: bool, zeek: bool, events: bool, style: Style, policy: Policy) -> Self {
        let form = if json {
            Form::Json {
                events,
                waiting: HashMap::new(),
            }
        } else if zeek {
            Form::Zeek
        } else if events {
            Form::Rows(Events::new(style))
        } else {
            Form::Silent
        };
        Self {
            form,
            begun: false,
            benign: vec![0; policy.benign.len()],
            policy,
        }
    }

    /// The summary is still to come.
    pub(super) const fn is_silent(&self) -> bool {
        matches!(self.form, Form::Silent)
    }

    /// Endings that were no news, by rule.
    pub(super) fn benign(&self) -> Tally {
        let names = self.policy.benign.iter().map(|rule| rule.name.clone());
        Tally(names.zip(self.benign.iter().copied()).collect())
    }

    /// What comes before the first record: not before there is one, or all was read.
    fn begin(&mut self, output: &mut Output) -> Result<(), Halt> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        match &self.form {
            Form::Silent | Form::Json { .. } => Ok(()),
            Form::Zeek => output.write(&zeek_log::header()),
            Form::Rows(events) => output.write(&events.header()),
        }
    }

    /// One record.
    pub(super) fn record(&mut self, record: &Record, output: &mut Output) -> Result<(), Halt> {
        let opinion = self.policy.opinion(record);
        let rules = self.policy.benign.iter().zip(&mut self.benign);
        for (_, count) in rules.filter(|(rule, _)| opinion.benign == Some(&rule.name)) {
            *count += 1;
        }
        if self.is_silent() || !opinion.wanted {
            return Ok(());
        }
        let Some(mut report) = Report::from_record(record, EPOCH, &CLOCK) else {
            return Ok(());
        };
        if let Report::Ending(ending) = &mut report {
            ending.benign = opinion.benign.map(str::to_owned);
        }
        self.begin(output)?;
        match (&mut self.form, report) {
            (Form::Zeek, Report::Ending(ending)) => {
                output.write(&zeek_log::row(&ending))?;
                output.write("\n")
            }
            (Form::Rows(events), report) => output.write(&events.row(&report)),
            (Form::Json { waiting, .. }, Report::Ending(ending)) => {
                match Self::keep(waiting, ending) {
                    Some(ending) => output.json(&ending),
                    None => Ok(()),
                }
            }
            (Form::Json { waiting, .. }, Report::TimeWait(end)) => {
                match Self::fold(waiting, &end) {
                    Some(ending) => output.json(&ending),
                    None => Ok(()),
                }
            }
            (Form::Json { events: true, .. }, Report::Event(event)) => output.json(&event),
            _ => Ok(()),
        }
    }

    /// Keeps an ending whose TIME_WAIT is to come; gives others back.
    fn keep(waiting: &mut HashMap<Id, Ending>, ending: Ending) -> Option<Ending> {
        if ending.time_wait.is_none() {
            return Some(ending);
        }
        waiting.insert(ending.id, ending);
        None
    }

    /// The ending that this TIME_WAIT followed, complete.
    fn fold(waiting: &mut HashMap<Id, Ending>, end: &TimeWait) -> Option<Ending> {
        let mut ending = waiting.remove(&end.id)?;
        ending.fold(end);
        Some(ending)
    }

    /// What is left after the last record, in the order of the endings.
    pub(super) fn end(&mut self, output: &mut Output) -> Result<(), Halt> {
        self.begin(output)?;
        let Form::Json { waiting, .. } = &mut self.form else {
            return Ok(());
        };
        let mut left: Vec<_> = std::mem::take(waiting).into_values().collect();
        left.sort_by_key(|ending| (ending.ended_at, ending.id));
        left.iter().try_for_each(|ending| output.json(ending))
    }
}
