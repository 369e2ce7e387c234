//! What a real TIME_WAIT does about a segment, and whether ours does the same:
//! the answer, the timer, the end. Many wait at once; each gets one segment.

mod reuse;
mod segments;

use std::time::Duration;

use serde_json::Value;
use termination_lab::{
    Family, PATIENCE, Pair, Service, Tuple,
    crafted::{Peer, Stage},
    kernel::{self, State},
    packet::{
        Packet,
        flag::{ACK, FIN, SYN},
    },
    wait_for,
};

use crate::{
    bench::{Bench, close, of},
    observer::Observer,
};
use segments::ROWS;

/// What the kernel says to a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Nothing,
    Ack,
    /// Opens anew, so far from what was said before that nobody mixes them up.
    SynAck,
    Other,
}

impl Answer {
    /// `last` is what the server said next before.
    fn of(said: &[Packet], last: u32) -> Self {
        match said {
            [] => Self::Nothing,
            [one] if one.flags == ACK && one.payload == 0 => Self::Ack,
            [one, ..] if one.flags == SYN | ACK && one.seq == last.wrapping_add(65_537) => {
                Self::SynAck
            }
            _ => Self::Other,
        }
    }
}

/// What becomes of the TIME_WAIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    Restarts,
    GoesOn,
    /// It is over; so is called what it ended by, and what came back to a SYN.
    Gone(&'static str),
}

/// One segment into a TIME_WAIT.
struct Row {
    what: &'static str,
    /// With timestamps, without.
    with: &'static [bool],
    /// A service of its own, that is gone when the segment comes.
    without_listener: bool,
    send: fn(&Peer<'_>),
    answer: Answer,
    timer: Timer,
}

/// A connection in TIME_WAIT at the server, and its row.
struct Case<'a> {
    row: &'static Row,
    timestamps: bool,
    peer: Peer<'a>,
    answer: Answer,
    /// What the kernel's timer had left just before.
    before: Duration,
}

/// How long each has waited when its segment comes: a restart is then beyond
/// what clocks, ticks and a busy machine may differ by.
const WAITED: Duration = Duration::from_millis(600);
const TOLERANCE: Duration = Duration::from_millis(200);
const WHOLE: Duration = Duration::from_secs(60);

/// What the kernel has left of a TIME_WAIT.
fn left(pair: &Pair, peer: &Peer<'_>) -> Option<Duration> {
    let server = &pair.server.namespace;
    let all = kernel::between(server, peer.remote, peer.local).unwrap();
    let one = all
        .into_iter()
        .find(|socket| socket.state == State::TimeWait);
    one.map(|socket| socket.timer)
}

fn play(rfc1337: bool) {
    let pair = Pair::new().unwrap();
    // Read when the observer starts.
    let server = &pair.server.namespace;
    server
        .set_sysctl("net.ipv4.tcp_rfc1337", u8::from(rfc1337))
        .unwrap();
    let observer = Observer::at(&pair.server, &[]);
    for family in [Family::V4, Family::V6] {
        play_on(&pair, &observer, family, rfc1337);
    }
}

fn play_on(pair: &Pair, observer: &Observer, family: Family, rfc1337: bool) {
    let stage = Stage::new(pair, family).unwrap();
    let service = Service::open(pair, family).unwrap();
    let mut cases = Vec::new();
    for row in ROWS {
        for &timestamps in row.with {
            let own = row
                .without_listener
                .then(|| Service::open(pair, family).unwrap());
            let (mut peer, mut socket) =
                Peer::connect(&stage, own.as_ref().unwrap_or(&service), timestamps).unwrap();
            crate::bench::answer(&mut peer, &mut socket);
            // A SYN in the same millisecond would be no newer.
            peer.clock = peer.clock.map(|clock| clock + 10);
            close(&mut peer, socket);
            cases.push(Case {
                row,
                timestamps,
                peer,
                answer: Answer::Other,
                before: WHOLE,
            });
        }
    }
    wait_for("TIME_WAITs to have waited", PATIENCE, || {
        let last = left(pair, &cases.last()?.peer)?;
        (last < WHOLE - WAITED).then_some(())
    });
    for case in &mut cases {
        case.before = left(pair, &case.peer).unwrap();
        (case.row.send)(&case.peer);
        let said = case.peer.answers().unwrap();
        case.answer = Answer::of(&said, case.peer.acked);
    }
    // Ours is asked for between two looks at the kernel's.
    let kernels = || -> Vec<_> { cases.iter().map(|case| left(pair, &case.peer)).collect() };
    let earlier = kernels();
    let ours = observer.ask(&["time-wait", "--each", "--json"]);
    let later = kernels();
    let events = observer.ask(&["events", "--json"]);
    let theirs = earlier.into_iter().zip(later);
    let wrong: Vec<_> = cases
        .iter()
        .zip(theirs)
        .filter_map(|(case, theirs)| judge(case, rfc1337, theirs, &ours, &events).err())
        .collect();
    assert!(
        wrong.is_empty(),
        "{family:?}, rfc1337={rfc1337}\n{}",
        wrong.join("\n")
    );
}

/// Compares the kernel with what it was seen to do, and us with the kernel.
fn judge(
    case: &Case<'_>,
    rfc1337: bool,
    (theirs, later): (Option<Duration>, Option<Duration>),
    ours: &[Value],
    events: &[Value],
) -> Result<(), String> {
    let Case {
        row,
        timestamps,
        peer,
        answer,
        before,
    } = case;
    let timer = match row.timer {
        segments::KILLED if rfc1337 => Timer::GoesOn,
        timer => timer,
    };
    let tuple = peer.tuple();
    let listed = of(ours, tuple);
    let sequels: Vec<_> = of(events, tuple)
        .into_iter()
        .filter(|report| report["type"] == "time_wait")
        .map(|report| {
            let words = ["sequel", "answer"].map(|name| report[name].as_str().unwrap_or("-"));
            words.join(" ")
        })
        .collect();
    let seconds = listed
        .first()
        .and_then(|one| one["time_wait"]["remaining_seconds"].as_f64());
    let restarts = listed
        .first()
        .and_then(|one| one["time_wait"]["restarts"].as_u64());
    let kernel_right = *answer == row.answer
        && match (timer, theirs) {
            (Timer::Restarts, Some(left)) => left > *before,
            (Timer::GoesOn, Some(left)) => left <= *before,
            (Timer::Gone(_), None) => true,
            _ => false,
        };
    let near = || {
        let ours = Duration::from_secs_f64(seconds?);
        Some(ours < theirs? + TOLERANCE && later? < ours + TOLERANCE)
    };
    let we_right = match timer {
        Timer::Gone(sequel) => listed.is_empty() && sequels == [sequel],
        Timer::Restarts => restarts == Some(1) && near() == Some(true),
        Timer::GoesOn => restarts == Some(0) && near() == Some(true),
    };
    if kernel_right && we_right && (sequels.is_empty() || matches!(timer, Timer::Gone(_))) {
        return Ok(());
    }
    Err(format!(
        "{}, timestamps {timestamps}: expected {:?}, {timer:?}\n  kernel {}: {answer:?}, \
         {before:?} -> {theirs:?}\n  ours {}: {seconds:?} s left, {restarts:?} restarts, \
         {sequels:?}",
        row.what,
        row.answer,
        if kernel_right { "right" } else { "WRONG" },
        if we_right { "right" } else { "WRONG" },
    ))
}

#[test]
fn segments_into_time_wait() {
    play(false);
}

#[test]
fn segments_into_time_wait_with_rfc1337() {
    play(true);
}

/// A connection of which the server holds TIME_WAIT.
fn waiting<'a>(bench: &Bench<'a>, timestamps: bool) -> (Peer<'a>, Tuple) {
    let (mut peer, socket) = bench.talk_with(timestamps);
    drop(socket);
    peer.take(FIN).unwrap();
    peer.say(FIN | ACK).unwrap();
    peer.answers().unwrap();
    let tuple = peer.tuple();
    (peer, tuple)
}
