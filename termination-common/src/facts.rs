//! What a slot says about its connection: states, bytes, loss, durations.
//!
//! Pure derivations from the two halves, shared by the controller, the reports
//! and the dialects. Nothing here changes a slot.

use crate::{
    engine::pending,
    serial,
    slot::{Half, Hot, Slot, bit},
    state::{Life, Snapshot, fact},
    taxonomy::{Answer, Ending, Holder, Outcome, vocabulary},
    time::{Span, TICK_SHIFT, Tick, untick},
    tuple::Side,
};

pub mod closing;

vocabulary! {
    /// Where a live connection stands, both halves taken together.
    LiveState {
        /// SYN sent, no SYN-ACK.
        SynSent = 1, "syn_sent";
        /// SYN-ACK sent (or SYNs crossed), not both acked.
        SynReceived = 2, "syn_received";
        /// Open both ways.
        Established = 3, "established";
        /// One FIN.
        HalfClosed = 4, "half_closed";
        /// Two FINs.
        Closing = 5, "closing";
    }
}

vocabulary! {
    /// The state of one end (RFC 9293 3.3.2), as far as its segments show it.
    EndState {
        /// SYN sent; a SYN-ACK that may have reached it was not acked yet.
        SynSent = 1, "syn_sent";
        /// Its own SYN and the other's are known, its own is not acked.
        SynReceived = 2, "syn_received";
        /// Open.
        Established = 3, "established";
        /// Closed first, FIN not acked.
        FinWait1 = 4, "fin_wait_1";
        /// Closed first, FIN acked.
        FinWait2 = 5, "fin_wait_2";
        /// The FINs crossed; the own is not acked.
        Closing = 6, "closing";
        /// Holds TIME_WAIT.
        TimeWait = 7, "time_wait";
        /// Has acked the other's FIN, has not closed.
        CloseWait = 8, "close_wait";
        /// Closed second, FIN not acked.
        LastAck = 9, "last_ack";
        /// Gone.
        Closed = 10, "closed";
    }
}

/// State of a live connection. Of an ended one it is the state before.
pub fn live_state(hot: &Hot) -> LiveState {
    let [a, b] = [hot.half[0].bits, hot.half[1].bits];
    let state = Snapshot(hot.word);
    if a & b & bit::FIN != 0 {
        LiveState::Closing
    } else if (a | b) & bit::FIN != 0 {
        LiveState::HalfClosed
    } else if state.is(fact::ESTABLISHED) {
        LiveState::Established
    } else if hot.half[(state.originator() ^ 1) & 1].is(bit::SYN) {
        LiveState::SynReceived
    } else {
        LiveState::SynSent
    }
}

/// What the connection was decided to be; `None` while it lives.
pub fn outcome(slot: &Slot) -> Option<Outcome> {
    // A live slot may hold the outcome that a pending RST would mean.
    if slot.state().is_live() {
        return None;
    }
    Outcome::unpack(slot.cold.outcome)
}

/// State of one end; `None` where nothing shows it (a SYN's silent target).
///
/// After an ending by a timer or by the observer it is what was last known:
/// nobody saw these ends close.
pub fn end_state(slot: &Slot, side: Side) -> Option<EndState> {
    let decided = outcome(slot);
    match slot.state().life() {
        Life::TimeWait if holds(decided?.holder, side, slot.state()) => Some(EndState::TimeWait),
        Life::TimeWait => Some(EndState::Closed),
        Life::Free => None,
        Life::Ended if decided.is_some_and(|outcome| by_segment(outcome.ending)) => {
            Some(EndState::Closed)
        }
        Life::Live | Life::Ended => shown_state(slot, side),
    }
}

/// `side` is among the holders of TIME_WAIT.
const fn holds(holder: Holder, side: Side, state: Snapshot) -> bool {
    match holder {
        Holder::None => false,
        Holder::Both => true,
        Holder::Originator => side & 1 == state.originator(),
        Holder::Responder => side & 1 != state.originator(),
    }
}

/// State of one end from the two halves (RFC 9293 3.6).
fn shown_state(slot: &Slot, side: Side) -> Option<EndState> {
    let state = slot.state();
    let (own, other) = halves(slot, side);
    if own.is(bit::FIN) {
        let first = state.is(fact::SIMULTANEOUS) || state.first_fin() == side & 1;
        // A FIN of the other end counts as received once it was acked.
        let other_closed = other.is(bit::FIN_ACKED);
        return Some(match (first, own.is(bit::FIN_ACKED), other_closed) {
            (true, true, true) => EndState::TimeWait,
            (true, true, false) => EndState::FinWait2,
            (true, false, true) => EndState::Closing,
            (true, false, false) => EndState::FinWait1,
            (false, true, _) => EndState::Closed,
            (false, false, _) => EndState::LastAck,
        });
    }
    if other.is(bit::FIN_ACKED) {
        return Some(EndState::CloseWait);
    }
    if state.is(fact::ESTABLISHED) {
        return Some(EndState::Established);
    }
    match (own.is(bit::SYN), other.is(bit::SYN)) {
        (true, true) if own.is(bit::SYN_ACKED) => Some(EndState::SynSent),
        (true, true) => Some(EndState::SynReceived),
        (true, false) => Some(EndState::SynSent),
        (false, _) => None,
    }
}

/// The halves of `side` and of the other end.
fn halves(slot: &Slot, side: Side) -> (&Half, &Half) {
    (&slot.hot.half[side & 1], &slot.hot.half[(side ^ 1) & 1])
}

/// Payload bytes that `side` sent, each counted once, by sequence numbers:
/// exact over any number of wraps. 0 if the end was never seen.
pub fn bytes(slot: &Slot, side: Side) -> u64 {
    let (half, _) = halves(slot, side);
    let spoke = bit::SYN | bit::FIN | bit::DATA | bit::PURE_ACK;
    if !half.is(bit::SEEN) || half.bits & spoke == 0 {
        return 0;
    }
    // Wraps are counted from the ISN on: one of 2^32 - 1 starts with a wrap.
    let first = u64::from(slot.cold.half[side & 1].isn) + 1;
    let fin = u64::from(half.is(bit::FIN));
    let end = u64::from(half.wraps) << 32 | u64::from(half.sent);
    end.saturating_sub(first + fin)
}

/// Payload bytes that `side` sent and the other end has not acked; `None` if
/// that is not known.
pub fn lost(slot: &Slot, side: Side) -> Option<u64> {
    let state = slot.state();
    let (half, other) = halves(slot, side);
    let whole = !state.any(fact::MIDSTREAM | fact::ONE_SIDED);
    if !half.is(bit::SEEN) {
        return whole.then_some(0);
    }
    let sent = bytes(slot, side);
    if sent == 0 {
        return Some(0);
    }
    if !other.is(bit::SEEN | bit::ACK) {
        return whole.then_some(sent);
    }
    let unacked = u64::try_from(serial::distance(half.sent, other.acked)).unwrap_or(0);
    // An acked FIN leaves nothing unacked; where the SYN was not acked, all is lost.
    let fin = u64::from(half.is(bit::FIN));
    Some(unacked.saturating_sub(fin).min(sent))
}

/// How often a TIME_WAIT was started anew, and how often by a retransmitted
/// FIN; see [`restarts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarts {
    /// By any segment.
    pub all: u16,
    /// By a FIN; `None` where both ends hold TIME_WAIT: their accounts mix.
    pub by_fin: Option<u16>,
}

/// The restarts of a TIME_WAIT, as [`crate::engine::linger`] keeps them.
///
/// The holder's half counts all, the other one the FINs. Where both hold, each
/// counts the restarts of its own wait and its own FINs; the larger is then
/// the total, or below it if segments other than FINs came from both.
pub fn restarts(slot: &Slot) -> Restarts {
    let [a, b] = slot.hot.half.map(|half| half.window);
    let holder = Holder::from_number(Outcome::packed_holder(slot.cold.outcome));
    let of = |side: Side| if side & 1 == 0 { a } else { b };
    let by_fin = match holder {
        Some(Holder::Originator) => Some(of(slot.state().originator() ^ 1)),
        Some(Holder::Responder) => Some(of(slot.state().originator())),
        _ => None,
    };
    Restarts {
        all: a.max(b),
        by_fin,
    }
}

/// What came back first to the last SYN that a TIME_WAIT met; `None` if it met
/// none.
pub fn answer(slot: &Slot) -> Option<Answer> {
    let state = slot.state();
    // Once ended, only a SYN can be pending.
    let met = state.is_ended() && state.is(fact::PENDING);
    met.then(|| pending::answer(slot.cold.pending).unwrap_or(Answer::Silence))
}

/// What is known about a half-close; see [`half_close`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HalfClose {
    /// Who closed first; `None` if the FINs crossed.
    pub first_fin: Option<Side>,
    /// First FIN to the ack that covers it.
    pub fin_to_ack: Span,
    /// First FIN to the other end's FIN.
    pub fin_to_fin: Span,
    /// New payload after the first FIN, per endpoint.
    pub bytes_after_fin: [u64; 2],
    /// Segments after the first FIN, per endpoint.
    pub segments_after_fin: [u32; 2],
}

/// The accounts of a close; `None` if no FIN was seen.
pub fn half_close(slot: &Slot) -> Option<HalfClose> {
    let state = slot.state();
    let [a, b] = &slot.hot.half;
    if (a.bits | b.bits) & bit::FIN == 0 {
        return None;
    }
    let first = state.first_fin();
    let mut bytes_after_fin = [0; 2];
    if let Some(bytes) = bytes_after_fin.get_mut(first ^ 1) {
        *bytes = slot.cold.bytes_after_fin;
    }
    Some(HalfClose {
        first_fin: (!state.is(fact::SIMULTANEOUS)).then_some(first),
        fin_to_ack: slot.cold.fin_to_ack,
        fin_to_fin: slot.cold.fin_to_fin,
        bytes_after_fin,
        segments_after_fin: slot.cold.segments_after_fin,
    })
}

/// The deciding fact was a segment of this connection; otherwise a timer, the
/// observer or a segment of the next connection decided.
pub const fn by_segment(ending: Ending) -> bool {
    match ending {
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
        | Ending::HalfOpenDiscoveredByData => true,
        Ending::Unanswered
        | Ending::HandshakeUnacked
        | Ending::GracefulUnconfirmed
        | Ending::HalfOpenSilent
        | Ending::HalfClosedAbandoned
        | Ending::FinUnanswered
        | Ending::IdleExpired
        | Ending::Superseded
        | Ending::Evicted
        | Ending::Shutdown => false,
    }
}

/// When a live connection's last plausible segment passed; of an ended one,
/// when its linger or TIME_WAIT was last started anew.
pub const fn last_tick(hot: &Hot) -> Tick {
    let [a, b] = &hot.half;
    if Snapshot(hot.word).is_ended() {
        serial::latest(a.last, b.last)
    } else if !b.is(bit::SEEN) {
        a.last
    } else if !a.is(bit::SEEN) {
        b.last
    } else {
        serial::latest(a.last, b.last)
    }
}

/// When the connection's last segment passed, in nanoseconds of the engine's
/// clock. `now` is read only of a live connection.
///
/// Exact if a segment decided the ending, else to a tick (1.05 ms), rounded
/// down but never below the start.
pub fn last_segment(slot: &Slot, now: u64) -> u64 {
    let Some(outcome) = outcome(slot) else {
        return moment(last_tick(&slot.hot), now).max(slot.cold.started_at);
    };
    let ended_at = slot.cold.turned_at;
    if by_segment(outcome.ending) {
        return ended_at;
    }
    moment(slot.cold.pending.at, ended_at).max(slot.cold.started_at)
}

/// First to last segment, in nanoseconds.
pub fn duration(slot: &Slot, now: u64) -> u64 {
    last_segment(slot, now).saturating_sub(slot.cold.started_at)
}

/// Start of a tick that is at most 52 days before `now`.
const fn moment(at: Tick, now: u64) -> u64 {
    untick(at, now) >> TICK_SHIFT << TICK_SHIFT
}

#[cfg(test)]
mod tests;
