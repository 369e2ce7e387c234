//! The segments of the connections that are drawn.

use crate::frame::{Kind, Shape};

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// MSS, SACK permitted, timestamps, no-op, window scale 14.
const SYN_OPTIONS: &[u8] = &[
    2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 14,
];
/// No-op, no-op, timestamps.
const STAMPS: &[u8] = &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];

const CLIENT: u32 = 1_000_000;
const ANSWER: u32 = 5_000_000;
const PAYLOAD: u32 = 100;

fn shape(name: &'static str, flags: u8, back: bool, seq: u32, ack: u32) -> Shape {
    let options = if flags & SYN != 0 {
        SYN_OPTIONS
    } else if flags & RST != 0 {
        &[]
    } else {
        STAMPS
    };
    Shape {
        name,
        flags,
        back,
        seq,
        ack,
        payload: 0,
        options,
    }
}

fn data(name: &'static str, back: bool, seq: u32, ack: u32) -> Kind {
    Shape {
        payload: PAYLOAD as usize,
        ..shape(name, ACK, back, seq, ack)
    }
    .kind()
}

/// A handshake.
pub(crate) fn handshake() -> [Kind; 3] {
    [
        shape("SYN", SYN, false, CLIENT, 0),
        shape("SYN-ACK", SYN | ACK, true, ANSWER, CLIENT + 1),
        shape("ACK of SYN", ACK, false, CLIENT + 1, ANSWER + 1),
    ]
    .map(|shape| shape.kind())
}

/// The first rounds of [`established`]: the first segments with payload tell an
/// end's window, and go another way than those that follow.
pub(crate) const EARLY: u32 = 2;

/// One way, again and again, and its acks. No ack repeats another: that might be
/// a challenge, and keeps all that follows from the fast way for a second.
pub(crate) fn established() -> [Kind; 2] {
    let sent = CLIENT + 1 + PAYLOAD;
    let ack = shape("pure ACK", ACK, true, ANSWER + 1, sent).kind();
    [
        data("data", false, CLIENT + 1, ANSWER + 1).advances(PAYLOAD, 0),
        ack.advances(0, PAYLOAD),
    ]
}

/// The close after so many rounds of that.
pub(crate) fn finish(rounds: u32) -> [Kind; 4] {
    let sent = CLIENT + 1 + rounds * PAYLOAD;
    [
        shape("FIN", FIN | ACK, false, sent, ANSWER + 1),
        shape("ACK of FIN", ACK, true, ANSWER + 1, sent + 1),
        shape("second FIN", FIN | ACK, true, ANSWER + 1, sent + 1),
        shape("last ACK", ACK, false, sent + 1, ANSWER + 2),
    ]
    .map(|shape| shape.kind())
}

/// The client's reset of a connection in which nothing was sent.
pub(crate) fn reset() -> Kind {
    shape("RST", RST, false, CLIENT + 1, 0).kind()
}

/// A request and its response, each acked.
pub(crate) fn exchange() -> [Kind; 4] {
    let (sent, answered) = (CLIENT + 1 + PAYLOAD, ANSWER + 1 + PAYLOAD);
    [
        data("request", false, CLIENT + 1, ANSWER + 1),
        shape("ACK of request", ACK, true, ANSWER + 1, sent).kind(),
        data("response", true, ANSWER + 1, sent),
        shape("ACK of response", ACK, false, sent, answered).kind(),
    ]
}

/// The close after that, by the client.
pub(crate) fn close() -> [Kind; 3] {
    let (sent, answered) = (CLIENT + 1 + PAYLOAD, ANSWER + 1 + PAYLOAD);
    [
        shape("FIN", FIN | ACK, false, sent, answered),
        shape("second FIN", FIN | ACK, true, answered, sent + 1),
        shape("last ACK", ACK, false, sent + 1, answered + 1),
    ]
    .map(|shape| shape.kind())
}

/// An attempt and its refusal; in the next round the attempt is a new one.
pub(crate) fn refusal() -> [Kind; 2] {
    const FURTHER: u32 = 100_000;
    let syn = shape("SYN", SYN, false, CLIENT, 0).kind();
    let reset = shape("RST", RST | ACK, true, 0, CLIENT + 1).kind();
    [syn.advances(FURTHER, 0), reset.advances(0, FURTHER)]
}

/// All of a connection, until somebody holds TIME_WAIT.
pub(crate) fn whole() -> Vec<Kind> {
    let (first, then, last) = (handshake(), exchange(), close());
    first.into_iter().chain(then).chain(last).collect()
}
