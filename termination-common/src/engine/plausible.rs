//! Would the other end accept the segment (RFC 9293 3.10.7.4, RFC 5961 5.2)?
//! And if not: was it forged, or has the observer missed something?

use crate::{
    counters::Event,
    history::Letter,
    policy::Settings,
    segment::{Segment, mark},
    serial::{after, before, is_before, latest},
    slot::bit,
    state::fact,
    tuple::Side,
    verifier::blur,
};

use super::{
    Effects, Flow,
    pending::{self, kind},
    stream::{confirm, move_sent, take_fin, window_max},
    touch,
};

/// The most that the rest of a datagram can be.
const DATAGRAM: u32 = 1 << 16;

/// Why a segment is not plausible; 0 if it is.
pub(super) mod fault {
    /// Its sequence range is beyond the other end's window.
    pub(in crate::engine) const BEYOND: u32 = 1;
    /// It acks what was never seen.
    pub(in crate::engine) const UNSEEN: u32 = 2;
    /// Anything else.
    pub(in crate::engine) const OTHER: u32 = 4;
    /// Its payload is beyond its sender's own FIN.
    pub(in crate::engine) const AFTER_FIN: u32 = 8;
    /// It acks less than its sender's window allows.
    pub(in crate::engine) const FAR_BEHIND: u32 = 16;
}

/// RFC 9293 3.10.7.4, RFC 5961 5.2: would the other end accept it?
#[inline(always)]
pub(super) fn faults(flow: &mut Flow<'_>, segment: &Segment) -> u32 {
    let x = segment.side();
    let y = x ^ 1;
    let (mine, other) = (flow.half[x & 1], flow.half[y & 1]);
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
        // Nothing comes after a FIN, but its receiver has acked more. Of a
        // fragment the end is not known.
        if segment.flags.fin()
            && !segment.has(mark::FRAGMENT)
            && after(other.acked, end.wrapping_add(1))
        {
            faults |= fault::OTHER;
        }
    }
    if segment.flags.ack() && other.bits & (bit::SEEN | bit::SYN) != 0 {
        if other.is(bit::SEEN) && after(segment.ack, other.sent) {
            faults |= fault::UNSEEN;
        } else if before(segment.ack, other.sent.wrapping_sub(window_max(&mine))) {
            faults |= fault::FAR_BEHIND;
        }
        // In the handshake an ack of less than the SYN is not old, but never
        // due: it draws an RST (RFC 9293 3.10.7.3, .4).
        if other.bits & (bit::SYN | bit::SYN_ACKED) == bit::SYN
            && !after(segment.ack, flow.cold_half(y).isn)
        {
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
            faults |= fault::AFTER_FIN;
        }
        if segment.flags.fin() && mine.is(bit::FIN_ACKED) && end != fin {
            faults |= fault::OTHER;
        }
    }
    faults
}

/// [`exceptional`]: the segment is to be applied after all.
pub(super) const AGREED: u32 = 1;

/// A segment that does not fit: moves nothing, unless the other end's word and
/// this one agree that the observer has missed something. One forged segment
/// therefore moves neither S nor N nor a FIN.
#[inline(never)]
pub(super) fn exceptional(
    flow: &mut Flow<'_>,
    segment: &Segment,
    settings: &Settings,
    faults: u32,
) -> Effects {
    let x = segment.side();
    let y = x ^ 1;
    let mut marks = 0;
    if segment.flags.fin() {
        marks |= pending::GAP_FIN;
    }
    if segment.has(mark::FRAGMENT) {
        // The end of the segment is in a later fragment.
        flow.state = flow.state.with(fact::GAPS);
        if faults == 0 {
            let detail = pending::gap(x, marks | pending::GAP_FRAGMENT, segment.ack);
            flow.pend_lesser(segment.seq, segment.tick(), detail);
            touch(flow, x, segment);
            return Effects::NONE;
        }
    }
    let implausible = Effects::event(Event::Implausible);
    let disputed = flow.is_pending(kind::GAP) && flow.cold.pending.detail & pending::GAP_HOLE == 0;
    let at = if disputed {
        flow.cold.pending.at
    } else {
        segment.tick()
    };
    // Any two segments may agree with each other alone, forged ones too. But not for
    // long: who gets them answers with what is seen to be true (RFC 9293 3.10.7.4).
    let age = segment.tick().wrapping_sub(at);
    let alone = blur(is_before(age, settings.challenge).into(), segment.seq) != 0;
    const FAR: u32 = fault::BEYOND | fault::UNSEEN;
    let far = faults & FAR == FAR;
    if far {
        marks |= pending::GAP_FAR;
    }
    let waits = alone && (far || pending::is_far(flow.cold.pending.detail));
    let unseen = faults & fault::UNSEEN != 0;
    if faults & (fault::OTHER | fault::FAR_BEHIND) != 0 {
        return implausible;
    }
    // x acks what y was not seen to send; y may have claimed it. Or x claims more than
    // y acked; y may have acked it unseen. Or both, if both ends were missed at once.
    let agreed = !waits
        && (unseen && claimed_unseen(flow, segment, faults) || acked_unseen(flow, segment, faults));
    if agreed {
        return Effects(AGREED);
    }
    if far && disputed && alone && !pending::is_far(flow.cold.pending.detail) {
        // What is nearer is the better claim.
        return implausible;
    }
    if segment.end() != segment.seq {
        let mine = flow.half(x);
        if faults == fault::UNSEEN && mine.is(bit::SEEN) && !after(segment.seq, mine.sent) {
            marks |= pending::GAP_NEXT;
        }
        let detail = pending::gap(x, marks, segment.ack);
        flow.pend_lesser(segment.end(), at, detail);
    } else if unseen && !says_again(flow, segment) {
        let detail = pending::gap(y, marks | pending::GAP_BY_ACK, segment.seq);
        flow.pend_lesser(segment.ack, at, detail);
    }
    implausible
}

/// An ACK behind the segment that has claimed a gap, and with its ack: that one
/// says as much, and where x has got to. If it has claimed its FIN, any ACK up to there
/// goes with that, and is what it acks from now on.
#[inline(never)]
fn says_again(flow: &mut Flow<'_>, segment: &Segment) -> bool {
    let Some(gap) = flow.pending_of(kind::GAP, segment.side()) else {
        return false;
    };
    const OTHERS: u32 = pending::GAP_BY_ACK | pending::GAP_HOLE;
    if gap.detail & OTHERS != 0 || pending::is_fragment(gap.detail) {
        return false;
    }
    let number = pending::gap_number(gap, segment.ack);
    let fin = gap.detail & pending::GAP_FIN != 0 && !pending::is_far(gap.detail);
    if fin && !after(segment.seq, gap.value) {
        let marks = gap.detail & (pending::GAP_FIN | pending::GAP_NEXT);
        let ack = latest(number, segment.ack);
        flow.cold.pending.detail = pending::gap(segment.side(), marks, ack);
        return true;
    }
    gap.value == segment.seq && number == segment.ack
}

/// y's ack has reached where x's segment goes on: what is between was missed. If x
/// acks what was not seen of y, that has to be where y stood as it sent that ack, or
/// less by no more than x's window.
#[inline(always)]
fn acked_unseen(flow: &mut Flow<'_>, segment: &Segment, faults: u32) -> bool {
    let x = segment.side();
    let y = x ^ 1;
    let Some(gap) = flow.pending_of(kind::GAP, x) else {
        return false;
    };
    let window = window_max(&flow.half[y & 1]);
    let fits = gap.detail & pending::GAP_BY_ACK != 0
        && !after(segment.end(), gap.value.wrapping_add(window))
        && !before(segment.seq, gap.value.wrapping_sub(window));
    if !fits {
        return false;
    }
    if faults & fault::UNSEEN != 0 {
        let stood = pending::gap_number(gap, segment.ack);
        let window = window_max(&flow.half[x & 1]);
        if before(stood, segment.ack) || after(stood, segment.ack.wrapping_add(window)) {
            return false;
        }
        resynchronise(flow, y, segment.ack);
    }
    flow.half(y).acked = gap.value;
    resynchronise(flow, x, gap.value);
    true
}

/// x acks what y's implausible (or fragmented) segment has claimed: that was
/// genuine, and so were its FIN and its ack. If x goes on beyond what was seen to be
/// acked, that ack has to reach there.
#[inline(always)]
fn claimed_unseen(flow: &mut Flow<'_>, segment: &Segment, faults: u32) -> bool {
    let x = segment.side();
    let y = x ^ 1;
    let Some(gap) = flow.pending_of(kind::GAP, y) else {
        return false;
    };
    let fragment = pending::is_fragment(gap.detail);
    let most = if fragment {
        gap.value.wrapping_add(DATAGRAM)
    } else {
        gap.value
    };
    let other = pending::GAP_BY_ACK | pending::GAP_HOLE;
    if gap.detail & other != 0 || after(segment.ack, most) {
        return false;
    }
    if faults & fault::BEYOND != 0 {
        let ack = pending::gap_number(gap, segment.seq);
        let window = window_max(&flow.half[y & 1]);
        if before(segment.seq, ack) || after(segment.end(), ack.wrapping_add(window)) {
            return false;
        }
    }
    let half = flow.half(x);
    let shown = half.sent;
    move_sent(half, segment.seq);
    let ack = pending::gap_number(gap, half.sent);
    // This segment may be what it acks.
    let known = !after(ack, latest(half.sent, segment.end()));
    if known && after(ack, shown) && after(segment.seq, shown) {
        // The claim came first, and with it that something of x was missed.
        flow.state = flow.state.with(fact::HOLES);
        flow.note(Letter::Gap, x);
    }
    if pending::is_next(gap.detail) {
        flow.unpend();
        move_sent(flow.half(y), segment.ack);
    } else {
        resynchronise(flow, y, segment.ack);
    }
    if known {
        confirm(flow, y, ack, segment);
    }
    if gap.detail & pending::GAP_FIN != 0 && (fragment || segment.ack == gap.value) {
        let fin = segment.ack.wrapping_sub(1);
        let acks = known && after(ack, flow.cold_half(x).fin);
        take_fin(flow, y, fin, acks, segment);
    } else if !fragment && segment.ack != gap.value {
        // What it claims beyond that may be acked yet, and its FIN with it.
        flow.state = flow.state.with(fact::PENDING);
    }
    true
}

/// Both ends agree that `side` has sent up to `end`: take their word.
#[inline(always)]
pub(super) fn resynchronise(flow: &mut Flow<'_>, side: Side, end: u32) {
    flow.unpend();
    flow.state = flow.state.with(fact::GAPS);
    flow.note(Letter::Gap, side);
    move_sent(flow.half(side), end);
    let fin = flow.cold_half(side).fin;
    let half = flow.half(side);
    if half.is(bit::FIN) && after(end, fin.wrapping_add(1)) {
        // The other FIN, if there is one, is now the first.
        half.bits &= !(bit::FIN | bit::FIN_ACKED);
        let first = if side == 0 { fact::FIRST_FIN } else { 0 };
        let state = flow.state.without(fact::FIRST_FIN | fact::SIMULTANEOUS);
        flow.state = state.with(first);
    }
}
