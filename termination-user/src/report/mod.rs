//! What is said about connections: the objects of the JSON, and their tables.
//!
//! Each object is one line of JSON Lines with `schema` and `type`
//! ([`Kind`]). Names and values are those of the taxonomy; what is unknown is
//! `null`; what belongs to a direction is `{"originator":…,"responder":…}`;
//! times are RFC 3339 in UTC with nanoseconds; durations are seconds.
//!
//! | module | what |
//! |---|---|
//! | [`ending`], [`time_wait`], [`event`] | made of the records of the ring |
//! | [`connection`] | made of a slot of the table |
//! | [`waits`] | made of the table: TIME_WAITs in groups, and a forecast |
//! | [`guards`] | made of the counters: RSTs that were dropped |
//! | [`stats`], [`room`] | made of the counters and the gauges of one sweep; room for them |
//! | [`mod@line`] | an object as a line of JSON |
//! | [`ask`] | what is asked over the control socket |
//! | [`table`] | the same objects for people, pure functions to text |
//! | [`zeek_log`] | the same endings in the columns of Zeek's conn.log |

pub mod ask;
pub mod connection;
pub mod dialect;
pub mod ending;
pub mod event;
pub mod guards;
pub mod line;
pub mod names;
pub mod room;
pub mod stats;
pub mod table;
pub mod time_wait;
pub mod value;
pub mod waits;
pub mod zeek_log;

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use termination_common::{counters, exchange::Record};

pub use ask::{Ask, Filter};
pub use connection::Connection;
pub use ending::Ending;
pub use event::Event;
pub use guards::Guards;
pub use room::Room;
pub use stats::{Gauges, Stats};
pub use time_wait::TimeWait;
pub use value::{Address, Clock, Id, Level, Sides, Timestamp};
pub use waits::{Group, Waits};

/// Version of the JSON: moves when a field changes its meaning or goes away.
/// New fields come without a new number.
pub const SCHEMA: u32 = 1;

/// The `type` of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// [`Ending`]: a connection ended.
    Ending,
    /// [`TimeWait`]: a TIME_WAIT ended.
    TimeWait,
    /// [`Event`]: something else worth a line.
    Event,
    /// [`Connection`]: a connection as it is now.
    Connection,
    /// [`Waits`]: who holds TIME_WAIT, in sums.
    TimeWaits,
    /// [`Group`]: those of one pair of addresses and service.
    TimeWaitGroup,
    /// [`Stats`]: all counters.
    Stats,
    /// [`Guards`]: what the guards did.
    Guards,
    /// [`Lost`]: here events are missing.
    Lost,
    /// [`Message`]: it was done.
    Done,
    /// [`Message`]: it could not be done.
    Error,
}

/// An answer in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// [`SCHEMA`].
    pub schema: u32,
    /// [`Kind::Done`] or [`Kind::Error`].
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What was done, or what failed, where, and what to do about it.
    pub message: String,
}

impl Message {
    /// It was done.
    pub fn done(message: impl Into<String>) -> Self {
        Self {
            schema: SCHEMA,
            kind: Kind::Done,
            message: message.into(),
        }
    }

    /// It could not be done.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            schema: SCHEMA,
            kind: Kind::Error,
            message: message.into(),
        }
    }
}

/// In the place of events that a follower was too slow for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// [`SCHEMA`].
    pub schema: u32,
    /// [`Kind::Lost`].
    #[serde(rename = "type")]
    pub kind: Kind,
    /// So many.
    pub count: u64,
}

/// Any object, as read back from a line.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Report {
    /// A connection ended.
    Ending(Ending),
    /// A TIME_WAIT ended.
    TimeWait(TimeWait),
    /// Something else worth a line.
    Event(Event),
    /// A connection as it is now.
    Connection(Connection),
    /// Who holds TIME_WAIT, in sums.
    TimeWaits(Waits),
    /// Those of one pair of addresses and service.
    TimeWaitGroup(Group),
    /// All counters.
    Stats(Stats),
    /// What the guards did.
    Guards(Guards),
    /// Here events are missing.
    Lost(Lost),
    /// It was done, or not.
    Message(Message),
}

/// A line that is no report.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Not the JSON of a report.
    #[error(
        "cannot read a report ({error}); is the controller of the same version as this program? The line: {line}"
    )]
    Json {
        /// What serde_json says.
        error: serde_json::Error,
        /// The line, or its beginning.
        line: String,
    },
    /// A report from the future.
    #[error(
        "the report has schema {found} and this program knows {SCHEMA}: use the `termination` that the controller was started with"
    )]
    Schema {
        /// The schema of the line.
        found: u32,
    },
}

impl Report {
    /// The report that a record of the ring is about: an ending, the end of a
    /// TIME_WAIT or an event. `None` for a record that makes no sense.
    pub fn from_record(record: &Record, epoch: u16, clock: &Clock) -> Option<Self> {
        Some(match counters::Event::from_number(record.event)? {
            counters::Event::Ending => Self::Ending(Ending::from_record(record, epoch, clock)?),
            counters::Event::TimeWait => {
                Self::TimeWait(TimeWait::from_record(record, epoch, clock)?)
            }
            _ => Self::Event(Event::from_record(record, epoch, clock)?),
        })
    }

    /// Reads one line.
    ///
    /// # Errors
    /// The line is no JSON, lacks fields, or has another schema.
    pub fn parse(line: &str) -> Result<Self, ParseError> {
        /// What every report begins with.
        #[derive(Deserialize)]
        struct Head {
            schema: u32,
            #[serde(rename = "type")]
            kind: Kind,
        }
        /// Enough of a line to recognise it by.
        const SHOWN: usize = 200;
        let json = |error| ParseError::Json {
            error,
            line: line.chars().take(SHOWN).collect(),
        };
        let head: Head = serde_json::from_str(line).map_err(json)?;
        if head.schema != SCHEMA {
            return Err(ParseError::Schema { found: head.schema });
        }
        match head.kind {
            Kind::Ending => serde_json::from_str(line).map(Self::Ending),
            Kind::TimeWait => serde_json::from_str(line).map(Self::TimeWait),
            Kind::Event => serde_json::from_str(line).map(Self::Event),
            Kind::Connection => serde_json::from_str(line).map(Self::Connection),
            Kind::TimeWaits => serde_json::from_str(line).map(Self::TimeWaits),
            Kind::TimeWaitGroup => serde_json::from_str(line).map(Self::TimeWaitGroup),
            Kind::Stats => serde_json::from_str(line).map(Self::Stats),
            Kind::Guards => serde_json::from_str(line).map(Self::Guards),
            Kind::Lost => serde_json::from_str(line).map(Self::Lost),
            Kind::Done | Kind::Error => serde_json::from_str(line).map(Self::Message),
        }
        .map_err(json)
    }
}
