//! SYN and SYN-ACK: opening, simultaneous open, and what a SYN on a known
//! tuple starts (RFC 9293 3.5, 3.10.7).

use crate::{
    counters::Event,
    history::{self, Letter},
    policy::Settings,
    segment::{Segment, mark},
    serial::after,
    slot::{Pending, bit},
    state::fact,
    taxonomy::{Ending, Evidence},
    time::untick,
    timer,
    tuple::Side,
};

use super::{
    Effects, Flow, outcome,
    pending::{self, kind},
    touch,
};

/// The scale option of a SYN.
#[inline(always)]
fn scale_of(segment: &Segment) -> Option<u8> {
    segment
        .has(mark::WINDOW_SCALE)
        .then_some(segment.window_scale)
}

/// Takes ISN, sequence end and window from a SYN. Its window is not scaled
/// (RFC 7323 2.2), so it is kept shifted, rounded up. `SCALE_KNOWN` means
/// "offered" until the SYN-ACK settles it.
#[inline(always)]
fn take_syn(flow: &mut Flow<'_>, x: Side, isn: u32, end: u32, window: u16, scale: Option<u8>) {
    flow.cold_half(x).isn = isn;
    let half = flow.half(x);
    half.sent = end;
    half.wraps = u16::from(end < isn);
    let shift = match scale {
        Some(scale) => {
            half.bits |= bit::SCALE_KNOWN;
            u32::from(scale & 0xf)
        }
        None => {
            half.bits &= !bit::SCALE_KNOWN;
            0
        }
    };
    half.bits = half.bits & !(0xf << bit::SHIFT) | (shift as u16) << bit::SHIFT | bit::SYN;
    let kept = (u32::from(window) + (1 << shift) - 1) >> shift;
    half.window = kept as u16;
    half.window_max = kept as u16;
}

/// Undoes the shift of a window kept before it was known that none applies.
#[inline(always)]
fn unscale(flow: &mut Flow<'_>, x: Side) {
    let half = flow.half(x);
    let shift = half.shift();
    let window = (u32::from(half.window_max) << shift).min(0xffff) as u16;
    half.window = window;
    half.window_max = window;
    half.bits = half.bits & !(0xf << bit::SHIFT) | bit::SCALE_KNOWN;
}

/// Fast Open data counts as data.
#[inline(always)]
fn note_payload(flow: &mut Flow<'_>, x: Side, segment: &Segment) {
    if segment.payload > 0 {
        flow.half(x).bits |= bit::DATA;
    }
}

/// The first segment of a connection is a SYN: its sender is the originator.
#[inline(always)]
pub fn first_is_syn(flow: &mut Flow<'_>, segment: &Segment) -> Effects {
    let x = segment.side();
    let scale = scale_of(segment);
    take_syn(flow, x, segment.seq, segment.end(), segment.window, scale);
    note_payload(flow, x, segment);
    touch(flow, x, segment);
    flow.note(Letter::Syn, x);
    Effects::NONE
}

/// The first segment seen is a SYN-ACK: its receiver is the originator, known
/// only by what the SYN-ACK acks.
#[inline(always)]
pub fn first_is_syn_ack(flow: &mut Flow<'_>, segment: &Segment) -> Effects {
    let x = segment.side();
    let y = x ^ 1;
    flow.state = flow.state.with(fact::ONE_SIDED);
    let scale = scale_of(segment);
    take_syn(flow, x, segment.seq, segment.end(), segment.window, scale);
    let half = flow.half(x);
    half.acked = segment.ack;
    // R answers the option or nobody uses it (RFC 7323 2.2); O's own shift
    // stays unknown if R did.
    half.bits |= bit::ACK | bit::SCALE_KNOWN;
    flow.cold_half(y).isn = segment.ack.wrapping_sub(1);
    let other = flow.half(y);
    other.sent = segment.ack;
    other.wraps = u16::from(segment.ack == 0);
    other.bits = bit::SYN | bit::SYN_ACKED;
    if scale.is_none() {
        other.bits |= bit::SCALE_KNOWN;
    }
    note_payload(flow, x, segment);
    touch(flow, x, segment);
    flow.note(Letter::SynAck, x);
    Effects::NONE
}

/// The originator's SYN of a connection that begins with its acceptance: it
/// was kept as pending.
#[inline(always)]
pub fn restore_syn(flow: &mut Flow<'_>, kept: Pending, originator: Side, segment: &Segment) {
    let (window, scale) = pending::window(kept);
    let end = kept.value.wrapping_add(1);
    take_syn(flow, originator, kept.value, end, window, scale);
    let half = flow.half(originator);
    half.bits |= bit::SEEN;
    half.segments = 1;
    half.last = kept.at;
    flow.cold.started_at = untick(kept.at, segment.time);
    flow.note(Letter::Syn, originator);
}

/// A SYN that is seen after what follows it, as when two CPUs have them: after
/// its SYN-ACK or, with nothing else known of x, after the segment `next` to it.
#[inline(always)]
fn late_syn(flow: &mut Flow<'_>, segment: &Segment, next: bool) {
    let x = segment.side();
    let half = *flow.half(x);
    // Known before the SYN was seen: its SYN-ACK has refused.
    let scale = if half.is(bit::SCALE_KNOWN) {
        Some(0)
    } else {
        scale_of(segment)
    };
    let end = crate::serial::latest(half.sent, segment.end());
    take_syn(flow, x, segment.seq, end, segment.window, scale);
    let state = flow.state.without(fact::ONE_SIDED);
    flow.state = match (next, x) {
        (false, _) => state,
        // The roles were a guess.
        (true, 0) => state.without(fact::ORIGINATOR),
        (true, _) => state.with(fact::ORIGINATOR),
    };
    flow.note(Letter::Syn, x);
}

/// A SYN on a live connection.
#[inline(always)]
pub fn step_syn(
    flow: &mut Flow<'_>,
    segment: &Segment,
    settings: &Settings,
    doubts: u32,
) -> Effects {
    let x = segment.side();
    let y = x ^ 1;
    let bits = flow.half(x).bits;
    let known = bits & bit::SYN != 0;
    // Met at the segment that comes next after this SYN.
    let next = !known && bits & bit::SEEN != 0 && flow.state.is(fact::MIDSTREAM);
    if (known || next) && flow.cold_half(x).isn == segment.seq {
        let history = flow.cold.history;
        let again = history::contains(history, Letter::Syn, x)
            || history::contains(history, Letter::SynAck, x);
        if again {
            let count = &mut flow.cold_half(x).retransmits;
            *count = count.saturating_add(1);
            flow.half(x).bits |= bit::UNANSWERED;
        } else {
            late_syn(flow, segment, next);
        }
        if !again || !flow.state.is(fact::ESTABLISHED) {
            touch(flow, x, segment);
        }
        return Effects::NONE;
    }
    // It meets what had ended before it, and only was not told yet. Of what was
    // left alone nobody knows that ([`super::closing`]).
    let lapsed = if doubts == 0 {
        timer::lapse(flow, segment.time, &settings.timers)
    } else {
        Effects::NONE
    };
    if lapsed != Effects::NONE {
        return lapsed.with(Effects::REOPEN);
    }
    if !known && !flow.state.is(fact::ESTABLISHED) && flow.half(y).is(bit::SYN) {
        // Simultaneous open (RFC 9293 3.5, figure 7).
        let scale = scale_of(segment);
        take_syn(flow, x, segment.seq, segment.end(), segment.window, scale);
        note_payload(flow, x, segment);
        touch(flow, x, segment);
        flow.note(Letter::Syn, x);
        return Effects::NONE;
    }
    let detail = pending::syn(x, 0, segment.window, scale_of(segment));
    if flow.is_pending(kind::RST) {
        flow.cold.pending = pending::with_syn(flow.cold.pending, segment.seq, detail);
    } else {
        flow.pend(segment.seq, segment.tick(), detail);
    }
    Effects::NONE
}

/// A SYN-ACK on a live connection: it may accept a pending SYN, and then the
/// old connection is superseded.
#[inline(always)]
pub fn step_syn_ack(flow: &mut Flow<'_>, segment: &Segment) -> Effects {
    let y = segment.side() ^ 1;
    if let Some(kept) = flow.pending_of(kind::SYN, y)
        && segment.ack == kept.value.wrapping_add(1)
    {
        let by = flow.by(y);
        let phase = flow.phase();
        let packed = outcome(Ending::Superseded, by, phase, None, None, Evidence::None);
        let effects = flow.end(packed, segment.time);
        flow.cold.pending = kept;
        return effects.with(Effects::REOPEN);
    }
    if flow.is_pending(kind::RST) {
        let kept = flow.cold.pending;
        if let Some(syn) = pending::syn_behind(kept)
            && pending::side(syn) == y
            && segment.ack == syn.value.wrapping_add(1)
        {
            // Whoever accepts it has believed the RST, which came first.
            let effects = timer::believe(flow, kept, untick(kept.at, segment.time));
            flow.cold.pending = kept;
            return effects.with(Effects::REOPEN);
        }
    }
    syn_ack(flow, segment)
}

/// A SYN-ACK of this connection.
#[inline(always)]
pub fn syn_ack(flow: &mut Flow<'_>, segment: &Segment) -> Effects {
    let x = segment.side();
    let y = x ^ 1;
    let (bits, other) = (flow.half(x).bits, flow.half(y).bits);
    let same = bits & bit::SYN != 0 && flow.cold_half(x).isn == segment.seq;
    let seen = bits & bit::SEEN != 0;
    // Seen after what follows it: only known by that.
    let late = seen && !history::contains(flow.cold.history, Letter::SynAck, x);
    if same && seen && !late && other & bit::SYN_ACKED != 0 {
        let count = &mut flow.cold_half(x).retransmits;
        *count = count.saturating_add(1);
        flow.half(x).bits |= bit::UNANSWERED;
        touch(flow, x, segment);
        return Effects::NONE;
    }
    // Established already, unless x was only inferred; or the ack is not due.
    let isn = flow.cold_half(y).isn;
    let due =
        other & bit::SYN != 0 && after(segment.ack, isn) && !after(segment.ack, flow.half(y).sent);
    // Another ISN is taken only while the first was not acked.
    let taken = bits & (bit::SYN | bit::SYN_ACKED) == bit::SYN | bit::SYN_ACKED && seen && !same;
    if !due || taken || (flow.state.is(fact::ESTABLISHED) && seen) {
        return Effects::event(Event::Implausible);
    }
    if flow.state.is(fact::ONE_SIDED) && !seen {
        flow.state = flow.state.without(fact::ONE_SIDED);
        if after(flow.half(y).acked, segment.end()) {
            // What came after it was acked already, and not seen.
            flow.state = flow.state.with(fact::GAPS);
        }
    }
    let scale = scale_of(segment);
    let end = if same || late {
        crate::serial::latest(flow.half(x).sent, segment.end())
    } else {
        segment.end()
    };
    take_syn(flow, x, segment.seq, end, segment.window, scale);
    if scale.is_none() || other & (bit::SCALE_KNOWN | bit::SEEN) == bit::SEEN {
        // One of them did not offer: nobody scales.
        unscale(flow, x);
        unscale(flow, y);
    }
    let half = flow.half(x);
    half.acked = segment.ack;
    half.bits |= bit::ACK;
    let answered = flow.half(y);
    answered.bits |= bit::SYN_ACKED;
    answered.bits &= !(bit::UNANSWERED | bit::PROBED);
    note_payload(flow, x, segment);
    touch(flow, x, segment);
    flow.note(Letter::SynAck, x);
    settle(flow, false)
}

/// Becomes established when each SYN is acked; is settled (no attempt any
/// more) when both directions were seen as well.
#[inline(always)]
pub fn settle(flow: &mut Flow<'_>, newly_seen: bool) -> Effects {
    let both = flow.half[0].bits & flow.half[1].bits;
    let mut effects = Effects::NONE;
    let mut news = newly_seen;
    if !flow.state.is(fact::ESTABLISHED) && both & bit::SYN_ACKED != 0 {
        flow.state = flow.state.with(fact::ESTABLISHED);
        effects = Effects::event(Event::Established);
        news = true;
    }
    if news && flow.state.is(fact::ESTABLISHED) && both & bit::SEEN != 0 {
        effects = effects.with(Effects::SETTLED);
    }
    effects
}
