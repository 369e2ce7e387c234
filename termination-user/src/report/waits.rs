//! TIME_WAIT by pair of addresses and service: who holds how many, for how long
//! yet, and when the ports of who connects run out.
//!
//! One pass over the table finds the sums; pairs whose ports would run out, of
//! which there are few (each enters thousands a window), are passed once more
//! for when their present waits end. Memory is that of the groups: 80 bytes
//! each, twice while they are sorted.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
};

use serde::{Deserialize, Serialize};
use termination_common::{
    facts,
    slot::Slot,
    state::Life,
    taxonomy::{Holder, Outcome},
    time::{TICK_SHIFT, Tick, tick},
    tuple::{Endpoint, Family},
};

use super::{
    Kind, SCHEMA, names,
    stats::Held,
    value::{Address, Clock, Timestamp, seconds},
};

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

/// `"type":"time_waits"`: what comes before the groups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waits {
    /// [`SCHEMA`].
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
    /// [`SCHEMA`].
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

/// A group: addresses as in the table, the service's port, family, holder (0:
/// connections that live).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    originator: [u64; 2],
    responder: [u64; 2],
    port: u16,
    family: u8,
    holder: u8,
}

impl Key {
    fn of(slot: &Slot, holder: u8) -> (Self, u16) {
        let side = slot.state().originator() & 1;
        let tuple = &slot.cold.tuple;
        let (originator, responder) = (tuple.endpoint(side), tuple.endpoint(side ^ 1));
        let key = Self {
            originator: originator.address,
            responder: responder.address,
            port: responder.port,
            family: tuple.family() as u8,
            holder,
        };
        (key, originator.port)
    }

    const fn held_by(self, holder: u8) -> Self {
        Self { holder, ..self }
    }

    fn originator(&self) -> IpAddr {
        self.address(self.originator, 0).ip
    }

    fn responder(&self) -> Address {
        self.address(self.responder, self.port)
    }

    fn address(&self, address: [u64; 2], port: u16) -> Address {
        let family = if self.family == Family::V4 as u8 {
            Family::V4
        } else {
            Family::V6
        };
        Address::new(Endpoint { address, port }, family)
    }
}

/// Sums of a group.
#[derive(Clone, Copy, Debug)]
struct Sum {
    count: u32,
    /// Those from ports that connect(2) takes.
    ephemeral: u32,
    /// Those that entered within the window.
    recent: u32,
    restarts: u32,
    /// Ticks until the first and the last are over.
    next: Tick,
    last: Tick,
    /// When the oldest entered, nanoseconds.
    oldest: u64,
}

/// What the groups are counted by.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// Now, nanoseconds on the engine's clock.
    pub now: u64,
    /// How long TIME_WAIT lasts.
    pub time_wait: Tick,
    /// Nanoseconds that rates are over.
    pub window: u64,
}

/// Counts the TIME_WAITs of a table.
#[derive(Debug)]
pub struct Census {
    measure: Measure,
    ephemeral: Option<Ephemeral>,
    /// Ports that connect(2) takes.
    usable: u64,
    sums: HashMap<Key, Sum>,
    held: Held,
    /// Waits that end within the first, second, … second from now, of pairs
    /// whose ports will run out. The holder in the key is 0.
    ending: HashMap<Key, Vec<u32>>,
}

impl Census {
    /// Of nothing yet. Without `ephemeral` nothing is said about ports.
    pub fn new(measure: Measure, ephemeral: Option<Ephemeral>) -> Self {
        Self {
            measure,
            usable: ephemeral.as_ref().map_or(0, Ephemeral::count),
            ephemeral,
            sums: HashMap::new(),
            held: Held::default(),
            ending: HashMap::new(),
        }
    }

    /// Counts a slot, if it counts.
    pub fn count(&mut self, slot: &Slot) {
        let holder = match slot.state().life() {
            Life::TimeWait => Outcome::packed_holder(slot.cold.outcome),
            Life::Live => 0,
            Life::Free | Life::Ended => return,
        };
        let (key, port) = Key::of(slot, holder);
        let own = |ephemeral: &Ephemeral| ephemeral.is_own(key.originator());
        let own = self.ephemeral.as_ref().is_some_and(own);
        if holder == 0 && !own {
            return;
        }
        let taken = own && self.ephemeral.as_ref().is_some_and(|range| range.has(port));
        let left = self.left(slot);
        let entered = slot.cold.turned_at;
        let sum = self.sums.entry(key).or_insert(Sum {
            count: 0,
            ephemeral: 0,
            recent: 0,
            restarts: 0,
            next: Tick::MAX,
            last: 0,
            oldest: u64::MAX,
        });
        sum.count += 1;
        sum.ephemeral += u32::from(taken);
        if holder == 0 {
            return;
        }
        sum.recent += u32::from(self.measure.now.saturating_sub(entered) <= self.measure.window);
        sum.restarts += u32::from(facts::restarts(slot).all);
        sum.next = sum.next.min(left);
        sum.last = sum.last.max(left);
        sum.oldest = sum.oldest.min(entered);
        self.held
            .count(Holder::from_number(holder).unwrap_or(Holder::None));
    }

    /// Ticks until a TIME_WAIT is over.
    fn left(&self, slot: &Slot) -> Tick {
        let quiet = tick(self.measure.now).wrapping_sub(facts::last_tick(&slot.hot));
        // A segment may have passed after `now` was read.
        let quiet = if quiet.cast_signed() < 0 { 0 } else { quiet };
        self.measure.time_wait.saturating_sub(quiet)
    }

    /// Per second.
    fn rate(&self, sum: &Sum) -> f64 {
        f64::from(sum.recent) / seconds(self.measure.window)
    }

    /// What holds a port of the originator, of the pair of `key`: taken now,
    /// and entering per second.
    fn taken(&self, key: Key) -> (u64, f64) {
        let holders = [0, Holder::Originator as u8, Holder::Both as u8];
        let sums = holders.map(|holder| self.sums.get(&key.held_by(holder)));
        let taken = sums.iter().flatten().map(|sum| u64::from(sum.ephemeral));
        let rate = sums[1..].iter().flatten().map(|sum| self.rate(sum));
        (taken.sum(), rate.sum())
    }

    /// Taken in the long run: by those that live, and at this rate.
    fn steady(&self, key: Key, rate: f64) -> u64 {
        let live = self.sums.get(&key.held_by(0));
        live.map_or(0, |sum| u64::from(sum.ephemeral)) + (rate * self.time_wait()).round() as u64
    }

    fn time_wait(&self) -> f64 {
        seconds(u64::from(self.measure.time_wait) << TICK_SHIFT)
    }

    /// Some pair's ports will run out: [`Census::count_ending`] wants to see
    /// the slots once more.
    pub fn wants_more(&mut self) -> bool {
        let Some(ephemeral) = &self.ephemeral else {
            return false;
        };
        let bins = self.time_wait().ceil() as usize;
        let pairs = self.sums.keys().map(|key| key.held_by(0));
        let short: Vec<_> = pairs
            .filter(|&key| {
                let rate = self.taken(key).1;
                rate > 0.0
                    && self.steady(key, rate) >= self.usable
                    && ephemeral.is_own(key.originator())
            })
            .collect();
        self.ending
            .extend(short.into_iter().map(|key| (key, vec![0; bins])));
        !self.ending.is_empty()
    }

    /// Counts when a wait ends, if that matters.
    pub fn count_ending(&mut self, slot: &Slot) {
        if slot.state().life() != Life::TimeWait {
            return;
        }
        let holder = Outcome::packed_holder(slot.cold.outcome);
        let (key, port) = Key::of(slot, 0);
        let bin = (u64::from(self.left(slot)) << TICK_SHIFT) / SECOND;
        let ephemeral = self.ephemeral.as_ref();
        if holder != Holder::Responder as u8
            && ephemeral.is_some_and(|range| range.has(port))
            && let Some(bins) = self.ending.get_mut(&key)
            && let Some(last) = bins.len().checked_sub(1)
        {
            bins[(bin as usize).min(last)] += 1;
        }
    }

    /// The sums, and the groups: the largest first, at most `limit`.
    pub fn finish(
        self,
        clock: &Clock,
        limit: usize,
        one_in: Option<u32>,
    ) -> (Waits, impl Iterator<Item = Group> + use<>) {
        let mut groups: Vec<_> = self
            .sums
            .iter()
            .filter(|(key, _)| key.holder != 0)
            .map(|(&key, &sum)| (key, sum))
            .collect();
        let waits = Waits {
            schema: SCHEMA,
            kind: Kind::TimeWaits,
            at: clock.at(self.measure.now),
            held: self.held,
            groups: groups.len() as u64,
            time_wait_seconds: self.time_wait(),
            window_seconds: seconds(self.measure.window),
            ephemeral: self.ephemeral.as_ref().map(|ephemeral| ephemeral.range),
            one_in,
        };
        groups.sort_unstable_by_key(|(key, sum)| {
            let order = (key.originator, key.responder, key.port, key.holder);
            (std::cmp::Reverse(sum.count), order)
        });
        groups.truncate(limit);
        let groups = groups
            .into_iter()
            .map(move |(key, sum)| self.group(key, &sum, one_in.is_some()));
        (waits, groups)
    }

    fn group(&self, key: Key, sum: &Sum, sampled: bool) -> Group {
        let in_seconds = |ticks: Tick| seconds(u64::from(ticks) << TICK_SHIFT);
        let holder = Holder::from_number(key.holder).unwrap_or(Holder::None);
        let rate = self.rate(sum);
        let ports = if holder == Holder::Responder || sampled {
            None
        } else {
            self.ports(key)
        };
        Group {
            schema: SCHEMA,
            kind: Kind::TimeWaitGroup,
            holder,
            originator: Host {
                ip: key.originator(),
            },
            responder: key.responder(),
            count: u64::from(sum.count),
            restarts: u64::from(sum.restarts),
            next_seconds: in_seconds(sum.next),
            last_seconds: in_seconds(sum.last),
            oldest_seconds: seconds(self.measure.now.saturating_sub(sum.oldest)),
            rate,
            levels_at: (rate * self.time_wait()).round() as u64,
            ports,
        }
    }

    /// The ports of a pair, if they are this host's.
    fn ports(&self, key: Key) -> Option<Ports> {
        let ephemeral = self.ephemeral.as_ref()?;
        if !ephemeral.is_own(key.originator()) {
            return None;
        }
        let usable = self.usable;
        let (used, rate) = self.taken(key);
        let left = usable.saturating_sub(used);
        let levels_at = self.steady(key, rate);
        let ending = self.ending.get(&key.held_by(0));
        let runs_out_seconds = match ending {
            _ if left == 0 => Some(0.0),
            Some(ending) => Some(runs_out(left, rate, ending)),
            None => None,
        };
        Some(Ports {
            usable,
            used,
            left,
            levels_at,
            runs_out_seconds,
        })
    }
}

/// When the last of `left` ports is taken, seconds from now: `rate` are taken a
/// second, and of those that are taken `ending` come back in each second from
/// now on. The rate is so high that this is before the last has come back.
fn runs_out(left: u64, rate: f64, ending: &[u32]) -> f64 {
    let mut left = left as f64;
    for (second, &back) in ending.iter().enumerate() {
        let fewer = rate - f64::from(back);
        if fewer >= left && fewer > 0.0 {
            return second as f64 + left / fewer;
        }
        left -= fewer;
    }
    ending.len() as f64
}

#[cfg(test)]
mod tests;
