//! `"type":"stats"`: all counters, and what lives.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap as _};
use termination_common::{
    counters::{self, Counters, Event, Loss},
    facts::{LiveState, live_state},
    slot::Hot,
    state::{Life, Snapshot},
    taxonomy::{Ending, Holder, Outcome, Sequel, Verdict},
    traffic::LeftOut,
    wire::Skip,
};

use super::{
    Kind, SCHEMA, guards,
    room::Room,
    value::{Level, Timestamp},
};

/// Name among `losses`: memory that the kernel refused for maps.
pub const MEMORY_REFUSED: &str = "memory_refused";

/// All counters since the table was made, and the gauges of now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// [`SCHEMA`].
    pub schema: u32,
    /// [`Kind::Stats`].
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Connections that opened with a SYN or SYN-ACK.
    pub opened: u64,
    /// Connections met after their handshake.
    pub midstream: u64,
    /// Connections that live, by state.
    pub live: Live,
    /// Connections that ended, by ending; every ending is listed.
    pub endings: Tally,
    /// TIME_WAITs that are held now, by holder.
    pub time_wait: Held,
    /// What could not be done as it should; every kind is listed.
    pub losses: Tally,
    /// Room for connections and records; null offline.
    #[serde(default)]
    pub room: Option<Room>,
    /// opened + midstream - live - endings: 0 whenever the table is quiet.
    pub difference: i64,
    /// Tuples that linger after an ending without TIME_WAIT, now.
    pub lingering: u64,
    /// TIME_WAITs entered.
    pub time_wait_entered: u64,
    /// TIME_WAITs that are over, by sequel.
    pub sequels: Tally,
    /// TIME_WAIT restarts by a retransmitted FIN.
    pub fin_restarts: u64,
    /// RSTs by verdict.
    pub resets: Tally,
    /// RSTs that came in while there was a guard, by what became of them.
    pub guarded: Tally,
    /// Events, whether or not somebody listened.
    pub events: Tally,
    /// TCP segments that were tracked or tried.
    pub segments: u64,
    /// Segments on an unknown tuple that opened nothing.
    pub untracked_segments: u64,
    /// Segments with RST and SYN or FIN.
    pub odd_flags: u64,
    /// Frames that were passed untracked, by reason.
    pub untracked_frames: Tally,
    /// Segments that the policy leaves out, by reason.
    pub left_out: Tally,
    /// Endings that are no news, by rule of the policy; they are among
    /// `endings` as well.
    pub benign: Tally,
    /// What the counts stand for, if a sample is taken; else null.
    pub scaled: Option<Scaled>,
    /// How much is tracked.
    #[serde(default)]
    pub level: Level,
    /// As of when; null offline.
    pub at: Option<Timestamp>,
}

/// Counts times what they were sampled at: estimates, beside the counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scaled {
    /// One connection in so many is tracked now.
    pub one_in: u32,
    /// Connections that opened with a SYN or SYN-ACK.
    pub opened: u64,
    /// Connections met after their handshake.
    pub midstream: u64,
    /// Connections that live.
    pub live: u64,
    /// Connections that ended, by ending.
    pub endings: Tally,
    /// TIME_WAITs entered.
    pub time_wait_entered: u64,
}

impl Scaled {
    /// From counters that are scaled already, and what lives as counted.
    pub fn new(sums: &Counters, live: &Live, one_in: u32) -> Self {
        Self {
            one_in,
            opened: sums.0[counters::OPENED],
            midstream: sums.0[counters::MIDSTREAM],
            live: live.sum() * u64::from(one_in),
            endings: Tally::of(
                sums,
                counters::ENDING,
                Ending::ALL,
                |value| value as usize,
                Ending::name,
            ),
            time_wait_entered: sums.0[counters::TIME_WAIT],
        }
    }
}

/// Connections that live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// SYN sent, no SYN-ACK.
    pub syn_sent: u64,
    /// SYN-ACK sent, not acked.
    pub syn_received: u64,
    /// Open both ways.
    pub established: u64,
    /// One FIN.
    pub half_closed: u64,
    /// Two FINs.
    pub closing: u64,
}

impl Live {
    /// Name and number, in order.
    pub const fn each(&self) -> [(&'static str, u64); 5] {
        let Self {
            syn_sent,
            syn_received,
            established,
            half_closed,
            closing,
        } = *self;
        [
            ("syn_sent", syn_sent),
            ("syn_received", syn_received),
            ("established", established),
            ("half_closed", half_closed),
            ("closing", closing),
        ]
    }

    /// All together.
    pub fn sum(&self) -> u64 {
        self.each().iter().map(|&(_, number)| number).sum()
    }
}

/// TIME_WAITs that are held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// By the originator.
    pub originator: u64,
    /// By the responder.
    pub responder: u64,
    /// By both: one connection, two sockets.
    pub both: u64,
}

impl Held {
    /// Name and number, in order.
    pub const fn each(&self) -> [(&'static str, u64); 3] {
        let Self {
            originator,
            responder,
            both,
        } = *self;
        [
            ("originator", originator),
            ("responder", responder),
            ("both", both),
        ]
    }

    /// Connections in TIME_WAIT.
    pub fn sum(&self) -> u64 {
        self.each().iter().map(|&(_, number)| number).sum()
    }

    /// One more.
    pub const fn count(&mut self, holder: Holder) {
        match holder {
            Holder::None => {}
            Holder::Originator => self.originator += 1,
            Holder::Responder => self.responder += 1,
            Holder::Both => self.both += 1,
        }
    }
}

/// What a walk over the table finds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Connections that live.
    pub live: Live,
    /// TIME_WAITs that are held.
    pub time_wait: Held,
    /// Ended, no TIME_WAIT, tuple still kept.
    pub lingering: u64,
}

impl Gauges {
    /// Counts one slot by its hot line and its packed outcome
    /// ([`termination_common::slot::Cold::outcome`]; read of a TIME_WAIT only).
    pub fn count(&mut self, hot: &Hot, outcome: impl FnOnce() -> u32) {
        match Snapshot(hot.word).life() {
            Life::Free => {}
            Life::Live => match live_state(hot) {
                LiveState::SynSent => self.live.syn_sent += 1,
                LiveState::SynReceived => self.live.syn_received += 1,
                LiveState::Established => self.live.established += 1,
                LiveState::HalfClosed => self.live.half_closed += 1,
                LiveState::Closing => self.live.closing += 1,
            },
            Life::Ended => self.lingering += 1,
            Life::TimeWait => {
                let holder = Holder::from_number(Outcome::packed_holder(outcome()));
                self.time_wait.count(holder.unwrap_or(Holder::None));
            }
        }
    }
}

/// Numbers by name, in the order of the vocabulary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(pub Vec<(String, u64)>);

impl Tally {
    /// From the counters of a vocabulary.
    pub(super) fn of<T: Copy>(
        counters: &Counters,
        base: usize,
        all: &[T],
        number: impl Fn(T) -> usize,
        name: impl Fn(T) -> &'static str,
    ) -> Self {
        let read = |value| {
            let count = counters.0.get(base + number(value)).copied();
            (name(value).to_owned(), count.unwrap_or(0))
        };
        Self(all.iter().copied().map(read).collect())
    }

    /// The number of `name`; 0 if it is not listed.
    pub fn get(&self, name: &str) -> u64 {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or(0, |&(_, number)| number)
    }

    /// All together.
    pub fn sum(&self) -> u64 {
        self.0.iter().map(|&(_, number)| number).sum()
    }

    /// Those above zero, the largest first.
    pub fn sorted(&self) -> Vec<(&str, u64)> {
        let mut sorted: Vec<_> = self
            .0
            .iter()
            .map(|(name, number)| (name.as_str(), *number))
            .filter(|&(_, number)| number > 0)
            .collect();
        sorted.sort_by_key(|&(_, number)| std::cmp::Reverse(number));
        sorted
    }
}

impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(self.0.len()))?;
        for (name, number) in &self.0 {
            map.serialize_entry(name, number)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Tally {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        /// Keeps the order of the text.
        struct Entries;
        impl<'de> de::Visitor<'de> for Entries {
            type Value = Tally;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("numbers by name")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Tally, A::Error> {
                let mut tally = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    tally.push(entry);
                }
                Ok(Tally(tally))
            }
        }
        from.deserialize_map(Entries)
    }
}

impl Stats {
    /// From the sum of the counters of all CPUs and a walk over the table.
    pub fn new(sums: &Counters, gauges: &Gauges, at: Option<Timestamp>) -> Self {
        let read = |index: usize| sums.0.get(index).copied().unwrap_or(0);
        let Gauges {
            live,
            time_wait,
            lingering,
        } = *gauges;
        let opened = read(counters::OPENED);
        let midstream = read(counters::MIDSTREAM);
        let before = opened.wrapping_add(midstream);
        let after = live.sum().wrapping_add(sums.endings());
        let mut losses = Tally::of(
            sums,
            counters::LOSS,
            Loss::ALL,
            |value| value as usize,
            Loss::name,
        );
        // The controller's own count, see `within`.
        losses.0.push((MEMORY_REFUSED.to_owned(), 0));
        Self {
            schema: SCHEMA,
            kind: Kind::Stats,
            opened,
            midstream,
            live,
            endings: Tally::of(
                sums,
                counters::ENDING,
                Ending::ALL,
                |value| value as usize,
                Ending::name,
            ),
            time_wait,
            losses,
            room: None,
            difference: before.wrapping_sub(after).cast_signed(),
            lingering,
            time_wait_entered: read(counters::TIME_WAIT),
            sequels: Tally::of(
                sums,
                counters::SEQUEL,
                Sequel::ALL,
                |value| value as usize,
                Sequel::name,
            ),
            fin_restarts: read(counters::FIN_RESTARTS),
            resets: Tally::of(
                sums,
                counters::VERDICT,
                Verdict::ALL,
                |value| value as usize,
                Verdict::name,
            ),
            guarded: guards::tally(sums),
            events: Tally::of(
                sums,
                counters::EVENT,
                Event::ALL,
                |value| value as usize,
                Event::name,
            ),
            segments: read(counters::SEGMENTS),
            untracked_segments: read(counters::UNTRACKED),
            odd_flags: read(counters::ODD_FLAGS),
            untracked_frames: Tally::of(
                sums,
                counters::SKIP,
                Skip::ALL,
                |value| value as usize,
                Skip::name,
            ),
            left_out: Tally::of(
                sums,
                counters::LEFT_OUT,
                LeftOut::ALL,
                |value| value as usize,
                LeftOut::name,
            ),
            benign: Tally::default(),
            scaled: None,
            level: Level::Full,
            at,
        }
    }

    /// With the room there is, and how often memory was refused.
    #[must_use]
    pub fn within(mut self, room: Room, refusals: u64) -> Self {
        for (name, count) in &mut self.losses.0 {
            if name == MEMORY_REFUSED {
                *count = refusals;
            }
        }
        self.room = Some(room);
        self
    }
}
