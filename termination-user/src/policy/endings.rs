//! Which endings become records, and which of them are no news.

use termination_common::{
    counters::Event,
    exchange::Record,
    facts,
    policy::Level,
    slot::Slot,
    taxonomy::{Ending, Outcome},
};
use toml::Spanned;

use super::{
    Policy,
    file::{self, Refusal},
    traffic::{self, Ports},
};
use crate::report::{Address, Sides, ask::Prefix};

/// A set of endings, one bit each by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endings(u32);

impl Endings {
    /// Every ending.
    pub const ALL: Self = Self(u32::MAX);

    /// It is one of them.
    pub const fn has(self, ending: u8) -> bool {
        self.0 >> (ending & 31) & 1 != 0
    }

    /// Their names; `None` for all of them.
    pub fn names(self) -> Option<Vec<&'static str>> {
        let named = |ending: &&Ending| self.has(**ending as u8);
        (self != Self::ALL).then(|| {
            Ending::ALL
                .iter()
                .filter(named)
                .map(|ending| ending.name())
                .collect()
        })
    }

    /// From a list of names.
    pub(super) fn build(key: &str, list: &[Spanned<String>]) -> Result<Self, Refusal> {
        let mut set = Self(0);
        for name in list {
            let ending = Ending::from_name(name.get_ref()).ok_or_else(|| {
                let names: Vec<_> = Ending::ALL.iter().map(|ending| ending.name()).collect();
                let message = format!(
                    "no ending is called {:?}; there are: {}",
                    name.get_ref(),
                    names.join(", ")
                );
                (name.span().start, key.to_owned(), message)
            })?;
            set.0 |= 1 << ending as u32;
        }
        Ok(set)
    }
}

/// The bits of a list of events; endings and TIME_WAITs are records, not a
/// matter of choice.
pub(super) fn events(list: &[Spanned<String>]) -> Result<u32, Refusal> {
    let mut events = 1 << Event::Ending as u32 | 1 << Event::TimeWait as u32;
    for name in list {
        let event = Event::from_name(name.get_ref()).ok_or_else(|| {
            let names: Vec<_> = Event::ALL.iter().map(|event| event.name()).collect();
            let message = format!(
                "no event is called {:?}; there are: {}",
                name.get_ref(),
                names.join(", ")
            );
            (name.span().start, "events".to_owned(), message)
        })?;
        events |= 1 << event as u32;
    }
    Ok(events)
}

/// Connections whose ending is no news: health checks, probes. They are counted
/// apart as well, never instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Benign {
    /// What it is called in the reports.
    pub name: String,
    /// The originator is in one of these, if there are any.
    pub from: Vec<Prefix>,
    /// The responder is in one of these, if there are any.
    pub to: Vec<Prefix>,
    /// The responder's port is one of these, if there are any.
    pub ports: Vec<Ports>,
    /// It ended like this.
    pub endings: Endings,
    /// It carried no payload either way; `false`: it did carry some.
    pub without_data: Option<bool>,
}

impl Benign {
    /// The rule covers the ended connection in a slot.
    pub fn covers(&self, slot: &Slot, level: Level) -> bool {
        let Self {
            name: _,
            from,
            to,
            ports,
            endings,
            without_data,
        } = self;
        let Sides {
            originator,
            responder,
        } = Address::of(slot);
        let in_one = |list: &[Prefix], end: Address| {
            list.is_empty() || list.iter().any(|prefix| prefix.contains(end.ip))
        };
        let silent = || match level {
            Level::Closing => facts::closing::is_without_data(slot),
            Level::Full => facts::bytes(slot, 0) == 0 && facts::bytes(slot, 1) == 0,
        };
        endings.has(Outcome::packed_ending(slot.cold.outcome))
            && (ports.is_empty() || ports.iter().any(|ports| ports.contains(&responder.port)))
            && in_one(from, originator)
            && in_one(to, responder)
            && without_data.is_none_or(|wanted| silent() == wanted)
    }

    /// Takes one table of the file over.
    fn build(file: Spanned<file::Benign>, before: &[Self]) -> Result<Self, Refusal> {
        let at = file.span().start;
        let file::Benign {
            name,
            from,
            to,
            ports,
            endings,
            without_data,
        } = file.into_inner();
        let told = [from.len(), to.len(), ports.len(), endings.len()];
        if told == [0; 4] && without_data.is_none() {
            let message = "it has no condition, and would cover every connection: name from, to, \
                           ports, endings or without_data";
            return Err((
                at,
                format!("benign {:?}", name.get_ref()),
                message.to_owned(),
            ));
        }
        let known = before.iter().any(|rule| rule.name == *name.get_ref());
        if known || name.get_ref().trim().is_empty() {
            let message = if known {
                "another rule has this name"
            } else {
                "a name is what it is counted under, and cannot be empty"
            };
            return Err((
                name.span().start,
                "benign.name".to_owned(),
                message.to_owned(),
            ));
        }
        Ok(Self {
            name: name.into_inner(),
            from: traffic::prefixes("benign.from", &from)?,
            to: traffic::prefixes("benign.to", &to)?,
            ports: traffic::ports("benign.ports", &ports)?,
            endings: if endings.is_empty() {
                Endings::ALL
            } else {
                Endings::build("benign.endings", &endings)?
            },
            without_data,
        })
    }

    /// All tables of the file.
    pub(super) fn build_all(files: Vec<Spanned<file::Benign>>) -> Result<Vec<Self>, Refusal> {
        let mut rules = Vec::with_capacity(files.len());
        for file in files {
            let rule = Self::build(file, &rules)?;
            rules.push(rule);
        }
        Ok(rules)
    }
}

/// What a policy says of a record: whether it is handed on, and the name of the
/// first rule that calls its ending benign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opinion<'a> {
    /// It is handed on.
    pub wanted: bool,
    /// The rule.
    pub benign: Option<&'a str>,
}

/// The opinion on a record. A TIME_WAIT goes the way of its ending. Events are
/// chosen where they arise; after a reload some of the old choice still come,
/// and those of guards always do, as examples.
pub(super) fn judge<'a>(policy: &'a Policy, record: &Record) -> Opinion<'a> {
    let of_ending = record.event == Event::Ending as u8;
    if !of_ending && record.event != Event::TimeWait as u8 {
        let guarded = record.event == Event::RstGuarded as u8;
        return Opinion {
            wanted: !guarded || policy.settings.events >> record.event & 1 != 0,
            benign: None,
        };
    }
    let slot = &record.copy;
    let covering =
        |rule: &&Benign| of_ending && rule.covers(slot, policy.level.unwrap_or_default());
    Opinion {
        wanted: policy
            .endings
            .has(Outcome::packed_ending(slot.cold.outcome)),
        benign: policy
            .benign
            .iter()
            .find(covering)
            .map(|rule| rule.name.as_str()),
    }
}
