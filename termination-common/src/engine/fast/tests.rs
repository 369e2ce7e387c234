//! What the fast way takes, and what it leaves: one condition each. What it
//! takes comes to the same as by the whole step.

use super::*;
use crate::{
    engine::{Effects, Flow},
    policy::Settings,
    segment::{Flags, Segment},
    slot::{Cold, ColdHalf},
};

/// A segment of end 0 to a connection.
struct Case {
    state: Snapshot,
    half: [Half; 2],
    cold: Cold,
    segment: Segment,
}

impl Case {
    /// Ten new bytes, nothing unacked, each end with a window of its own.
    fn new() -> Self {
        let half = |sent, acked, window| Half {
            sent,
            acked,
            last: 100,
            segments: 9,
            home: 2,
            window,
            window_max: 3 * window,
            wraps: 0,
            bits: bit::SEEN
                | bit::SYN
                | bit::SYN_ACKED
                | bit::ACK
                | bit::DATA
                | bit::PURE_ACK
                | bit::SCALE_KNOWN,
        };
        let isn = |isn| ColdHalf {
            isn,
            ..ColdHalf::default()
        };
        Self {
            state: Snapshot::default().transition_to_live(fact::ESTABLISHED),
            half: [half(10_000, 50_000, 100), half(50_000, 10_000, 200)],
            cold: Cold {
                half: [isn(9_000), isn(49_000)],
                ..Cold::default()
            },
            segment: Segment {
                time: 200 << crate::time::TICK_SHIFT,
                seq: 10_000,
                ack: 50_000,
                payload: 10,
                home: 2,
                window: 90,
                packets: 1,
                flags: Flags(Flags::ACK),
                ..Segment::default()
            },
        }
    }

    /// The end 1 goes on by so much, so that an ack of it is new.
    const fn other_sends(&mut self, bytes: u32) {
        self.half[1].sent += bytes;
    }
}

type Row = (&'static str, fn(&mut Case));

/// Whatever is said of the connection or the segment, it is not the fast way's.
const LEFT: &[Row] = &[
    ("free", |case| case.state = Snapshot(fact::ESTABLISHED)),
    ("ended", |case| {
        case.state = case.state.transition_to_ended(false);
    }),
    ("locked", |case| case.state = case.state.locked()),
    ("not established", |case| {
        case.state = case.state.without(fact::ESTABLISHED);
    }),
    ("something is pending", |case| {
        case.state = case.state.with(fact::PENDING);
    }),
    ("a FIN was seen", |case| {
        case.state = case.state.with(fact::FIN);
    }),
    ("its end was never seen", |case| {
        case.half[0].bits &= !bit::SEEN;
    }),
    ("its end has never acked", |case| {
        case.half[0].bits &= !bit::ACK;
    }),
    ("the other end was never seen", |case| {
        case.half[1].bits &= !bit::SEEN;
    }),
    ("the other end has never acked", |case| {
        case.half[1].bits &= !bit::ACK;
    }),
    ("it may answer what was sent again", |case| {
        case.half[1].bits |= bit::UNANSWERED;
    }),
    ("it may answer a probe", |case| {
        case.half[1].bits |= bit::PROBED;
    }),
    ("the other end has closed", |case| {
        case.half[1].bits |= bit::FIN;
    }),
    ("it may ack a SYN", |case| {
        case.half[1].bits &= !bit::SYN_ACKED;
    }),
    ("it came another way", |case| case.segment.home = 4),
    ("its window is closed", |case| case.segment.window = 0),
    ("it ends beyond the window", |case| {
        case.segment.payload = 601;
    }),
    ("it begins below the window", |case| {
        case.segment.payload = 0;
        case.segment.seq = 10_000 - 601;
    }),
    ("it acks what was never sent", |case| {
        case.segment.ack = 50_001;
    }),
    ("its ack is too old", |case| {
        case.segment.ack = 50_000 - 301;
    }),
    ("an old ack that offers more than ever", |case| {
        case.segment.ack = 49_999;
        case.segment.window = 301;
    }),
    ("a keepalive", |case| {
        case.segment.payload = 0;
        case.segment.seq = 9_999;
    }),
    ("the same ACK again", |case| case.segment.payload = 0),
    ("it was sent before", |case| case.segment.seq = 9_990),
    ("something before it is missing", |case| {
        case.segment.seq = 10_001;
    }),
    ("something before an ACK is missing", |case| {
        case.segment.payload = 0;
        case.half[0].sent = 9_900;
        case.segment.seq = 9_999;
    }),
];

/// As everyday as its like.
const TAKEN: &[Row] = &[
    ("payload", |_| {}),
    ("payload that acks, and a wider window than ever", |case| {
        case.other_sends(10);
        case.segment.ack = 50_010;
        case.segment.window = 301;
    }),
    ("payload, and a wider window than ever", |case| {
        case.segment.window = 301;
    }),
    ("payload with an old ack", |case| case.segment.ack = 49_999),
    ("the same that offers as much as ever", |case| {
        case.segment.ack = 49_999;
        case.segment.window = 300;
    }),
    ("payload with the oldest ack", |case| {
        case.segment.ack = 50_000 - 300;
    }),
    ("payload up to the edge of the window", |case| {
        case.segment.payload = 600;
    }),
    ("payload that is partly new", |case| {
        case.segment.seq = 9_995;
    }),
    ("payload behind some that is not acked", |case| {
        case.half[1].acked = 9_990;
    }),
    ("payload behind some that is", |case| {
        case.half[0].bits |= bit::BACKLOG;
    }),
    ("several packets as one", |case| case.segment.packets = 3),
    ("payload after a SYN's", |case| {
        case.half[0].segments = SYN_PAYLOAD;
    }),
    ("payload over the end of numbers", |case| {
        case.half[0].sent = u32::MAX - 4;
        case.half[1].acked = u32::MAX - 4;
        case.segment.seq = u32::MAX - 4;
    }),
    ("an ACK", |case| {
        case.segment.payload = 0;
        case.other_sends(10);
        case.segment.ack = 50_010;
    }),
    ("an ACK that was overtaken by payload", |case| {
        case.segment.payload = 0;
        case.half[1].acked = 9_900;
        case.segment.seq = 9_950;
    }),
    ("an ACK from the lower edge of the window", |case| {
        case.segment.payload = 0;
        case.segment.seq = 10_000 - 600;
    }),
    ("an ACK that new payload was acked beyond", |case| {
        case.segment.payload = 0;
        case.half[0].sent = 9_999;
        case.segment.seq = 9_999;
        case.other_sends(10);
        case.segment.ack = 50_010;
    }),
];

/// The same, but for a letter.
const NOTED: &[Row] = &[
    ("its end's first ACK", |case| {
        case.segment.payload = 0;
        case.other_sends(10);
        case.segment.ack = 50_010;
        case.half[0].bits &= !bit::PURE_ACK;
    }),
    ("its end's first payload", |case| {
        case.half[0].bits &= !bit::DATA;
    }),
    ("it may be its end's first payload, after a SYN's", |case| {
        case.half[0].segments = SYN_PAYLOAD - 1;
    }),
    ("it is not, but is among the first", |case| {
        case.half[0].segments = SYN_PAYLOAD - 1;
        case.cold.history = history::push(case.cold.history, Letter::Data, 0);
    }),
    ("its end's first payload, after the other's", |case| {
        case.half[0].bits &= !bit::DATA;
        case.cold.history = history::push(case.cold.history, Letter::Data, 1);
    }),
];

#[test]
fn the_fast_step_is_the_step() {
    let (wholly, noted) = (Taken::Wholly, Taken::ButForNote);
    let rows = TAKEN.iter().map(|row| (row, wholly));
    for ((what, change), taken) in rows.chain(NOTED.iter().map(|row| (row, noted))) {
        let mut case = Case::new();
        change(&mut case);
        let segment = Fast::of(&case.segment).unwrap();
        let (mut half, mut cold) = (case.half, case.cold);
        assert!(applies(case.state), "{what}");
        assert_eq!(step(&mut half, &segment), taken, "{what}");
        if taken == noted {
            note(&mut cold, &segment);
        }
        let state = case.state;
        let mut flow = Flow {
            state,
            half: &mut case.half,
            cold: &mut case.cold,
        };
        let effects = crate::engine::step(&mut flow, &case.segment, &Settings::DEFAULT);
        assert_eq!((effects, flow.state), (Effects::NONE, state), "{what}");
        assert_eq!((half, cold), (case.half, case.cold), "{what}");
    }
}

#[test]
fn what_takes_more_is_left_as_it_was() {
    for (what, change) in LEFT {
        let mut case = Case::new();
        change(&mut case);
        let segment = Fast::of(&case.segment).unwrap();
        let mut half = case.half;
        let taken = applies(case.state) && step(&mut half, &segment) != Taken::No;
        assert!(!taken, "{what}");
        assert_eq!(half, case.half, "{what}");
    }
}
