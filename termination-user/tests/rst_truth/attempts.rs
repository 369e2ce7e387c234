//! Attempts: closed ports (1), bad ACKs in the handshake (13), a full queue
//! (14b), a listener that goes (19), crossing SYNs (17).

use std::net::TcpStream;

use termination_lab::{
    Service, Tuple,
    crafted::Peer,
    packet::flag::{ACK, FIN, RST, SYN},
};

use crate::bench::{
    Bench, Row,
    Shape::{Ac, Pa, Pn},
    WELL, accept, answer, close, payload,
};

/// A segment to a port where nobody listens.
fn knock(bench: &Bench<'_>, flags: u8, text: &[u8]) -> Tuple {
    let mut peer = bench
        .stage
        .peer(bench.stage.nowhere().unwrap(), false)
        .unwrap();
    peer.acked = 0x7000_0000;
    peer.tell(flags, text).unwrap();
    peer.answers().unwrap();
    peer.tuple()
}

/// A segment to a port where somebody listens.
fn ring(bench: &Bench<'_>, flags: u8) -> Tuple {
    let mut peer = bench.stage.peer(bench.service.address, false).unwrap();
    peer.acked = 0x7000_0000;
    peer.say(flags).unwrap();
    peer.answers().unwrap();
    peer.tuple()
}

/// A wrong ACK for the last of the handshake, by so much; then the right one.
fn wrong_ack(bench: &Bench<'_>, by: i32) -> Tuple {
    let mut peer = bench.stage.peer(bench.service.address, true).unwrap();
    peer.open().unwrap();
    let wrong = peer.acked.wrapping_add_signed(by);
    peer.send(ACK, peer.next, wrong, payload(b"")).unwrap();
    peer.answers().unwrap();
    peer.say(ACK).unwrap();
    let mut socket = accept(bench.service);
    answer(&mut peer, &mut socket);
    close(&mut peer, socket);
    peer.tuple()
}

/// Another listener, with one connection in its queue, which goes.
fn listener_goes(bench: &Bench<'_>, text: &[u8], last: Option<u8>) -> Tuple {
    let service = Service::open(bench.stage.pair, bench.stage.family).unwrap();
    let mut peer = bench.stage.peer(service.address, true).unwrap();
    peer.open().unwrap();
    peer.say(ACK).unwrap();
    if let Some(last) = last {
        peer.tell(last, text).unwrap();
    }
    peer.answers().unwrap();
    drop(service);
    peer.answers().unwrap();
    peer.tuple()
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        number: "1",
        what: "SYN to a closed port",
        play: |bench| knock(bench, SYN, b""),
        wire: &[Pn],
        endings: &["refused responder syn_sent syn_sent_ok no_listener -"],
        rejected: &[],
    },
    Row {
        number: "1",
        what: "SYN with data to a closed port",
        play: |bench| knock(bench, SYN, b"early"),
        wire: &[Pn],
        endings: &["refused responder syn_sent syn_sent_ok no_listener -"],
        rejected: &[],
    },
    Row {
        number: "1",
        what: "SYN and FIN to a closed port",
        play: |bench| knock(bench, SYN | FIN, b""),
        wire: &[Pn],
        // The segment is passed and opens nothing, so the RST is alone.
        endings: &["reset responder midstream unverifiable - -"],
        rejected: &[],
    },
    Row {
        number: "1",
        what: "ACK to a closed port",
        play: |bench| knock(bench, ACK, b""),
        wire: &[Pa],
        endings: &["reset responder midstream unverifiable no_connection -"],
        rejected: &[],
    },
    Row {
        number: "1",
        what: "data to a closed port",
        play: |bench| knock(bench, ACK, b"anyone?"),
        wire: &[Pa],
        endings: &["reset responder midstream unverifiable no_connection -"],
        rejected: &[],
    },
    Row {
        number: "1",
        what: "FIN and ACK to a closed port",
        play: |bench| knock(bench, FIN | ACK, b""),
        wire: &[Pa],
        endings: &["reset_after_peer_fin responder half_closed unverifiable no_connection -"],
        rejected: &[],
    },
    Row {
        number: "1",
        what: "RST to a closed port",
        play: |bench| knock(bench, RST, b""),
        wire: &[],
        endings: &["reset originator midstream unverifiable - -"],
        rejected: &[],
    },
    Row {
        number: "1",
        what: "ACK to a listener",
        play: |bench| ring(bench, ACK),
        wire: &[Pa],
        endings: &["reset responder midstream unverifiable no_connection -"],
        rejected: &[],
    },
    Row {
        number: "13",
        what: "an ACK beyond the SYN-ACK, then the right one",
        play: |bench| wrong_ack(bench, 5),
        wire: &[Pa],
        endings: &[WELL],
        rejected: &["future"],
    },
    Row {
        number: "13",
        what: "an ACK before the SYN-ACK, then the right one",
        play: |bench| wrong_ack(bench, -5),
        wire: &[Pa],
        endings: &[WELL],
        rejected: &["old"],
    },
    Row {
        number: "13",
        what: "another SYN within the window of a half-open request",
        play: |bench| {
            let mut peer = bench.stage.peer(bench.service.address, false).unwrap();
            peer.open().unwrap();
            peer.send(SYN, peer.next.wrapping_add(10), 0, payload(b""))
                .unwrap();
            peer.answers().unwrap();
            peer.tuple()
        },
        wire: &[Pn],
        endings: &["handshake_aborted responder syn_received syn_sent_ok invalid_syn -"],
        rejected: &[],
    },
    Row {
        number: "19",
        what: "the listener goes, the child idle",
        play: |bench| listener_goes(bench, b"", None),
        wire: &[Ac],
        endings: &["reset responder established_no_data exact active_abort -"],
        rejected: &[],
    },
    Row {
        number: "19",
        what: "the listener goes, the child with data",
        play: |bench| listener_goes(bench, b"unread", Some(ACK)),
        wire: &[Ac],
        endings: &["reset responder first_data exact active_abort -"],
        rejected: &[],
    },
    Row {
        number: "19",
        what: "the listener goes, the child in CLOSE_WAIT",
        play: |bench| listener_goes(bench, b"", Some(FIN | ACK)),
        wire: &[Ac],
        endings: &["reset_after_peer_fin responder half_closed exact active_abort -"],
        rejected: &[],
    },
    Row {
        number: "19",
        what: "the listener goes, the handshake's last ACK comes after it",
        play: |bench| {
            let service = Service::open(bench.stage.pair, bench.stage.family).unwrap();
            let mut peer = bench.stage.peer(service.address, true).unwrap();
            peer.open().unwrap();
            drop(service);
            peer.say(ACK).unwrap();
            peer.answers().unwrap();
            peer.tuple()
        },
        wire: &[Pa],
        endings: &["handshake_aborted responder established_no_data exact handshake_rejected -"],
        rejected: &[],
    },
    Row {
        number: "17",
        what: "SYNs cross",
        play: |bench| {
            let (mut peer, socket) = Peer::called(bench.stage, true).unwrap();
            let ack = peer.acked;
            peer.acked = 0;
            peer.say(SYN).unwrap();
            peer.hear("a SYN-ACK", |packet| packet.is(SYN | ACK))
                .unwrap();
            peer.acked = ack;
            peer.say(ACK).unwrap();
            peer.answers().unwrap();
            let mut socket = TcpStream::from(socket);
            answer(&mut peer, &mut socket);
            close(&mut peer, socket);
            peer.called_tuple()
        },
        wire: &[],
        endings: &["graceful originator closing - - originator"],
        rejected: &[],
    },
    Row {
        number: "13",
        what: "a SYN-ACK with a wrong ack in SYN_SENT, then the right one",
        play: |bench| {
            let (mut peer, socket) = Peer::called(bench.stage, true).unwrap();
            let wrong = peer.acked.wrapping_add(100);
            peer.send(SYN | ACK, peer.next, wrong, payload(b""))
                .unwrap();
            peer.answers().unwrap();
            peer.say(SYN | ACK).unwrap();
            peer.hear("the last ACK", |packet| packet.flags == ACK)
                .unwrap();
            let mut socket = TcpStream::from(socket);
            answer(&mut peer, &mut socket);
            close(&mut peer, socket);
            peer.called_tuple()
        },
        wire: &[Pa],
        endings: &["graceful originator closing - - originator"],
        rejected: &["future"],
    },
];
