//! After the ending: strays, TIME_WAIT restarts, reuse and assassination.
//!
//! Nothing here changes the ending. Linux's handling of a segment in TIME_WAIT
//! is tcp_timewait_state_process (net/ipv4/tcp_minisocks.c): an exact RST kills
//! it (unless tcp_rfc1337), an acceptable SYN replaces it, and any other
//! segment with ACK, or refused by its timestamp (RFC 7323 5.3 PAWS), starts
//! the wait anew.

use crate::{
    counters::Event,
    history::Letter,
    policy::{Settings, setting},
    segment::{Flags, Segment, mark},
    serial::{after, before, latest},
    slot::{Half, Pending, bit},
    taxonomy::{Answer, Holder, Outcome, Sequel},
    time::Tick,
    tuple::Side,
};

use super::{
    Effects, Flow, guard,
    pending::{self, kind},
};

/// For how long Zeek still counts what follows a close to the connection
/// (`tcp_close_delay`), nanoseconds.
const ZEEK_CLOSE_DELAY: u64 = 5_000_000_000;

/// What comes right after the ending is part of the history, and all that comes
/// after it is of one conversation.
#[inline(always)]
fn note(flow: &mut Flow<'_>, segment: &Segment) {
    let letter = if segment.flags.rst() {
        Letter::of_rst(segment.flags)
    } else if !segment.flags.syn() && segment.flags.any(Flags::ACK | Flags::FIN) {
        Letter::of_stream(segment)
    } else {
        return;
    };
    if segment.time.wrapping_sub(flow.cold.turned_at) < ZEEK_CLOSE_DELAY {
        flow.note(letter, segment.side());
    }
    flow.cold.outcome = Outcome::with_late(flow.cold.outcome, letter.completeness());
}

/// A segment on a tuple whose connection has ended.
#[inline(never)]
pub fn step(flow: &mut Flow<'_>, segment: &Segment, settings: &Settings) -> Effects {
    note(flow, segment);
    if flow.state.is_time_wait() {
        time_wait(flow, segment, settings)
    } else {
        linger(flow, segment, settings)
    }
}

/// Without TIME_WAIT: a SYN opens a new connection, all else is a stray that
/// prolongs the linger, within its bound.
///
/// The same SYN again is a copy, until a SYN-ACK that is none accepts it: some hosts
/// ask again after an RST (Windows, up to four times), and some always with the same
/// ISN.
#[inline(always)]
fn linger(flow: &mut Flow<'_>, segment: &Segment, settings: &Settings) -> Effects {
    let x = segment.side();
    if segment.flags.syn() {
        let same = flow.half(x).is(bit::SYN) && flow.cold_half(x).isn == segment.seq;
        if !segment.flags.ack() && !same {
            return Effects(Effects::REOPEN);
        }
        if segment.flags.ack() && !same && keep_syn(flow, segment) {
            return Effects(Effects::REOPEN);
        }
    }
    let now = segment.tick();
    let ended = crate::time::tick(flow.cold.turned_at);
    let bound = settings
        .linger_max
        .saturating_sub(settings.timers.reset_linger);
    let half = flow.half(x);
    if now.wrapping_sub(ended) <= bound && after(now, half.last) {
        half.last = now;
    }
    Effects::event(Event::StraySegment)
}

/// The SYN-ACK acks the SYN of the connection that has ended: keeps that SYN, for the
/// next begins with it.
#[inline(always)]
fn keep_syn(flow: &mut Flow<'_>, segment: &Segment) -> bool {
    let y = segment.side() ^ 1;
    let isn = flow.cold_half(y).isn;
    let half = *flow.half(y);
    if !half.is(bit::SYN) || segment.ack != isn.wrapping_add(1) {
        return false;
    }
    let scale = half.is(bit::SCALE_KNOWN).then(|| half.shift() as u8);
    let field = u32::from(half.window_max) << half.shift();
    let window = field.min(0xffff) as u16;
    flow.cold.pending = Pending {
        value: isn,
        at: half.last,
        detail: pending::syn(y, 0, window, scale),
    };
    true
}

/// When the TIME_WAIT in this slot is over.
#[inline(always)]
pub fn over_at(half: &[Half; 2], settings: &Settings) -> Tick {
    let [a, b] = half;
    latest(a.last, b.last).wrapping_add(settings.timers.time_wait)
}

/// It is over at `now`, and nobody has looked since: with a controller, within
/// a tick of its clock, without one, for days.
#[inline(always)]
pub fn is_over(half: &[Half; 2], now: Tick, settings: &Settings) -> bool {
    now.wrapping_sub(over_at(half, settings)).cast_signed() >= 0
}

/// `side` holds the TIME_WAIT.
#[inline(always)]
fn holds(flow: &Flow<'_>, side: Side) -> bool {
    let originator = flow.state.originator() == side;
    match Holder::from_number(Outcome::packed_holder(flow.cold.outcome)) {
        Some(Holder::Both) => true,
        Some(Holder::Originator) => originator,
        Some(Holder::Responder) => !originator,
        _ => false,
    }
}

#[inline(always)]
fn time_wait(flow: &mut Flow<'_>, segment: &Segment, settings: &Settings) -> Effects {
    let x = segment.side();
    let y = x ^ 1;
    let stray = Effects::event(Event::StraySegment);
    let last_ts = flow.cold_half(x).edge;
    let stamped = segment.has(mark::TIMESTAMPS) && last_ts != 0;
    let outdated = stamped && before(segment.tsval, last_ts);
    let over = is_over(flow.half, segment.tick(), settings);
    if over && segment.flags.rst() {
        return stray;
    }
    if over && segment.flags.syn() && !segment.flags.ack() {
        // It reuses nothing: it opens, as where a controller has freed the slot.
        return Effects::sequel(Sequel::Expired).with(Effects::REOPEN);
    }
    answered(flow, segment);
    if segment.flags.rst() {
        return assassinate(flow, segment, settings, outdated);
    }
    if segment.flags.syn() && segment.flags.ack() {
        if let Some(kept) = flow.pending_of(kind::SYN, y)
            && segment.ack == kept.value.wrapping_add(1)
        {
            // Decided by the SYN-ACK: the tuple is reused.
            let sequel = pending::sequel(kept).unwrap_or(Sequel::ReusedEarly);
            return Effects::sequel(sequel).with(Effects::REOPEN);
        }
    } else if segment.flags.syn() {
        let sequel = judge_syn(flow, segment, stamped, last_ts);
        let scale = segment
            .has(mark::WINDOW_SCALE)
            .then_some(segment.window_scale);
        let mut detail = pending::syn(x, sequel as u8, segment.window, scale);
        if let Some(kept) = flow.pending_of(kind::SYN, x)
            && kept.value == segment.seq
        {
            // The same again: what has come back so far is the answer.
            let answer = pending::answer(kept).unwrap_or(Answer::Silence);
            detail = pending::answered(detail, answer);
        }
        flow.pend(segment.seq, segment.tick(), detail);
        if !(outdated && holds(flow, y)) {
            return stray;
        }
        return stray.and(restart(flow, segment, false));
    }
    // Without SYN and RST it has ACK, or it would not have been read.
    if !over && holds(flow, y) {
        let fin = segment.flags.fin();
        return stray.and(restart(flow, segment, fin));
    }
    stray
}

/// What the other end says to a SYN that waits for its acceptance.
#[inline(always)]
fn answered(flow: &mut Flow<'_>, segment: &Segment) {
    let Some(kept) = flow.pending_of(kind::SYN, segment.side() ^ 1) else {
        return;
    };
    let answer = if segment.flags.rst() {
        Answer::Rst
    } else if !segment.flags.ack() {
        return;
    } else if !segment.flags.syn() {
        Answer::Ack
    } else if segment.ack == kept.value.wrapping_add(1) {
        Answer::SynAck
    } else {
        return;
    };
    flow.cold.pending.detail = pending::answered(kept.detail, answer);
}

/// The wait starts anew, at most counted to 65535.
#[inline(always)]
fn restart(flow: &mut Flow<'_>, segment: &Segment, fin: bool) -> Effects {
    let x = segment.side();
    let now = segment.tick();
    let half = flow.half(x);
    if after(now, half.last) {
        half.last = now;
    }
    // `window` of the sender of FINs counts those; of the other side, all.
    if fin {
        half.window = half.window.saturating_add(1);
    }
    let all = flow.half(x ^ 1);
    all.window = all.window.saturating_add(1);
    let effects = Effects::event(Event::TimeWaitRestarted);
    if fin {
        effects.with(Effects::FIN_RESTART)
    } else {
        effects
    }
}

/// What the acceptance of this SYN would be (RFC 6191, RFC 9293 3.6.1).
#[inline(always)]
fn judge_syn(flow: &mut Flow<'_>, segment: &Segment, stamped: bool, last_ts: u32) -> Sequel {
    let x = segment.side();
    if holds(flow, x) && !holds(flow, x ^ 1) {
        return Sequel::ReusedByHolder;
    }
    let both = stamped && flow.cold_half(x ^ 1).edge != 0;
    let sent = flow.half(x).sent;
    if both && after(segment.tsval, last_ts) {
        return Sequel::ReusedByTimestamp;
    }
    let older = both && before(segment.tsval, last_ts);
    if after(segment.seq, sent) && !older {
        return Sequel::ReusedBySequence;
    }
    Sequel::ReusedEarly
}

/// RFC 1337: an exact RST ends the wait, unless its timestamp is old or a guard
/// drops it.
#[inline(always)]
fn assassinate(
    flow: &mut Flow<'_>,
    segment: &Segment,
    settings: &Settings,
    outdated: bool,
) -> Effects {
    let x = segment.side();
    let y = x ^ 1;
    let guarded = guard::time_wait(flow, segment, settings, holds(flow, y));
    let stray = Effects::event(Event::StraySegment).and(Effects::guarded(guarded));
    let other = *flow.half(y);
    if guard::drops(guarded) {
        // The holder never sees it.
        return stray;
    }
    if outdated || !holds(flow, y) || !other.is(bit::ACK) || segment.seq != other.acked {
        return stray;
    }
    let mine = *flow.half(x);
    // Sent by this host means that the holder is another.
    let sent_here = mine.home & 1 != 0 && other.home & 1 == 0 && other.home != 0;
    let received_here = other.home & 1 != 0;
    if received_here && settings.flags & setting::RFC1337 != 0 {
        return stray;
    }
    flow.state = flow.state.transition_out_of_time_wait();
    let now = segment.tick();
    flow.half(0).last = now;
    flow.half(1).last = now;
    let sequel = if sent_here {
        Sequel::Offered
    } else {
        Sequel::Assassinated
    };
    stray.and(Effects::sequel(sequel))
}
