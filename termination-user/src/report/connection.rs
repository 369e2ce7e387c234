//! `"type":"connection"`: a connection as it is now, alive or lingering.

use serde::{Deserialize, Serialize};
use termination_common::{
    attention,
    facts::{self, EndState, LiveState},
    policy::Timers,
    slot::Slot,
    state::Life,
    taxonomy::{self, By, Holder},
    time::{TICK_SHIFT, tick},
};

use super::{
    Kind, SCHEMA,
    ending::{HalfClose, Seen, retransmits, segments},
    names,
    value::{Address, Clock, Id, Level, Sides, Timestamp, seconds},
};

/// A connection in the table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// [`SCHEMA`].
    pub schema: u32,
    /// [`Kind::Connection`].
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Which connection.
    pub id: Id,
    /// Who opened it; a guess where `seen.midstream`.
    pub originator: Address,
    /// The other end.
    pub responder: Address,
    /// As a whole.
    pub state: State,
    /// Each end (RFC 9293 3.3.2); null where nothing shows it.
    #[serde(with = "names::words")]
    pub states: Sides<Option<EndState>>,
    /// How it ended; null while it lives.
    #[serde(with = "names::word_or_null")]
    pub ending: Option<taxonomy::Ending>,
    /// Who ended it; null while it lives.
    #[serde(with = "names::word_or_null")]
    pub by: Option<By>,
    /// Null unless somebody waits.
    pub time_wait: Option<Remaining>,
    /// Null where no FIN was seen.
    pub half_close: Option<HalfClose>,
    /// How much is tracked.
    #[serde(default)]
    pub level: Level,
    /// Payload bytes sent so far.
    pub bytes: Sides<Option<u64>>,
    /// Payload bytes sent and not acked yet.
    pub unacked: Sides<Option<u64>>,
    /// Segments on the wire so far.
    pub segments: Sides<Option<u64>>,
    /// Segments with payload, SYN or FIN that were wholly sent before.
    pub retransmits: Sides<Option<u64>>,
    /// First segment.
    pub started_at: Timestamp,
    /// Since the first segment; of an ended one, first to last segment.
    pub age_seconds: f64,
    /// Since the last segment, or the last that restarted the wait.
    pub idle_seconds: Option<f64>,
    /// How good the view is.
    pub seen: Seen,
}

/// Where a connection stands as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// SYN sent, no SYN-ACK.
    SynSent,
    /// SYN-ACK sent, not acked.
    SynReceived,
    /// Open both ways.
    Established,
    /// One FIN.
    HalfClosed,
    /// Two FINs.
    Closing,
    /// Ended; somebody holds TIME_WAIT.
    TimeWait,
    /// Ended; the tuple lingers for strays.
    Ended,
}

impl State {
    /// Every value with its name in the reports.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::SynSent, "syn_sent"),
        (Self::SynReceived, "syn_received"),
        (Self::Established, "established"),
        (Self::HalfClosed, "half_closed"),
        (Self::Closing, "closing"),
        (Self::TimeWait, "time_wait"),
        (Self::Ended, "ended"),
    ];

    /// Of a slot; `None` if it is free.
    pub fn of(slot: &Slot) -> Option<Self> {
        Some(match slot.state().life() {
            Life::Free => return None,
            Life::Ended => Self::Ended,
            Life::TimeWait => Self::TimeWait,
            Life::Live => match facts::live_state(&slot.hot) {
                LiveState::SynSent => Self::SynSent,
                LiveState::SynReceived => Self::SynReceived,
                LiveState::Established => Self::Established,
                LiveState::HalfClosed => Self::HalfClosed,
                LiveState::Closing => Self::Closing,
            },
        })
    }

    /// The name in the reports.
    pub const fn name(self) -> &'static str {
        // `ALL` is in the order of declaration; a test holds it to that.
        Self::ALL[self as usize].1
    }
}

/// A TIME_WAIT that is not over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Remaining {
    /// Who holds it.
    #[serde(with = "names::word")]
    pub holder: Holder,
    /// Since when.
    pub entered_at: Timestamp,
    /// Until it is over, unless it starts anew. 0: it is due.
    pub remaining_seconds: f64,
    /// Times it started anew.
    pub restarts: u64,
}

impl Connection {
    /// Of a slot, as of `now` (nanoseconds on the engine's clock); `None` if
    /// it is free.
    pub fn from_slot(
        slot: &Slot,
        index: u32,
        epoch: u16,
        clock: &Clock,
        now: u64,
        timers: &Timers,
    ) -> Option<Self> {
        let state = State::of(slot)?;
        let outcome = facts::outcome(slot);
        let Sides {
            originator,
            responder,
        } = Address::of(slot);
        let quiet = tick(now).wrapping_sub(facts::last_tick(&slot.hot));
        // A segment may have passed after `now` was read.
        let quiet = if quiet.cast_signed() < 0 { 0 } else { quiet };
        let in_seconds = |ticks: u32| seconds(u64::from(ticks) << TICK_SHIFT);
        let age = match outcome {
            Some(_) => facts::duration(slot, now),
            None => now.saturating_sub(slot.cold.started_at),
        };
        let time_wait = outcome
            .filter(|_| state == State::TimeWait)
            .map(|outcome| Remaining {
                holder: outcome.holder,
                entered_at: clock.at(slot.cold.turned_at),
                remaining_seconds: in_seconds(timers.time_wait.saturating_sub(quiet)),
                restarts: u64::from(facts::restarts(slot).all),
            });
        Some(Self {
            schema: SCHEMA,
            kind: Kind::Connection,
            id: Id {
                epoch,
                slot: index,
                generation: slot.state().generation(),
            },
            originator,
            responder,
            state,
            states: Sides::of(slot, |side| facts::end_state(slot, side)),
            ending: outcome.map(|outcome| outcome.ending),
            by: outcome.map(|outcome| outcome.by),
            time_wait,
            half_close: HalfClose::of(slot),
            level: Level::Full,
            bytes: Sides::of(slot, |side| Some(facts::bytes(slot, side))),
            unacked: Sides::of(slot, |side| facts::lost(slot, side)),
            segments: segments(slot),
            retransmits: retransmits(slot),
            started_at: clock.at(slot.cold.started_at),
            age_seconds: seconds(age),
            idle_seconds: Some(in_seconds(quiet)),
            seen: Seen::of(slot),
        })
    }

    /// The same at the level `closing`: what nobody saw is null.
    #[must_use]
    pub fn at_closing(mut self, slot: &Slot) -> Self {
        self.level = Level::Closing;
        self.bytes = Sides::of(slot, |side| facts::closing::bytes(slot, side));
        if facts::closing::was_left_alone(slot) {
            let none = Sides::of(slot, |_| None);
            self.unacked = none;
            self.segments = none;
            self.retransmits = none;
            if self.ending.is_none() && !attention::wanted(slot.state()) {
                self.idle_seconds = None;
            }
        }
        self
    }
}
