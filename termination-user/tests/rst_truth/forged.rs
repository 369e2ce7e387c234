//! RSTs that were made up: which of them a kernel believes (15, 16, 23).

use std::net::TcpStream;

use termination_lab::{
    PATIENCE, Tuple,
    conversation::until_gone,
    crafted::{Extra, Peer},
    packet::flag::{ACK, RST},
};

use crate::bench::{Bench, Row, WELL, answer, close, payload};

/// A RST that ends the connection, as its socket says.
fn kills(
    bench: &Bench<'_>,
    (peer, socket): (Peer<'_>, TcpStream),
    flags: u8,
    offset: i32,
    extra: Extra<'_>,
) -> Tuple {
    let seq = peer.next.wrapping_add_signed(offset);
    peer.send(flags, seq, peer.acked, extra).unwrap();
    bench.stage.settle().unwrap();
    until_gone(&socket, PATIENCE).unwrap();
    peer.tuple()
}

/// A RST that does not, and what the kernel said to it; then more talk, and an
/// ordinary end.
fn survives(bench: &Bench<'_>, flags: u8, offset: i32, challenged: bool) -> Tuple {
    let (mut peer, mut socket) = bench.talk();
    let seq = peer.next.wrapping_add_signed(offset);
    peer.send(flags, seq, peer.acked, payload(b"")).unwrap();
    let said = peer.answers().unwrap();
    let challenges = said
        .iter()
        .filter(|said| said.flags == ACK && said.payload == 0);
    assert_eq!(challenges.count(), usize::from(challenged), "{said:?}");
    answer(&mut peer, &mut socket);
    close(&mut peer, socket);
    peer.tuple()
}

const NOTHING: Extra<'_> = payload(b"");
const OLD: Extra<'_> = Extra {
    payload: b"",
    clock: Some(1000),
};

const fn row(
    number: &'static str,
    what: &'static str,
    endings: &'static [&'static str],
    rejected: &'static [&'static str],
    play: fn(&Bench<'_>) -> Tuple,
) -> Row {
    Row {
        number,
        what,
        play,
        wire: &[],
        endings,
        rejected,
    }
}

const PASSIVE: &[&str] = &["reset originator transfer exact no_connection -"];
const ACTIVE: &[&str] = &["reset originator transfer exact active_abort -"];

pub(crate) const ROWS: &[Row] = &[
    row("15", "exact, without ACK", PASSIVE, &[], |b| {
        kills(b, b.talk(), RST, 0, NOTHING)
    }),
    row("15", "exact, with ACK", ACTIVE, &[], |b| {
        kills(b, b.talk(), RST | ACK, 0, NOTHING)
    }),
    row("15", "exact, with a wrong ack", ACTIVE, &[], |b| {
        let (mut peer, socket) = b.talk();
        peer.acked = peer.acked.wrapping_add(0x4000_0000);
        kills(b, (peer, socket), RST | ACK, 0, NOTHING)
    }),
    row("15", "exact, with an old timestamp", PASSIVE, &[], |b| {
        kills(b, b.talk(), RST, 0, OLD)
    }),
    row(
        "15",
        "exact, without the timestamp option",
        PASSIVE,
        &[],
        |b| {
            let (mut peer, socket) = b.talk();
            peer.clock = None;
            kills(b, (peer, socket), RST, 0, NOTHING)
        },
    ),
    row("23", "exact, with data", PASSIVE, &[], |b| {
        kills(b, b.talk(), RST, 0, payload(b"the reason"))
    }),
    row(
        "15",
        "within the window: challenged",
        &[WELL],
        &["in_window"],
        |b| survives(b, RST, 100, true),
    ),
    row(
        "15",
        "within the window, with ACK: challenged",
        &[WELL],
        &["in_window"],
        |b| survives(b, RST | ACK, 1, true),
    ),
    row("15", "one before: silence", &[WELL], &["old"], |b| {
        survives(b, RST, -1, false)
    }),
    row("15", "far before: silence", &[WELL], &["old"], |b| {
        survives(b, RST, -0x1000_0000, false)
    }),
    row(
        "15",
        "beyond the window: silence",
        &[WELL],
        &["future"],
        |b| survives(b, RST, 0x1000_0000, false),
    ),
    row(
        "16",
        "exact, in FIN_WAIT_1",
        &["reset_after_peer_fin originator half_closed exact no_connection -"],
        &[],
        |b| kills(b, b.closing(), RST, 0, NOTHING),
    ),
    row(
        "16",
        "exact, in FIN_WAIT_2",
        &["reset_after_peer_fin originator half_closed exact no_connection -"],
        &[],
        |b| kills(b, b.half_closed(), RST, 0, NOTHING),
    ),
    row(
        "16",
        "exact, in CLOSE_WAIT",
        &["reset_after_own_fin originator half_closed exact - -"],
        &[],
        |b| kills(b, b.left(), RST, 0, NOTHING),
    ),
    row(
        "16",
        "one before, in CLOSE_WAIT",
        &["reset_after_own_fin originator half_closed fin_minus_one - -"],
        &[],
        |b| kills(b, b.left(), RST, -1, NOTHING),
    ),
    row(
        "16",
        "exact, in LAST_ACK",
        // As row 21: a FIN in reply to a FIN, and then this.
        &["reset_after_own_fin originator closing exact time_wait_missing -"],
        &[],
        |b| kills(b, b.leaving(), RST, 0, NOTHING),
    ),
    row(
        "16",
        "one before, in LAST_ACK",
        &["reset_after_own_fin originator closing fin_minus_one - -"],
        &[],
        |b| kills(b, b.leaving(), RST, -1, NOTHING),
    ),
    row(
        "16",
        "exact, in CLOSING",
        &["reset_after_own_fin originator closing exact - -"],
        &[],
        |b| kills(b, b.crossing(), RST, 0, NOTHING),
    ),
    row(
        "16",
        "one before, in CLOSING",
        &["reset_after_own_fin originator closing fin_minus_one - -"],
        &[],
        |b| kills(b, b.crossing(), RST, -1, NOTHING),
    ),
];
