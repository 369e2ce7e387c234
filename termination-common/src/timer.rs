//! What runs out, when, and what that means.
//!
//! Every timer counts from the last plausible segment, never from the first.
//! [`due`] needs the hot line alone (but for an RST in doubt), so that a scan
//! of the table stays cheap; [`expire`] decides under the lock.

use crate::{
    engine::{
        ELSEWHERE, Effects, Flow, closing, outcome,
        pending::{self, kind},
        reset::only_syn_acks,
    },
    policy::{Level, Timers},
    serial::{after, latest},
    slot::{Half, Hot, Pending, bit},
    state::{Snapshot, fact},
    taxonomy::{By, Cause, Ending, Evidence, Sequel},
    time::{TICK_SHIFT, Tick, tick, untick},
};

/// When the last segment that counts passed.
#[inline(always)]
fn base(half: &[Half; 2], state: Snapshot) -> Tick {
    let [a, b] = half;
    if state.is_ended() {
        return latest(a.last, b.last);
    }
    match (a.is(bit::SEEN), b.is(bit::SEEN)) {
        (true, false) => a.last,
        (false, true) => b.last,
        _ => latest(a.last, b.last),
    }
}

/// The ending that silence brings a live connection, its timer, and whose
/// silence it is (the side; meaningful where the ending has one).
#[inline(always)]
fn silence(half: &[Half; 2], state: Snapshot, timers: &Timers) -> (Ending, Tick, usize) {
    let [a, b] = half;
    let originator = state.originator();
    let responder = originator ^ 1;
    let fins = usize::from(a.bits & bit::FIN != 0) + usize::from(b.bits & bit::FIN != 0);
    if fins == 2 {
        return (
            Ending::GracefulUnconfirmed,
            timers.last_ack,
            state.first_fin(),
        );
    }
    if fins == 1 {
        let first = state.first_fin();
        // With the other end unseen, a FIN that was not retransmitted counts
        // as acked; whether it was, only the cold half knows.
        let acked = half[first & 1].is(bit::FIN_ACKED);
        let believed = state.is(fact::ONE_SIDED) || acked;
        return if believed {
            (Ending::HalfClosedAbandoned, timers.half_closed, first)
        } else {
            (Ending::FinUnanswered, timers.fin_unanswered, first)
        };
    }
    if !state.is(fact::ESTABLISHED) {
        return if half[responder & 1].is(bit::SYN) {
            (Ending::HandshakeUnacked, timers.syn_received, originator)
        } else {
            (Ending::Unanswered, timers.syn_sent, responder)
        };
    }
    let (a_waits, b_waits) = (a.is(bit::UNANSWERED), b.is(bit::UNANSWERED));
    if !state.is(fact::ONE_SIDED) && (a_waits || b_waits) {
        let silent = if a_waits != b_waits {
            usize::from(a_waits)
        } else if a.last == b.last {
            // Nothing tells them apart.
            responder
        } else {
            // Both wait: whoever has given up first.
            usize::from(after(a.last, b.last))
        };
        return (Ending::HalfOpenSilent, timers.half_open, silent);
    }
    (Ending::IdleExpired, timers.established_idle, 0)
}

/// When the slot's next timer runs out. `pending` is asked only if the state
/// says that something is.
#[inline(always)]
pub fn deadline(hot: &Hot, pending: impl FnOnce() -> Pending, timers: &Timers) -> Tick {
    deadline_in(&hot.half, Snapshot(hot.word), pending, timers)
}

/// [`deadline`] in a given state: under the lock, what the hot line's word says
/// is the lock itself.
#[inline(always)]
fn deadline_in(
    half: &[Half; 2],
    state: Snapshot,
    pending: impl FnOnce() -> Pending,
    timers: &Timers,
) -> Tick {
    let base = base(half, state);
    if state.is_time_wait() {
        return base.wrapping_add(timers.time_wait);
    }
    if state.is_ended() {
        return base.wrapping_add(timers.reset_linger);
    }
    if state.is(fact::PENDING) {
        let pending = pending();
        if pending::kind_of(pending) == kind::RST {
            return pending.at.wrapping_add(timers.reset_confirm);
        }
        if pending::is_mark(pending) {
            return pending.at.wrapping_add(timers.established_idle);
        }
    }
    base.wrapping_add(silence(half, state, timers).1)
}

/// The slot has something that ran out at `now`.
#[inline(always)]
pub fn due(hot: &Hot, pending: impl FnOnce() -> Pending, now: Tick, timers: &Timers) -> bool {
    let state = Snapshot(hot.word);
    !state.is_free()
        && now
            .wrapping_sub(deadline(hot, pending, timers))
            .cast_signed()
            >= 0
}

/// What the slot waits for is over at `now`, nanoseconds.
#[inline(always)]
pub(crate) fn is_over(flow: &Flow<'_>, now: u64, timers: &Timers) -> bool {
    let kept = flow.cold.pending;
    let at = deadline_in(flow.half, flow.state, || kept, timers);
    tick(now).wrapping_sub(at).cast_signed() >= 0
}

/// Ends or releases what ran out. A live connection ends at the time at which
/// its timer ran out, however late that is noticed; an ended one yields the
/// sequel of its TIME_WAIT. The driver frees an ended slot for which this
/// returns `true` beside the effects.
#[inline(always)]
pub fn expire(flow: &mut Flow<'_>, now: u64, timers: &Timers) -> (Effects, bool) {
    let kept = flow.cold.pending;
    let at = deadline_in(flow.half, flow.state, || kept, timers);
    let late = tick(now).wrapping_sub(at).cast_signed();
    if late < 0 {
        return (Effects::NONE, false);
    }
    if flow.state.is_time_wait() {
        return (Effects::sequel(Sequel::Expired), true);
    }
    if flow.state.is_ended() {
        return (Effects::NONE, true);
    }
    let then = now.saturating_sub(u64::from(late.cast_unsigned()) << TICK_SHIFT);
    if flow.is_pending(kind::RST) {
        // Nothing refuted it: the ending stands, and it was then.
        let waited = u64::from(timers.reset_confirm) << TICK_SHIFT;
        return (believe(flow, kept, then.saturating_sub(waited)), false);
    }
    (end_by_silence(flow, then, timers), false)
}

/// Ends a connection by the RST in doubt that waited (`kept`) and came at `time`
/// (nanoseconds). So the RST was one of the connection's segments.
#[inline(always)]
pub fn believe(flow: &mut Flow<'_>, kept: Pending, time: u64) -> Effects {
    let packed = flow.cold.outcome & !ELSEWHERE;
    let sender = pending::side(kept) & 1;
    let half = flow.half(sender);
    half.segments = half.segments.saturating_add(1);
    half.bits |= bit::SEEN;
    half.last = kept.at;
    if flow.state.is(fact::FIN) {
        let count = &mut flow.cold.segments_after_fin[sender];
        *count = count.saturating_add(1);
    }
    flow.end(packed, time)
}

/// [`expire`] of a live connection that somebody meets at `now`: with a
/// controller its timer is noticed within a moment, without one perhaps only by
/// who takes its tuple or its place, days later. It has ended all the same, as
/// and when the timer says.
///
/// Its next own segment is no such meeting: newer life defeats an expiry.
#[inline(never)]
pub fn lapse(flow: &mut Flow<'_>, now: u64, timers: &Timers) -> Effects {
    expire(flow, now, timers).0
}

/// [`expire`] at a level that is known when the programs are loaded.
#[inline(always)]
pub fn expire_at(level: Level, flow: &mut Flow<'_>, now: u64, timers: &Timers) -> (Effects, bool) {
    if level.is_closing() && closing::marks(flow, now, timers) {
        return (Effects::NONE, false);
    }
    expire(flow, now, timers)
}

/// When a timer that has run out at `now` did: that may be noticed late, or
/// by nobody for days. Nanoseconds.
#[inline(always)]
pub fn ran_out(flow: &Flow<'_>, now: u64, timers: &Timers) -> u64 {
    let kept = flow.cold.pending;
    untick(deadline_in(flow.half, flow.state, || kept, timers), now)
}

/// Ends a live connection for the reason that its silence gives.
#[inline(always)]
fn end_by_silence(flow: &mut Flow<'_>, then: u64, timers: &Timers) -> Effects {
    let (mut ending, _, side) = silence(flow.half, flow.state, timers);
    let retransmitted = flow.cold_half(side).retransmits > 0;
    if matches!(ending, Ending::HalfClosedAbandoned)
        && flow.state.is(fact::ONE_SIDED)
        && retransmitted
        && flow.half(side).is(bit::UNANSWERED)
    {
        ending = Ending::FinUnanswered;
    }
    let by = match ending {
        Ending::IdleExpired => By::Nobody,
        Ending::GracefulUnconfirmed if flow.state.is(fact::SIMULTANEOUS) => By::Both,
        _ => flow.by(side),
    };
    let (cause, evidence) = match ending {
        Ending::HalfOpenSilent | Ending::IdleExpired if overflowed(flow) => {
            (Some(Cause::AcceptQueueOverflow), Evidence::WireWeak)
        }
        Ending::FinUnanswered | Ending::GracefulUnconfirmed if fin_repeated(flow) => {
            (Some(Cause::RetransmitTimeout), Evidence::WireWeak)
        }
        // Who retransmits, or probes a closed window, gives up without a word;
        // keepalive ends with an RST (net/ipv4/tcp_timer.c).
        Ending::HalfOpenSilent
            if !flow.half[(side ^ 1) & 1].is(bit::PROBED) || flow.half[side & 1].window == 0 =>
        {
            (Some(Cause::RetransmitTimeout), Evidence::WireWeak)
        }
        _ => (None, Evidence::None),
    };
    let phase = flow.phase();
    let packed = outcome(ending, by, phase, None, cause, evidence);
    flow.end(packed, then)
}

/// A FIN that was never acked was sent again, and again got no answer.
#[inline(always)]
fn fin_repeated(flow: &Flow<'_>) -> bool {
    const ASKED: u16 = bit::FIN | bit::UNANSWERED;
    let [a, b] = &*flow.half;
    a.bits & (ASKED | bit::FIN_ACKED) == ASKED || b.bits & (ASKED | bit::FIN_ACKED) == ASKED
}

/// The responder repeated its SYN-ACK although the final ACK had come, alone or
/// with payload, and never said anything else: its accept queue had no room
/// (net/ipv4/tcp_minisocks.c tcp_check_req).
#[inline(always)]
fn overflowed(flow: &mut Flow<'_>) -> bool {
    let responder = flow.state.originator() ^ 1;
    only_syn_acks(flow, responder) && flow.cold_half(responder).retransmits > 1
}

/// Ends what lives because observation stops, or because its room is needed.
#[inline(always)]
pub fn drop_observed(flow: &mut Flow<'_>, now: u64, evicted: bool) -> Effects {
    let ending = if evicted {
        Ending::Evicted
    } else {
        Ending::Shutdown
    };
    let phase = flow.phase();
    let packed = outcome(ending, By::Observer, phase, None, None, Evidence::None);
    flow.end(packed, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{counters::Event, slot::Slot};

    #[test]
    fn who_is_silent_does_not_depend_on_the_order_of_the_addresses() {
        let waits = |last| Half {
            last,
            bits: bit::SEEN | bit::UNANSWERED,
            ..Half::default()
        };
        let state = Snapshot::default().with(fact::ESTABLISHED);
        let silent = |half: [Half; 2]| {
            let (ending, _, side) = silence(&half, state, &Timers::DEFAULT);
            assert_eq!(ending, Ending::HalfOpenSilent);
            side
        };
        // Who has given up first.
        assert_eq!(silent([waits(7), waits(5)]), 1);
        assert_eq!(silent([waits(5), waits(7)]), 0);
        // Nothing tells them apart: the responder (here, end 1).
        assert_eq!(silent([waits(5), waits(5)]), 1);
        // Who does not wait for anything.
        let answered = Half {
            bits: bit::SEEN,
            ..waits(9)
        };
        assert_eq!(silent([waits(5), answered]), 1);
        assert_eq!(silent([answered, waits(5)]), 0);
    }

    fn with<R>(slot: &mut Slot, f: impl FnOnce(&mut Flow<'_>) -> R) -> R {
        let mut flow = Flow {
            state: slot.state(),
            half: &mut slot.hot.half,
            cold: &mut slot.cold,
        };
        let result = f(&mut flow);
        slot.hot.word = flow.state.0;
        result
    }

    #[test]
    fn at_closing_a_timer_asks_once_before_it_ends_anything() {
        let timers = Timers::DEFAULT;
        let mut slot = Slot::default();
        slot.hot.word = Snapshot::default().transition_to_live(fact::ESTABLISHED).0;
        for half in &mut slot.hot.half {
            half.bits = bit::SEEN;
            half.last = 1000;
        }
        let at = |ticks: Tick| u64::from(ticks) << TICK_SHIFT;
        let idle = timers.established_idle;
        let steps = [
            // Not yet; then marked; then for as long once more.
            (1000 + idle - 1, false, Effects::NONE),
            (1000 + idle, true, Effects::NONE),
            (1000 + 2 * idle - 1, true, Effects::NONE),
            (1000 + 2 * idle, true, Effects::event(Event::Ending)),
        ];
        for (ticks, marked, expected) in steps {
            let (effects, over) = with(&mut slot, |flow| {
                expire_at(Level::Closing, flow, at(ticks), &timers)
            });
            assert_eq!((effects, over), (expected, false), "{ticks}");
            let asks = slot.state().is(fact::PENDING) && pending::is_mark(slot.cold.pending);
            assert_eq!(asks, marked && expected == Effects::NONE, "{ticks}");
        }
    }

    #[test]
    fn what_ends_by_a_doubt_does_not_say_where_it_passed() {
        let mut slot = Slot::default();
        slot.hot.word = Snapshot::default().transition_to_live(fact::ESTABLISHED).0;
        slot.cold.outcome = 7 | ELSEWHERE;
        let kept = Pending::default();
        with(&mut slot, |flow| believe(flow, kept, 5_000_000_000));
        assert_eq!(slot.cold.outcome, 7);
    }
}
