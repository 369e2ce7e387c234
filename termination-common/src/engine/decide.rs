//! What is pending, decided by a segment without SYN and RST: an RST is refuted,
//! a gap is closed, a hole is filled.

use crate::{
    counters::Event,
    history::Letter,
    policy::Settings,
    segment::Segment,
    serial::{after, before},
    slot::bit,
    state::fact,
    taxonomy::Verdict,
    time::Tick,
    tuple::Side,
    verifier::blur,
};

use super::{
    Effects, Flow,
    pending::{self, kind},
    stream::confirm,
};

/// What is pending may be decided by this segment.
#[inline(never)]
pub(super) fn decide(
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
                flow.unpend_rst();
                effects = Effects::rejected(verdict, !of_x);
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
        } else if pending.detail & pending::GAP_HOLE != 0 {
            fill(flow, segment);
        } else {
            // A gap is closed when its side shows what was disputed.
            let side = pending::side(pending);
            let fragment = pending::is_fragment(pending.detail);
            let sent = flow.half(side).sent;
            let far = pending::is_far(pending.detail);
            let shown = !fragment && !before(sent, pending.value);
            // Whatever fits contradicts what is far from it.
            flow.cold.pending.at = segment.tick();
            if far || shown {
                flow.unpend();
            }
            if shown {
                if pending.detail & pending::GAP_BY_ACK != 0
                    && side == x
                    && !before(segment.seq, pending.value)
                {
                    // It goes on behind what was disputed, which was missed.
                    flow.state = flow.state.with(fact::GAPS);
                }
                if pending.detail & pending::GAP_BY_ACK != 0 && sent == pending.value {
                    // The ack was seen before what it acks, as when the two
                    // directions are seen by two CPUs. Both ends agree to the
                    // byte, so it was genuine.
                    let news = confirm(flow, side ^ 1, pending.value, segment);
                    if news && !flow.half(side ^ 1).is(bit::FIN) {
                        effects = Effects::event(Event::HalfClosed);
                    }
                    has_answered(flow, side ^ 1, pending.at);
                }
            }
        }
    }
    flow.state.0 = blur(flow.state.0, segment.seq);
    if repeats && !flow.is_waiting() {
        flow.pend(0, segment.tick(), kind::CHALLENGE | (x as u32) << 2);
    }
    effects
}

/// The ACK of `side` that was seen before what it acks: that end lives, and the other
/// has its answer.
#[inline(always)]
fn has_answered(flow: &mut Flow<'_>, side: Side, at: Tick) {
    let half = flow.half(side);
    if half.is(bit::SEEN) {
        half.segments = half.segments.saturating_add(1);
        half.last = at;
    }
    flow.half(side ^ 1).bits &= !(bit::UNANSWERED | bit::PROBED);
    flow.state = flow.state.without(fact::SUSPECTED);
}

/// A hole is filled by its sender, or the other end acks beyond it: then it
/// was the observer who missed something.
#[inline(always)]
fn fill(flow: &mut Flow<'_>, segment: &Segment) {
    let hole = flow.cold.pending;
    let (side, start, length) = (pending::side(hole), hole.value, pending::hole_length(hole));
    let end = segment.end();
    if segment.side() != side {
        if segment.flags.ack() && after(segment.ack, start) {
            flow.state = flow.state.with(fact::HOLES);
            flow.note(Letter::Gap, side);
            flow.unpend();
        }
    } else if !after(segment.seq, start) && after(end, start) {
        let filled = end.wrapping_sub(start);
        if filled < length {
            let left = length.wrapping_sub(filled);
            flow.pend(end, hole.at, pending::hole(side, left));
        } else {
            flow.unpend();
        }
    } else if after(segment.seq, start)
        && length < pending::LONGEST_HOLE
        && !before(end, start.wrapping_add(length))
    {
        // From its end on.
        let left = segment.seq.wrapping_sub(start);
        if left < length {
            flow.cold.pending.detail = pending::hole(side, left);
        }
    }
}
