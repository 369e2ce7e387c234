//! The values that reports are made of: ends, addresses, ids, times.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
    time::{SystemTime, UNIX_EPOCH},
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
        } = *self;
        // As `{epoch:04x}-{slot:06x}-{generation:04x}`, which costs as much as the
        // rest of an ending's numbers together.
        let mut text = [b'-'; 26];
        let mut start = hexadecimal(&mut text, generation, 4);
        start = hexadecimal(&mut text[..start - 1], slot, 6);
        start = hexadecimal(&mut text[..start - 1], u32::from(epoch), 4);
        f.write_str(ascii(&text[start..])?)
    }
}

/// Writes `value` to the end of `to`, with at least so many digits. Where it begins.
fn hexadecimal(to: &mut [u8], mut value: u32, least: usize) -> usize {
    let mut start = to.len();
    while value > 0 || to.len() - start < least {
        start -= 1;
        to[start] = b"0123456789abcdef"[(value & 0xf) as usize];
        value >>= 4;
    }
    start
}

/// Writes `value` in decimal with as many digits as there is room for.
fn decimal(to: &mut [u8], mut value: u64) {
    for digit in to.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

fn ascii(text: &[u8]) -> Result<&str, fmt::Error> {
    str::from_utf8(text).map_err(|_| fmt::Error)
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

/// RFC 3339 in UTC with nine decimals. 2^64 ns end in 2554, so a year has four
/// digits.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanoseconds) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        let (year, month, day) = date(seconds / 86_400);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        decimal(&mut text[0..4], year);
        decimal(&mut text[5..7], month);
        decimal(&mut text[8..10], day);
        decimal(&mut text[11..13], seconds / 3600 % 24);
        decimal(&mut text[14..16], seconds / 60 % 60);
        decimal(&mut text[17..19], seconds % 60);
        decimal(&mut text[20..29], nanoseconds);
        f.write_str(ascii(&text)?)
    }
}

/// Year, month and day in the Gregorian calendar, so many days after 1970-01-01. By
/// hand since each line has three of them; H. Hinnant, "chrono-compatible low-level
/// date algorithms", `civil_from_days`: years begin in March, so that the leap day
/// is their last, and are counted in eras of 400.
const fn date(days: u64) -> (u64, u64, u64) {
    const ERA: u64 = 146_097;
    let days = days + 719_468;
    let day = days % ERA;
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let january = (month <= 2) as u64;
    (days / ERA * 400 + year + january, month, day)
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
    /// [`crate::control::timers::clock::offset`] measured. Offline: 0, since captures
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn as_humantime(time: Timestamp) -> String {
        let time = UNIX_EPOCH + Duration::from_nanos(time.0);
        humantime::format_rfc3339_nanos(time).to_string()
    }

    proptest! {
        #[test]
        fn an_id_is_three_hexadecimal_numbers(
            epoch: u16, slot: u32, generation: u32, shift in 0_u32..32,
        ) {
            let (slot, generation) = (slot >> shift, generation >> (31 - shift));
            let id = Id { epoch, slot, generation };
            let expected = format!("{epoch:04x}-{slot:06x}-{generation:04x}");
            prop_assert_eq!(id.to_string(), expected);
        }

        #[test]
        fn a_moment_is_as_humantime_writes_it(time: u64) {
            let time = Timestamp(time);
            prop_assert_eq!(time.to_string(), as_humantime(time));
        }
    }

    #[test]
    fn so_is_each_day() {
        const DAY: u64 = 86_400_000_000_000;
        for day in 0..u64::MAX / DAY {
            for time in [day * DAY, day * DAY + DAY - 1].map(Timestamp) {
                assert_eq!(time.to_string(), as_humantime(time));
            }
        }
    }
}
