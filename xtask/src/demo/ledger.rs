//! Each connection: what its ending should be, and what it was.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
};

use serde_json::Value;
use termination_lab::Tuple;

/// What an ending should be.
#[derive(Clone, Copy)]
pub(super) struct Expected {
    /// The name of the ending.
    ending: &'static str,
    /// Who ended it.
    by: &'static str,
    /// Any of these; none if empty.
    causes: &'static [&'static str],
    /// Who holds TIME_WAIT; `None` for nobody.
    holder: Option<&'static str>,
}

impl Expected {
    /// Who closes first holds TIME_WAIT; nothing has to be explained.
    pub(super) const fn graceful(ending: &'static str, first: &'static str) -> Self {
        Self {
            ending,
            by: first,
            causes: &[],
            holder: Some(first),
        }
    }

    /// A RST, for one of these causes.
    pub(super) const fn reset(
        ending: &'static str,
        by: &'static str,
        causes: &'static [&'static str],
    ) -> Self {
        Self {
            ending,
            by,
            causes,
            holder: None,
        }
    }

    fn matches(&self, found: &Value) -> bool {
        let cause = match found["cause"].as_str() {
            Some(cause) => self.causes.contains(&cause),
            None => self.causes.is_empty(),
        };
        cause
            && found["ending"] == self.ending
            && found["by"] == self.by
            && found["time_wait"]["holder"].as_str() == self.holder
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {}", self.ending, self.by)
    }
}

/// A connection of the script.
struct Entry {
    scene: &'static str,
    expected: Expected,
    /// By id, so that an ending that is told twice counts once.
    found: BTreeMap<String, Value>,
}

/// All connections of the script.
#[derive(Default)]
pub(super) struct Ledger {
    entries: BTreeMap<Tuple, Entry>,
    /// Endings of connections that are not in the script, by id.
    strangers: BTreeMap<String, Value>,
}

impl Ledger {
    /// Enters a connection.
    pub(super) fn expect(&mut self, tuple: Tuple, scene: &'static str, expected: &Expected) {
        let entry = Entry {
            scene,
            expected: *expected,
            found: BTreeMap::new(),
        };
        self.entries.insert(tuple, entry);
    }

    /// Enters the endings among these events. Whether each of `batch` has one.
    pub(super) fn read(&mut self, events: &[Value], batch: &[Tuple]) -> bool {
        for event in events.iter().filter(|event| event["type"] == "ending") {
            let id = event["id"].as_str().unwrap_or_default().to_owned();
            match tuple(event).and_then(|tuple| self.entries.get_mut(&tuple)) {
                Some(entry) => entry.found.insert(id, event.clone()),
                None => self.strangers.insert(id, event.clone()),
            };
        }
        batch.iter().all(|tuple| {
            self.entries
                .get(tuple)
                .is_some_and(|entry| !entry.found.is_empty())
        })
    }

    /// How many of `batch` have just the ending they should have.
    pub(super) fn right(&self, batch: &[Tuple]) -> usize {
        batch
            .iter()
            .filter(|tuple| self.entries.get(tuple).is_some_and(Entry::is_right))
            .count()
    }

    /// Connections of the script.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All endings that were reported.
    pub(super) fn found(&self) -> impl Iterator<Item = &Value> {
        let scripted = self.entries.values().flat_map(|entry| entry.found.values());
        scripted.chain(self.strangers.values())
    }

    /// A line for each connection that is not as it should be.
    pub(super) fn wrong(&self) -> Vec<String> {
        let wrong = self.entries.iter().filter(|(_, entry)| !entry.is_right());
        let lines = wrong.map(|(tuple, entry)| {
            let found: Vec<_> = entry.found.values().map(summary).collect();
            let found = if found.is_empty() {
                "nothing".to_owned()
            } else {
                found.join(" and ")
            };
            format!(
                "{} → {}, {}: expected {}, found {found}",
                tuple.originator, tuple.responder, entry.scene, entry.expected
            )
        });
        let strangers = self.strangers.values().map(|event| {
            format!(
                "{} → {}, not in the script: {}",
                event["originator"],
                event["responder"],
                summary(event)
            )
        });
        lines.chain(strangers).collect()
    }
}

impl Entry {
    /// One ending, and the right one.
    fn is_right(&self) -> bool {
        self.found.len() == 1
            && self
                .found
                .values()
                .all(|found| self.expected.matches(found))
    }
}

/// An ending in a few words.
fn summary(event: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    format!(
        "{} by {} (cause {}, TIME_WAIT {}, verdict {})",
        word(&event["ending"]),
        word(&event["by"]),
        word(&event["cause"]),
        word(&event["time_wait"]["holder"]),
        word(&event["verdict"]),
    )
}

/// The ends of a connection in JSON.
fn tuple(event: &Value) -> Option<Tuple> {
    Some(Tuple {
        originator: address(&event["originator"])?,
        responder: address(&event["responder"])?,
    })
}

/// One end in JSON.
fn address(end: &Value) -> Option<SocketAddr> {
    let ip: IpAddr = end["ip"].as_str()?.parse().ok()?;
    Some(SocketAddr::new(
        ip,
        u16::try_from(end["port"].as_u64()?).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Expected, Ledger, Tuple};

    #[test]
    fn one_right_ending_is_right() {
        let tuple = Tuple {
            originator: "10.0.0.1:1024".parse().unwrap(),
            responder: "10.0.0.2:1025".parse().unwrap(),
        };
        let ending = |id: &str, by: &str| {
            json!({"type": "ending", "id": id, "ending": "graceful", "by": by, "cause": null,
                "originator": {"ip": "10.0.0.1", "port": 1024},
                "responder": {"ip": "10.0.0.2", "port": 1025},
                "time_wait": {"holder": by}})
        };
        let mut ledger = Ledger::default();
        ledger.expect(tuple, "test", &Expected::graceful("graceful", "originator"));
        assert!(!ledger.read(&[], &[tuple]));
        assert_eq!(ledger.wrong().len(), 1);
        assert!(ledger.read(
            &[ending("1", "originator"), ending("1", "originator")],
            &[tuple]
        ));
        assert_eq!((ledger.right(&[tuple]), ledger.wrong().len()), (1, 0));
        ledger.read(&[ending("2", "responder")], &[tuple]);
        assert_eq!((ledger.right(&[tuple]), ledger.wrong().len()), (0, 1));
    }
}
