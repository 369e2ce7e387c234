//! The level `closing`: what a segment does to a connection whose segments are
//! not all seen.
//!
//! Once its handshake is complete, and until somebody says SYN, FIN or RST, a
//! connection is left alone (`rest`): nobody looks at what passes. What was
//! known of it then is of the past: S, N and windows of both ends ([`STALE`]).
//! From the moment at which it needs attention again
//! ([`crate::attention::wanted`]) all of its segments are seen; the first one of
//! each end is taken at its word (`take_word`), and what follows is judged as
//! at the level `full`. Where the words of the two ends contradict each other by
//! more than any window, the earlier is forgotten: one of them was forged.
//!
//! What cannot be known is not claimed: an RST to or from an end that is stale
//! is graded `unverifiable` and believed by what follows; nobody is silent, for
//! nobody listened; a timer only asks for attention ([`marks`]), and a
//! connection ends by it when nothing at all was seen for as long once more.

use crate::{
    policy::{Settings, Timers},
    segment::{Flags, Segment},
    serial::{after, before},
    slot::{Half, bit},
    state::{Snapshot, fact},
    taxonomy::{Cause, Verdict},
    time::tick,
    timer,
    tuple::Side,
};

use super::{
    Flow, at_home,
    pending::{self, kind},
    stream::window_max,
};

/// In [`Half::wraps`], which nobody can count at this level: S, N and window of
/// this end are of before the connection was left alone.
pub const STALE: u16 = 1 << 15;

/// What an end's S, N and window say is of the past.
#[inline(always)]
pub const fn is_stale(half: &Half) -> bool {
    half.wraps & STALE != 0
}

/// A segment that says nothing of beginning or end.
#[inline(always)]
pub const fn is_plain(segment: &Segment) -> bool {
    !segment.flags.any(Flags::SYN | Flags::FIN | Flags::RST)
}

/// Nothing is open to question: it may be left alone.
#[inline(always)]
pub const fn may_rest(state: Snapshot) -> bool {
    state.is_live()
        && state.is(fact::ESTABLISHED)
        && !state.any(fact::FIN)
        && !state.any(fact::PENDING)
}

/// What comes before the step at this level. Not 0 if that was all. A function of
/// its own, so that its stack is given back.
#[inline(never)]
pub fn before_step(flow: &mut Flow<'_>, segment: &Segment, settings: &Settings) -> u32 {
    let x = segment.side();
    if is_marked(flow) {
        // It lives: that was the question.
        flow.unpend();
        flow.half(x).last = segment.tick();
        if is_plain(segment) {
            return 1;
        }
    }
    let stale = is_stale(flow.half(0)) || is_stale(flow.half(1));
    let speaks = !segment.flags.any(Flags::SYN | Flags::RST);
    if stale && speaks && flow.state.is_live() && at_home(flow, segment, settings) {
        take_word(flow, segment, x);
    }
    0
}

/// What comes after every step: silence is no finding here, and what may rest
/// does.
#[inline(never)]
pub fn after_step(flow: &mut Flow<'_>) {
    if !flow.state.is_live() {
        return;
    }
    flow.state = flow.state.without(fact::SUSPECTED);
    if flow.state.is(fact::ESTABLISHED) && !flow.state.is(fact::FIN) {
        flow.half[0].bits &= !(bit::UNANSWERED | bit::PROBED);
        flow.half[1].bits &= !(bit::UNANSWERED | bit::PROBED);
        if may_rest(flow.state) {
            rest(flow, 0);
            rest(flow, 1);
        }
    }
}

/// [`doubts`]: the sender of an RST is stale.
const SENDER: u32 = 1;
/// Its receiver is.
const RECEIVER: u32 = 1 << 1;

/// Which ends of a live connection are stale to an RST.
#[inline(always)]
pub fn doubts(flow: &mut Flow<'_>, segment: &Segment) -> u32 {
    let x = segment.side();
    let sender = u32::from(is_stale(flow.half(x)));
    let receiver = u32::from(is_stale(flow.half(x ^ 1)));
    sender | receiver << 1
}

/// What is left of a verdict.
#[inline(always)]
pub(super) const fn verdict(graded: Verdict, doubts: u32) -> Verdict {
    match graded {
        _ if doubts == 0 => graded,
        Verdict::SynSentOk | Verdict::FinMinusOne => graded,
        // Where its sender goes on, whatever its receiver has got.
        Verdict::Exact | Verdict::Train if doubts & SENDER == 0 => graded,
        _ => Verdict::Unverifiable,
    }
}

/// What is left of a cause. `closed`: the RST's sender had sent a FIN.
#[inline(always)]
pub(super) const fn cause(found: Option<Cause>, doubts: u32, closed: bool) -> Option<Cause> {
    match found {
        // What drew it was not seen.
        Some(Cause::NoConnection | Cause::TimeWaitMissing) if doubts & RECEIVER != 0 && closed => {
            None
        }
        _ => found,
    }
}

/// From here on nobody looks at what this end says.
#[inline(always)]
fn rest(flow: &mut Flow<'_>, side: Side) {
    let half = flow.half(side);
    half.wraps = STALE;
    // N is not known, and neither is what else was said; a window may be as
    // large as its field.
    half.bits = half.bits & !(bit::ACK | bit::BACKLOG) | bit::PURE_ACK;
    half.window = u16::MAX;
    half.window_max = u16::MAX;
    flow.cold_half(side).edge = 0;
}

/// What x says is the first that is known of it since: its S, its N.
#[inline(always)]
fn take_word(flow: &mut Flow<'_>, segment: &Segment, x: Side) {
    let y = x ^ 1;
    if is_stale(flow.half(x)) {
        if !is_stale(flow.half(y)) && contradicts(flow, segment, x) {
            forget(flow, y);
        }
        let mut sent = segment.seq;
        if let Some(kept) = flow.pending_of(kind::RST, x) {
            // What ends where the RST in doubt begins, or before, may have been
            // sent before it: as if it had been seen then. What comes next is new.
            let end = segment.end();
            let far = kept.value.wrapping_sub(window_max(flow.half(y)));
            if !after(end, kept.value) && !before(end, far) {
                sent = end;
            }
        }
        let isn = flow.cold_half(x).isn;
        let half = flow.half(x);
        half.wraps = 0;
        half.sent = sent;
        has_sent(half, isn, segment.seq);
    }
    let isn = flow.cold_half(y).isn;
    let other = flow.half(y);
    if is_stale(other) || after(segment.ack, other.sent) {
        // As far as x has got it. (It may be seen before what it acks.)
        other.sent = segment.ack;
        has_sent(other, isn, segment.ack);
    }
}

/// An end whose SYN is known and who has got as far as this has sent payload.
#[inline(always)]
fn has_sent(half: &mut Half, isn: u32, sent: u32) {
    if half.is(bit::SYN) && sent != isn.wrapping_add(1) {
        half.bits |= bit::DATA;
    }
}

/// The first word of x and what is known of y cannot both be true.
#[inline(always)]
fn contradicts(flow: &mut Flow<'_>, segment: &Segment, x: Side) -> bool {
    let y = x ^ 1;
    let (mine, other) = (flow.half[x & 1], flow.half[y & 1]);
    let most = window_max(&other);
    let end = segment.seq.wrapping_add(segment.payload);
    let beyond = after(end, other.acked.wrapping_add(most))
        || before(segment.seq, other.acked.wrapping_sub(most));
    let most = window_max(&mine);
    let acks = after(segment.ack, other.sent.wrapping_add(most))
        || before(segment.ack, other.sent.wrapping_sub(most));
    // Nobody acks what comes after a FIN.
    let after_fin = other.is(bit::FIN) && after(segment.ack, flow.cold_half(y).fin.wrapping_add(1));
    other.is(bit::ACK) && beyond || acks || after_fin
}

/// The word of this end is not believed any more, nor its FIN. The connection
/// keeps its attention: somebody interferes.
#[inline(always)]
fn forget(flow: &mut Flow<'_>, side: Side) {
    rest(flow, side);
    let half = flow.half(side);
    if half.is(bit::FIN) {
        half.bits &= !(bit::FIN | bit::FIN_ACKED);
        // The other FIN, if there is one, is now the first.
        let first = if side == 0 { fact::FIRST_FIN } else { 0 };
        let state = flow.state.without(fact::FIRST_FIN | fact::SIMULTANEOUS);
        flow.state = state.with(first);
    }
}

/// The timer has asked for attention, and nothing was seen since.
#[inline(always)]
fn is_marked(flow: &Flow<'_>) -> bool {
    flow.state.is_live() && flow.state.is(fact::PENDING) && pending::is_mark(flow.cold.pending)
}

/// A timer has run out: a connection that was left alone is marked first, and
/// only what nobody answers for as long once more is over.
#[inline(always)]
pub fn marks(flow: &mut Flow<'_>, now: u64, timers: &Timers) -> bool {
    let marks = may_rest(flow.state) && timer::is_over(flow, now, timers);
    if marks {
        flow.pend(0, tick(now), pending::MARK);
    }
    marks
}
