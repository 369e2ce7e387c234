//! The controller is killed again and again while connections come and go, and
//! in the end every one of them has its ending, under one id.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use serde_json::Value;
use termination_lab::{
    Family, PATIENCE, Pair, Service, Tuple,
    endings::{self, Side},
    kernel, signal, wait_for,
};

use crate::observer::Observer;

/// One way to end a connection, its name, and who does it.
pub(crate) type Script = (
    fn(&Service) -> termination_lab::Result<Tuple>,
    &'static str,
    &'static str,
);

/// Five of them.
pub(crate) const SCRIPTS: [Script; 5] = [
    (
        |s| endings::closed_first_by(Side::Client, s),
        "graceful",
        "originator",
    ),
    (
        |s| endings::closed_first_by(Side::Server, s),
        "graceful",
        "responder",
    ),
    (
        |s| endings::half_closed_by(Side::Client, s),
        "graceful_half_close",
        "originator",
    ),
    (
        |s| endings::aborted_by(Side::Client, s),
        "reset",
        "originator",
    ),
    (
        |s| endings::aborted_by(Side::Server, s),
        "reset",
        "responder",
    ),
];

/// The ledger: what was done, in order.
type Ledger = Vec<(Tuple, &'static str, &'static str)>;

/// Makes connections until told to stop; `made` counts them.
fn load(pair: &Pair, stop: &AtomicBool, made: &AtomicUsize) -> Ledger {
    let service = Service::open(pair, Family::V4).unwrap();
    let mut ledger = Ledger::new();
    for (play, ending, by) in SCRIPTS.into_iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let tuple = play(&service).unwrap();
        ledger.push((tuple, ending, by));
        made.store(ledger.len(), Ordering::Relaxed);
    }
    ledger
}

/// `termination events --follow`, and all that it has printed.
struct Follower {
    child: Child,
    lines: JoinHandle<()>,
}

impl Follower {
    fn start(observer: &Observer, into: &Arc<Mutex<Vec<Value>>>) -> Self {
        let mut command = observer.question(&["events", "--follow", "--recent", "--json"]);
        signal::tie(&mut command);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let into = Arc::clone(into);
        let lines = thread::spawn(move || {
            for line in output.lines() {
                let value = serde_json::from_str(&line.unwrap()).unwrap();
                into.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(value);
            }
        });
        Self { child, lines }
    }

    /// Reads to the end, which comes when the controller is gone.
    fn finish(mut self) {
        self.lines.join().unwrap();
        self.child.wait().unwrap();
    }
}

fn play(rounds: usize) {
    let pair = Pair::new().unwrap();
    let server = &pair.server;
    let mut observer = Observer::new(&server.namespace, &server.interface, &[], true);
    observer.start();
    observer.until_ready();
    let told = Arc::new(Mutex::new(Vec::new()));
    let (stop, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    let ledger = thread::scope(|scope| {
        let load = scope.spawn(|| load(&pair, &stop, &made));
        let more = |count| {
            let now = made.load(Ordering::Relaxed);
            wait_for("more connections", PATIENCE * 6, || {
                assert!(!load.is_finished(), "no connections are made any more");
                (made.load(Ordering::Relaxed) >= now + count).then_some(())
            });
        };
        for round in 0..rounds {
            // Sometimes while it starts, sometimes while somebody listens.
            let follower = (round % 4 != 3).then(|| {
                observer.until_ready();
                Follower::start(&observer, &told)
            });
            more(round * 7 % 40);
            observer.kill();
            if let Some(follower) = follower {
                follower.finish();
            }
            more(round * 5 % 30);
            observer.start();
        }
        stop.store(true, Ordering::Relaxed);
        load.join().unwrap()
    });
    observer.until_ready();
    let follower = Follower::start(&observer, &told);
    kernel::until_quiet(&[&pair.client.namespace, &server.namespace]).unwrap();
    let told = || told.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let connections = ledger.len();
    assert!(connections > rounds * 10, "{connections} connections");
    let ids = |told: &[Value]| {
        let endings = told.iter().filter(|event| event["type"] == "ending");
        endings
            .map(|ending| ending["id"].to_string())
            .collect::<BTreeSet<_>>()
    };
    wait_for("every ending", PATIENCE, || {
        (ids(&told()).len() >= connections).then_some(())
    });
    let stats = observer.stats();
    observer.stop(15);
    follower.finish();
    verify(&ledger, &told(), &stats);
}

/// The ledger, the records and the counters say the same.
fn verify(ledger: &Ledger, told: &[Value], stats: &Value) {
    let mut by_port: BTreeMap<u64, BTreeMap<String, Vec<&Value>>> = BTreeMap::new();
    let mut repeated = 0;
    for ending in told.iter().filter(|event| event["type"] == "ending") {
        let port = ending["originator"]["port"].as_u64().unwrap();
        repeated += usize::from(ending["repeated"] == true);
        let ids = by_port.entry(port).or_default();
        ids.entry(ending["id"].to_string())
            .or_default()
            .push(ending);
    }
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for &(tuple, ending, by) in ledger {
        let port = u64::from(tuple.originator.port());
        let ids = by_port.remove(&port).unwrap_or_default();
        assert_eq!(ids.len(), 1, "{tuple:?}, {ending}: {ids:#?}");
        for told in ids.into_values() {
            let firsts = told.iter().filter(|one| one["repeated"] == false);
            assert!(firsts.count() <= 1, "told twice without a mark: {told:#?}");
            for one in told {
                assert_eq!(
                    (one["ending"].as_str(), one["by"].as_str()),
                    (Some(ending), Some(by)),
                    "{one:#}"
                );
                for flaw in ["midstream", "one_sided", "gaps", "evicted"] {
                    assert_eq!(one["seen"][flaw], false, "{flaw}: {one:#}");
                }
            }
        }
        *sums.entry(ending).or_default() += 1;
    }
    assert!(by_port.is_empty(), "never made: {by_port:#?}");
    println!(
        "{} connections, {repeated} records marked as repeated",
        ledger.len()
    );
    assert_eq!(stats["opened"], ledger.len(), "{stats:#}");
    assert_eq!(stats["midstream"], 0, "{stats:#}");
    for (ending, count) in stats["endings"].as_object().unwrap() {
        let expected = sums.get(ending.as_str()).copied().unwrap_or(0);
        assert_eq!(*count, expected, "{ending}: {stats:#}");
    }
    for (loss, count) in stats["losses"].as_object().unwrap() {
        assert_eq!(*count, 0, "{loss}: {stats:#}");
    }
    assert_eq!(stats["difference"], 0, "{stats:#}");
}

#[test]
fn kill_9_loses_no_ending() {
    play(8);
}

#[test]
#[ignore = "minutes: a hundred kills"]
fn kill_9_a_hundred_times_loses_no_ending() {
    play(100);
}
