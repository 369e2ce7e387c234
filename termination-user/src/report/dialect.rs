//! The same ending in the words of other systems.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use termination_common::{slot::Slot, taxonomy::Ending, zeek};

/// Zeek's conn.log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zeek {
    /// `conn_state`.
    pub conn_state: Cow<'static, str>,
    /// `history`; null where not every segment was seen.
    pub history: Option<String>,
}

impl Zeek {
    /// Of a slot.
    pub fn of(slot: &Slot) -> Option<Self> {
        Some(Self {
            conn_state: zeek::conn_state(slot).into(),
            history: Some(zeek::history(slot).to_string()),
        })
    }
}

/// IPFIX (RFC 7011).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ipfix {
    /// Information element 136, flowEndReason (RFC 5102 5.11.3): 1 idle
    /// timeout, 2 active timeout (never here), 3 end of flow detected,
    /// 4 forced end, 5 lack of resources.
    pub flow_end_reason: u8,
}

impl Ipfix {
    const IDLE_TIMEOUT: u8 = 1;
    const END_OF_FLOW: u8 = 3;
    const FORCED_END: u8 = 4;
    const LACK_OF_RESOURCES: u8 = 5;

    /// Of an ending.
    pub const fn of(ending: Ending) -> Self {
        let flow_end_reason = match ending {
            Ending::Refused
            | Ending::Cancelled
            | Ending::HandshakeReset
            | Ending::HandshakeAborted
            | Ending::Graceful
            | Ending::GracefulHalfClose
            | Ending::GracefulSimultaneous
            | Ending::Reset
            | Ending::ResetAfterOwnFin
            | Ending::ResetAfterPeerFin
            | Ending::HalfOpenDiscoveredBySyn
            | Ending::HalfOpenDiscoveredByData
            | Ending::Superseded => Self::END_OF_FLOW,
            Ending::Unanswered
            | Ending::HandshakeUnacked
            | Ending::GracefulUnconfirmed
            | Ending::HalfOpenSilent
            | Ending::HalfClosedAbandoned
            | Ending::FinUnanswered
            | Ending::IdleExpired => Self::IDLE_TIMEOUT,
            Ending::Shutdown => Self::FORCED_END,
            Ending::Evicted => Self::LACK_OF_RESOURCES,
        };
        Self { flow_end_reason }
    }
}

/// Wireshark's TCP analysis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wireshark {
    /// `tcp.completeness`: SYN 1, SYN-ACK 2, ACK 4, DATA 8, FIN 16, RST 32.
    pub completeness: u8,
}

impl Wireshark {
    /// Of a slot.
    pub fn of(slot: &Slot) -> Option<Self> {
        let completeness = zeek::completeness(slot);
        Some(Self { completeness })
    }
}
