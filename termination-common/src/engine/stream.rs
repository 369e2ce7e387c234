//! Segments without SYN and RST: payload, acks, FINs.

use crate::{
    counters::Event,
    history::{self, Letter},
    policy::Settings,
    segment::{Segment, mark},
    serial::{after, before, between, latest},
    slot::{Half, bit},
    state::fact,
    taxonomy::{By, Ending, Evidence, Holder, Outcome, Verdict},
    tuple::Side,
};

use super::{
    Effects, Flow,
    handshake::settle,
    pending::{self, kind},
    since_first_fin, touch,
};

/// The window while its scale is not known.
const WINDOW_UNSCALED: u32 = 1 << 16;

/// W_max: the largest window an end has offered, in bytes.
#[inline(always)]
pub fn window_max(half: &Half) -> u32 {
    let window = u32::from(half.window_max) << half.shift();
    if half.is(bit::SCALE_KNOWN) {
        window
    } else {
        window.max(WINDOW_UNSCALED)
    }
}

/// W: the window an end offers now, in bytes.
#[inline(always)]
pub fn window(half: &Half) -> u32 {
    let window = u32::from(half.window) << half.shift();
    if half.is(bit::SCALE_KNOWN) {
        window
    } else {
        window.max(WINDOW_UNSCALED)
    }
}

/// The first segment of a connection met midstream.
#[inline(always)]
pub fn first(flow: &mut Flow<'_>, segment: &Segment) -> Effects {
    advance(flow, segment, &Settings::DEFAULT)
}

/// Why a segment is not plausible; 0 if it is.
mod fault {
    /// Its sequence range is beyond the other end's window.
    pub(super) const BEYOND: u32 = 1;
    /// It acks what was never seen.
    pub(super) const UNSEEN: u32 = 2;
    /// Anything else.
    pub(super) const OTHER: u32 = 4;
}

/// RFC 9293 3.10.7.4, RFC 5961 5.2: would the other end accept it?
#[inline(always)]
fn faults(flow: &mut Flow<'_>, segment: &Segment) -> u32 {
    let x = segment.side();
    let y = x ^ 1;
    let (mine, other) = (flow.hot.half[x & 1], flow.hot.half[y & 1]);
    let mut faults = 0;
    if other.is(bit::ACK) {
        let window = window_max(&other);
        // A FIN may sit on the window's right edge.
        let end = segment.seq.wrapping_add(segment.payload);
        if after(end, other.acked.wrapping_add(window)) {
            faults |= fault::BEYOND;
        }
        if before(segment.seq, other.acked.wrapping_sub(window)) {
            faults |= fault::OTHER;
        }
    }
    if segment.flags.ack() && other.bits & (bit::SEEN | bit::SYN) != 0 {
        if other.is(bit::SEEN) && after(segment.ack, other.sent) {
            faults |= fault::UNSEEN;
        } else if before(segment.ack, other.sent.wrapping_sub(window_max(&mine))) {
            faults |= fault::OTHER;
        }
    }
    if mine.is(bit::FIN) {
        // Nothing comes after a FIN. A FIN elsewhere replaces it while unacked.
        let fin = flow.cold_half(x).fin;
        let end = segment.seq.wrapping_add(segment.payload);
        let replaces = segment.flags.fin() && !mine.is(bit::FIN_ACKED);
        let limit = if segment.payload == 0 && !segment.flags.fin() {
            fin.wrapping_add(1)
        } else {
            fin
        };
        if after(end, limit) && !replaces {
            faults |= fault::OTHER;
        }
        if segment.flags.fin() && mine.is(bit::FIN_ACKED) && end != fin {
            faults |= fault::OTHER;
        }
    }
    faults
}

/// A segment of a live connection.
#[inline(always)]
pub fn step(flow: &mut Flow<'_>, segment: &Segment, settings: &Settings) -> Effects {
    let faults = faults(flow, segment);
    if faults != 0 || segment.has(mark::FRAGMENT) {
        return exceptional(flow, segment, settings, faults);
    }
    advance(flow, segment, settings)
}

/// A segment that does not fit: moves nothing, unless the other end's word and
/// this one agree that the observer has missed something. One forged segment
/// therefore moves neither S nor N nor a FIN.
#[inline(never)]
fn exceptional(
    flow: &mut Flow<'_>,
    segment: &Segment,
    settings: &Settings,
    faults: u32,
) -> Effects {
    let x = segment.side();
    let y = x ^ 1;
    if segment.has(mark::FRAGMENT) {
        // The end of the segment is in a later fragment.
        flow.state = flow.state.with(fact::GAPS);
        if faults == 0 {
            let fin = if segment.flags.fin() {
                pending::GAP_FIN
            } else {
                0
            };
            let detail = kind::GAP | (x as u32) << 2 | pending::GAP_FRAGMENT | fin;
            flow.pend_lesser(segment.seq, segment.tick(), detail);
            touch(flow, x, segment);
            return Effects::NONE;
        }
    }
    let implausible = Effects::event(Event::Implausible);
    if faults == fault::BEYOND {
        // x claims more than y acked; y may have acked it unseen.
        if let Some(gap) = flow.pending_of(kind::GAP, x)
            && gap.detail & pending::GAP_BY_ACK != 0
        {
            let window = window_max(&flow.hot.half[y & 1]);
            let fits = !after(segment.end(), gap.value.wrapping_add(window))
                && !before(segment.seq, gap.value.wrapping_sub(window));
            if fits {
                flow.half(y).acked = gap.value;
                resynchronise(flow, x, gap.value);
                return advance(flow, segment, settings).and(implausible);
            }
        }
        let fin = if segment.flags.fin() {
            pending::GAP_FIN
        } else {
            0
        };
        let detail = kind::GAP | (x as u32) << 2 | fin;
        flow.pend_lesser(segment.end(), segment.tick(), detail);
    } else if faults == fault::UNSEEN {
        // x acks what y was not seen to send; y may have claimed it.
        if let Some(gap) = flow.pending_of(kind::GAP, y)
            && gap.detail & pending::GAP_BY_ACK == 0
        {
            let fragment = gap.detail & pending::GAP_FRAGMENT != 0;
            if fragment || !after(segment.ack, gap.value) {
                let fin = gap.detail & pending::GAP_FIN != 0;
                resynchronise(flow, y, segment.ack);
                if fin && (fragment || segment.ack == gap.value) {
                    take_fin(flow, y, segment.ack.wrapping_sub(1), false, segment);
                }
                return advance(flow, segment, settings).and(implausible);
            }
        }
        let detail = kind::GAP | (y as u32) << 2 | pending::GAP_BY_ACK;
        flow.pend_lesser(segment.ack, segment.tick(), detail);
    }
    implausible
}

/// Both ends agree that `side` has sent up to `end`: take their word.
#[inline(always)]
fn resynchronise(flow: &mut Flow<'_>, side: Side, end: u32) {
    flow.unpend();
    flow.state = flow.state.with(fact::GAPS);
    flow.note(Letter::Gap, side);
    move_sent(flow.half(side), end);
    let fin = flow.cold_half(side).fin;
    let half = flow.half(side);
    if half.is(bit::FIN) && after(end, fin.wrapping_add(1)) {
        half.bits &= !(bit::FIN | bit::FIN_ACKED);
    }
}

/// Moves S forward.
#[inline(always)]
fn move_sent(half: &mut Half, end: u32) {
    if after(end, half.sent) {
        half.wraps = half.wraps.wrapping_add(u16::from(end < half.sent));
        half.sent = end;
    }
}

/// Applies a plausible segment.
#[inline(always)]
fn advance(flow: &mut Flow<'_>, segment: &Segment, settings: &Settings) -> Effects {
    let x = segment.side();
    let y = x ^ 1;
    let flags = segment.flags;
    let fresh = !flow.half(x).is(bit::SEEN);
    if fresh {
        if !flow.half(x).is(bit::SYN) {
            flow.half(x).sent = segment.seq;
            flow.cold_half(x).isn = segment.seq.wrapping_sub(1);
            // An ISN of 2^32 - 1 has S pass zero at once.
            flow.half(x).wraps = u16::from(segment.seq == 0);
        }
        flow.state = flow.state.without(fact::ONE_SIDED);
    }
    if flags.ack() && !flow.half(y).is(bit::SEEN) {
        infer(flow, segment);
    }

    let (mine, other) = (flow.hot.half[x & 1], flow.hot.half[y & 1]);
    let end = segment.end();
    let pure = segment.payload == 0 && !flags.fin();
    let repeats = pure
        && !fresh
        && flags.ack()
        && mine.is(bit::ACK)
        && segment.seq == mine.sent
        && segment.ack == mine.acked;

    let mut bits = mine.bits;
    let mut retransmission = false;
    let mut probe = false;
    if pure {
        if bits & bit::PURE_ACK == 0 && flags.ack() {
            bits |= bit::PURE_ACK;
            flow.note(Letter::Ack, x);
        }
        // Keepalive (RFC 9293 3.8.4) and Linux's window probe sit one below
        // what was acked.
        probe = !fresh
            && other.is(bit::ACK)
            && segment.seq == other.acked.wrapping_sub(1)
            && before(segment.seq, mine.sent);
    } else if after(end, mine.sent) || fresh {
        if segment.payload > 0 {
            let unacked = other.is(bit::ACK) && after(mine.sent, other.acked);
            bits = if unacked {
                bits | bit::BACKLOG
            } else {
                bits & !bit::BACKLOG
            };
            if flow.state.is(fact::FIN) && other.is(bit::FIN) && flags.ack() {
                let fin = flow.cold_half(y).fin;
                if after(segment.ack, fin) {
                    let last = segment.seq.wrapping_add(segment.payload);
                    let new = last.wrapping_sub(latest(mine.sent, segment.seq));
                    flow.cold.bytes_after_fin =
                        flow.cold.bytes_after_fin.wrapping_add(u64::from(new));
                }
            }
        }
    } else {
        probe = segment.payload == 1
            && !flags.fin()
            && (segment.seq == mine.sent.wrapping_sub(1) || other.window == 0)
            && other.is(bit::ACK)
            && !after(other.acked, mine.sent);
        probe = probe && (other.acked == mine.sent || other.window == 0);
        retransmission = !probe;
    }
    if segment.payload > 0 && bits & bit::DATA == 0 {
        bits |= bit::DATA;
        if !flags.fin() {
            flow.note(Letter::Data, x);
        }
    }

    let mut effects = Effects::NONE;
    if probe || retransmission {
        if retransmission {
            let count = &mut flow.cold_half(x).retransmits;
            *count = count.saturating_add(1);
            let letter = segment.payload > 0 && (*count == 1 || *count == 10 || *count == 100);
            if letter {
                flow.note(Letter::Retransmit, x);
            }
        }
        if bits & bit::UNANSWERED != 0 && other.is(bit::SEEN) && !flow.state.is(fact::SUSPECTED) {
            let quiet = segment.tick().wrapping_sub(other.last).cast_signed();
            if quiet >= settings.silent.cast_signed() {
                flow.state = flow.state.with(fact::SUSPECTED);
                effects = effects.and(Effects::event(Event::HalfOpenSuspected));
            }
        }
        bits |= bit::UNANSWERED | if probe { bit::PROBED } else { 0 };
    }
    flow.half(x).bits = bits;
    move_sent(flow.half(x), end);
    if other.bits & (bit::UNANSWERED | bit::PROBED) != 0 {
        flow.half(y).bits &= !(bit::UNANSWERED | bit::PROBED);
        flow.state = flow.state.without(fact::SUSPECTED);
    }

    if flags.ack() {
        effects = effects.and(take_ack(flow, segment));
    }
    touch(flow, x, segment);
    if flags.fin() {
        let acks = flags.ack();
        take_fin(
            flow,
            x,
            segment.seq.wrapping_add(segment.payload),
            acks,
            segment,
        );
    } else if segment.has(mark::SACK) && !flow.state.is(fact::FIN) {
        flow.cold_half(x).edge = segment.sack_edge;
    }
    if flow.state.is(fact::PENDING) || repeats {
        effects = effects.and(reconsider(flow, segment, settings, retransmission, repeats));
    }
    if fresh || !flow.state.is(fact::ESTABLISHED) {
        effects = effects.and(settle(flow, fresh));
    }
    if flow.state.is(fact::FIN) {
        effects = effects.and(close(flow, segment));
    }
    effects
}

/// The other end was not seen: what it must have sent follows from the ack.
#[inline(always)]
fn infer(flow: &mut Flow<'_>, segment: &Segment) {
    let x = segment.side();
    let y = x ^ 1;
    let (mine, other) = (flow.half(x).bits, flow.half(y).bits);
    if other & bit::SYN == 0 && mine & bit::SYN != 0 {
        // O acks a SYN-ACK that was not seen.
        flow.cold_half(y).isn = segment.ack.wrapping_sub(1);
        let half = flow.half(y);
        half.sent = segment.ack;
        half.wraps = u16::from(segment.ack == 0);
        half.bits |= bit::SYN | bit::SYN_ACKED;
        flow.half(x).bits |= bit::SYN_ACKED;
        flow.state = flow.state.with(fact::ONE_SIDED);
    } else if other & bit::SYN != 0 {
        let isn = flow.cold_half(y).isn;
        if segment.payload > 0 || after(segment.ack, isn.wrapping_add(1)) {
            // R goes on after its SYN-ACK: O must have acked it.
            flow.half(x).bits |= bit::SYN_ACKED;
        }
        move_sent(flow.half(y), segment.ack);
    } else if mine & bit::ACK != 0 && after(segment.ack, flow.half(x).acked) {
        flow.state = flow.state.with(fact::ONE_SIDED);
    }
}

/// Moves N forward; takes the window; confirms the other end's SYN and FIN.
#[inline(always)]
fn take_ack(flow: &mut Flow<'_>, segment: &Segment) -> Effects {
    let x = segment.side();
    let y = x ^ 1;
    let half = flow.half(x);
    if half.bits & bit::ACK == 0 || after(segment.ack, half.acked) {
        half.acked = segment.ack;
        half.bits |= bit::ACK;
    }
    if !before(segment.ack, half.acked) {
        half.window = segment.window;
        half.window_max = half.window_max.max(segment.window);
        if segment.window == 0 && !history::contains(flow.cold.history, Letter::ZeroWindow, x) {
            flow.note(Letter::ZeroWindow, x);
        }
    }
    let other = flow.half(y).bits;
    if other & (bit::SYN | bit::SYN_ACKED) == bit::SYN && after(segment.ack, flow.cold_half(y).isn)
    {
        flow.half(y).bits |= bit::SYN_ACKED;
    }
    if other & (bit::FIN | bit::FIN_ACKED) == bit::FIN && after(segment.ack, flow.cold_half(y).fin)
    {
        flow.half(y).bits |= bit::FIN_ACKED;
        if flow.state.first_fin() == y {
            flow.cold.fin_to_ack = since_first_fin(flow, segment);
        }
        if !flow.half(x).is(bit::FIN) && !segment.flags.fin() {
            return Effects::event(Event::HalfClosed);
        }
    }
    Effects::NONE
}

/// A FIN at `fin`: the first decides who closes, the second whether they
/// crossed.
#[inline(always)]
fn take_fin(flow: &mut Flow<'_>, side: Side, fin: u32, acks: bool, segment: &Segment) {
    if flow.half(side).is(bit::FIN) {
        // A FIN elsewhere replaces one that was never acked; the same again
        // changes nothing.
        flow.cold_half(side).fin = fin;
        return;
    }
    flow.half(side).bits |= bit::FIN;
    flow.cold_half(side).fin = fin;
    flow.note(Letter::Fin, side);
    let other = side ^ 1;
    if flow.half(other).is(bit::FIN) {
        flow.cold.fin_to_fin = since_first_fin(flow, segment);
        let first = flow.cold_half(other).fin;
        if !(acks && after(segment.ack, first)) {
            flow.state = flow.state.with(fact::SIMULTANEOUS);
        }
    } else {
        let first = if side == 0 { 0 } else { fact::FIRST_FIN };
        flow.state = flow.state.without(fact::FIRST_FIN).with(fact::FIN | first);
        flow.cold.turned_at = segment.time;
        // From here on the edges hold timestamps.
        flow.cold_half(0).edge = 0;
        flow.cold_half(1).edge = 0;
    }
    if segment.side() == side && segment.has(mark::TIMESTAMPS) {
        flow.cold_half(side).edge = segment.tsval;
    }
    // Acked before it was seen: possible while its end was only inferred.
    let half = *flow.half(other);
    if half.is(bit::ACK) && after(half.acked, fin) {
        flow.half(side).bits |= bit::FIN_ACKED;
    }
}

/// What is pending may be decided by this segment.
#[inline(never)]
fn reconsider(
    flow: &mut Flow<'_>,
    segment: &Segment,
    settings: &Settings,
    retransmission: bool,
    repeats: bool,
) -> Effects {
    let x = segment.side();
    let y = x ^ 1;
    let mut effects = Effects::NONE;
    if flow.state.is(fact::PENDING) {
        let pending = flow.cold.pending;
        let verdict = pending::verdict(pending);
        if flow.is_pending(kind::RST) {
            let of_x = pending::side(pending) == x;
            let doubted = verdict == Verdict::InWindow as u8;
            if of_x && !retransmission || !of_x && doubted && repeats {
                flow.unpend();
                flow.cold.outcome = 0;
                effects = Effects::rejected(verdict);
                if !of_x {
                    effects = effects.and(Effects::event(Event::ChallengeAck));
                }
            }
        } else if flow.is_pending(kind::SYN) {
            if pending::side(pending) == y && repeats {
                effects = Effects::event(Event::ChallengeAck);
            }
        } else if flow.is_pending(kind::CHALLENGE) {
            let age = segment.tick().wrapping_sub(pending.at).cast_signed();
            if age > settings.challenge.cast_signed() {
                flow.unpend();
            }
        } else {
            // A gap is closed when its side shows what was disputed.
            let side = pending::side(pending);
            let fragment = pending.detail & pending::GAP_FRAGMENT != 0;
            if !fragment && !before(flow.half(side).sent, pending.value) {
                flow.unpend();
            }
        }
    }
    if repeats {
        flow.pend_lesser(0, segment.tick(), kind::CHALLENGE | (x as u32) << 2);
    }
    effects
}

/// Both FINs acked: the connection has closed.
#[inline(always)]
fn close(flow: &mut Flow<'_>, segment: &Segment) -> Effects {
    let both = flow.hot.half[0].bits & flow.hot.half[1].bits;
    if both & (bit::FIN | bit::FIN_ACKED) != bit::FIN | bit::FIN_ACKED {
        return Effects::NONE;
    }
    let phase = flow.phase();
    let first = flow.by(flow.state.first_fin());
    let (ending, by, holder) = if flow.state.is(fact::SIMULTANEOUS) {
        (Ending::GracefulSimultaneous, By::Both, Holder::Both)
    } else {
        let holder = match first {
            By::Originator => Holder::Originator,
            _ => Holder::Responder,
        };
        if flow.cold.bytes_after_fin > 0 {
            (Ending::GracefulHalfClose, first, holder)
        } else {
            (Ending::Graceful, first, holder)
        }
    };
    let packed = Outcome {
        ending,
        by,
        phase,
        verdict: None,
        cause: None,
        evidence: Evidence::None,
        holder,
    }
    .pack();
    flow.end(packed, segment.time)
}

/// `x` lies in the window that starts at `low`.
#[inline(always)]
pub fn in_window(x: u32, low: u32, window: u32) -> bool {
    window > 0 && between(x, low, low.wrapping_add(window - 1))
}
