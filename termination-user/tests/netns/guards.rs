//! Guards before a real kernel: what they drop it never gets, what they let
//! through it does what it always did with.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use serde_json::Value;
use termination_lab::{
    Family, PATIENCE, Pair, Service,
    conversation::{until_acked, until_gone},
    crafted::{Extra, Peer, Stage},
    kernel::{self, Counters, State},
    packet::{
        Packet,
        flag::{ACK, FIN, RST},
    },
    wait_for,
};

use crate::{observer::Observer, policy::File};

/// Both guards as far as this.
fn both(how: &str) -> String {
    format!("[guards]\nblind = '{how}'\ntime_wait = '{how}'\n")
}

/// The server's kernel, crafted peers, and the observer between them.
struct Bench<'a> {
    pair: &'a Pair,
    stage: &'a Stage<'a>,
    service: &'a Service<'a>,
    observer: &'a Observer,
}

impl<'a> Bench<'a> {
    /// A connection on which a question and its answer have gone, all acked.
    fn talk(&self) -> (Peer<'a>, TcpStream) {
        let (mut peer, mut socket) = Peer::connect(self.stage, self.service, true).unwrap();
        Self::answer(&mut peer, &mut socket);
        (peer, socket)
    }

    fn answer(peer: &mut Peer<'_>, socket: &mut TcpStream) {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut question = [0; 8];
        peer.tell(ACK, b"question").unwrap();
        socket.read_exact(&mut question).unwrap();
        socket.write_all(b"answer").unwrap();
        let last = peer
            .hear("an answer", |packet| packet.payload == 6)
            .unwrap();
        peer.acked = last.seq.wrapping_add(6);
        peer.say(ACK).unwrap();
        until_acked(socket).unwrap();
    }

    /// One whose server's end is in TIME_WAIT.
    fn waiting(&self) -> Peer<'a> {
        let (mut peer, socket) = self.talk();
        drop(socket);
        peer.take(FIN).unwrap();
        peer.say(FIN | ACK).unwrap();
        peer.answers().unwrap();
        assert!(self.waits(&peer), "the kernel holds a TIME_WAIT");
        peer
    }

    /// The kernel has it in TIME_WAIT.
    fn waits(&self, peer: &Peer<'_>) -> bool {
        let server = &self.pair.server.namespace;
        let all = kernel::between(server, peer.remote, peer.local).unwrap();
        all.iter().any(|socket| socket.state == State::TimeWait)
    }

    /// An RST so far from what comes next: whether the kernel got it, and what
    /// it said.
    fn reset(&self, peer: &mut Peer<'_>, offset: i32) -> (bool, Vec<Packet>) {
        const NOTHING: Extra<'_> = Extra {
            payload: b"",
            clock: None,
        };
        peer.answers().unwrap();
        let server = &self.pair.server.namespace;
        let before = Counters::read(server).unwrap();
        let seq = peer.next.wrapping_add_signed(offset);
        peer.send(RST, seq, 0, NOTHING).unwrap();
        let said = peer.answers().unwrap();
        let after = Counters::read(server).unwrap();
        // One is the SYN that asks a closed port whether all was handled.
        match after.since(&before, "Tcp.InSegs") {
            1 => (false, said),
            2 => (true, said),
            other => panic!("{other} segments came in"),
        }
    }

    /// Reads the policy file again.
    fn reload(&self, file: &File, text: &str) {
        file.write(text);
        let done = self.observer.run(&["reload"]);
        assert!(done.status.success(), "{done:?}");
    }

    /// What `guards --json` counts.
    fn counted(&self) -> Value {
        let mut guards = self.observer.ask(&["guards", "--json"]).remove(0);
        assert_eq!(guards["type"], "guards");
        guards["resets"].take()
    }

    /// The sequels of a connection's TIME_WAIT.
    fn sequels(&self, peer: &Peer<'_>) -> Vec<String> {
        let port = peer.local.port();
        let mut events = self.observer.ask(&["events", "--json"]);
        events.retain(|event| event["type"] == "time_wait" && event["originator"]["port"] == port);
        let sequel = |event: &Value| event["sequel"].as_str().unwrap().to_owned();
        events.iter().map(sequel).collect()
    }
}

/// Everything that guards do, with the programs attached in one way.
fn play(family: Family, arguments: &[&str]) {
    let pair = Pair::new().unwrap();
    let server = &pair.server.namespace;
    server.set_sysctl("net.ipv4.tcp_rfc1337", 0).unwrap();
    let name = format!("guards-{family:?}-{}", arguments.concat());
    let file = File::new(&name, "");
    let arguments = [arguments, &["--policy", file.path()]].concat();
    let observer = Observer::at(&pair.server, &arguments);
    let stage = Stage::new(&pair, family).unwrap();
    let service = Service::open(&pair, family).unwrap();
    let bench = Bench {
        pair: &pair,
        stage: &stage,
        service: &service,
        observer: &observer,
    };

    // Off, as it began: all comes through, nothing is counted.
    let (mut peer, mut socket) = bench.talk();
    assert!(bench.reset(&mut peer, -500).0);
    assert_eq!(bench.counted()["passed"], 0);
    assert_eq!(bench.counted()["not_judged"], 0);

    // On trial: it comes through, and is counted.
    bench.reload(&file, &both("dry_run"));
    assert!(bench.reset(&mut peer, -500).0);
    assert!(bench.reset(&mut peer, 0x1000_0000).0);
    let counted = bench.counted();
    assert_eq!(counted["blind_would_drop"], 2, "{counted}");
    assert_eq!(counted["blind_dropped"], 0, "{counted}");

    // On: it does not come through.
    bench.reload(&file, &both("on"));
    assert!(!bench.reset(&mut peer, -500).0);
    assert!(!bench.reset(&mut peer, 0x1000_0000).0);
    let counted = bench.counted();
    assert_eq!(counted["blind_would_drop"], 2, "{counted}");
    assert_eq!(counted["blind_dropped"], 2, "{counted}");
    Bench::answer(&mut peer, &mut socket);
    // What its receiver may believe does: in the window, and exact.
    let (came, said) = bench.reset(&mut peer, 100);
    assert!(came);
    assert!(
        matches!(&said[..], [one] if one.flags == ACK && one.payload == 0),
        "a challenge ACK: {said:?}"
    );
    assert!(bench.reset(&mut peer, 0).0);
    until_gone(&socket, PATIENCE).unwrap();
    let ending = observer.endings(peer.tuple(), 1).remove(0);
    assert_eq!(ending["ending"], "reset", "{ending:#}");
    assert_eq!(ending["verdict"], "exact", "{ending:#}");
    let counted = bench.counted();
    assert_eq!(counted["passed"], 2, "{counted}");
    assert_eq!(counted["not_judged"], 0, "{counted}");

    // RFC 1337: on, the wait goes on.
    let mut peer = bench.waiting();
    assert!(!bench.reset(&mut peer, 0).0);
    assert!(bench.waits(&peer), "the kernel's TIME_WAIT is spared");
    assert!(bench.sequels(&peer).is_empty());
    let held = observer.stats();
    assert_eq!(held["time_wait"]["responder"], 1, "{held:#}");
    assert_eq!(bench.counted()["time_wait_dropped"], 1);
    // On trial, the same one dies.
    bench.reload(&file, &both("dry_run"));
    assert!(bench.reset(&mut peer, 0).0);
    assert!(!bench.waits(&peer), "assassinated");
    assert_eq!(bench.counted()["time_wait_would_drop"], 1);
    wait_for("the sequel", PATIENCE, || {
        (bench.sequels(&peer) == ["assassinated"]).then_some(())
    });

    // Examples: the last ones, oldest first; as events, and as a page.
    let examples = observer.ask(&["guards", "--count", "3", "--json"]);
    let told: Vec<_> = examples[1..]
        .iter()
        .map(|event| event["guarded"].as_str().unwrap())
        .collect();
    let last = ["blind_dropped", "time_wait_dropped", "time_wait_would_drop"];
    assert_eq!(told, last, "{examples:#?}");
    assert_eq!(examples[1]["verdict"], "future", "{examples:#?}");
    let page = observer.run(&["guards"]);
    let page = String::from_utf8(page.stdout).unwrap();
    println!("{page}");
    for line in page.lines() {
        let wide = line.chars().count() > 80 && family == Family::V4;
        assert!(!wide, "too wide: {line}");
    }
    let stats = observer.stats();
    assert_eq!(stats["guarded"], bench.counted(), "{stats:#}");
    assert_eq!(stats["difference"], 0, "{stats:#}");
}

#[test]
fn native_xdp_drops() {
    play(Family::V4, &["--mode", "native"]);
}

#[test]
fn generic_xdp_drops() {
    play(Family::V6, &["--mode", "generic"]);
}

#[test]
fn tcx_drops() {
    play(Family::V4, &["--mode", "tcx"]);
}

#[test]
fn clsact_drops() {
    play(Family::V6, &["--mode", "tcx", "--clsact"]);
}

#[test]
fn what_is_not_certain_is_left_alone() {
    let pair = Pair::new().unwrap();
    let stage = Stage::new(&pair, Family::V4).unwrap();
    let service = Service::open(&pair, Family::V4).unwrap();
    let (peer, socket) = Peer::connect(&stage, &service, true).unwrap();
    let mut early = (peer, socket);
    let file = File::new("guards-uncertain", &both("on"));
    for hooks in ["both", "ingress"] {
        let arguments = ["--policy", file.path(), "--hooks", hooks];
        let observer = Observer::at(&pair.server, &arguments);
        let bench = Bench {
            pair: &pair,
            stage: &stage,
            service: &service,
            observer: &observer,
        };
        // Met midstream.
        Bench::answer(&mut early.0, &mut early.1);
        assert!(bench.reset(&mut early.0, -500).0);
        assert_eq!(bench.counted()["not_judged"], 1);
        // On no connection at all.
        let mut nobody = stage.peer(service.address, false).unwrap();
        assert!(bench.reset(&mut nobody, 0).0);
        assert_eq!(bench.counted()["not_judged"], 2);
        // With the handshake seen: one way is not enough.
        let (mut peer, _socket) = bench.talk();
        let came = bench.reset(&mut peer, -500).0;
        assert_eq!(came, hooks == "ingress");
    }
}
