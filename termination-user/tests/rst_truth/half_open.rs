//! An end that has lost its memory (2), and one that opens anew where the other
//! still remembers (3).

use std::net::Shutdown;

use termination_lab::{
    Conversation, Family, PATIENCE, Pair, Service,
    conversation::{until_gone, until_peer_closed, until_state},
    crafted::Peer,
    endings::abort,
    kernel::State,
    options::vanish,
    packet::flag::{ACK, FIN},
};

use crate::{
    bench::{self, Bench, Policy, Row, Shape::Pa, payload},
    observer::Observer,
};

/// How long an end is quiet before it counts as silent: shorter than usual.
const POLICY: &str = "[timers]\nsilent = 0.3\n";

/// The server forgets; what comes then is answered.
fn forgotten<'a>(bench: &Bench<'a>) -> Peer<'a> {
    let (peer, socket) = bench.talk();
    vanish(socket).unwrap();
    peer
}

const AT_ONCE: &[&str] = &["reset responder transfer exact no_connection -"];
const AFTER_SILENCE: &[&str] =
    &["half_open_discovered_by_data responder transfer exact no_connection -"];

const ROWS: &[Row] = &[
    Row {
        number: "2",
        what: "data, at once",
        play: |b| {
            let mut peer = forgotten(b);
            peer.tell(ACK, b"still there?").unwrap();
            peer.answers().unwrap();
            peer.tuple()
        },
        wire: &[Pa],
        endings: AT_ONCE,
        rejected: &[],
    },
    Row {
        number: "2",
        what: "data, after a silence: one RST a segment",
        play: |b| {
            let mut peer = forgotten(b);
            b.until_idle(peer.tuple(), 0.5);
            peer.tell(ACK, b"still there?").unwrap();
            peer.tell(ACK, b"hello?").unwrap();
            peer.answers().unwrap();
            peer.tuple()
        },
        wire: &[Pa, Pa],
        endings: AFTER_SILENCE,
        rejected: &[],
    },
    Row {
        number: "2",
        what: "a keepalive probe, after a silence",
        play: |b| {
            let mut peer = forgotten(b);
            b.until_idle(peer.tuple(), 0.5);
            peer.send(ACK, peer.next.wrapping_sub(1), peer.acked, payload(b""))
                .unwrap();
            peer.answers().unwrap();
            peer.tuple()
        },
        wire: &[Pa],
        endings: AFTER_SILENCE,
        rejected: &[],
    },
    Row {
        number: "2",
        what: "a FIN, after a silence",
        play: |b| {
            let mut peer = forgotten(b);
            b.until_idle(peer.tuple(), 0.5);
            peer.say(FIN | ACK).unwrap();
            peer.answers().unwrap();
            peer.tuple()
        },
        wire: &[Pa],
        endings: &["reset_after_peer_fin responder half_closed exact no_connection -"],
        rejected: &[],
    },
];

#[test]
fn memory_lost() {
    let policy = Policy::new("forgotten", POLICY);
    bench::play(&[Family::V4, Family::V6], Some(&policy), &[ROWS]);
}

/// Row 3, between two kernels: the client forgets and opens the same tuple anew.
/// The client's RST to the challenge ACK ends what the server remembers.
#[test]
fn opened_anew() {
    type Before = fn(&mut Conversation);
    const STATES: [(&str, Before); 4] = [
        ("ESTABLISHED", |_| {}),
        ("CLOSE_WAIT", |conversation| {
            conversation.client.shutdown(Shutdown::Write).unwrap();
            until_peer_closed(&conversation.server).unwrap();
        }),
        ("FIN_WAIT_2", |conversation| {
            conversation.server.shutdown(Shutdown::Write).unwrap();
            until_peer_closed(&conversation.client).unwrap();
            until_state(&conversation.server, State::FinWait2).unwrap();
        }),
        ("ESTABLISHED, with data before", |conversation| {
            conversation.exchange().unwrap();
        }),
    ];
    let pair = Pair::new().unwrap();
    let observer = Observer::at(&pair.server, &[]);
    for (family, (state, before)) in [Family::V4, Family::V6]
        .into_iter()
        .flat_map(|family| STATES.map(|state| (family, state)))
    {
        let service = Service::open(&pair, family).unwrap();
        let mut first = service.converse().unwrap();
        let tuple = first.tuple;
        before(&mut first);
        vanish(first.client).unwrap();
        let socket = service.caller_again(tuple).unwrap();
        let second = service.connect_by(socket, tuple).unwrap();
        abort(second.client).unwrap();
        until_gone(&second.server, PATIENCE).unwrap();
        let endings = observer.endings(tuple, 2);
        let told: Vec<_> = endings
            .iter()
            .map(|ending| ["ending", "by", "cause"].map(|name| ending[name].as_str().unwrap()))
            .collect();
        let expected = [
            ["half_open_discovered_by_syn", "originator", "bad_ack"],
            ["reset", "originator", "active_abort"],
        ];
        assert_eq!(told, expected, "{state}: {endings:#?}");
    }
    assert_eq!(observer.stats()["difference"], 0);
}
