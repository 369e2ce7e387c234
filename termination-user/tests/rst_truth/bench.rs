//! A row of the table, and what judges it: the wire first, then our word.

use std::{
    net::{SocketAddr, TcpStream},
    path::PathBuf,
};

use serde_json::Value;
use termination_lab::{
    Family, PATIENCE, Pair, Service, Tuple,
    conversation::{until_acked, until_readable},
    crafted::{Answer, Extra, Peer, Stage},
    packet::flag::{ACK, FIN},
    wait_for,
};

use crate::observer::Observer;

/// The three shapes in which Linux sends RSTs, and what is none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Active.
    Ac,
    /// Passive, to a segment with ACK.
    Pa,
    /// Passive, to a segment without.
    Pn,
    /// None that is known.
    Other,
}

impl Shape {
    fn of(
        Answer {
            packet,
            identification,
        }: &Answer,
    ) -> Self {
        let bare = packet.window == 0 && *identification == 0 && packet.options.is_empty();
        match packet.flags {
            0x04 if bare && packet.ack == 0 => Self::Pa,
            0x14 if bare && packet.seq == 0 => Self::Pn,
            0x14 if packet.window > 0 && packet.seq != 0 => Self::Ac,
            _ => Self::Other,
        }
    }
}

/// One way to end a connection. The server's kernel is real and observed; the
/// peer is crafted, so `responder` is the kernel unless it called.
pub(crate) struct Row {
    /// As in the ground truth.
    pub(crate) number: &'static str,
    /// In words.
    pub(crate) what: &'static str,
    /// Does it.
    pub(crate) play: fn(&Bench<'_>) -> Tuple,
    /// The RSTs of the kernel.
    pub(crate) wire: &'static [Shape],
    /// One line an ending: ending, by, phase, verdict, cause, holder; `-` is
    /// null.
    pub(crate) endings: &'static [&'static str],
    /// The verdicts on RSTs that were not believed.
    pub(crate) rejected: &'static [&'static str],
}

/// What rows are played on.
pub(crate) struct Bench<'a> {
    /// Where crafted peers come from.
    pub(crate) stage: &'a Stage<'a>,
    /// Whom they talk to.
    pub(crate) service: &'a Service<'a>,
    /// What sees the server's side.
    pub(crate) observer: &'a Observer,
}

/// A policy file that is removed with this value.
pub(crate) struct Policy(PathBuf);

impl Policy {
    /// `name` is used once.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let name = format!("termination-truth-{}-{name}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Plays all rows on one network under one observer, then compares.
pub(crate) fn play(families: &[Family], policy: Option<&Policy>, rows: &[&[Row]]) {
    let pair = Pair::new().unwrap();
    let arguments = policy.map(|policy| ["--policy", policy.path()]);
    let arguments = arguments
        .as_ref()
        .map_or(&[][..], |arguments| &arguments[..]);
    let observer = Observer::at(&pair.server, arguments);
    for &family in families {
        play_on(&pair, &observer, family, rows);
    }
    assert_eq!(observer.stats()["difference"], 0);
}

fn play_on(pair: &Pair, observer: &Observer, family: Family, rows: &[&[Row]]) {
    let stage = Stage::new(pair, family).unwrap();
    let service = Service::open(pair, family).unwrap();
    let bench = Bench {
        stage: &stage,
        service: &service,
        observer,
    };
    let rows: Vec<_> = rows.iter().copied().flatten().collect();
    let tuples: Vec<_> = rows
        .iter()
        .map(|row| {
            println!("{family:?} {}: {}", row.number, row.what);
            (row.play)(&bench)
        })
        .collect();
    let wanted: Vec<_> = rows
        .iter()
        .zip(&tuples)
        .map(|(row, &tuple)| (tuple, row.endings.len()))
        .collect();
    let reports = bench.until_ended(&wanted);
    let wrong: Vec<_> = rows
        .iter()
        .zip(&tuples)
        .filter_map(|(row, &tuple)| {
            let resets = stage.resets(tuple).unwrap();
            judge(row, tuple, &resets, &reports).err()
        })
        .collect();
    assert!(wrong.is_empty(), "{family:?}\n{}", wrong.join("\n"));
}

fn judge(row: &Row, tuple: Tuple, resets: &[Answer], reports: &[Value]) -> Result<(), String> {
    let Row {
        number,
        what,
        wire,
        endings,
        rejected,
        ..
    } = row;
    let shapes: Vec<_> = resets.iter().map(Shape::of).collect();
    let all = of(reports, tuple);
    let told = |kind: &str, tell: &dyn Fn(&Value) -> String| -> Vec<_> {
        let those = all.iter().filter(|report| report["type"] == kind);
        those
            .map(|report| tell(report))
            .filter(|line| !line.is_empty())
            .collect()
    };
    let ended = told("ending", &|report| {
        let fields = ["ending", "by", "phase", "verdict", "cause"].map(|name| &report[name]);
        let words = fields.into_iter().chain([&report["time_wait"]["holder"]]);
        let words: Vec<_> = words.map(|word| word.as_str().unwrap_or("-")).collect();
        words.join(" ")
    });
    let refused = told("event", &|report| {
        let verdict = (report["event"] == "rst_rejected").then(|| report["verdict"].as_str());
        verdict.flatten().unwrap_or_default().to_owned()
    });
    if shapes == *wire && ended == *endings && refused == *rejected {
        return Ok(());
    }
    Err(format!(
        "{number} {what}:\n  expected {wire:?} {endings:?} rejected {rejected:?}\n  \
         got      {shapes:?} {ended:?} rejected {refused:?}"
    ))
}

/// The reports on a tuple, whoever is taken for the originator.
pub(crate) fn of(reports: &[Value], tuple: Tuple) -> Vec<&Value> {
    let is = |end: &Value, address: SocketAddr| {
        end["ip"] == address.ip().to_string() && end["port"] == address.port()
    };
    let ends = |report: &Value, a: SocketAddr, b: SocketAddr| {
        is(&report["originator"], a) && is(&report["responder"], b)
    };
    let Tuple {
        originator,
        responder,
    } = tuple;
    reports
        .iter()
        .filter(|report| ends(report, originator, responder) || ends(report, responder, originator))
        .collect()
}

impl<'a> Bench<'a> {
    /// All reports, once each tuple has so many endings, or should have.
    pub(crate) fn until_ended(&self, wanted: &[(Tuple, usize)]) -> Vec<Value> {
        let mut last = Vec::new();
        // A missing one is told with all the others.
        let _ = termination_lab::try_wait_for("all endings", PATIENCE, || {
            last = self.observer.ask(&["events", "--json"]);
            let done = wanted.iter().all(|&(tuple, count)| {
                let all = of(&last, tuple);
                all.iter()
                    .filter(|report| report["type"] == "ending")
                    .count()
                    >= count
            });
            done.then_some(())
        });
        last
    }

    /// A connection on which a question and its answer have gone, all acked.
    pub(crate) fn talk(&self) -> (Peer<'a>, TcpStream) {
        self.talk_with(true)
    }

    /// The same, with timestamps or without.
    pub(crate) fn talk_with(&self, timestamps: bool) -> (Peer<'a>, TcpStream) {
        let (mut peer, mut socket) = Peer::connect(self.stage, self.service, timestamps).unwrap();
        answer(&mut peer, &mut socket);
        (peer, socket)
    }

    /// The server's end has closed its half, and that is acked: FIN_WAIT_2.
    pub(crate) fn half_closed(&self) -> (Peer<'a>, TcpStream) {
        let (mut peer, socket) = self.talk();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        peer.take(FIN).unwrap();
        peer.say(ACK).unwrap();
        peer.answers().unwrap();
        (peer, socket)
    }

    /// The server's end has closed its half, and that is not acked: FIN_WAIT_1.
    pub(crate) fn closing(&self) -> (Peer<'a>, TcpStream) {
        let (mut peer, socket) = self.talk();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        peer.hear("a FIN", |packet| packet.is(FIN)).unwrap();
        (peer, socket)
    }

    /// The peer has closed its half: CLOSE_WAIT.
    pub(crate) fn left(&self) -> (Peer<'a>, TcpStream) {
        let (mut peer, socket) = self.talk();
        peer.say(FIN | ACK).unwrap();
        // Not at once: the kernel may take its time with an ACK.
        let last = peer.next;
        peer.hear("the ACK of a FIN", |packet| packet.ack == last)
            .unwrap();
        (peer, socket)
    }

    /// The peer has closed, then the server's end; that is not acked: LAST_ACK.
    pub(crate) fn leaving(&self) -> (Peer<'a>, TcpStream) {
        let (mut peer, socket) = self.left();
        socket.shutdown(std::net::Shutdown::Write).unwrap();
        peer.hear("a FIN", |packet| packet.is(FIN)).unwrap();
        (peer, socket)
    }

    /// Both have closed, neither has acked the other's FIN as seen from the
    /// server, which has acked the peer's: CLOSING.
    pub(crate) fn crossing(&self) -> (Peer<'a>, TcpStream) {
        let (mut peer, socket) = self.closing();
        peer.say(FIN | ACK).unwrap();
        peer.answers().unwrap();
        (peer, socket)
    }

    /// Data that the server's end does not read.
    pub(crate) fn unread(&self, peer: &mut Peer<'_>, socket: &TcpStream) {
        peer.tell(ACK, b"never read").unwrap();
        until_readable(socket).unwrap();
    }

    /// Waits until nothing was heard of a connection for so many seconds.
    pub(crate) fn until_idle(&self, tuple: Tuple, seconds: f64) {
        wait_for("a quiet connection", PATIENCE, || {
            let all = self.observer.ask(&["connections", "--json"]);
            let all = of(&all, tuple);
            (all.first()?["idle_seconds"].as_f64()? > seconds).then_some(())
        });
    }
}

/// The next connection of a listener, which is there or about to be.
pub(crate) fn accept(service: &Service<'_>) -> TcpStream {
    until_readable(&service.listener).unwrap();
    service.listener.accept().unwrap().0
}

/// A question and its answer, all acked.
pub(crate) fn answer(peer: &mut Peer<'_>, socket: &mut TcpStream) {
    use std::io::{Read as _, Write as _};
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

/// A payload, and nothing special beside it.
pub(crate) const fn payload(payload: &[u8]) -> Extra<'_> {
    Extra {
        payload,
        clock: None,
    }
}

/// The server's end closes first, the peer after it.
pub(crate) fn close(peer: &mut Peer<'_>, socket: TcpStream) {
    drop(socket);
    peer.take(FIN).unwrap();
    peer.say(FIN | ACK).unwrap();
    peer.answers().unwrap();
}

/// The end of a connection that was still well: by the server first.
pub(crate) const WELL: &str = "graceful responder closing - - responder";
