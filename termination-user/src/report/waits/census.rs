//! The TIME_WAITs of a table, counted.
//!
//! One pass over the table finds the sums; pairs whose ports may run out, of
//! which there are few (each has thousands of them), are passed once more for
//! when their present waits end. Memory is that of the groups: 80 bytes each,
//! twice while they are sorted.

use std::{collections::HashMap, net::IpAddr};

use termination_common::{
    facts,
    slot::Slot,
    state::Life,
    taxonomy::{Holder, Outcome},
    time::{TICK_SHIFT, Tick, tick},
    tuple::{Endpoint, Family},
};

use super::{
    super::{
        Kind, SCHEMA,
        stats::Held,
        value::{Address, Clock, seconds},
    },
    Ephemeral, Group, Host, Ports, Waits,
};

/// Nanoseconds in a second.
const SECOND: u64 = 1_000_000_000;

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
    /// Of these, those from ports that connect(2) takes.
    recent_ephemeral: u32,
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
    /// Nanoseconds that rates are over; at most TIME_WAIT, for what entered before
    /// is over and not counted any more.
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
    /// whose ports may run out. The holder in the key is 0.
    ending: HashMap<Key, Vec<u32>>,
}

impl Census {
    /// Of nothing yet. Without `ephemeral` nothing is said about ports.
    pub fn new(measure: Measure, ephemeral: Option<Ephemeral>) -> Self {
        let time_wait = u64::from(measure.time_wait) << TICK_SHIFT;
        Self {
            measure: Measure {
                window: measure.window.min(time_wait).max(1),
                ..measure
            },
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
            recent_ephemeral: 0,
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
        let recent = self.measure.now.saturating_sub(entered) <= self.measure.window;
        sum.recent += u32::from(recent);
        sum.recent_ephemeral += u32::from(recent && taken);
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

    /// So many within the window, per second.
    fn rate(&self, recent: u32) -> f64 {
        f64::from(recent) / seconds(self.measure.window)
    }

    /// What holds an ephemeral port of the originator, of the pair of `key`: taken
    /// now, and entering per second.
    fn taken(&self, key: Key) -> (u64, f64) {
        let holders = [0, Holder::Originator as u8, Holder::Both as u8];
        let sums = holders.map(|holder| self.sums.get(&key.held_by(holder)));
        let taken = sums.iter().flatten().map(|sum| u64::from(sum.ephemeral));
        let recent = sums[1..].iter().flatten().map(|sum| sum.recent_ephemeral);
        let rate = recent.map(|recent| self.rate(recent));
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

    /// Some pair's ports may run out: [`Census::count_ending`] wants to see the
    /// slots once more.
    pub fn wants_more(&mut self) -> bool {
        let Some(ephemeral) = &self.ephemeral else {
            return false;
        };
        let bins = self.time_wait().ceil() as usize;
        let pairs = self.sums.keys().map(|key| key.held_by(0));
        let short: Vec<_> = pairs
            .filter(|&key| {
                let (used, rate) = self.taken(key);
                // They come back within TIME_WAIT: if not even one did, there would
                // still be enough for as long.
                rate > 0.0
                    && used as f64 + rate * self.time_wait() >= self.usable as f64
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
        let rate = self.rate(sum.recent);
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
            Some(ending) => {
                let time_wait = self.time_wait();
                let runs_out = |left| runs_out(left, rate, ending, time_wait);
                if levels_at >= usable {
                    // From then on it is level.
                    Some(runs_out(left).unwrap_or(time_wait))
                } else {
                    // When they come back is known to two ticks: nearly enough is
                    // enough.
                    let margin = 1 + (rate * 2.0 * seconds(1 << TICK_SHIFT)).ceil() as u64;
                    runs_out(left + margin).and_then(|_| runs_out(left))
                }
            }
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
/// now on, all within `time_wait` seconds. `None` if it is not before that.
fn runs_out(left: u64, rate: f64, ending: &[u32], time_wait: f64) -> Option<f64> {
    let mut left = left as f64;
    for (second, &back) in ending.iter().enumerate() {
        let begin = second as f64;
        // The last one may be cut.
        let length = (time_wait - begin).clamp(0.0, 1.0);
        let fewer = rate * length - f64::from(back);
        if fewer >= left && fewer > 0.0 {
            return Some(begin + length * left / fewer);
        }
        left -= fewer;
    }
    None
}

#[cfg(test)]
mod tests;
