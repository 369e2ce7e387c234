//! Why an RST was sent, as far as the wire tells. Linux sends three shapes,
//! always told apart: active (RST+ACK at SND.NXT), passive to a segment with
//! ACK (no ACK bit, seq = that ack), passive to one without (RST+ACK, seq 0)
//! (net/ipv4/tcp_output.c tcp_send_active_reset, tcp_ipv4.c tcp_v4_send_reset).

use crate::{
    segment::{Segment, mark},
    serial::after,
    slot::bit,
    state::fact,
    taxonomy::{Cause, Ending, Verdict},
};

use super::{Flow, reset::only_syn_acks};

/// What caused an RST by `x`. `None` where the wire says nothing.
#[inline(always)]
pub fn of_reset(
    flow: &mut Flow<'_>,
    segment: &Segment,
    ending: Ending,
    verdict: Verdict,
) -> Option<Cause> {
    let x = segment.side();
    let y = x ^ 1;
    let (mine, other) = (flow.half[x & 1], flow.half[y & 1]);
    if segment.has(mark::MPTCP) {
        return Some(Cause::Mptcp);
    }
    if segment.flags.ack() {
        if matches!(ending, Ending::Refused) {
            return Some(Cause::NoListener);
        }
        if segment.seq == 0 && segment.window == 0 {
            // Passive, to a segment without ACK: y has started over, where x had
            // a handshake, or had closed and keeps no socket (tcp_minisocks.c
            // tcp_check_req, tcp_timewait_state_process).
            let answers = matches!(verdict, Verdict::SynSentOk);
            return answers.then_some(Cause::InvalidSyn);
        }
        // Probes of a closed window are given up without a word (RFC 9293
        // 3.8.6.1): an RST after these is somebody's decision.
        return if mine.is(bit::PROBED) && other.window != 0 {
            Some(Cause::KeepaliveTimeout)
        } else {
            Some(Cause::ActiveAbort)
        };
    }
    // Passive, to a segment with ACK.
    match ending {
        // The SYN-ACK, seen or not, acked the SYN as it should: the RST's host has no
        // socket.
        Ending::HandshakeReset | Ending::Cancelled if segment.seq == mine.sent => {
            Some(Cause::NoConnection)
        }
        Ending::HandshakeReset | Ending::Cancelled => Some(Cause::BadAck),
        Ending::HandshakeAborted | Ending::Refused => {
            // It acked the SYN-ACK as it should: the RST begins where that ends.
            if only_syn_acks(flow, x) && segment.seq == mine.sent {
                Some(Cause::HandshakeRejected)
            } else {
                Some(Cause::BadAck)
            }
        }
        _ if mine.is(bit::FIN) => after_own_fin(flow, segment),
        _ => Some(Cause::NoConnection),
    }
}

/// What a passive RST to a segment with ACK answers, if its sender has closed.
///
/// New payload, if y has sent some that x has not acked: an end that has closed
/// acks no more, and n segments draw n such RSTs. Without payload: a FIN of x
/// that was never acked would still be in somebody's memory (FIN_WAIT_1,
/// CLOSING, LAST_ACK), so x has none. With its FIN acked, the peer's FIN in
/// reply to that should have been met by TIME_WAIT. Anything else is not told
/// apart: an ACK of the FIN where nobody waits for more (TCP_LINGER2 below 0),
/// FIN_WAIT_2 given up, an RST that was made up.
#[inline(always)]
fn after_own_fin(flow: &mut Flow<'_>, segment: &Segment) -> Option<Cause> {
    let x = segment.side();
    let y = x ^ 1;
    let (mine, other) = (flow.half[x & 1], flow.half[y & 1]);
    let fin = flow.cold_half(x).fin;
    let last = other.sent.wrapping_sub(u32::from(other.is(bit::FIN)));
    if !other.is(bit::SEEN) || !mine.is(bit::ACK) {
        // What y has sent is not known.
        None
    } else if after(last, mine.acked) {
        Some(Cause::DataAfterClose)
    } else if !mine.is(bit::FIN_ACKED) {
        Some(Cause::NoConnection)
    } else if other.is(bit::FIN)
        && !flow.state.is(fact::SIMULTANEOUS)
        && segment.seq == fin.wrapping_add(1)
    {
        // x closed first: had it closed in reply, both FINs were acked.
        Some(Cause::TimeWaitMissing)
    } else {
        None
    }
}
