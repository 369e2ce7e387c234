//! The segments.

use termination_lab::{
    crafted::{Extra, Peer},
    packet::flag::{ACK, FIN, RST, SYN},
};

use super::{Answer, Row, Timer};
use crate::bench::payload;

const BOTH: &[bool] = &[true, false];
const STAMPED: &[bool] = &[true];
const BARE: &[bool] = &[false];

/// `offset` from RCV.NXT, which is behind the peer's FIN.
fn send(peer: &Peer<'_>, flags: u8, offset: i32, text: &[u8]) {
    let seq = peer.next.wrapping_add_signed(offset);
    peer.send(flags, seq, peer.acked, payload(text)).unwrap();
}

/// With a timestamp so much newer than the last.
fn stamped(peer: &Peer<'_>, flags: u8, offset: i32, newer: i32) {
    let extra = Extra {
        payload: b"",
        clock: peer.clock.map(|clock| clock.wrapping_add_signed(newer)),
    };
    let seq = peer.next.wrapping_add_signed(offset);
    peer.send(flags, seq, peer.acked, extra).unwrap();
}

const fn row(
    what: &'static str,
    with: &'static [bool],
    answer: Answer,
    timer: Timer,
    send: fn(&Peer<'_>),
) -> Row {
    Row {
        what,
        with,
        without_listener: false,
        send,
        answer,
        timer,
    }
}

const RESTARTS: Timer = Timer::Restarts;
const GOES_ON: Timer = Timer::GoesOn;
pub(super) const KILLED: Timer = Timer::Gone("assassinated -");
const BY_TIMESTAMP: Timer = Timer::Gone("reused_by_timestamp syn_ack");
const BY_SEQUENCE: Timer = Timer::Gone("reused_by_sequence syn_ack");

pub(super) const ROWS: &[Row] = &[
    row("old data", BOTH, Answer::Ack, RESTARTS, |p| {
        send(p, ACK, -9, b"question");
    }),
    row("data after the FIN", BOTH, Answer::Ack, RESTARTS, |p| {
        send(p, ACK, 0, b"more");
    }),
    row("the FIN again", BOTH, Answer::Ack, RESTARTS, |p| {
        send(p, FIN | ACK, -1, b"");
    }),
    row("an ACK one before", BOTH, Answer::Ack, RESTARTS, |p| {
        send(p, ACK, -1, b"");
    }),
    row("a SYN-ACK", BOTH, Answer::Ack, RESTARTS, |p| {
        send(p, SYN | ACK, 1000, b"");
    }),
    row(
        "data with an old timestamp",
        STAMPED,
        Answer::Ack,
        RESTARTS,
        |p| {
            let clock = p.clock.map(|clock| clock - 1000);
            let extra = Extra {
                payload: b"old",
                clock,
            };
            p.send(ACK, p.next, p.acked, extra).unwrap();
        },
    ),
    row("an exact ACK", BOTH, Answer::Nothing, RESTARTS, |p| {
        send(p, ACK, 0, b"");
    }),
    row(
        "an exact ACK of something else",
        BOTH,
        Answer::Nothing,
        RESTARTS,
        |p| {
            p.send(ACK, p.next, p.acked.wrapping_sub(3), payload(b""))
                .unwrap();
        },
    ),
    row(
        "a SYN beyond, newer",
        STAMPED,
        Answer::SynAck,
        BY_TIMESTAMP,
        |p| {
            stamped(p, SYN, 100_000, 500);
        },
    ),
    row(
        "a SYN beyond, of the same time",
        STAMPED,
        Answer::SynAck,
        BY_SEQUENCE,
        |p| {
            stamped(p, SYN, 100_000, 0);
        },
    ),
    row("a SYN beyond", BARE, Answer::SynAck, BY_SEQUENCE, |p| {
        send(p, SYN, 100_000, b"");
    }),
    row(
        "a SYN before, newer",
        STAMPED,
        Answer::SynAck,
        BY_TIMESTAMP,
        |p| {
            stamped(p, SYN, -100_000, 500);
        },
    ),
    row("a SYN before", BARE, Answer::Ack, GOES_ON, |p| {
        send(p, SYN, -100_000, b"");
    }),
    row("a SYN at RCV.NXT", BARE, Answer::Ack, GOES_ON, |p| {
        send(p, SYN, 0, b"");
    }),
    row(
        "a SYN before, of the same time",
        STAMPED,
        Answer::Ack,
        GOES_ON,
        |p| {
            stamped(p, SYN, -100_000, 0);
        },
    ),
    row("a SYN beyond, older", STAMPED, Answer::Ack, RESTARTS, |p| {
        stamped(p, SYN, 100_000, -500);
    }),
    row("a SYN before, older", STAMPED, Answer::Ack, RESTARTS, |p| {
        stamped(p, SYN, -100_000, -500);
    }),
    Row {
        what: "an acceptable SYN, but nobody listens any more",
        with: BOTH,
        without_listener: true,
        send: |p| stamped(p, SYN, 100_000, 500),
        answer: Answer::Ack,
        timer: GOES_ON,
    },
    row("an exact RST", BOTH, Answer::Nothing, KILLED, |p| {
        send(p, RST, 0, b"");
    }),
    row(
        "an exact RST with ACK",
        BOTH,
        Answer::Nothing,
        KILLED,
        |p| {
            send(p, RST | ACK, 0, b"");
        },
    ),
    row(
        "an exact RST with data",
        BOTH,
        Answer::Nothing,
        KILLED,
        |p| {
            send(p, RST, 0, b"the reason");
        },
    ),
    row(
        "an exact RST with an old timestamp",
        STAMPED,
        Answer::Nothing,
        GOES_ON,
        |p| {
            stamped(p, RST, 0, -500);
        },
    ),
    row(
        "a RST within the window",
        BOTH,
        Answer::Nothing,
        GOES_ON,
        |p| send(p, RST, 100, b""),
    ),
    row("a RST one before", BOTH, Answer::Nothing, GOES_ON, |p| {
        send(p, RST, -1, b"");
    }),
    row("a RST far beyond", BOTH, Answer::Nothing, GOES_ON, |p| {
        send(p, RST, 0x1000_0000, b"");
    }),
];
