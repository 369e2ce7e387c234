//! Why an RST was sent, as far as the wire tells. Linux sends three shapes,
//! always told apart: active (RST+ACK at SND.NXT), passive to a segment with
//! ACK (no ACK bit, seq = that ack), passive to one without (RST+ACK, seq 0)
//! (net/ipv4/tcp_output.c tcp_send_active_reset, tcp_ipv4.c tcp_v4_send_reset).

use crate::{
    segment::{Segment, mark},
    slot::bit,
    taxonomy::{Cause, Ending},
};

use super::{Flow, reset::only_syn_acks};

/// Who caused an RST by `x`. `None` where the wire says nothing.
#[inline(always)]
pub fn of_reset(flow: &mut Flow<'_>, segment: &Segment, ending: Ending) -> Option<Cause> {
    let x = segment.side();
    let y = x ^ 1;
    let (mine, other) = (flow.half[x & 1], flow.half[y & 1]);
    if segment.has(mark::MPTCP) {
        return Some(Cause::Mptcp);
    }
    if segment.flags.ack() {
        if segment.seq == 0 && segment.window == 0 {
            // Passive, to a segment without ACK.
            return match ending {
                Ending::Refused => Some(Cause::NoListener),
                Ending::HandshakeAborted => Some(Cause::InvalidSyn),
                _ => None,
            };
        }
        if matches!(ending, Ending::Refused) {
            return Some(Cause::NoListener);
        }
        return if mine.is(bit::PROBED) {
            Some(Cause::KeepaliveTimeout)
        } else {
            Some(Cause::ActiveAbort)
        };
    }
    // Passive, to a segment with ACK.
    match ending {
        // The SYN-ACK acked the SYN as it should: the RST's host has no socket.
        Ending::HandshakeReset if segment.seq == mine.sent => Some(Cause::NoConnection),
        Ending::HandshakeReset | Ending::Cancelled => Some(Cause::BadAck),
        Ending::HandshakeAborted | Ending::Refused => {
            if other.is(bit::ACK) && only_syn_acks(flow, x) && segment.seq == mine.sent {
                Some(Cause::HandshakeRejected)
            } else {
                Some(Cause::BadAck)
            }
        }
        _ if mine.is(bit::FIN) => {
            let fin_acked = mine.is(bit::FIN_ACKED);
            if other.is(bit::FIN) && fin_acked && flow.cold.bytes_after_fin == 0 {
                Some(Cause::TimeWaitMissing)
            } else if flow.cold.bytes_after_fin > 0 || !fin_acked {
                Some(Cause::DataAfterClose)
            } else {
                None
            }
        }
        _ => Some(Cause::NoConnection),
    }
}
