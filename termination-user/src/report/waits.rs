//! TIME_WAIT by pair of addresses and service: who holds how many, for how long
//! yet, and when the ports of who connects run out.

use std::{collections::HashSet, net::IpAddr};

use serde::{Deserialize, Serialize};
use termination_common::taxonomy::Holder;

use super::{
    Kind, names,
    stats::Held,
    value::{Address, Timestamp},
};

mod census;

pub use census::{Census, Measure};

/// `"type":"time_waits"`: what comes before the groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waits {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// [`Kind::TimeWaits`].
    #[serde(rename = "type")]
    pub kind: Kind,
    /// As of when.
    pub at: Timestamp,
    /// TIME_WAITs that are held, by holder.
    pub held: Held,
    /// Groups there are; those that follow may be fewer, the largest.
    pub groups: u64,
    /// How long TIME_WAIT lasts, by policy.
    pub time_wait_seconds: f64,
    /// The rates are over so long.
    pub window_seconds: f64,
    /// Ephemeral ports of the namespace of the interfaces; null where they
    /// cannot be read.
    pub ephemeral: Option<Range>,
    /// One connection in so many is tracked, and only these are counted; null
    /// if all are.
    pub one_in: Option<u32>,
}

/// The ports that connect(2) takes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// The first (net.ipv4.ip_local_port_range).
    pub first: u16,
    /// The last.
    pub last: u16,
    /// Those in between that are left out (net.ipv4.ip_local_reserved_ports).
    pub reserved: u32,
    /// net.ipv4.tcp_tw_reuse: 0 never, 1 after a second where both ends have
    /// timestamps, 2 that on loopback alone.
    pub tw_reuse: u8,
}

/// `"type":"time_wait_group"`: the TIME_WAITs of one pair of addresses and one
/// service, with one holder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// [`super::SCHEMA`].
    pub schema: u32,
    /// [`Kind::TimeWaitGroup`].
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Who holds them.
    #[serde(with = "names::word")]
    pub holder: Holder,
    /// Who connected; from ports that differ, one for each.
    pub originator: Host,
    /// The service.
    pub responder: Address,
    /// How many.
    pub count: u64,
    /// Times they started anew.
    pub restarts: u64,
    /// Until the first of them is over.
    pub next_seconds: f64,
    /// Until the last of them is over, unless one starts anew.
    pub last_seconds: f64,
    /// Age of the oldest.
    pub oldest_seconds: f64,
    /// Entered per second, over the window.
    pub rate: f64,
    /// How many there will be at that rate: rate times TIME_WAIT.
    pub levels_at: u64,
    /// Ports of the originator toward the service; null where its ports are
    /// not taken (the responder holds), or not this host's.
    pub ports: Option<Ports>,
}

/// An address of many ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// IP address.
    pub ip: IpAddr,
}

/// Ephemeral ports of one address toward one service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ports {
    /// All there are.
    pub usable: u64,
    /// Taken: by connections that live, and by TIME_WAITs that this end holds.
    pub used: u64,
    /// Not taken.
    pub left: u64,
    /// So many will be taken at the present rate, with as many connections as
    /// live now.
    pub levels_at: u64,
    /// When none will be left at the present rate; null: never.
    pub runs_out_seconds: Option<f64>,
}

/// The ephemeral ports and the addresses of a namespace.
#[derive(Clone, Debug)]
pub struct Ephemeral {
    /// The range.
    pub range: Range,
    /// Whether connect(2) takes a port, by port.
    pub usable: Vec<bool>,
    /// The namespace's own addresses.
    pub addresses: HashSet<IpAddr>,
}

impl Ephemeral {
    fn is_own(&self, address: IpAddr) -> bool {
        // All of 127/8 is local, whatever is configured.
        address.is_loopback() || self.addresses.contains(&address)
    }

    fn has(&self, port: u16) -> bool {
        self.usable
            .get(usize::from(port))
            .is_some_and(|&usable| usable)
    }

    fn count(&self) -> u64 {
        self.usable.iter().filter(|&&usable| usable).count() as u64
    }
}
