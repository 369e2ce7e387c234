//! What guards ask, one question each: beyond what scenarios can show.

use super::*;
use crate::slot::ColdHalf;

/// Both guards armed.
const ARMED: Settings = Settings {
    flags: setting::ARMED << setting::BLIND_SHIFT | setting::ARMED << setting::TIME_WAIT_SHIFT,
    ..Settings::DEFAULT
};
/// What the peer has sent and this host has acked.
const ACKED: u32 = 10_000;
const ISN: u32 = 50_000;

/// A connection of a peer, end 0, with this host, end 1.
struct Case {
    state: Snapshot,
    half: [Half; 2],
    cold: Cold,
}

impl Case {
    fn new() -> Self {
        let half = |sent, acked, home| Half {
            sent,
            acked,
            home,
            window: 100,
            window_max: 100,
            bits: bit::SEEN | bit::SYN | bit::SYN_ACKED | bit::ACK | bit::SCALE_KNOWN,
            ..Half::default()
        };
        let isn = |isn| ColdHalf {
            isn,
            ..ColdHalf::default()
        };
        Self {
            state: Snapshot::default().transition_to_live(fact::ESTABLISHED),
            half: [half(ACKED, ISN + 1, 4), half(ISN + 1, ACKED, 5)],
            cold: Cold {
                half: [isn(9_000), isn(ISN)],
                ..Cold::default()
            },
        }
    }

    fn flow(&mut self) -> Flow<'_> {
        Flow {
            state: self.state,
            half: &mut self.half,
            cold: &mut self.cold,
        }
    }

    /// The peer's window scale and this host's.
    fn scaled(mut self, shift: u16) -> Self {
        for half in &mut self.half {
            half.bits |= shift << bit::SHIFT;
        }
        self
    }
}

/// What the peer says.
fn rst(seq: u32) -> Segment {
    Segment {
        flags: Flags(Flags::RST),
        home: 4,
        seq,
        ..Segment::default()
    }
}

/// What this host says.
fn said(flags: u8, seq: u32, ack: u32) -> Segment {
    Segment {
        flags: Flags(flags),
        home: 5,
        sender: 1,
        seq,
        ack,
        window: 100,
        ..Segment::default()
    }
}

#[test]
fn each_guard_has_its_name() {
    let names = Guarded::ALL
        .iter()
        .map(|guarded| (guarded.guard(), guarded.drops()));
    let expected = [
        (None, false),
        (None, false),
        (Some("blind"), false),
        (Some("blind"), true),
        (Some("time_wait"), false),
        (Some("time_wait"), true),
    ];
    assert!(names.eq(expected));
}

#[test]
fn an_rst_that_comes_in_concerns_guards_that_are_there() {
    let flags = |flags| Settings {
        flags,
        ..Settings::DEFAULT
    };
    assert!(concerns(&rst(0), &ARMED));
    for one in [setting::BLIND_SHIFT, setting::TIME_WAIT_SHIFT] {
        assert!(concerns(&rst(0), &flags(setting::DRY_RUN << one)));
    }
    assert!(!concerns(&rst(0), &flags(0)));
    assert!(!concerns(&rst(0), &flags(!setting::GUARDS)));
    assert!(!concerns(&said(Flags::RST, 0, 0), &ARMED));
    let data = Segment {
        flags: Flags(Flags::ACK),
        ..rst(0)
    };
    assert!(!concerns(&data, &ARMED));
}

/// Whether a guard leaves the connection alone after this host has said it.
fn untaken(case: &Case, segment: &Segment) -> bool {
    listen(case.state, &case.half, &case.cold, segment).is(fact::UNTAKEN)
}

#[test]
fn what_this_host_says_and_nobody_took_is_marked() {
    const SYN: u8 = Flags::SYN;
    const ACK: u8 = Flags::ACK;
    const RST: u8 = Flags::RST;
    let case = Case::new();
    let mut calling = Case::new();
    calling.half[1].bits &= !bit::ACK;
    calling.half[1].acked = 0;
    for (what, case, segment, expected) in [
        ("an ack", &case, said(ACK, ISN + 1, ACKED), false),
        ("older", &case, said(ACK, ISN + 1, ACKED - 99), false),
        ("newer", &case, said(ACK, ISN + 1, ACKED + 1), true),
        (
            "beyond",
            &case,
            said(ACK, ISN + 1, ACKED.wrapping_sub(1 << 30)),
            true,
        ),
        ("a SYN below", &case, said(SYN, ISN - 1, 0), true),
        ("a SYN above", &case, said(SYN, ISN + 1, 0), true),
        (
            "a SYN-ACK below",
            &case,
            said(SYN | ACK, ISN - 1, ACKED),
            true,
        ),
        (
            "a SYN-ACK above",
            &case,
            said(SYN | ACK, ISN + 1, ACKED),
            true,
        ),
        (
            "the SYN-ACK again",
            &case,
            said(SYN | ACK, ISN, ACKED),
            false,
        ),
        // It has forgotten what it had acked.
        ("the SYN after all", &case, said(SYN, ISN, 0), true),
        ("the SYN again", &calling, said(SYN, ISN, 0), false),
        // The field means nothing without ACK (RFC 9293 3.1).
        ("an odd SYN again", &calling, said(SYN, ISN, 1 << 31), false),
        ("an RST", &case, said(RST | ACK, ISN + 1, ACKED + 1), false),
        // The flags above ACK, and all that an RST may carry.
        ("URG", &case, said(ACK | 0xe8, ISN + 1, ACKED), false),
        (
            "an odd RST",
            &case,
            said(RST | 0xe8, ISN - 9, ACKED + 9),
            false,
        ),
    ] {
        assert_eq!(untaken(case, &segment), expected, "{what}");
        // Of the peer's nobody asks.
        let other = Segment { home: 4, ..segment };
        assert!(!untaken(case, &other), "{what}");
    }
    let wider = |flags| Segment {
        window: 101,
        ..said(flags, ISN, ACKED)
    };
    assert!(untaken(&case, &wider(ACK)));
    assert!(!untaken(&case, &wider(SYN | ACK)));
    assert!(!untaken(&case, &wider(RST | ACK)));
}

fn judged(mut case: Case, segment: &Segment, verdict: Verdict) -> Option<Guarded> {
    let number = live(&case.flow(), segment, &ARMED, verdict);
    Guarded::from_number(number as u8)
}

#[test]
fn an_old_rst_is_dropped_but_where_a_fin_may_have_been() {
    let old = |seq| judged(Case::new(), &rst(seq), Verdict::Old);
    assert_eq!(old(ACKED - 1), Some(Guarded::Passed));
    assert_eq!(old(ACKED - 2), Some(Guarded::BlindDropped));
    let payload = |payload| Segment {
        payload,
        ..rst(ACKED - 9)
    };
    let old = |payload: Segment| judged(Case::new(), &payload, Verdict::Old);
    assert_eq!(old(payload(9)), Some(Guarded::BlindDropped));
    assert_eq!(old(payload(10)), Some(Guarded::Passed));
}

#[test]
fn a_window_may_be_larger_by_what_its_scale_cuts_off() {
    let future = |seq| judged(Case::new().scaled(7), &rst(seq), Verdict::Future);
    let edge = ACKED + (100 << 7) + (1 << 7);
    assert_eq!(future(edge), Some(Guarded::Passed));
    assert_eq!(future(edge + 1), Some(Guarded::BlindDropped));
}

#[test]
fn what_is_not_certain_is_not_judged() {
    let seq = ACKED - 9;
    let old = |case| judged(case, &rst(seq), Verdict::Old);
    assert_eq!(old(Case::new()), Some(Guarded::BlindDropped));
    for doubt in [
        fact::MIDSTREAM,
        fact::ONE_SIDED,
        fact::GAPS,
        fact::HOLES,
        fact::UNTAKEN,
    ] {
        let mut case = Case::new();
        case.state = case.state.with(doubt);
        assert_eq!(old(case), None);
    }
    let changes: [fn(&mut Case); 4] = [
        |case| case.state = case.state.without(fact::ESTABLISHED),
        |case| case.half[0].home = 6,
        |case| case.half[1].home = 6,
        |case| case.half[1].bits &= !bit::ACK,
    ];
    for change in changes {
        let mut case = Case::new();
        change(&mut case);
        assert_eq!(old(case), None);
    }
    // Of its own nobody is asked.
    assert_eq!(
        judged(Case::new(), &said(Flags::RST, seq, 0), Verdict::Old),
        None
    );
    let off = live(
        &Case::new().flow(),
        &rst(seq),
        &Settings::DEFAULT,
        Verdict::Old,
    );
    assert_eq!(off, 0);
}

/// Both have closed; this host holds the wait, if `held`.
fn waiting(segment: &Segment, settings: &Settings, fin: u32, held: bool) -> Option<Guarded> {
    let mut case = Case::new();
    case.state = case.state.transition_to_ended(true);
    case.cold.half[0].fin = fin;
    let number = time_wait(&case.flow(), segment, settings, held);
    Guarded::from_number(number as u8)
}

#[test]
fn a_wait_is_ended_in_one_place() {
    let fin = ACKED - 1;
    for (what, segment, settings, fin, held, expected) in [
        (
            "exact",
            rst(ACKED),
            ARMED,
            fin,
            true,
            Some(Guarded::TimeWaitDropped),
        ),
        (
            "beside",
            rst(ACKED + 1),
            ARMED,
            fin,
            true,
            Some(Guarded::Passed),
        ),
        (
            "a FIN below what was acked",
            rst(ACKED),
            ARMED,
            fin - 1,
            true,
            None,
        ),
        ("the other end's", rst(ACKED), ARMED, fin, false, None),
        ("no guards", rst(ACKED), Settings::DEFAULT, fin, true, None),
        (
            "its own",
            said(Flags::RST, ACKED, 0),
            ARMED,
            fin,
            true,
            None,
        ),
    ] {
        assert_eq!(waiting(&segment, &settings, fin, held), expected, "{what}");
    }
}

#[test]
fn each_guard_goes_as_far_as_policy_says_of_it() {
    let flags = |blind, time_wait| Settings {
        flags: blind << setting::BLIND_SHIFT | time_wait << setting::TIME_WAIT_SHIFT,
        ..Settings::DEFAULT
    };
    let (off, trial, armed) = (setting::OFF, setting::DRY_RUN, setting::ARMED);
    for (settings, expected) in [
        (flags(off, armed), Guarded::Passed),
        (flags(trial, armed), Guarded::BlindWouldDrop),
        (flags(armed, off), Guarded::BlindDropped),
        (flags(armed, trial), Guarded::BlindDropped),
    ] {
        let number = live(
            &Case::new().flow(),
            &rst(ACKED - 9),
            &settings,
            Verdict::Old,
        );
        assert_eq!(Guarded::from_number(number as u8), Some(expected));
    }
    let exact = |settings| waiting(&rst(ACKED), &settings, ACKED - 1, true);
    assert_eq!(exact(flags(armed, off)), Some(Guarded::Passed));
    assert_eq!(exact(flags(armed, trial)), Some(Guarded::TimeWaitWouldDrop));
}

#[test]
fn a_wait_that_is_not_certain_is_not_judged() {
    let mut case = Case::new();
    case.state = case.state.transition_to_ended(true).with(fact::GAPS);
    case.cold.half[0].fin = ACKED - 1;
    assert_eq!(time_wait(&case.flow(), &rst(ACKED), &ARMED, true), 0);
}
