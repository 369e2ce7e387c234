//! Deaths without a RST (9), and what only a timer tells: keepalive (8), a full
//! queue (14).

use std::{
    io::Write as _,
    net::{Shutdown, TcpStream},
    time::Duration,
};

use termination_lab::{
    Family, PATIENCE, Tuple,
    conversation::until_gone,
    crafted::Peer,
    kernel, options,
    packet::flag::{ACK, FIN},
    wait_for,
};

use crate::bench::{
    self, Bench, Row,
    Shape::{Ac, Pa},
};

/// Ours are shorter than usual, so that the tests are; longer than the kernel's
/// patience, which the sockets here shorten to a second.
const POLICY: &str = "[timers]
syn_sent = 3
syn_received = 4
half_open = 3
fin_unanswered = 3
last_ack = 3
reset_confirm = 1
";

fn impatient(socket: &TcpStream) {
    options::set_user_timeout(socket, Duration::from_secs(1)).unwrap();
}

/// Nothing is left of the server's end, and it has sent no RST.
fn until_dead(bench: &Bench<'_>, peer: &Peer<'_>) {
    let server = &bench.stage.pair.server.namespace;
    wait_for("the death of a socket", PATIENCE, || {
        let all = kernel::between(server, peer.remote, peer.local).unwrap();
        all.is_empty().then_some(())
    });
    assert!(peer.is_spared().unwrap(), "who times out is silent");
}

/// The server's end asks with keepalive: after a second, then each second.
fn probed(bench: &Bench<'_>, (peer, socket): (Peer<'_>, TcpStream)) -> Tuple {
    options::set_keepalive(&socket, Duration::from_secs(1), 2).unwrap();
    until_gone(&socket, PATIENCE).unwrap();
    bench.stage.settle().unwrap();
    peer.tuple()
}

const ROWS: &[Row] = &[
    Row {
        number: "8",
        what: "keepalive unanswered",
        play: |b| probed(b, b.talk()),
        wire: &[Ac],
        endings: &["reset responder transfer exact keepalive_timeout -"],
        rejected: &[],
    },
    Row {
        number: "8",
        what: "keepalive unanswered in CLOSE_WAIT",
        play: |b| probed(b, b.left()),
        wire: &[Ac],
        endings: &["reset_after_peer_fin responder half_closed exact keepalive_timeout -"],
        rejected: &[],
    },
    Row {
        number: "8",
        what: "keepalive unanswered in FIN_WAIT_2",
        play: |b| probed(b, b.half_closed()),
        wire: &[Ac],
        endings: &["reset_after_own_fin responder half_closed exact keepalive_timeout -"],
        rejected: &[],
    },
    Row {
        number: "9",
        what: "data unanswered, then the peer speaks again",
        play: |b| {
            let (mut peer, mut socket) = b.talk();
            impatient(&socket);
            socket.write_all(b"anyone?").unwrap();
            until_gone(&socket, PATIENCE).unwrap();
            until_dead(b, &peer);
            peer.tell(ACK, b"here I am").unwrap();
            peer.answers().unwrap();
            peer.tuple()
        },
        wire: &[Pa],
        endings: &["reset responder transfer in_window no_connection -"],
        rejected: &[],
    },
    Row {
        number: "9",
        what: "data unanswered",
        play: |b| {
            let (peer, mut socket) = b.talk();
            impatient(&socket);
            socket.write_all(b"anyone?").unwrap();
            until_gone(&socket, PATIENCE).unwrap();
            until_dead(b, &peer);
            peer.tuple()
        },
        wire: &[],
        endings: &["half_open_silent originator transfer - retransmit_timeout -"],
        rejected: &[],
    },
    Row {
        number: "9",
        what: "data that a closed window lets nobody send, probes unanswered",
        play: |b| {
            let (mut peer, mut socket) = b.talk();
            impatient(&socket);
            peer.window = 0;
            peer.say(ACK).unwrap();
            b.stage.settle().unwrap();
            socket.write_all(b"anyone?").unwrap();
            until_gone(&socket, PATIENCE).unwrap();
            until_dead(b, &peer);
            peer.tuple()
        },
        wire: &[],
        endings: &["half_open_silent originator transfer - retransmit_timeout -"],
        rejected: &[],
    },
    Row {
        number: "9",
        what: "FIN unanswered",
        play: |b| {
            let (peer, socket) = b.talk();
            impatient(&socket);
            socket.shutdown(Shutdown::Write).unwrap();
            until_gone(&socket, PATIENCE).unwrap();
            until_dead(b, &peer);
            peer.tuple()
        },
        wire: &[],
        endings: &["fin_unanswered responder half_closed - retransmit_timeout -"],
        rejected: &[],
    },
    Row {
        number: "9",
        what: "FIN unanswered in LAST_ACK",
        play: |b| {
            let (mut peer, socket) = b.talk();
            impatient(&socket);
            peer.say(FIN | ACK).unwrap();
            peer.answers().unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            until_gone(&socket, PATIENCE).unwrap();
            until_dead(b, &peer);
            peer.tuple()
        },
        wire: &[],
        endings: &["graceful_unconfirmed originator closing - retransmit_timeout -"],
        rejected: &[],
    },
    Row {
        number: "9",
        what: "SYN unanswered",
        play: |b| {
            let (peer, socket) = Peer::called(b.stage, true).unwrap();
            let socket = TcpStream::from(socket);
            impatient(&socket);
            until_gone(&socket, PATIENCE).unwrap();
            until_dead(b, &peer);
            peer.called_tuple()
        },
        wire: &[],
        endings: &["unanswered responder syn_sent - - -"],
        rejected: &[],
    },
];

#[test]
fn silence() {
    let policy = bench::Policy::new("silence", POLICY);
    bench::play(&[Family::V4], Some(&policy), &[ROWS]);
}
