//! What the engine says of a step, and what it opens: beyond what scenarios can
//! ask.

use super::{guard::Guarded, *};
use crate::slot::Slot;

/// A slot under its lock.
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

fn segment(flags: u8) -> Segment {
    Segment {
        flags: Flags(flags),
        time: 5_000_000_000,
        home: 2,
        packets: 1,
        seq: 100,
        ack: 200,
        ..Segment::default()
    }
}

#[test]
fn effects_keep_what_they_are_made_of() {
    let judged = Effects::judged(Verdict::Train);
    assert!(judged.any(Effects::JUDGED));
    assert_eq!(judged.verdict_number(), Verdict::Train as u8);
    for (guarded, told, drops) in [
        (Guarded::NotJudged, false, false),
        (Guarded::Passed, false, false),
        (Guarded::BlindWouldDrop, true, false),
        (Guarded::BlindDropped, true, true),
        (Guarded::TimeWaitWouldDrop, true, false),
        (Guarded::TimeWaitDropped, true, true),
    ] {
        let effects = judged.and(Effects::guarded(guarded as u32));
        assert_eq!(effects.guarded_number(), guarded as u8);
        assert_eq!(effects.has(Event::RstGuarded), told, "{guarded}");
        assert_eq!(effects.drops(), drops, "{guarded}");
        assert_eq!(effects.verdict_number(), Verdict::Train as u8);
    }
}

#[test]
fn effects_lose_one_event_and_nothing_else() {
    let both = Effects::event(Event::Ending).and(Effects::event(Event::HalfOpenSuspected));
    let all = both.with(Effects::SETTLED | Effects::REOPEN);
    let rest = all.without(Event::HalfOpenSuspected);
    assert_eq!(rest.0, all.0 & !(1 << Event::HalfOpenSuspected as u32));
    assert!(rest.has(Event::Ending) && rest.any(Effects::REOPEN));
    assert_eq!(rest.without(Event::HalfOpenSuspected), rest);
}

#[test]
fn only_a_rejected_rst_is_of_the_other_end() {
    let effects =
        Effects::rejected(Verdict::InWindow as u8, true).and(Effects::event(Event::ChallengeAck));
    for sender in [0, 1] {
        let side = |event: Event| effects.side_of(event as u32, sender);
        assert_eq!(side(Event::RstRejected), sender ^ 1);
        assert_eq!(side(Event::ChallengeAck), sender);
    }
    let own = Effects::rejected(Verdict::InWindow as u8, false);
    assert_eq!(own.side_of(Event::RstRejected as u32, 1), 1);
}

#[test]
fn what_opens_is_marked_as_chosen() {
    const FIRST: [u8; 4] = [Flags::SYN, Flags::SYN | Flags::ACK, Flags::ACK, Flags::RST];
    for flags in FIRST {
        for (marks, sampled) in [(0, false), (mark::SAMPLED, true)] {
            let mut slot = Slot::default();
            let first = Segment {
                marks,
                ..segment(flags)
            };
            with(&mut slot, |flow| open(flow, &first));
            assert_eq!(slot.state().is(fact::SAMPLED), sampled, "{flags:x}");
            assert_eq!(
                slot.state().is(fact::MIDSTREAM),
                flags & Flags::SYN == 0,
                "{flags:x}"
            );
        }
    }
}

#[test]
fn what_reopens_is_marked_as_chosen() {
    for (marks, sampled) in [(0, false), (mark::SAMPLED, true)] {
        let mut slot = Slot::default();
        let side = segment(0).side();
        slot.cold.pending = Pending {
            value: 199,
            at: 1,
            detail: pending::syn(side ^ 1, 0, 1000, None),
        };
        let answer = Segment {
            marks,
            ..segment(Flags::SYN | Flags::ACK)
        };
        with(&mut slot, |flow| reopen(flow, &answer));
        assert_eq!(slot.state().is(fact::SAMPLED), sampled);
        assert_eq!(slot.state().originator(), side ^ 1);
    }
}

#[test]
fn the_last_segment_is_of_an_end_that_was_seen() {
    let mut slot = Slot::default();
    // Serially, 0 is later than these.
    for (side, last) in [(0, 0xc000_0000), (1, 0xc000_0001)] {
        slot.hot.half = Default::default();
        slot.hot.half[side].bits = bit::SEEN;
        slot.hot.half[side].last = last;
        assert_eq!(with(&mut slot, |flow| flow.last()), last);
    }
    slot.hot.half[0].bits = bit::SEEN;
    slot.hot.half[0].last = 0xc000_0002;
    assert_eq!(with(&mut slot, |flow| flow.last()), 0xc000_0002);
}

#[test]
fn an_ending_starts_the_linger_of_both_halves() {
    for holder in [Holder::None, Holder::Both] {
        let mut slot = Slot::default();
        for half in &mut slot.hot.half {
            half.bits = bit::SEEN;
            half.last = 3;
            half.window = 7;
        }
        slot.cold.pending.value = 9;
        let outcome = Outcome {
            ending: Ending::GracefulSimultaneous,
            by: By::Both,
            phase: Phase::Closing,
            verdict: None,
            cause: None,
            evidence: Evidence::None,
            holder,
        };
        let time = 5_000_000_000;
        with(&mut slot, |flow| flow.end(outcome.pack(), time));
        let now = crate::time::tick(time);
        assert_eq!(slot.hot.half.map(|half| half.last), [now; 2]);
        // Restarts are counted where the windows were.
        let waits = holder != Holder::None;
        assert_eq!(slot.hot.half.map(|half| half.window == 0), [waits; 2]);
        // Without a TIME_WAIT, the last segment's moment is kept.
        assert_eq!(slot.cold.pending.at, if waits { 0 } else { 3 });
    }
}

#[test]
fn with_equal_ports_who_speaks_first_is_taken_for_the_originator() {
    for (ports, sender, originator) in [
        ([7, 7], 0, 0),
        ([7, 7], 1, 1),
        ([9, 7], 1, 0),
        ([7, 9], 0, 1),
    ] {
        let mut slot = Slot::default();
        let mut first = segment(Flags::ACK);
        first.sender = sender;
        let [a, b] = ports;
        first.tuple.words[4] = a | b << 16;
        with(&mut slot, |flow| open(flow, &first));
        assert_eq!(slot.state().originator(), originator, "{ports:?} {sender}");
    }
}

#[test]
fn a_linger_counts_from_the_last_stray_of_either_end() {
    use crate::{policy::Timers, timer};
    let timers = Timers::DEFAULT;
    let mut slot = Slot::default();
    let live = Snapshot::default().transition_to_live(fact::ESTABLISHED);
    let ended = live.transition_to_ended(false);
    // Of these only the first was seen before the ending.
    slot.hot.half[0].bits = bit::SEEN;
    slot.hot.half[0].last = 100;
    slot.hot.half[1].last = 150;
    for (word, last, timer) in [
        (live.0, 100, timers.established_idle),
        (ended.0, 150, timers.reset_linger),
    ] {
        slot.hot.word = word;
        let deadline = timer::deadline(&slot.hot, Pending::default, &timers);
        assert_eq!(deadline, last + timer);
        assert!(!timer::due(
            &slot.hot,
            Pending::default,
            deadline - 1,
            &timers
        ));
        assert!(timer::due(&slot.hot, Pending::default, deadline, &timers));
    }
    slot.hot.half.swap(0, 1);
    slot.hot.word = live.0;
    let deadline = timer::deadline(&slot.hot, Pending::default, &timers);
    assert_eq!(deadline, 100 + timers.established_idle);
}

/// An established connection between sides of which `sender` sent `segment`'s.
fn established(slot: &mut Slot) {
    slot.hot.word = Snapshot::default().transition_to_live(fact::ESTABLISHED).0;
    for half in &mut slot.hot.half {
        half.bits = bit::SEEN | bit::SYN | bit::SYN_ACKED | bit::ACK | bit::SCALE_KNOWN;
        half.home = 2;
        half.last = 1;
        half.window = 500;
        half.window_max = 500;
    }
    let [mine, other] = &mut slot.hot.half;
    (mine.sent, mine.acked) = (100, 200);
    (other.sent, other.acked) = (200, 100);
}

#[test]
fn at_full_a_count_of_wraps_is_no_mark() {
    let mut slot = Slot::default();
    established(&mut slot);
    for half in &mut slot.hot.half {
        // 128 TiB.
        half.wraps = closing::STALE;
    }
    let reset = segment(Flags::RST | Flags::ACK);
    assert_eq!(reset.side(), 0);
    let effects = with(&mut slot, |flow| step(flow, &reset, &Settings::DEFAULT));
    assert_eq!(effects.verdict_number(), Verdict::Exact as u8);
    assert!(effects.has(Event::Ending));
}

#[test]
fn what_passes_elsewhere_is_remembered_of_the_living_alone() {
    let beside = Segment {
        home: 9,
        ..segment(Flags::ACK)
    };
    let settings = Settings {
        home: 1 << 30,
        ..Settings::DEFAULT
    };
    for ended in [false, true] {
        let mut slot = Slot::default();
        established(&mut slot);
        if ended {
            with(&mut slot, |flow| flow.end(7, 5_000_000_000));
        }
        let before = slot.cold.outcome;
        let effects = with(&mut slot, |flow| step(flow, &beside, &settings));
        assert_eq!(effects, Effects::event(Event::SeenElsewhere));
        let elsewhere = if ended { 0 } else { ELSEWHERE };
        assert_eq!(slot.cold.outcome, before | elsewhere);
    }
}

/// At the level `closing`: side 0 was left alone, and its first word since meets
/// what is known of side 1.
fn meets(slot: &mut Slot, seq: u32, payload: u32, ack: u32) {
    let word = Segment {
        seq,
        payload,
        ack,
        ..segment(Flags::ACK)
    };
    assert_eq!(word.side(), 0);
    with(slot, |flow| {
        closing::before_step(flow, &word, &Settings::DEFAULT)
    });
}

#[test]
fn a_first_word_may_contradict_what_is_known_of_the_other_end() {
    /// Side 1 is at 10,200 and has got 10,100; windows are 300 and 500.
    const CASES: [([u32; 3], bool); 13] = [
        ([10_100, 0, 10_200], false),
        ([10_600, 0, 10_200], false),
        ([10_601, 0, 10_200], true),
        ([10_590, 10, 10_200], false),
        ([10_590, 11, 10_200], true),
        ([9_600, 0, 10_200], false),
        ([9_599, 0, 10_200], true),
        ([10_100, 0, 10_500], false),
        ([10_100, 0, 10_501], true),
        ([10_100, 0, 9_900], false),
        ([10_100, 0, 9_899], true),
        ([10_601, 0, 10_201], true),
        ([9_599, 0, 9_899], true),
    ];
    let known = |acks: bool| {
        let mut slot = Slot::default();
        established(&mut slot);
        let [mine, other] = &mut slot.hot.half;
        mine.wraps = closing::STALE;
        mine.window_max = 300;
        (other.sent, other.acked) = (10_200, 10_100);
        if !acks {
            other.bits &= !bit::ACK;
        }
        slot
    };
    for ([seq, payload, ack], contradicts) in CASES {
        let mut slot = known(true);
        meets(&mut slot, seq, payload, ack);
        let [mine, other] = &slot.hot.half;
        assert!(!closing::is_stale(mine));
        let forgotten = closing::is_stale(other);
        assert_eq!(forgotten, contradicts, "{seq} {payload} {ack}");
    }
    // What it has got is not known: only what it has sent can be contradicted.
    for (seq, ack, contradicts) in [(20_000, 10_200, false), (10_100, 10_501, true)] {
        let mut slot = known(false);
        meets(&mut slot, seq, 0, ack);
        let forgotten = closing::is_stale(&slot.hot.half[1]);
        assert_eq!(forgotten, contradicts, "{seq} {ack}");
    }
    // A FIN is acked, and nothing behind it.
    for (ack, contradicts) in [(10_200, false), (10_201, true)] {
        let mut slot = known(true);
        slot.hot.half[1].bits |= bit::FIN;
        slot.cold.half[1].fin = 10_199;
        meets(&mut slot, 10_100, 0, ack);
        let [_, other] = &slot.hot.half;
        assert_eq!(closing::is_stale(other), contradicts, "{ack}");
        assert_eq!(other.is(bit::FIN), !contradicts, "{ack}");
    }
}

#[test]
fn nothing_said_after_an_ending_is_a_word() {
    let mut slot = Slot::default();
    established(&mut slot);
    for half in &mut slot.hot.half {
        half.wraps = closing::STALE;
    }
    with(&mut slot, |flow| flow.end(7, 5_000_000_000));
    let before = slot;
    meets(&mut slot, 4_000, 50, 9_000);
    assert_eq!(slot, before);
}

#[test]
fn an_end_stands_where_the_other_has_acked_to() {
    use pending::{GAP_BY_ACK, GAP_FAR, GAP_FRAGMENT, GAP_HOLE, GAP_NEXT, gap, is_where_acked};
    /// Side, marks, `value`, the other number: is side 0 at 5000?
    const CASES: [((usize, u32, u32, u32), bool); 13] = [
        ((0, GAP_BY_ACK, 5000, 1), true),
        ((0, GAP_BY_ACK | GAP_FAR, 5000, 1), true),
        ((0, GAP_BY_ACK, 5001, 5000), false),
        ((0, GAP_BY_ACK | GAP_HOLE, 5000, 1), false),
        ((1, GAP_NEXT, 1, 5000), true),
        ((0, 0, 5000, 5000), false),
        ((1, 0, 1, 5000), true),
        ((1, GAP_FAR, 1, 5000), true),
        ((1, 0, 5000, 5001), false),
        ((1, GAP_BY_ACK, 1, 5000), false),
        ((1, GAP_HOLE, 1, 5000), false),
        ((1, GAP_FRAGMENT, 1, 5000), false),
        ((1, GAP_BY_ACK, 5000, 1), false),
    ];
    let mut slot = Slot::default();
    established(&mut slot);
    assert!(!with(&mut slot, |flow| is_where_acked(flow, 0, 0)));
    for ((side, marks, value, number), there) in CASES {
        with(&mut slot, |flow| {
            flow.pend(value, 1, gap(side, marks, number));
            let case = format!("{side} {marks:x} {value} {number}");
            assert_eq!(is_where_acked(flow, 0, 5000), there, "{case}");
        });
    }
}
