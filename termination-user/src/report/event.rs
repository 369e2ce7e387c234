//! `"type":"event"`: what is worth a line and is no ending.

use serde::{Deserialize, Serialize};
use termination_common::{
    counters,
    engine::guard::Guarded,
    exchange::Record,
    facts::{self, EndState},
    taxonomy::{By, Verdict},
};

use super::{
    Kind, SCHEMA,
    ending::role,
    names,
    value::{Address, Clock, Id, Sides, Timestamp},
};

/// An event. The connection goes on, or had ended before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// [`SCHEMA`].
    pub schema: u32,
    /// [`Kind::Event`].
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What happened.
    #[serde(with = "names::word")]
    pub event: counters::Event,
    /// To which connection.
    pub id: Id,
    /// Who opened it.
    pub originator: Address,
    /// The other end.
    pub responder: Address,
    /// Whose segment it was: `originator` or `responder`. Of `rst_rejected`,
    /// that of the RST; of `half_open_suspected`, the end that asked and got no
    /// answer.
    #[serde(with = "names::word")]
    pub by: By,
    /// On the RST, of `rst_rejected` and `rst_guarded`.
    #[serde(with = "names::word_or_null")]
    pub verdict: Option<Verdict>,
    /// What became of the RST, of `rst_guarded`.
    #[serde(with = "names::word_or_null")]
    pub guarded: Option<Guarded>,
    /// Where the ends stand after it.
    #[serde(with = "names::words")]
    pub states: Sides<Option<EndState>>,
    /// When.
    pub at: Timestamp,
    /// The same was reported before.
    pub repeated: bool,
}

impl Event {
    /// Of a record of the ring; `None` if its number is no event's.
    pub fn from_record(record: &Record, epoch: u16, clock: &Clock) -> Option<Self> {
        let slot = &record.copy;
        let event = counters::Event::from_number(record.event)?;
        let Sides {
            originator,
            responder,
        } = Address::of(slot);
        Some(Self {
            schema: SCHEMA,
            kind: Kind::Event,
            event,
            id: Id {
                epoch,
                slot: record.slot,
                generation: slot.state().generation(),
            },
            originator,
            responder,
            by: match event {
                // The segment is the ack; the one who has closed is meant.
                counters::Event::HalfClosed => role(slot, slot.state().first_fin()),
                _ => role(slot, usize::from(record.side)),
            },
            verdict: match event {
                counters::Event::RstRejected | counters::Event::RstGuarded => {
                    Verdict::from_number(record.detail & 0xf)
                }
                _ => None,
            },
            guarded: match event {
                counters::Event::RstGuarded => Guarded::from_number(record.detail >> 4),
                _ => None,
            },
            states: Sides::of(slot, |side| facts::end_state(slot, side)),
            at: clock.at(record.time),
            repeated: record.repeated != 0,
        })
    }
}
