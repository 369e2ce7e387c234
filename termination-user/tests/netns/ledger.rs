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
    kernel, signal, try_wait_for, wait_for,
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

/// Makes connections one after the other, as many as it may.
#[derive(Default)]
struct Load {
    made: AtomicUsize,
    may: AtomicUsize,
    stop: AtomicBool,
}

impl Load {
    fn run(&self, pair: &Pair) -> Ledger {
        let service = Service::open(pair, Family::V4).unwrap();
        let mut ledger = Ledger::new();
        for (play, ending, by) in SCRIPTS.into_iter().cycle() {
            let go_on = wait_for("leave to make a connection", PATIENCE * 12, || {
                let stop = self.stop.load(Ordering::Relaxed);
                let may = ledger.len() < self.may.load(Ordering::Relaxed);
                (stop || may).then_some(!stop)
            });
            if !go_on {
                break;
            }
            let tuple = play(&service).unwrap();
            ledger.push((tuple, ending, by));
            self.made.store(ledger.len(), Ordering::Relaxed);
        }
        ledger
    }

    /// Waits for `count` more connections; some more go on meanwhile.
    fn until_more(&self, count: usize) {
        const AHEAD: usize = 40;
        let now = self.made.load(Ordering::Relaxed);
        self.may.fetch_max(now + count + AHEAD, Ordering::Relaxed);
        wait_for("more connections", PATIENCE * 6, || {
            (self.made.load(Ordering::Relaxed) >= now + count).then_some(())
        });
    }
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

fn play(rounds: usize, level: &str) {
    let pair = Pair::new().unwrap();
    let server = &pair.server;
    // Room for all, so that nothing may be lost.
    let arguments = ["--connections", "32768", "--level", level];
    let mut observer = Observer::new(&server.namespace, &server.interface, &arguments, true);
    observer.start();
    let told = Arc::new(Mutex::new(Vec::new()));
    let load = Load::default();
    let ledger = thread::scope(|scope| {
        observer.until_ready();
        let running = scope.spawn(|| load.run(&pair));
        for round in 0..rounds {
            // Killed sometimes while it starts, sometimes while somebody listens.
            let follower = (round % 4 != 3).then(|| {
                observer.until_ready();
                Follower::start(&observer, &told)
            });
            if follower.is_some() && round % 2 == 1 {
                // Somebody listens, and has heard of what is new.
                let heard = || told.lock().unwrap_or_else(PoisonError::into_inner).len();
                let before = heard();
                load.until_more(1);
                wait_for("news", PATIENCE, || (heard() > before).then_some(()));
            }
            load.until_more(round * 7 % 40);
            observer.kill();
            if let Some(follower) = follower {
                follower.finish();
            }
            load.until_more(round * 5 % 30);
            if round % 5 == 1 {
                // Other programs take over, and the next round these again.
                observer.start_with(&["--tunnels"]);
            } else {
                observer.start();
            }
        }
        load.stop.store(true, Ordering::Relaxed);
        running.join().unwrap()
    });
    observer.until_ready();
    let follower = Follower::start(&observer, &told);
    kernel::until_quiet(&[&pair.client.namespace, &server.namespace]).unwrap();
    let told = || told.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let connections = ledger.len();
    assert!(connections >= rounds * 30, "{connections} connections");
    let ids = |told: &[Value]| {
        let endings = told.iter().filter(|event| event["type"] == "ending");
        endings
            .map(|ending| ending["id"].to_string())
            .collect::<BTreeSet<_>>()
    };
    let all = try_wait_for("every ending", PATIENCE, || {
        (ids(&told()).len() >= connections).then_some(())
    });
    if let Err(error) = all {
        let told = told();
        let is_told = |tuple: &Tuple| {
            let port = tuple.originator.port();
            told.iter().any(|one| one["originator"]["port"] == port)
        };
        let missing: Vec<_> = ledger
            .iter()
            .filter(|(tuple, ..)| !is_told(tuple))
            .collect();
        let mut live = observer.ask(&["connections", "--json", "--ended"]);
        live.retain(|one| {
            let mut missing = missing.iter().map(|(tuple, ..)| tuple.originator.port());
            missing.any(|port| one["originator"]["port"] == port)
        });
        let stats = observer.stats();
        panic!("{error}: missing {missing:#?}, in the table {live:#?}, {stats:#}");
    }
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
    play(8, "full");
}

#[test]
#[ignore = "minutes: a hundred kills"]
fn kill_9_a_hundred_times_loses_no_ending() {
    play(100, "full");
}

#[test]
fn kill_9_loses_no_ending_at_closing() {
    play(8, "closing");
}

#[test]
#[ignore = "minutes: a hundred kills"]
fn kill_9_a_hundred_times_loses_no_ending_at_closing() {
    play(100, "closing");
}
