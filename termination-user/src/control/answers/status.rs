//! What runs, and what came of it.

use std::{path::PathBuf, sync::Arc};

use serde::Serialize;
use termination_common::{
    counters::{self, Counters, Event, Loss},
    policy::Level,
    taxonomy::Ending,
};

use crate::control::{
    hooks::{attach::Attachment, hook::Hook, netns::Netns},
    kernel::load::{Room, Sizes},
};
use crate::report::{self, Timestamp, room::Extent, stats::MEMORY_REFUSED};

/// An interface in [`Status`].
#[derive(Clone, Debug, Serialize)]
pub struct InterfaceStatus {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// `native`, `generic`, `tcx`, `clsact`; null where not observed.
    pub ingress: Option<&'static str>,
    /// `tcx`, `clsact`; null where not observed.
    pub egress: Option<&'static str>,
}

/// What is attached, for the status.
pub fn describe(attachments: &[Attachment]) -> Vec<InterfaceStatus> {
    let via = |hook: &Option<Hook>| hook.as_ref().map(|hook| hook.via.name());
    let describe = |attachment: &Attachment| InterfaceStatus {
        name: attachment.interface.name.clone(),
        index: attachment.interface.index,
        ingress: via(&attachment.ingress),
        egress: via(&attachment.egress),
    };
    attachments.iter().map(describe).collect()
}

/// `"type":"status"`: what runs.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// [`report::SCHEMA`].
    pub schema: u32,
    /// `status`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Process id of the controller.
    pub pid: u32,
    /// When it was ready.
    pub started_at: Timestamp,
    /// What it is attached to.
    pub interfaces: Vec<InterfaceStatus>,
    /// Their namespace; null for the controller's own.
    pub netns: Option<String>,
    /// The innermost packet of a tunnel counts.
    pub tunnels: bool,
    /// How much is tracked: `full`, `closing`.
    pub level: &'static str,
    /// Room for this many connections.
    pub connections: u32,
    /// What table and ring take of the kernel's memory.
    pub memory_bytes: u64,
    /// Policy file; null for the defaults.
    pub policy: Option<PathBuf>,
    /// Where everything is pinned, so that it outlives the controller; null
    /// where it does not.
    pub pinned: Option<PathBuf>,
}

/// What is fixed from start to end.
#[derive(Clone, Debug)]
pub struct Facts {
    /// When it was ready.
    pub started_at: Timestamp,
    /// Namespace of the interfaces.
    pub netns: Option<String>,
    /// The same, to enter it.
    pub namespace: Option<Arc<Netns>>,
    /// The innermost packet of a tunnel counts.
    pub tunnels: bool,
    /// How much is tracked.
    pub level: Level,
    /// The command line has said so.
    pub level_asked: bool,
    /// Policy file.
    pub policy: Option<PathBuf>,
    /// Where everything is pinned.
    pub pinned: Option<PathBuf>,
    /// The table is an earlier controller's.
    pub resumed: bool,
    /// `net.ipv4.tcp_rfc1337` is set in the namespace of the interfaces.
    pub rfc1337: bool,
}

impl Status {
    /// Of this process.
    pub fn new(facts: &Facts, interfaces: Vec<InterfaceStatus>, sizes: Sizes) -> Self {
        let Facts {
            started_at,
            netns,
            namespace: _,
            tunnels,
            level,
            level_asked: _,
            policy,
            pinned,
            resumed: _,
            rfc1337: _,
        } = facts.clone();
        Self {
            schema: report::SCHEMA,
            kind: "status",
            pid: std::process::id(),
            started_at,
            interfaces,
            netns,
            tunnels,
            level: level.name(),
            connections: sizes.slots(),
            memory_bytes: sizes.bytes(),
            policy,
            pinned,
        }
    }
}

impl From<Room> for report::Room {
    fn from(room: Room) -> Self {
        let Room {
            asked,
            given,
            refusals: _,
        } = room;
        let extent = |asked: u32, given: u32| Extent {
            asked: asked.into(),
            given: given.into(),
        };
        Self {
            connections: extent(asked.slots(), given.slots()),
            ring_bytes: extent(asked.ring, given.ring),
            memory_bytes: given.bytes(),
        }
    }
}

/// A few lines for the end: endings by kind, the room if it was less than was
/// asked for, and what was lost.
pub fn summary(counters: &Counters, room: &Room) -> Vec<String> {
    let list = |named: Vec<(&str, u64)>| {
        let parts: Vec<_> = named
            .into_iter()
            .filter(|&(_, count)| count > 0)
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        if parts.is_empty() {
            "none".to_owned()
        } else {
            parts.join(", ")
        }
    };
    let endings = Ending::ALL
        .iter()
        .map(|&e| (e.name(), counters.0[counters::ENDING + e as usize]));
    let losses = Loss::ALL
        .iter()
        .map(|&l| (l.name(), counters.0[counters::LOSS + l as usize]))
        .chain([(MEMORY_REFUSED, room.refusals)]);
    let seen = counters.0[counters::OPENED] + counters.0[counters::MIDSTREAM];
    let strays = counters.0[counters::EVENT + Event::StraySegment as usize];
    let mut lines = vec![format!(
        "{seen} connections, {strays} strays; endings: {}",
        list(endings.collect())
    )];
    lines.extend(report::Room::from(*room).shortage());
    lines.push(format!("losses: {}", list(losses.collect())));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_what_was_and_what_was_lost() {
        let mut counters = Counters::default();
        counters.0[counters::OPENED] = 3;
        counters.0[counters::ENDING + Ending::Reset as usize] = 2;
        let asked = Sizes::new(1 << 20, 1 << 20).unwrap();
        assert_eq!(
            summary(&counters, &Room::whole(asked)),
            ["3 connections, 0 strays; endings: reset 2", "losses: none"]
        );
        let given = Sizes::new(1 << 18, 1 << 20).unwrap();
        let refusals = 2;
        let room = Room {
            asked,
            given,
            refusals,
        };
        assert_eq!(
            summary(&counters, &room)[1..],
            [
                "room for 262,144 connections of 1,048,576 asked for: memory was refused",
                "losses: memory_refused 2"
            ]
        );
    }
}
