//! Slots by hand, and what they say.

use super::*;
use crate::{
    counters::Event,
    engine::pending::kind,
    slot::{ColdHalf, Pending},
    taxonomy::{By, Evidence, Phase, Verdict},
    time::tick,
};

const SECOND: u64 = 1_000_000_000;
const OPEN: u16 = bit::SEEN | bit::SYN | bit::SYN_ACKED | bit::ACK;

/// Endpoint 0 opened; both ends are at their first byte.
fn open() -> Slot {
    let mut slot = Slot::default();
    slot.hot.word = Snapshot::default().transition_to_live(fact::ESTABLISHED).0;
    for side in 0..2 {
        let isn = 1000 * (side as u32 + 1);
        slot.hot.half[side].bits = OPEN;
        slot.hot.half[side].sent = isn + 1;
        slot.hot.half[side ^ 1].acked = isn + 1;
        slot.cold.half[side].isn = isn;
    }
    slot.cold.started_at = 100 * SECOND;
    slot
}

fn set(slot: &mut Slot, facts: u64) {
    slot.hot.word = slot.state().with(facts).0;
}

/// Bits of both halves, and what both ends show.
fn states(slot: &Slot) -> [Option<EndState>; 2] {
    [end_state(slot, 0), end_state(slot, 1)]
}

fn reset() -> Outcome {
    Outcome {
        ending: Ending::Reset,
        by: By::Responder,
        phase: Phase::Transfer,
        verdict: Some(Verdict::InWindow),
        cause: None,
        evidence: Evidence::WireWeak,
        holder: Holder::None,
    }
}

fn end(slot: &mut Slot, ending: Ending, holder: Holder, at: u64) {
    let outcome = Outcome {
        ending,
        by: By::Originator,
        phase: Phase::Transfer,
        verdict: None,
        cause: None,
        evidence: Evidence::None,
        holder,
    };
    slot.cold.outcome = outcome.pack();
    slot.cold.turned_at = at;
    slot.hot.word = slot.state().transition_to_ended(holder != Holder::None).0;
}

#[test]
fn the_states_of_an_ordinary_close_follow_one_another() {
    use EndState::{CloseWait, Closed, Established, FinWait1, FinWait2, LastAck, TimeWait};
    let mut slot = open();
    assert_eq!(states(&slot), [Some(Established); 2]);
    assert_eq!(live_state(&slot.hot), LiveState::Established);

    set(&mut slot, fact::FIN);
    slot.hot.half[0].bits |= bit::FIN;
    assert_eq!(states(&slot), [Some(FinWait1), Some(Established)]);
    assert_eq!(live_state(&slot.hot), LiveState::HalfClosed);
    slot.hot.half[0].bits |= bit::FIN_ACKED;
    assert_eq!(states(&slot), [Some(FinWait2), Some(CloseWait)]);

    slot.hot.half[1].bits |= bit::FIN;
    assert_eq!(states(&slot), [Some(FinWait2), Some(LastAck)]);
    assert_eq!(live_state(&slot.hot), LiveState::Closing);

    slot.hot.half[1].bits |= bit::FIN_ACKED;
    end(
        &mut slot,
        Ending::Graceful,
        Holder::Originator,
        101 * SECOND,
    );
    assert_eq!(states(&slot), [Some(TimeWait), Some(Closed)]);
    slot.hot.word = slot.state().transition_out_of_time_wait().0;
    assert_eq!(states(&slot), [Some(Closed); 2]);
}

#[test]
fn crossing_fins_go_through_closing() {
    use EndState::{Closing, FinWait1, FinWait2, TimeWait};
    let mut slot = open();
    set(&mut slot, fact::FIN | fact::SIMULTANEOUS | fact::FIRST_FIN);
    slot.hot.half[0].bits |= bit::FIN;
    slot.hot.half[1].bits |= bit::FIN;
    assert_eq!(states(&slot), [Some(FinWait1); 2]);
    slot.hot.half[0].bits |= bit::FIN_ACKED;
    // Endpoint 1 has received the other's FIN, its own is on its way.
    assert_eq!(states(&slot), [Some(FinWait2), Some(Closing)]);
    slot.hot.half[1].bits |= bit::FIN_ACKED;
    end(
        &mut slot,
        Ending::GracefulSimultaneous,
        Holder::Both,
        101 * SECOND,
    );
    assert_eq!(states(&slot), [Some(TimeWait); 2]);
    assert_eq!(half_close(&slot).unwrap().first_fin, None);
}

#[test]
fn a_handshake_shows_one_end_before_the_other() {
    use EndState::{SynReceived, SynSent};
    let mut slot = Slot::default();
    slot.hot.word = Snapshot::default().transition_to_live(fact::ORIGINATOR).0;
    slot.hot.half[1].bits = bit::SEEN | bit::SYN;
    assert_eq!(states(&slot), [None, Some(SynSent)]);
    assert_eq!(live_state(&slot.hot), LiveState::SynSent);
    slot.hot.half[1].bits |= bit::SYN_ACKED;
    slot.hot.half[0].bits = bit::SEEN | bit::SYN | bit::ACK;
    assert_eq!(states(&slot), [Some(SynReceived), Some(SynSent)]);
    assert_eq!(live_state(&slot.hot), LiveState::SynReceived);
    // SYNs that crossed: neither is acked.
    slot.hot.half[1].bits = bit::SEEN | bit::SYN;
    assert_eq!(states(&slot), [Some(SynReceived); 2]);
}

#[test]
fn after_a_timer_the_ends_stay_where_they_were() {
    let mut slot = open();
    set(&mut slot, fact::FIN);
    slot.hot.half[0].bits |= bit::FIN | bit::FIN_ACKED;
    end(
        &mut slot,
        Ending::HalfClosedAbandoned,
        Holder::None,
        9000 * SECOND,
    );
    assert_eq!(
        states(&slot),
        [Some(EndState::FinWait2), Some(EndState::CloseWait)]
    );
    end(&mut slot, Ending::Reset, Holder::None, 9000 * SECOND);
    assert_eq!(states(&slot), [Some(EndState::Closed); 2]);
    assert_eq!(end_state(&Slot::default(), 0), None);
}

#[test]
fn bytes_are_exact_over_wraps_and_leave_syn_and_fin_out() {
    let sent = |isn: u32, bytes: u64, fin: bool| {
        let mut slot = open();
        slot.cold.half[0] = ColdHalf {
            isn,
            ..ColdHalf::default()
        };
        let end = u64::from(isn) + 1 + bytes + u64::from(fin);
        slot.hot.half[0].sent = end as u32;
        slot.hot.half[0].wraps = (end >> 32) as u16;
        slot.hot.half[0].bits |= if fin { bit::FIN } else { 0 };
        super::bytes(&slot, 0)
    };
    for isn in [0, 1000, u32::MAX - 1, u32::MAX] {
        for count in [0, 1, 70_000, u64::from(u32::MAX), 10_000_000_000_000] {
            assert_eq!(sent(isn, count, false), count, "{isn} {count}");
            assert_eq!(sent(isn, count, true), count, "{isn} {count} FIN");
        }
    }
}

#[test]
fn an_end_that_said_nothing_has_sent_nothing() {
    let mut slot = open();
    slot.hot.half[1] = Half {
        sent: 5000,
        ..Half::default()
    };
    assert_eq!(bytes(&slot, 1), 0);
    // An RST alone has a sequence number and no start to count from.
    slot.hot.half[1].bits = bit::SEEN;
    assert_eq!(bytes(&slot, 1), 0);
    // Below the start: nothing, not 2^64 - 1.
    slot.hot.half[0].sent = 7;
    assert_eq!(bytes(&slot, 0), 0);
}

#[test]
fn what_is_not_acked_is_lost_but_for_syn_and_fin() {
    let mut slot = open();
    slot.hot.half[0].sent += 500;
    assert_eq!(lost(&slot, 0), Some(500));
    assert_eq!(lost(&slot, 1), Some(0));
    slot.hot.half[0].sent += 1;
    slot.hot.half[0].bits |= bit::FIN;
    assert_eq!(lost(&slot, 0), Some(500));
    slot.hot.half[1].acked += 200;
    assert_eq!(lost(&slot, 0), Some(300));
    slot.hot.half[1].acked += 301;
    slot.hot.half[0].bits |= bit::FIN_ACKED;
    assert_eq!(lost(&slot, 0), Some(0));
    // Acked more than was seen.
    slot.hot.half[1].acked += 9;
    assert_eq!(lost(&slot, 0), Some(0));
}

/// Met midstream, endpoint 0 has sent so much.
fn midstream(bytes: u32) -> Slot {
    let mut slot = Slot::default();
    let facts = fact::MIDSTREAM | fact::ESTABLISHED;
    slot.hot.word = Snapshot::default().transition_to_live(facts).0;
    slot.cold.half[0].isn = 999;
    slot.hot.half[0].bits = bit::SEEN | bit::DATA;
    slot.hot.half[0].sent = 1000 + bytes;
    slot
}

#[test]
fn loss_of_what_was_met_midstream() {
    let mut slot = midstream(500);
    // Its end has not spoken, and nobody knows what it has got.
    assert_eq!(lost(&slot, 0), None);
    assert_eq!(lost(&slot, 1), None);
    // Seen, but it has acked nothing; or its ack is known, but not from it.
    slot.hot.half[1].acked = 1400;
    slot.hot.half[1].bits = bit::SEEN;
    assert_eq!(lost(&slot, 0), None);
    slot.hot.half[1].bits = bit::ACK;
    assert_eq!(lost(&slot, 0), None);
    slot.hot.half[1].bits = bit::SEEN | bit::ACK;
    assert_eq!(lost(&slot, 0), Some(100));
    // Acks from before the first segment: no more is lost than was seen.
    slot.hot.half[1].acked = 300;
    assert_eq!(lost(&slot, 0), Some(500));
    // Nothing was sent that could be lost.
    let mut slot = midstream(0);
    slot.hot.half[0].bits = bit::SEEN | bit::PURE_ACK;
    assert_eq!(lost(&slot, 0), Some(0));
}

#[test]
fn neither_syn_nor_fin_is_lost_payload() {
    let mut slot = open();
    slot.hot.half[0].bits = bit::SEEN | bit::SYN | bit::DATA | bit::FIN;
    slot.hot.half[0].sent = 1000 + 1 + 300 + 1;
    slot.hot.half[1].acked = 1000;
    assert_eq!(lost(&slot, 0), Some(300));
}

#[test]
fn what_the_other_end_acked_unseen_was_sent_by_who_spoke_at_all() {
    for spoke in [bit::SYN, bit::PURE_ACK, bit::DATA] {
        let mut slot = midstream(500);
        slot.hot.half[0].bits = bit::SEEN | spoke;
        assert_eq!(bytes(&slot, 0), 500, "{spoke}");
    }
    let mut slot = midstream(500);
    slot.hot.half[0].bits = bit::SEEN | bit::FIN;
    assert_eq!(bytes(&slot, 0), 499);
}

#[test]
fn the_responder_may_be_the_one_who_waits() {
    use EndState::{Closed, TimeWait};
    for (originator, waits) in [(0, [Closed, TimeWait]), (1, [TimeWait, Closed])] {
        let mut slot = open();
        set(
            &mut slot,
            if originator == 1 { fact::ORIGINATOR } else { 0 },
        );
        end(&mut slot, Ending::Graceful, Holder::Responder, 101 * SECOND);
        assert_eq!(states(&slot), waits.map(Some));
    }
}

#[test]
fn only_a_time_wait_has_met_a_syn() {
    let mut slot = open();
    slot.cold.pending.detail = pending::syn(1, 0, 0, None);
    assert_eq!(kind::SYN, pending::kind_of(slot.cold.pending));
    set(&mut slot, fact::PENDING);
    assert_eq!(answer(&slot), None);
    end(
        &mut slot,
        Ending::Graceful,
        Holder::Originator,
        101 * SECOND,
    );
    assert_eq!(answer(&slot), None);
    set(&mut slot, fact::PENDING);
    assert_eq!(answer(&slot), Some(Answer::Silence));
    slot.cold.pending.detail = pending::answered(slot.cold.pending.detail, Answer::Rst);
    assert_eq!(answer(&slot), Some(Answer::Rst));
}

#[test]
fn the_last_segment_is_of_an_end_that_was_seen() {
    let mut slot = open();
    // Serially, 0 is later than these.
    for (side, last) in [(0, 0xc000_0000), (1, 0xc000_0001)] {
        slot.hot.half[side] = Half {
            last,
            bits: bit::SEEN,
            ..Half::default()
        };
        slot.hot.half[side ^ 1] = Half::default();
        assert_eq!(last_tick(&slot.hot), last);
    }
    slot.hot.half[0].bits = bit::SEEN;
    slot.hot.half[0].last = 0xc000_0002;
    assert_eq!(last_tick(&slot.hot), 0xc000_0002);
}

#[test]
fn nothing_lasts_less_than_no_time() {
    let mut slot = open();
    // In the middle of a tick.
    slot.cold.started_at = (7 << TICK_SHIFT) + 1000;
    slot.hot.half[0].last = 7;
    slot.hot.half[1].last = 7;
    assert_eq!(last_segment(&slot, 8 << TICK_SHIFT), slot.cold.started_at);
    end(&mut slot, Ending::Unanswered, Holder::None, 9 << TICK_SHIFT);
    slot.cold.pending.at = 7;
    assert_eq!(last_segment(&slot, 0), slot.cold.started_at);
}

#[test]
fn loss_nobody_could_see_is_unknown() {
    let mut slot = open();
    slot.hot.half[0].sent += 500;
    slot.hot.half[1] = Half::default();
    // The handshake's view is whole: nobody acked it.
    assert_eq!(lost(&slot, 0), Some(500));
    assert_eq!(lost(&slot, 1), Some(0));
    set(&mut slot, fact::ONE_SIDED);
    assert_eq!(lost(&slot, 0), None);
    assert_eq!(lost(&slot, 1), None);
}

#[test]
fn the_duration_ends_with_the_last_segment() {
    let start = 100 * SECOND;
    let mut slot = open();
    slot.hot.half[0].last = tick(start + 2 * SECOND);
    slot.hot.half[1].last = tick(start + SECOND);
    let near = |slot: &Slot, now, expected: u64| {
        let found = duration(slot, now);
        found <= expected && expected - found <= 1 << TICK_SHIFT
    };
    assert!(near(&slot, start + 50 * SECOND, 2 * SECOND));

    // By a segment: to the nanosecond.
    end(&mut slot, Ending::Reset, Holder::None, start + 12_345);
    slot.cold.pending = Pending {
        at: tick(start),
        ..Pending::default()
    };
    assert_eq!(duration(&slot, u64::MAX), 12_345);

    // By a timer: the last segment, not the timer; a lone one took no time.
    end(
        &mut slot,
        Ending::Unanswered,
        Holder::None,
        start + 60 * SECOND,
    );
    assert_eq!(duration(&slot, u64::MAX), 0);
    slot.cold.pending.at = tick(start + 3 * SECOND);
    assert!(near(&slot, u64::MAX, 3 * SECOND));
}

#[test]
fn the_reply_after_a_fin_is_credited_to_the_other_end() {
    let mut slot = open();
    assert_eq!(half_close(&slot), None);
    set(&mut slot, fact::FIN | fact::FIRST_FIN);
    slot.hot.half[1].bits |= bit::FIN;
    slot.cold.bytes_after_fin = 77;
    slot.cold.segments_after_fin = [3, 4];
    slot.cold.fin_to_ack = Span::new(81_000);
    let close = half_close(&slot).unwrap();
    assert_eq!(close.first_fin, Some(1));
    assert_eq!(close.bytes_after_fin, [77, 0]);
    assert_eq!(close.segments_after_fin, [3, 4]);
    assert_eq!(close.fin_to_ack.nanoseconds(), Some(81_000));
    assert_eq!(close.fin_to_fin.nanoseconds(), None);
}

#[test]
fn restarts_are_all_on_the_holders_side_and_fins_on_the_other() {
    let mut slot = open();
    end(&mut slot, Ending::Graceful, Holder::Responder, 101 * SECOND);
    slot.hot.half[1].window = 5;
    slot.hot.half[0].window = 2;
    assert_eq!(
        restarts(&slot),
        Restarts {
            all: 5,
            by_fin: Some(2)
        }
    );
    end(
        &mut slot,
        Ending::GracefulSimultaneous,
        Holder::Both,
        101 * SECOND,
    );
    assert_eq!(
        restarts(&slot),
        Restarts {
            all: 5,
            by_fin: None
        }
    );
}

#[test]
fn strays_of_an_end_that_was_never_seen_prolong_the_linger() {
    let mut slot = open();
    slot.hot.half[0].last = 7;
    slot.hot.half[1] = Half {
        last: 9,
        ..Half::default()
    };
    assert_eq!(last_tick(&slot.hot), 7);
    end(&mut slot, Ending::IdleExpired, Holder::None, 101 * SECOND);
    assert_eq!(last_tick(&slot.hot), 9);
}

#[test]
fn a_pending_verdict_is_no_outcome() {
    let mut slot = open();
    slot.cold.outcome = reset().pack();
    assert_eq!(outcome(&slot), None);
    slot.hot.word = slot.state().transition_to_ended(false).0;
    assert_eq!(outcome(&slot), Some(reset()));
    assert_eq!(Event::from_name("ending"), Some(Event::Ending));
}
