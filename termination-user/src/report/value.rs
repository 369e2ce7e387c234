//! The values that reports are made of: ends, addresses, ids, times.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use termination_common::{
    policy,
    slot::Slot,
    tuple::{Endpoint, Family},
};

use super::names::from_text;

/// Something of each end of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sides<T> {
    /// Of the end that opened the connection.
    pub originator: T,
    /// Of the other.
    pub responder: T,
}

impl<T> Sides<T> {
    /// What `of` says about each side of a slot, roles sorted out.
    pub fn of(slot: &Slot, of: impl Fn(usize) -> T) -> Self {
        let originator = slot.state().originator() & 1;
        Self {
            originator: of(originator),
            responder: of(originator ^ 1),
        }
    }

    /// The same of each end.
    pub fn map<U>(&self, with: impl Fn(&T) -> U) -> Sides<U> {
        Sides {
            originator: with(&self.originator),
            responder: with(&self.responder),
        }
    }
}

impl Sides<u64> {
    /// Both together.
    pub const fn sum(&self) -> u64 {
        self.originator.saturating_add(self.responder)
    }
}

impl Sides<Option<u64>> {
    /// Both together, if both are known.
    pub fn sum(&self) -> Option<u64> {
        Some(self.originator?.saturating_add(self.responder?))
    }
}

/// How much was tracked ([`termination_common::policy::Level`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Every segment.
    #[default]
    Full,
    /// Beginnings and ends.
    Closing,
}

impl From<policy::Level> for Level {
    fn from(level: policy::Level) -> Self {
        match level {
            policy::Level::Full => Self::Full,
            policy::Level::Closing => Self::Closing,
        }
    }
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// IP address.
    pub ip: IpAddr,
    /// TCP port.
    pub port: u16,
}

impl Address {
    /// From the form in the table.
    pub fn new(endpoint: Endpoint, family: Family) -> Self {
        let [high, low] = endpoint.address;
        let ip = match family {
            // IPv4 is held IPv4-mapped; its 32 bits are the lowest.
            Family::V4 => IpAddr::V4(Ipv4Addr::from_bits(low as u32)),
            Family::V6 => IpAddr::V6(Ipv6Addr::from_bits(
                u128::from(high) << 64 | u128::from(low),
            )),
        };
        Self {
            ip,
            port: endpoint.port,
        }
    }

    /// Both ends of a slot's connection.
    pub fn of(slot: &Slot) -> Sides<Self> {
        let tuple = &slot.cold.tuple;
        Sides::of(slot, |side| Self::new(tuple.endpoint(side), tuple.family()))
    }
}

/// `10.0.0.1:443`, `[2001:db8::1]:443`.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::net::SocketAddr::new(self.ip, self.port).fmt(f)
    }
}

/// Names one connection for as long as the table lives: epoch of the table,
/// slot, generation of the slot, in hexadecimal (`5f3a-000123-0007`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id {
    /// Drawn when the table was made; 0 for captures.
    pub epoch: u16,
    /// Index in the table.
    pub slot: u32,
    /// [`termination_common::state::Snapshot::generation`].
    pub generation: u32,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            epoch,
            slot,
            generation,
        } = self;
        write!(f, "{epoch:04x}-{slot:06x}-{generation:04x}")
    }
}

/// The text is not the id of a connection.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no connection id: expected three hexadecimal numbers as in 5f3a-000123-0007")]
pub struct IdError(String);

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut parts = text.splitn(3, '-');
        let mut part = || u32::from_str_radix(parts.next()?, 16).ok();
        let id = (|| {
            Some(Self {
                epoch: u16::try_from(part()?).ok()?,
                slot: part()?,
                generation: part()?,
            })
        })();
        id.ok_or_else(|| IdError(text.to_owned()))
    }
}

/// A moment: nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// `2026-01-02`, UTC.
    pub fn date(self) -> String {
        self.to_string().chars().take(10).collect()
    }

    /// `12:34:56`, UTC.
    pub fn clock(self) -> String {
        self.to_string().chars().skip(11).take(8).collect()
    }

    /// `1767312000.000001`: seconds since 1970 with microseconds, cut.
    pub fn unix(self) -> String {
        format!(
            "{}.{:06}",
            self.0 / 1_000_000_000,
            self.0 % 1_000_000_000 / 1000
        )
    }
}

/// RFC 3339 in UTC with nine decimals.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 2^64 ns end in 2554, well inside what the calendar can show.
        let time = UNIX_EPOCH + Duration::from_nanos(self.0);
        humantime::format_rfc3339_nanos(time).fmt(f)
    }
}

/// The text is not a time.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no time in RFC 3339 form between 1970 and 2554")]
pub struct TimestampError {
    text: String,
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        humantime::parse_rfc3339(text)
            .ok()
            .and_then(|time: SystemTime| time.duration_since(UNIX_EPOCH).ok())
            .and_then(|since| u64::try_from(since.as_nanos()).ok())
            .map(Self)
            .ok_or_else(|| TimestampError {
                text: text.to_owned(),
            })
    }
}

macro_rules! as_text {
    ($($name:ty),+) => { $(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from_text(from)
            }
        }
    )+ };
}
pub(super) use as_text;
as_text!(Id, Timestamp);

/// From the engine's clock to the calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Nanoseconds to add to the engine's time to get Unix time. Live: what
    /// [`crate::control::clock::offset`] measured. Offline: 0, since captures
    /// keep Unix time.
    pub offset_ns: i64,
}

impl Clock {
    /// The moment of an engine time in nanoseconds.
    pub const fn at(&self, nanoseconds: u64) -> Timestamp {
        Timestamp(nanoseconds.saturating_add_signed(self.offset_ns))
    }
}

/// Nanoseconds as seconds.
pub fn seconds(nanoseconds: u64) -> f64 {
    nanoseconds as f64 / 1e9
}
