//! What comes after a close: data (6, 6b, 6c), the peer's FIN (7, 20, 21),
//! crossing FINs (17).

use std::net::{Shutdown, TcpStream};

use termination_lab::{
    Tuple,
    crafted::Peer,
    kernel::{self, State},
    options::set_fin_timeout,
    packet::flag::{ACK, FIN, SYN},
    wait_for,
};

use crate::bench::{
    Bench, Row,
    Shape::{Ac, Pa, Pn},
    WELL, close, payload,
};

const MAX_TW_BUCKETS: &str = "net.ipv4.tcp_max_tw_buckets";

/// The server's end closes; its FIN is not acked yet.
fn closed<'a>(bench: &Bench<'a>) -> Peer<'a> {
    let (mut peer, socket) = bench.talk();
    drop(socket);
    peer.hear("a FIN", |packet| packet.is(FIN)).unwrap();
    peer
}

/// The server's end closes, and its FIN is acked: what waits is no socket.
fn waiting<'a>(bench: &Bench<'a>) -> Peer<'a> {
    let (mut peer, socket) = bench.talk();
    drop(socket);
    peer.take(FIN).unwrap();
    peer.say(ACK).unwrap();
    peer.answers().unwrap();
    peer
}

/// So many segments with data.
fn go_on(peer: &mut Peer<'_>, count: usize) -> Tuple {
    for _ in 0..count {
        peer.tell(ACK, b"more").unwrap();
    }
    peer.answers().unwrap();
    peer.tuple()
}

const LATE: &[&str] = &["reset_after_own_fin responder half_closed exact data_after_close -"];

pub(crate) const ROWS: &[Row] = &[
    Row {
        number: "6",
        what: "close, FIN acked, then data, thrice",
        play: |b| go_on(&mut waiting(b), 3),
        wire: &[Pa, Pa, Pa],
        endings: LATE,
        rejected: &[],
    },
    Row {
        number: "6",
        what: "close, FIN acked, then data and FIN in one",
        play: |b| {
            let mut peer = waiting(b);
            peer.tell(FIN | ACK, b"more").unwrap();
            peer.answers().unwrap();
            peer.tuple()
        },
        wire: &[Pa],
        endings: &["reset_after_own_fin responder closing exact data_after_close -"],
        rejected: &[],
    },
    Row {
        number: "6",
        what: "close, FIN acked, then the peer's FIN",
        play: |b| {
            let mut peer = waiting(b);
            peer.say(FIN | ACK).unwrap();
            peer.answers().unwrap();
            peer.tuple()
        },
        wire: &[],
        endings: &[WELL],
        rejected: &[],
    },
    Row {
        number: "6",
        what: "close, FIN acked, then a SYN within the window",
        play: |b| {
            let mut peer = waiting(b);
            peer.send(SYN, peer.next.wrapping_add(10), 0, payload(b""))
                .unwrap();
            peer.answers().unwrap();
            go_on(&mut peer, 1)
        },
        wire: &[Pn, Pa],
        endings: &["reset_after_own_fin responder half_closed syn_sent_ok invalid_syn -"],
        rejected: &[],
    },
    Row {
        number: "6b",
        what: "close, FIN crossing data, four segments; then the ACK of the FIN",
        play: |b| {
            let mut peer = closed(b);
            go_on(&mut peer, 4);
            peer.acked = peer.acked.wrapping_add(1);
            peer.say(ACK).unwrap();
            peer.answers().unwrap();
            peer.tuple()
        },
        wire: &[Pa, Pa, Pa, Pa, Pa],
        endings: &["reset_after_own_fin responder half_closed fin_minus_one data_after_close -"],
        rejected: &[],
    },
    Row {
        number: "6b",
        what: "the same, the answer not acked either: the first RST does nothing",
        play: |b| {
            let (mut peer, mut socket) = b.talk();
            std::io::Write::write_all(&mut socket, &[0; 300]).unwrap();
            drop(socket);
            peer.hear("a FIN", |packet| packet.is(FIN)).unwrap();
            go_on(&mut peer, 1);
            peer.acked = peer.acked.wrapping_add(301);
            peer.say(ACK).unwrap();
            peer.answers().unwrap();
            peer.tuple()
        },
        wire: &[Pa, Pa],
        endings: &["reset_after_own_fin responder half_closed exact data_after_close -"],
        rejected: &[],
    },
    Row {
        number: "6c",
        what: "shutdown both ways, then data",
        play: |b| {
            let (mut peer, socket) = b.talk();
            socket.shutdown(Shutdown::Both).unwrap();
            peer.take(FIN).unwrap();
            peer.say(ACK).unwrap();
            peer.answers().unwrap();
            go_on(&mut peer, 1)
        },
        wire: &[Pa],
        endings: LATE,
        rejected: &[],
    },
    Row {
        number: "7",
        what: "a half closed, then data: accepted",
        play: |b| {
            let (mut peer, socket) = b.half_closed();
            go_on(&mut peer, 2);
            peer.say(FIN | ACK).unwrap();
            let mut read = socket;
            assert_eq!(
                termination_lab::conversation::until_fin(&mut read)
                    .unwrap()
                    .len(),
                8
            );
            peer.answers().unwrap();
            peer.tuple()
        },
        wire: &[],
        endings: &["graceful_half_close responder closing - - responder"],
        rejected: &[],
    },
    Row {
        number: "17",
        what: "FINs cross",
        play: |b| {
            let (mut peer, socket) = b.crossing();
            peer.acked = peer.acked.wrapping_add(1);
            peer.say(ACK).unwrap();
            peer.answers().unwrap();
            drop::<TcpStream>(socket);
            peer.tuple()
        },
        wire: &[],
        endings: &["graceful_simultaneous both closing - - both"],
        rejected: &[],
    },
    Row {
        number: "20",
        what: "close without patience (TCP_LINGER2 < 0): RST to the ACK of the FIN",
        play: |b| {
            let (mut peer, socket) = b.talk();
            set_fin_timeout(&socket, -1).unwrap();
            drop(socket);
            peer.take(FIN).unwrap();
            peer.say(ACK).unwrap();
            peer.answers().unwrap();
            peer.tuple()
        },
        wire: &[Pa],
        endings: &["reset_after_own_fin responder half_closed exact - -"],
        rejected: &[],
    },
    Row {
        number: "20",
        what: "half closed, then closed without patience",
        play: |b| {
            let (peer, socket) = b.half_closed();
            set_fin_timeout(&socket, -1).unwrap();
            drop(socket);
            b.stage.settle().unwrap();
            peer.tuple()
        },
        wire: &[Ac],
        endings: &["reset_after_own_fin responder half_closed exact active_abort -"],
        rejected: &[],
    },
    Row {
        number: "20",
        what: "FIN_WAIT_2 given up after a second, then the peer's FIN",
        play: |b| {
            let (mut peer, socket) = b.talk();
            set_fin_timeout(&socket, 1).unwrap();
            drop(socket);
            peer.take(FIN).unwrap();
            peer.say(ACK).unwrap();
            until_gone(b, &peer);
            peer.say(FIN | ACK).unwrap();
            peer.answers().unwrap();
            peer.tuple()
        },
        wire: &[Pa],
        endings: &["reset_after_own_fin responder closing exact time_wait_missing -"],
        rejected: &[],
    },
    Row {
        number: "20",
        what: "FIN_WAIT_2 given up after a second, then data",
        play: |b| {
            let (mut peer, socket) = b.talk();
            set_fin_timeout(&socket, 1).unwrap();
            drop(socket);
            peer.take(FIN).unwrap();
            peer.say(ACK).unwrap();
            until_gone(b, &peer);
            go_on(&mut peer, 1)
        },
        wire: &[Pa],
        endings: LATE,
        rejected: &[],
    },
    Row {
        number: "21",
        what: "no room for a TIME_WAIT: the peer's FIN, and each repeat, gets a RST",
        play: |b| {
            let server = &b.stage.pair.server.namespace;
            let (mut peer, socket) = b.half_closed();
            server.set_sysctl(MAX_TW_BUCKETS, 0).unwrap();
            drop(socket);
            let fin = peer.next;
            peer.say(FIN | ACK).unwrap();
            peer.send(FIN | ACK, fin, peer.acked, payload(b"")).unwrap();
            peer.answers().unwrap();
            server.set_sysctl(MAX_TW_BUCKETS, 65_536).unwrap();
            peer.tuple()
        },
        wire: &[Pa, Pa],
        endings: &["reset_after_own_fin responder closing exact time_wait_missing -"],
        rejected: &[],
    },
    Row {
        number: "18",
        what: "an ordinary close, the server first",
        play: |b| {
            let (mut peer, socket) = b.talk();
            close(&mut peer, socket);
            peer.tuple()
        },
        wire: &[],
        endings: &[WELL],
        rejected: &[],
    },
];

/// Nothing of the server's end is left.
fn until_gone(bench: &Bench<'_>, peer: &Peer<'_>) {
    let server = &bench.stage.pair.server.namespace;
    wait_for(
        "FIN_WAIT_2 to be given up",
        termination_lab::PATIENCE,
        || {
            let all = kernel::between(server, peer.remote, peer.local).unwrap();
            assert!(all.iter().all(|socket| socket.state != State::TimeWait));
            all.is_empty().then_some(())
        },
    );
}
