//! `"type":"ending"`: how a connection ended.

use serde::{Deserialize, Serialize};
use termination_common::{
    exchange::Record,
    facts,
    slot::Slot,
    state::fact,
    taxonomy::{self, Answer, By, Cause, Evidence, Holder, Phase, Sequel, Verdict},
};

use super::{
    Kind, SCHEMA,
    dialect::{Ipfix, Wireshark, Zeek},
    names,
    value::{Address, Clock, Id, Level, Sides, Timestamp, seconds},
};

/// A connection that has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// [`SCHEMA`].
    pub schema: u32,
    /// [`Kind::Ending`].
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Which connection.
    pub id: Id,
    /// Who opened it; a guess where `seen.midstream`.
    pub originator: Address,
    /// The other end.
    pub responder: Address,
    /// How it ended.
    #[serde(with = "names::word")]
    pub ending: taxonomy::Ending,
    /// Who ended it.
    #[serde(with = "names::word")]
    pub by: By,
    /// Where it stood just before; null where that was not seen.
    #[serde(with = "names::word_or_null")]
    pub phase: Option<Phase>,
    /// On the deciding RST.
    #[serde(with = "names::word_or_null")]
    pub verdict: Option<Verdict>,
    /// Why.
    #[serde(with = "names::word_or_null")]
    pub cause: Option<Cause>,
    /// The kernel's own name of the reason.
    pub kernel_reason: Option<String>,
    /// What the cause rests on.
    #[serde(with = "names::word")]
    pub evidence: Evidence,
    /// Null where nobody holds one.
    pub time_wait: Option<Waiting>,
    /// Null where no FIN was seen.
    pub half_close: Option<HalfClose>,
    /// Payload bytes sent and not acked.
    pub lost: Sides<Option<u64>>,
    /// How much was tracked.
    #[serde(default)]
    pub level: Level,
    /// Payload bytes sent; modulo `bytes_modulo` where that is not null.
    pub bytes: Sides<Option<u64>>,
    /// 2^32 where nobody saw how often sequence numbers went round; else null.
    #[serde(default)]
    pub bytes_modulo: Option<u64>,
    /// Segments on the wire.
    pub segments: Sides<Option<u64>>,
    /// Segments with payload, SYN or FIN that were wholly sent before.
    pub retransmits: Sides<Option<u64>>,
    /// First to last segment.
    pub duration_seconds: Option<f64>,
    /// First segment.
    pub started_at: Timestamp,
    /// When the ending was decided: by a timer, that is after the last segment.
    pub ended_at: Timestamp,
    /// How good the view was.
    pub seen: Seen,
    /// Whose connection it was; null while no one joins the two.
    pub process: Option<Process>,
    /// As Zeek would put it.
    pub zeek: Option<Zeek>,
    /// The same connection was reported before.
    pub repeated: bool,
    /// The rule of the policy by which it is no news; null for what is.
    pub benign: Option<String>,
    /// As an IPFIX exporter would put it.
    pub ipfix: Ipfix,
    /// As Wireshark would put it.
    pub wireshark: Option<Wireshark>,
}

/// Who waits; in captures also how that went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Who holds TIME_WAIT.
    #[serde(with = "names::word")]
    pub holder: Holder,
    /// Since when.
    pub entered_at: Timestamp,
    /// The rest of the story, folded in where it is known (captures).
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub sequel: Option<Folded>,
}

/// What a `time_wait` object says, folded into its ending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Folded {
    /// How the TIME_WAIT ended.
    #[serde(with = "names::word")]
    pub sequel: Sequel,
    /// Times it started anew.
    pub restarts: u64,
    /// When it was over.
    pub left_at: Timestamp,
    /// What came back first to the last SYN that it met; null if it met none.
    #[serde(with = "names::word_or_null", default)]
    pub answer: Option<Answer>,
}

/// The accounts of a close.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HalfClose {
    /// Who closed first; `both` if the FINs crossed.
    #[serde(with = "names::word")]
    pub first_fin: By,
    /// First FIN to the ack that covers it.
    pub fin_to_ack_seconds: Option<f64>,
    /// First FIN to the other end's FIN.
    pub fin_to_fin_seconds: Option<f64>,
    /// New payload after the first FIN.
    pub bytes_after_fin: Sides<u64>,
    /// Segments after the first FIN.
    pub segments_after_fin: Sides<u64>,
}

impl HalfClose {
    /// Of a slot; `None` if no FIN was seen.
    pub fn of(slot: &Slot) -> Option<Self> {
        let facts::HalfClose {
            first_fin,
            fin_to_ack,
            fin_to_fin,
            bytes_after_fin,
            segments_after_fin,
        } = facts::half_close(slot)?;
        Some(Self {
            first_fin: first_fin.map_or(By::Both, |side| role(slot, side)),
            fin_to_ack_seconds: fin_to_ack.nanoseconds().map(seconds),
            fin_to_fin_seconds: fin_to_fin.nanoseconds().map(seconds),
            bytes_after_fin: Sides::of(slot, |side| bytes_after_fin[side]),
            segments_after_fin: Sides::of(slot, |side| u64::from(segments_after_fin[side])),
        })
    }
}

/// Originator or responder.
pub fn role(slot: &Slot, side: usize) -> By {
    if side & 1 == slot.state().originator() & 1 {
        By::Originator
    } else {
        By::Responder
    }
}

/// How good the view of a connection was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// First met after its handshake: the roles may be a guess.
    pub midstream: bool,
    /// One end acked what was never seen.
    pub one_sided: bool,
    /// Segments were missed.
    pub gaps: bool,
    /// Others like it were left out on purpose.
    pub sampled: bool,
    /// The observer had to drop it.
    pub evicted: bool,
}

impl Seen {
    /// Of a slot.
    pub fn of(slot: &Slot) -> Self {
        let state = slot.state();
        Self {
            midstream: state.is(fact::MIDSTREAM),
            one_sided: state.is(fact::ONE_SIDED),
            gaps: state.any(fact::GAPS | fact::HOLES),
            sampled: state.is(fact::SAMPLED),
            evicted: facts::outcome(slot)
                .is_some_and(|outcome| outcome.ending == taxonomy::Ending::Evicted),
        }
    }
}

/// Whose connection it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Its command name.
    pub command: String,
    /// Its container, if it runs in one.
    pub container: Option<String>,
    /// How sure this is.
    pub grade: String,
}

impl Ending {
    /// Of a record of the ring; `None` if its connection has no ending.
    pub fn from_record(record: &Record, epoch: u16, clock: &Clock) -> Option<Self> {
        let slot = &record.copy;
        let outcome = facts::outcome(slot)?;
        let Sides {
            originator,
            responder,
        } = Address::of(slot);
        let ended_at = clock.at(slot.cold.turned_at);
        Some(Self {
            schema: SCHEMA,
            kind: Kind::Ending,
            id: Id {
                epoch,
                slot: record.slot,
                generation: slot.state().generation(),
            },
            originator,
            responder,
            ending: outcome.ending,
            by: outcome.by,
            phase: Some(outcome.phase),
            verdict: outcome.verdict,
            cause: outcome.cause,
            kernel_reason: None,
            evidence: outcome.evidence,
            time_wait: (outcome.holder != Holder::None).then_some(Waiting {
                holder: outcome.holder,
                entered_at: ended_at,
                sequel: None,
            }),
            half_close: HalfClose::of(slot),
            lost: Sides::of(slot, |side| facts::lost(slot, side)),
            level: Level::Full,
            bytes: Sides::of(slot, |side| Some(facts::bytes(slot, side))),
            bytes_modulo: None,
            segments: segments(slot),
            retransmits: retransmits(slot),
            duration_seconds: Some(seconds(facts::duration(slot, record.time))),
            started_at: clock.at(slot.cold.started_at),
            ended_at,
            seen: Seen::of(slot),
            process: None,
            zeek: Zeek::of(slot),
            repeated: record.repeated != 0,
            benign: None,
            ipfix: Ipfix::of(outcome.ending),
            wireshark: Wireshark::of(slot),
        })
    }

    /// The same at the level `closing`, of the slot that it is of: what nobody saw
    /// is null.
    #[must_use]
    pub fn at_closing(mut self, slot: &Slot) -> Self {
        self.level = Level::Closing;
        self.bytes = Sides::of(slot, |side| facts::closing::bytes(slot, side));
        if !facts::closing::was_left_alone(slot) {
            return self;
        }
        self.bytes_modulo = Some(1 << 32);
        self.phase = facts::outcome(slot).and_then(|found| facts::closing::phase(slot, &found));
        let none = Sides::of(slot, |_| None);
        self.lost = none;
        self.segments = none;
        self.retransmits = none;
        if !facts::by_segment(self.ending) {
            self.duration_seconds = None;
        }
        if let Some(zeek) = &mut self.zeek {
            zeek.history = None;
        }
        self.wireshark = None;
        self
    }

    /// Folds the end of its TIME_WAIT in.
    pub fn fold(&mut self, end: &super::TimeWait) {
        if let Some(waiting) = &mut self.time_wait {
            waiting.sequel = Some(Folded {
                sequel: end.sequel,
                restarts: end.restarts,
                left_at: end.left_at,
                answer: end.answer,
            });
        }
    }

    /// Who holds TIME_WAIT.
    pub fn holder(&self) -> Holder {
        self.time_wait
            .as_ref()
            .map_or(Holder::None, |waiting| waiting.holder)
    }
}

/// Segments on the wire, per end.
pub fn segments(slot: &Slot) -> Sides<Option<u64>> {
    Sides::of(slot, |side| Some(slot.hot.half[side].segments.into()))
}

/// Retransmitted segments, per end.
pub fn retransmits(slot: &Slot) -> Sides<Option<u64>> {
    Sides::of(slot, |side| Some(slot.cold.half[side].retransmits.into()))
}
