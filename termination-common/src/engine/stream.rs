//! Segments without SYN and RST: payload, acks, FINs.

use crate::{
    counters::Event,
    history::{self, Letter},
    policy::Settings,
    segment::{Segment, mark},
    serial::{after, before, between, is_before, is_zero, latest},
    slot::{Half, bit},
    state::fact,
    taxonomy::{By, Ending, Evidence, Holder, Outcome},
    tuple::Side,
    verifier::blur,
};

use super::{
    Effects, Flow,
    decide::decide,
    handshake::settle,
    missed::reconsidered,
    pending::{self, kind},
    plausible::{AGREED, exceptional, faults},
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

/// Segments of one end among which its SYN, retransmitted, is looked for.
pub(super) const SYN_PAYLOAD: u32 = 4;

/// The first segment of a connection met midstream.
#[inline(always)]
pub fn first(flow: &mut Flow<'_>, segment: &Segment) -> Effects {
    advance(flow, segment, &Settings::DEFAULT)
}

/// A segment of a live connection.
#[inline(always)]
pub fn step(flow: &mut Flow<'_>, segment: &Segment, settings: &Settings) -> Effects {
    let mut faults = blur(faults(flow, segment).into(), segment.seq) as u32;
    if faults != 0 {
        faults = reconsidered(flow, segment, faults);
    }
    let faults = blur(faults.into(), segment.seq) as u32;
    flow.state.0 = blur(flow.state.0, segment.seq);
    let mut effects = Effects::NONE;
    if faults != 0 || segment.has(mark::FRAGMENT) {
        effects = exceptional(flow, segment, settings, faults);
        if !effects.any(AGREED) {
            return effects;
        }
        effects = Effects::event(Event::Implausible);
    }
    advance(flow, segment, settings).and(effects)
}

/// Moves S forward.
#[inline(always)]
pub(super) fn move_sent(half: &mut Half, end: u32) {
    if after(end, half.sent) {
        half.wraps = half.wraps.wrapping_add(u16::from(end < half.sent));
        half.sent = end;
    }
}

/// The end that was only inferred is seen. What it had sent before was missed: its
/// SYN-ACK, or payload that the other end has acked.
#[inline(always)]
fn seen_at_last(flow: &mut Flow<'_>, x: Side) {
    let first = flow.cold_half(x).isn.wrapping_add(1);
    let responder = flow.state.originator() != x;
    let missed = flow.half(x).is(bit::SYN) && (responder || flow.half(x).sent != first);
    if flow.state.is(fact::ONE_SIDED) && missed {
        flow.state = flow.state.with(fact::GAPS);
    }
    flow.state = flow.state.without(fact::ONE_SIDED);
}

/// x has not been seen before. What the other end has acked by then was sent before: a
/// probe, or a retransmission, is what is seen first.
#[inline(never)]
fn first_word(flow: &mut Flow<'_>, segment: &Segment) {
    let x = segment.side();
    let y = x ^ 1;
    if !flow.half(x).is(bit::SYN) {
        let more = flow.half(y).acked.wrapping_sub(segment.seq);
        let before = has_acked(flow, y, segment.seq);
        let sent = segment.seq.wrapping_add(more.wrapping_mul(before));
        flow.half(x).sent = sent;
        flow.cold_half(x).isn = sent.wrapping_sub(1);
        // An ISN of 2^32 - 1 has S pass zero at once.
        flow.half(x).wraps = u16::from(sent == 0);
        if flow.half(y).is(bit::SYN) && !flow.state.is(fact::MIDSTREAM) {
            // It acks a SYN and sends none: its SYN-ACK was missed.
            flow.half(x).bits |= bit::SYN;
            flow.state = flow.state.with(fact::GAPS);
        }
    }
    seen_at_last(flow, x);
}

/// Applies a plausible segment.
#[inline(always)]
fn advance(flow: &mut Flow<'_>, segment: &Segment, settings: &Settings) -> Effects {
    let x = segment.side();
    let y = x ^ 1;
    let flags = segment.flags;
    let fresh = !flow.half(x).is(bit::SEEN);
    if fresh {
        first_word(flow, segment);
    }
    if flags.ack() && !flow.half(y).is(bit::SEEN) {
        infer(flow, segment);
    }

    let (mine, other) = (flow.half[x & 1], flow.half[y & 1]);
    let end = segment.end();
    let pure = segment.payload == 0 && !flags.fin();
    let repeats = pure
        && !fresh
        && flags.ack()
        && mine.is(bit::ACK)
        && segment.seq == mine.sent
        && segment.ack == mine.acked;

    let whole = flow.state.0 & (fact::ESTABLISHED | fact::MIDSTREAM) == fact::ESTABLISHED;
    let free = !flow.state.is(fact::PENDING) || flow.is_pending(kind::CHALLENGE);
    if after(segment.seq, mine.sent) && !fresh && whole && free {
        let length = segment.seq.wrapping_sub(mine.sent);
        flow.pend(mine.sent, segment.tick(), pending::hole(x, length));
    }
    flow.state.0 = blur(flow.state.0, segment.seq);

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
    // A SYN's payload sets the bit without the letter; it is among the first.
    if segment.payload > 0 && (bits & bit::DATA == 0 || mine.segments < SYN_PAYLOAD) {
        bits |= bit::DATA;
        if !flags.fin() {
            flow.note(Letter::Data, x);
        }
    }

    let mut effects = Effects::NONE;
    if probe || retransmission {
        let mut power = false;
        if retransmission {
            let count = &mut flow.cold_half(x).retransmits;
            *count = count.saturating_add(1);
            power = matches!(*count, 10 | 100 | 1_000 | 10_000 | 100_000);
        }
        // A probe with a byte of payload, too, is repeated payload to Zeek.
        if segment.payload > 0
            && (power || !history::contains(flow.cold.history, Letter::Retransmit, x))
        {
            flow.note(Letter::Retransmit, x);
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
    flow.state.0 = blur(flow.state.0, segment.seq);
    let claimed = claimed_fin(flow, segment);
    if flags.fin() || claimed != 0 {
        // It goes on one behind it.
        let fin = segment
            .seq
            .wrapping_add(segment.payload)
            .wrapping_sub(claimed);
        let before = segment
            .ack
            .wrapping_sub(pending::gap_number(flow.cold.pending, segment.ack));
        let ack = segment.ack.wrapping_sub(before.wrapping_mul(claimed));
        let acks = flags.ack() && after(ack, flow.cold_half(y).fin);
        take_fin(flow, x, fin, acks, segment);
    } else if segment.has(mark::SACK) && !flow.state.is(fact::FIN) {
        flow.cold_half(x).edge = segment.sack_edge;
    }
    // After the segment's own letter. What the peer has closed needs no window.
    let closed = flags.ack() && segment.window == 0 && flow.half(x).window == 0;
    if closed && !flow.half(y).is(bit::FIN) {
        flow.note(Letter::ZeroWindow, x);
    }
    if flow.state.is(fact::PENDING) || repeats {
        effects = effects.and(decide(flow, segment, settings, retransmission, repeats));
    }
    if fresh || !flow.state.is(fact::ESTABLISHED) {
        effects = effects.and(settle(flow, fresh));
    }
    if flow.state.is(fact::FIN) {
        effects = effects.and(close(flow, segment));
    }
    effects
}

/// 1 if x goes on behind a FIN that it had claimed, and that did not fit then; without
/// a branch.
#[inline(always)]
fn claimed_fin(flow: &Flow<'_>, segment: &Segment) -> u32 {
    const OTHERS: u32 = pending::GAP_BY_ACK | pending::GAP_HOLE;
    let place = pending::gap(1, pending::GAP_FIN | OTHERS, 0);
    let wanted = pending::gap(segment.side(), pending::GAP_FIN, 0);
    let gap = flow.cold.pending;
    let fragment = u32::from(pending::is_fragment(gap.detail));
    let differs =
        (gap.detail & place ^ wanted) | (gap.value ^ segment.seq) | segment.payload | fragment;
    is_zero(differs) & (flow.state.0 / fact::PENDING) as u32
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
    if !flow.half(x ^ 1).is(bit::SEEN) && after(segment.ack, flow.half(x).acked) {
        // Its answers cannot be seen, but what it acks is one.
        flow.half(x).bits &= !(bit::UNANSWERED | bit::PROBED);
    }
    let fin_acked = confirm(flow, x, segment.ack, segment);
    let half = flow.half(x);
    if !before(segment.ack, half.acked) {
        half.window = segment.window;
        half.window_max = half.window_max.max(segment.window);
    }
    if fin_acked && !flow.half(x).is(bit::FIN) && !segment.flags.fin() {
        return Effects::event(Event::HalfClosed);
    }
    Effects::NONE
}

/// `x` has sent this ack: it confirms the other end's SYN and FIN. Returns
/// whether that is the news of a FIN.
#[inline(always)]
pub(super) fn confirm(flow: &mut Flow<'_>, x: Side, ack: u32, segment: &Segment) -> bool {
    let y = x ^ 1;
    let half = flow.half(x);
    if half.bits & bit::ACK == 0 || after(ack, half.acked) {
        half.acked = ack;
        half.bits |= bit::ACK;
    }
    let other = flow.half(y).bits;
    if other & (bit::SYN | bit::SYN_ACKED) == bit::SYN && after(ack, flow.cold_half(y).isn) {
        flow.half(y).bits |= bit::SYN_ACKED;
    }
    let fin_acked =
        other & (bit::FIN | bit::FIN_ACKED) == bit::FIN && after(ack, flow.cold_half(y).fin);
    if fin_acked {
        flow.half(y).bits |= bit::FIN_ACKED;
        if flow.state.first_fin() == y {
            flow.cold.fin_to_ack = since_first_fin(flow, segment);
        }
    }
    fin_acked
}

/// A FIN at `fin`: the first decides who closes, the second whether they
/// crossed; `acks` if it acks the other end's.
#[inline(always)]
pub(super) fn take_fin(flow: &mut Flow<'_>, side: Side, fin: u32, acks: bool, segment: &Segment) {
    if flow.half(side).is(bit::FIN) {
        // A FIN elsewhere replaces one that was never acked; the same again
        // changes nothing.
        flow.cold_half(side).fin = fin;
        return;
    }
    flow.half(side).bits |= bit::FIN;
    flow.cold_half(side).fin = fin;
    let letter = if segment.side() == side && segment.flags.fin() {
        Letter::of_stream(segment)
    } else {
        Letter::Fin
    };
    flow.note(letter, side);
    let other = side ^ 1;
    if flow.half(other).is(bit::FIN) {
        flow.cold.fin_to_fin = since_first_fin(flow, segment);
        if !acks {
            // Acked before it was seen, and so it was the first, if the acks tell.
            let acked = has_acked(flow, other, fin);
            let first = fact::FIRST_FIN * side as u64;
            let turned = (flow.state.0 ^ first) & (fact::FIRST_FIN * u64::from(acked));
            let crossed = fact::SIMULTANEOUS * u64::from(acked ^ 1);
            flow.state.0 = (flow.state.0 ^ turned) | crossed;
        }
    } else {
        let first = fact::FIRST_FIN * side as u64;
        flow.state = flow.state.without(fact::FIRST_FIN).with(fact::FIN | first);
        flow.cold.turned_at = segment.time;
        // From here on the edges hold timestamps.
        flow.cold_half(0).edge = 0;
        flow.cold_half(1).edge = 0;
    }
    if segment.side() == side && segment.has(mark::TIMESTAMPS) {
        flow.cold_half(side).edge = segment.tsval;
    }
    if has_acked(flow, other, fin) != 0 {
        flow.half(side).bits |= bit::FIN_ACKED;
    }
}

/// 1 if `side` has acked more than `number`, else 0; without a branch.
#[inline(always)]
fn has_acked(flow: &mut Flow<'_>, side: Side, number: u32) -> u32 {
    let half = flow.half(side);
    is_before(number, half.acked) & half.flag(bit::ACK)
}

/// Both FINs acked: the connection has closed.
#[inline(always)]
fn close(flow: &mut Flow<'_>, segment: &Segment) -> Effects {
    let both = flow.half[0].bits & flow.half[1].bits;
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
