//! `"type":"time_wait"`: how a TIME_WAIT ended.

use serde::{Deserialize, Serialize};
use termination_common::{
    exchange::Record,
    facts,
    taxonomy::{Answer, Holder, Outcome, Sequel},
};

use super::{
    Kind, SCHEMA, names,
    value::{Address, Clock, Id, Sides, Timestamp},
};

/// A TIME_WAIT that is over; its connection's ending came before, with the
/// same id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeWait {
    /// [`SCHEMA`].
    pub schema: u32,
    /// [`Kind::TimeWait`].
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Which connection.
    pub id: Id,
    /// How it ended.
    #[serde(with = "names::word")]
    pub sequel: Sequel,
    /// Times it started anew, at least where both ends held it.
    pub restarts: u64,
    /// When it was over.
    pub left_at: Timestamp,
    /// Those by a retransmitted FIN; null where both ends held it.
    pub fin_restarts: Option<u64>,
    /// Who held it.
    #[serde(with = "names::word")]
    pub holder: Holder,
    /// Who opened the connection.
    pub originator: Address,
    /// The other end.
    pub responder: Address,
    /// What came back first to the last SYN that it met; null if it met none.
    /// Of `reused_early`: how the holder took what no rule allows.
    #[serde(with = "names::word_or_null", default)]
    pub answer: Option<Answer>,
    /// The same was reported before.
    pub repeated: bool,
}

impl TimeWait {
    /// Of a record of the ring; `None` if it names no sequel.
    pub fn from_record(record: &Record, epoch: u16, clock: &Clock) -> Option<Self> {
        let slot = &record.copy;
        let Sides {
            originator,
            responder,
        } = Address::of(slot);
        let restarts = facts::restarts(slot);
        Some(Self {
            schema: SCHEMA,
            kind: Kind::TimeWait,
            id: Id {
                epoch,
                slot: record.slot,
                generation: slot.state().generation(),
            },
            sequel: Sequel::from_number(record.detail)?,
            restarts: u64::from(restarts.all),
            fin_restarts: restarts.by_fin.map(u64::from),
            left_at: clock.at(record.time),
            holder: Holder::from_number(Outcome::packed_holder(slot.cold.outcome))?,
            originator,
            responder,
            answer: facts::answer(slot),
            repeated: record.repeated != 0,
        })
    }
}
