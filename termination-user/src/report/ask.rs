//! What is asked over the control socket: one line of JSON, one connection a
//! question; the answer is JSON Lines until the end.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};
use termination_common::facts::EndState;

use super::{
    connection::{Connection, State},
    names,
    value::as_text,
};
use serde::{Deserializer, Serializer};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// One `stats`.
    Stats,
    /// A `connection` for each that lives, and for those that linger if the
    /// filter wants them.
    Connections(Filter),
    /// A `connection` for each in TIME_WAIT.
    TimeWait,
    /// A `time_waits`, and a `time_wait_group` for each pair of addresses,
    /// service and holder, the largest first.
    TimeWaits {
        /// At most so many groups.
        #[serde(default)]
        limit: Option<u64>,
        /// Rates are over so many seconds.
        #[serde(default)]
        window: Option<u64>,
    },
    /// An `ending`, `time_wait` or `event` each.
    Events {
        /// Go on with what happens from now on; else give what is remembered
        /// and end.
        #[serde(default)]
        follow: bool,
        /// End after this many: the last ones remembered, or the next ones.
        #[serde(default)]
        count: Option<u64>,
        /// With `follow`: begin with what is remembered.
        #[serde(default)]
        recent: bool,
    },
    /// A `guards`, and an `event` for each of the last RSTs that were dropped or
    /// would have been.
    Guards {
        /// At most so many events.
        count: u64,
    },
    /// Read the policy file again: one `done`, or an `error`, and then the old
    /// policy stays.
    Reload,
    /// Stop observing: one `done`, after what lived has ended as `shutdown`
    /// and nothing is attached any more.
    Detach,
}

/// Which connections; all conditions hold together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// The connection's state or that of one of its ends.
    pub state: Option<StateName>,
    /// Either end has such an address.
    pub address: Option<Prefix>,
    /// Either end has this port.
    pub port: Option<u16>,
    /// Those that have ended and linger, too.
    pub ended: bool,
    /// At most so many.
    pub limit: Option<u64>,
}

impl Filter {
    /// `connection` is wanted (the limit aside).
    pub fn matches(&self, connection: &Connection) -> bool {
        let Self {
            state,
            address,
            port,
            ended,
            limit: _,
        } = self;
        let ends = [connection.originator, connection.responder];
        let gone = matches!(connection.state, State::Ended | State::TimeWait);
        let named = match state {
            // A state that only ended connections have asks for them.
            Some(state) => state.matches(connection) && (!gone || *ended || state.is_of_ended()),
            None => !gone || *ended,
        };
        named
            && address.is_none_or(|prefix| ends.iter().any(|end| prefix.contains(end.ip)))
            && port.is_none_or(|port| ends.iter().any(|end| end.port == port))
    }
}

/// A state of a connection or of an end, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateName(&'static str);

impl StateName {
    fn all() -> impl Iterator<Item = &'static str> {
        let ends = EndState::ALL.iter().map(|state| state.name());
        State::ALL
            .iter()
            .map(|&(_, name)| name)
            .chain(ends.filter(|name| !State::ALL.iter().any(|(_, known)| known == name)))
    }

    fn matches(self, connection: &Connection) -> bool {
        let end = |state: Option<EndState>| state.is_some_and(|state| state.name() == self.0);
        connection.state.name() == self.0
            || end(connection.states.originator)
            || end(connection.states.responder)
    }

    fn is_of_ended(self) -> bool {
        [
            State::Ended.name(),
            State::TimeWait.name(),
            EndState::Closed.name(),
        ]
        .contains(&self.0)
    }
}

impl fmt::Display for StateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The text is no state.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no state is called {0:?}; known: {known}", known = names::list(StateName::all()))]
pub struct StateError(String);

impl FromStr for StateName {
    type Err = StateError;

    fn from_str(text: &str) -> Result<Self, StateError> {
        // As in the kernel's tools: case and the kind of dash do not matter.
        let wanted = text.to_ascii_lowercase().replace('-', "_");
        Self::all()
            .find(|&name| name == wanted)
            .map(Self)
            .ok_or_else(|| StateError(text.to_owned()))
    }
}

/// An address, or all that begin alike: `10.0.0.0/8`, `2001:db8::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    address: IpAddr,
    length: u8,
}

impl Prefix {
    /// The address, with all its bits.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many of its bits count.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// The same prefix without the bits beyond its length.
    pub fn cut(self) -> Self {
        let Self { address, length } = self;
        let address = match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0);
                IpAddr::V4((address.to_bits() & mask).into())
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
                IpAddr::V6((address.to_bits() & mask).into())
            }
        };
        Self { address, length }
    }

    /// `address` begins with this prefix. The families never mix.
    pub const fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.leading_zeros() >= self.length as u32
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let differ = own.to_bits() ^ other.to_bits();
                differ.leading_zeros() >= self.length as u32
            }
            _ => false,
        }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

/// The text is neither address nor prefix.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// What should be an address is none.
    #[error("{0:?} is no IP address; expected one as 10.0.0.1, 10.0.0.0/8 or 2001:db8::/32")]
    Address(String),
    /// The length does not fit the family.
    #[error("/{length} is no prefix length of {address}: it goes from 0 to {most}")]
    Length {
        /// As given.
        length: String,
        /// The address before it.
        address: IpAddr,
        /// Bits of such an address.
        most: u8,
    },
}

impl FromStr for Prefix {
    type Err = PrefixError;

    fn from_str(text: &str) -> Result<Self, PrefixError> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text, None),
        };
        let address: IpAddr = address
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .map_err(|_| PrefixError::Address(text.to_owned()))?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let length = match length {
            None => most,
            Some(text) => match text.parse() {
                Ok(length) if length <= most => length,
                _ => {
                    let length = text.to_owned();
                    return Err(PrefixError::Length {
                        length,
                        address,
                        most,
                    });
                }
            },
        };
        Ok(Self { address, length })
    }
}

use super::names::from_text;
as_text!(StateName, Prefix);
