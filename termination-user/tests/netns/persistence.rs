//! What is attached outlives its controller (docs/persistence.md).

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use termination_common::slot::ABI;
use termination_lab::{
    Family, PATIENCE, Pair, Service,
    conversation::{until_fin, until_gone},
    endings::{self, Side},
    wait_for,
};

use crate::{
    check::{Expected, check, check_gaps},
    observer::Observer,
};

const SIGTERM: i32 = 15;
const CLIENT_FIRST: Expected = ("graceful", "originator", None, Some("originator"));
const SERVER_FIRST: Expected = ("graceful", "responder", None, Some("responder"));

/// The directory of this layout among the pins.
pub(crate) fn layout(observer: &Observer) -> PathBuf {
    let pins = observer.pins.as_ref().expect("it persists");
    pins.join(format!("v{ABI}"))
}

/// The programs that are pinned, by inode: each pin has its own.
fn programs(observer: &Observer) -> Vec<(String, u64)> {
    use std::os::unix::fs::DirEntryExt as _;
    let directory = layout(observer).join("programs");
    let list = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let mut all: Vec<_> = list
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.ino()))
        .collect();
    all.sort();
    all
}

/// One connection ends before the kill, one lives through it and ends while
/// nobody looks, one is made and ended then, one lives until after.
fn survive(arguments: &[&str], again: &[&str]) -> (Pair, Observer) {
    let pair = Pair::new().unwrap();
    let mut observer = Observer::persistent(&pair.server, arguments);
    let service = Service::open(&pair, Family::V4).unwrap();
    let before = endings::closed_first_by(Side::Client, &service).unwrap();
    let told = observer.ending(before);
    let across = service.converse().unwrap();
    let mut beyond = service.converse().unwrap();

    observer.kill();
    let mut ended = across;
    drop(ended.server);
    until_fin(&mut ended.client).unwrap();
    drop(ended.client);
    let between = endings::closed_first_by(Side::Server, &service).unwrap();

    observer.start_with(again);
    observer.until_ready();
    beyond.exchange().unwrap();
    let tuple = beyond.tuple;
    drop(beyond.client);
    until_fin(&mut beyond.server).unwrap();
    drop(beyond.server);

    for (what, tuple, expected) in [
        ("across", ended.tuple, SERVER_FIRST),
        ("between", between, SERVER_FIRST),
        ("beyond", tuple, CLIENT_FIRST),
    ] {
        let ending = observer.ending(tuple);
        check(what, &ending, expected);
        assert_eq!(ending["repeated"], false, "{what}: {ending:#}");
    }
    // Nobody followed, so it was not known to have been delivered.
    let again = observer.ending(before);
    check("before", &again, CLIENT_FIRST);
    assert_eq!(
        (&again["id"], &again["repeated"]),
        (&told["id"], &Value::Bool(true)),
        "{again:#}"
    );
    observer.agrees_with_kernel(&pair);
    let stats = observer.stats();
    assert_eq!(stats["opened"], 4, "{stats:#}");
    assert_eq!(stats["endings"]["graceful"], 4, "{stats:#}");
    drop(service);
    (pair, observer)
}

#[test]
fn a_killed_controller_is_taken_over() {
    let (_pair, observer) = survive(&[], &[]);
    let status = observer.status();
    assert_eq!(status["interfaces"][0]["ingress"], "native", "{status:#}");
    assert_eq!(status["interfaces"][0]["egress"], "tcx", "{status:#}");
}

#[test]
fn a_killed_controller_is_taken_over_with_generic_xdp() {
    survive(&["--mode", "generic"], &[]);
}

#[test]
fn a_killed_controller_is_taken_over_with_clsact() {
    let (pair, mut observer) = survive(&["--mode", "tcx", "--clsact"], &[]);
    let filters = || {
        let shown = pair.server.namespace.enter(|| {
            let mut all = String::new();
            for side in ["ingress", "egress"] {
                let mut tc = Command::new("tc");
                tc.args(["filter", "show", "dev", &pair.server.interface, side]);
                all += &String::from_utf8(tc.output().unwrap().stdout).unwrap();
            }
            all
        });
        shown.unwrap().matches("direct-action").count()
    };
    // They were replaced, not doubled, and are there when nobody controls them.
    assert_eq!(filters(), 2);
    assert!(observer.stop(SIGTERM).success());
    assert_eq!(filters(), 2);
    assert_eq!(
        fs::read_dir(layout(&observer).join("links"))
            .unwrap()
            .count(),
        2
    );
    // `detach` finds them.
    drop(observer);
    assert_eq!(filters(), 0);
}

#[test]
fn other_programs_take_over_without_a_gap() {
    // They differ by what the loader put into them.
    survive(&[], &["--tunnels"]);
}

#[test]
fn the_same_programs_are_kept() {
    let pair = Pair::new().unwrap();
    let mut observer = Observer::persistent(&pair.server, &[]);
    let first = programs(&observer);
    assert_eq!(first.len(), 3, "{first:?}");
    observer.kill();
    observer.start();
    observer.until_ready();
    assert_eq!(programs(&observer), first);
    observer.kill();
    observer.start_with(&["--tunnels"]);
    observer.until_ready();
    let other = programs(&observer);
    assert!(
        other.iter().all(|program| !first.contains(program)),
        "{other:?}"
    );
}

#[test]
fn sigterm_leaves_and_detach_removes() {
    let pair = Pair::new().unwrap();
    let service = Service::open(&pair, Family::V4).unwrap();
    let mut observer = Observer::persistent(&pair.server, &[]);
    assert!(observer.stop(SIGTERM).success());
    let pins = observer.pins.clone().unwrap();
    assert!(layout(&observer).join("maps/META").exists());
    endings::closed_first_by(Side::Client, &service).unwrap();
    let lives = service.converse().unwrap();
    let mut detach = observer.question(&["detach"]);
    detach.arg("--pin-dir").arg(&pins).stderr(Stdio::inherit());
    let output = detach.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("\n1 connections that lived have no ending\n"),
        "{said}"
    );
    assert!(
        said.contains("2 connections, 0 strays; endings: graceful 1\n"),
        "{said}"
    );
    assert!(!pins.exists());
    drop(lives);
    // And it can begin anew.
    observer.start();
    observer.until_ready();
    assert_eq!(observer.stats()["opened"], 0);
}

#[test]
fn the_second_controller_is_refused() {
    let pair = Pair::new().unwrap();
    let observer = Observer::persistent(&pair.server, &[]);
    let pid = observer.status()["pid"].to_string();
    let said = observer.refused(&[]);
    assert!(said.contains(&format!("(pid {pid})")), "{said}");
    // Another socket does not help.
    let other = Observer::new(&pair.server.namespace, &pair.server.interface, &[], false);
    let pins = observer.pins.as_ref().unwrap().to_str().unwrap();
    let said = other.refused(&["--persist", "--pin-dir", pins]);
    assert!(said.contains(&format!("(pid {pid})")), "{said}");
    assert!(said.contains("--pin-dir"), "{said}");
}

#[test]
fn another_layout_is_refused_and_may_be_forgotten() {
    let pair = Pair::new().unwrap();
    let mut observer = Observer::persistent(&pair.server, &[]);
    observer.kill();
    let pins = observer.pins.clone().unwrap();
    fs::create_dir_all(pins.join("v999/maps")).unwrap();
    let said = observer.refused(&[]);
    assert!(
        said.contains("v999") && said.contains("--takeover=fresh"),
        "{said}"
    );
    fs::remove_dir(pins.join("v999/maps")).unwrap();
    fs::remove_dir(pins.join("v999")).unwrap();

    let maps = layout(&observer).join("maps");
    fs::rename(maps.join("HOT"), maps.join("KEPT")).unwrap();
    fs::rename(maps.join("COLD"), maps.join("HOT")).unwrap();
    let said = observer.refused(&[]);
    assert!(
        said.contains("HOT has 4096 entries of 4 + 136 bytes (Array), not 4096 entries of 4 + 64"),
        "{said}"
    );
    fs::remove_file(maps.join("HOT")).unwrap();
    let said = observer.refused(&[]);
    assert!(said.contains("has no HOT"), "{said}");

    observer.start_with(&["--takeover=fresh"]);
    observer.until_ready();
    assert_eq!(observer.stats()["opened"], 0);
}

#[test]
fn another_namespace_is_refused() {
    let pair = Pair::new().unwrap();
    let mut observer = Observer::persistent(&pair.server, &[]);
    observer.kill();
    let client = &pair.client;
    let other = Observer::new(&client.namespace, &client.interface, &[], false);
    let pins = observer.pins.as_ref().unwrap().to_str().unwrap();
    let said = other.refused(&["--persist", "--pin-dir", pins]);
    assert!(said.contains("another network namespace"), "{said}");
}

#[test]
fn another_size_is_said_and_kept() {
    let pair = Pair::new().unwrap();
    let server = &pair.server;
    let mut observer = Observer::persistent(server, &[]);
    observer.kill();
    let pins = observer.pins.as_ref().unwrap().to_str().unwrap();
    let arguments = ["--connections", "100", "--persist", "--pin-dir", pins];
    let mut other = Observer::new(&server.namespace, &server.interface, &arguments, false);
    other.start_loud();
    other.until_ready();
    assert_eq!(other.status()["connections"], 4096);
    let said = other.last_words(SIGTERM);
    assert!(said.contains("room for 4096 connections"), "{said}");
    assert!(said.contains("--connections 100 takes effect"), "{said}");
}

#[test]
fn a_vanished_interface_is_let_go_and_picked_up_again() {
    let pair = Pair::new().unwrap();
    let mut observer = Observer::persistent(&pair.server, &[]);
    let service = Service::open(&pair, Family::V4).unwrap();
    let mut lives = service.converse().unwrap();
    observer.kill();
    pair.unplug().unwrap();
    observer.start();
    observer.until_ready();
    let status = observer.status();
    assert_eq!(status["interfaces"], serde_json::json!([]), "{status:#}");
    pair.plug().unwrap();
    wait_for("the interface to be attached", PATIENCE, || {
        (observer.status()["interfaces"][0]["ingress"] == "native").then_some(())
    });
    // Its homes have been silent for longer than a second by the last of these.
    let segments = || observer.ask(&["connections", "--json"])[0]["segments"].clone();
    let before = segments();
    wait_for("its segments to count again", PATIENCE, || {
        lives.exchange().unwrap();
        let now = segments();
        let moved = |end: &str| now[end].as_u64() > before[end].as_u64();
        (moved("originator") && moved("responder")).then_some(())
    });
    let tuple = lives.tuple;
    drop(lives.client);
    until_fin(&mut lives.server).unwrap();
    drop(lives.server);
    check_gaps(
        "unplugged and plugged",
        &observer.ending(tuple),
        CLIENT_FIRST,
    );
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    check("plugged in again", &observer.ending(tuple), CLIENT_FIRST);
}

/// Seconds since midnight of an RFC 3339 time in UTC.
pub(crate) fn seconds(time: &Value) -> f64 {
    let time = time.as_str().unwrap();
    let clock = time.split('T').nth(1).unwrap().trim_end_matches('Z');
    clock
        .split(':')
        .fold(0.0, |sum, part| sum * 60.0 + part.parse::<f64>().unwrap())
}

#[test]
fn what_ran_out_meanwhile_has_its_own_time() {
    const TIME_WAIT: f64 = 0.4;
    const IDLE: f64 = 0.3;
    let pair = Pair::new().unwrap();
    let mut observer = Observer::new(&pair.server.namespace, &pair.server.interface, &[], true);
    let policy = observer.file("policy.toml");
    let text = "[timers]\nmsl = 0.2\nestablished_idle = 0.3\nhalf_open = 0.2\nsilent = 0.1\n";
    fs::write(&policy, text).unwrap();
    let arguments = ["--policy", policy.to_str().unwrap()];
    observer.start_with(&arguments);
    observer.until_ready();
    let service = Service::open(&pair, Family::V4).unwrap();
    observer.kill();
    let waits = endings::closed_first_by(Side::Client, &service).unwrap();
    let idle = service.converse().unwrap();
    let since = Instant::now();
    // Time itself is waited for: far more than both timers.
    wait_for("both timers to run out", PATIENCE, || {
        (since.elapsed() > Duration::from_millis(1500)).then_some(())
    });
    observer.start_with(&arguments);
    observer.until_ready();
    let over = observer.reports("time_wait", waits, 1).remove(0);
    assert_eq!(over["sequel"], "expired", "{over:#}");
    let entered = observer.ending(waits);
    let held = seconds(&over["left_at"]) - seconds(&entered["ended_at"]);
    assert!((held - TIME_WAIT).abs() < 0.01, "held for {held} s");
    let ending = observer.ending(idle.tuple);
    assert_eq!(ending["ending"], "idle_expired", "{ending:#}");
    let lasted = seconds(&ending["ended_at"]) - seconds(&ending["started_at"]);
    assert!((lasted - IDLE).abs() < 0.2, "ended after {lasted} s");
}

#[test]
fn a_wait_that_was_over_is_not_reused() {
    const TIME_WAIT: f64 = 0.4;
    let pair = Pair::new().unwrap();
    let mut observer = Observer::new(&pair.server.namespace, &pair.server.interface, &[], true);
    let policy = observer.file("policy.toml");
    fs::write(&policy, "[timers]\nmsl = 0.2\n").unwrap();
    let arguments = ["--policy", policy.to_str().unwrap()];
    observer.start_with(&arguments);
    observer.until_ready();
    let service = Service::open(&pair, Family::V4).unwrap();
    observer.kill();
    // The server holds the kernel's TIME_WAIT, so that the client may call again.
    let tuple = endings::closed_first_by(Side::Server, &service).unwrap();
    let since = Instant::now();
    wait_for("the wait to be over", PATIENCE, || {
        (since.elapsed() > Duration::from_millis(1100)).then_some(())
    });
    let again = service.caller_again(tuple).unwrap();
    let again = service.connect_by(again, tuple).unwrap();
    observer.start_with(&arguments);
    observer.until_ready();
    let over = observer.reports("time_wait", tuple, 1).remove(0);
    assert_eq!(over["sequel"], "expired", "{over:#}");
    let entered = observer.ending(tuple);
    assert_eq!(over["id"], entered["id"], "{over:#}");
    let held = seconds(&over["left_at"]) - seconds(&entered["ended_at"]);
    assert!((held - TIME_WAIT).abs() < 0.01, "held for {held} s");
    let stats = observer.stats();
    assert_eq!(stats["opened"], 2, "{stats:#}");
    assert_eq!(stats["live"]["established"], 1, "{stats:#}");
    drop(again);
}

#[test]
fn what_did_not_fit_into_the_ring_is_found_in_the_table() {
    /// More than the smallest ring holds: 64 KiB, 224 bytes a record.
    const COUNT: usize = 400;
    let pair = Pair::new().unwrap();
    let mut observer = Observer::persistent(&pair.server, &["--ring-bytes", "65536"]);
    let service = Service::open(&pair, Family::V4).unwrap();
    observer.kill();
    let mut tuples = Vec::new();
    for _ in 0..COUNT {
        tuples.push(endings::aborted_by(Side::Client, &service).unwrap());
    }
    observer.start();
    observer.until_ready();
    let endings = wait_for("all endings", PATIENCE, || {
        let mut found = observer.ask(&["events", "--json"]);
        found.retain(|event| event["type"] == "ending");
        (found.len() >= COUNT).then_some(found)
    });
    assert_eq!(endings.len(), COUNT);
    for tuple in tuples {
        let port = tuple.originator.port();
        let mine = |ending: &&Value| ending["originator"]["port"] == port;
        assert_eq!(endings.iter().filter(mine).count(), 1, "port {port}");
    }
    let stats = observer.stats();
    let full = COUNT as u64 - 65536 / 224;
    assert_eq!(stats["losses"]["ring_full"], full, "{stats:#}");
    assert_eq!(stats["losses"]["record_lost"], 0, "{stats:#}");
    assert_eq!(stats["endings"]["reset"], COUNT, "{stats:#}");
    assert_eq!(stats["difference"], 0, "{stats:#}");
}

#[test]
fn an_unread_record_is_not_displaced_uncounted() {
    /// More than a table of 64 holds.
    const COUNT: u64 = 500;
    let pair = Pair::new().unwrap();
    let arguments = ["--ring-bytes", "65536", "--connections", "64"];
    let mut observer = Observer::persistent(&pair.server, &arguments);
    let service = Service::open(&pair, Family::V4).unwrap();
    observer.kill();
    for _ in 0..COUNT {
        let conversation = service.converse().unwrap();
        endings::abort(conversation.client).unwrap();
        until_gone(&conversation.server, PATIENCE).unwrap();
    }
    observer.start();
    observer.until_ready();
    let stats = wait_for("the table to be read", PATIENCE, || {
        let stats = observer.stats();
        let told = observer.ask(&["events", "--json"]);
        let told = told
            .iter()
            .filter(|event| event["type"] == "ending")
            .count() as u64;
        let lost = stats["losses"]["record_lost"].as_u64().unwrap();
        (told + lost == COUNT).then_some(stats)
    });
    assert!(
        stats["losses"]["record_lost"].as_u64().unwrap() > 0,
        "{stats:#}"
    );
    assert_eq!(stats["endings"]["reset"], COUNT, "{stats:#}");
    assert_eq!(stats["difference"], 0, "{stats:#}");
}
