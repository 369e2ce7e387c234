//! Which connections are tracked: with real sockets, and while it changes.

use serde_json::Value;
use termination_lab::{
    Family, PATIENCE, Pair, Service,
    endings::{self, Side},
    wait_for,
};

use crate::{observer::Observer, policy::File};

/// What was ever told of a port.
fn told(observer: &Observer, port: u16) -> Vec<Value> {
    let mut all = observer.ask(&["events", "--json"]);
    all.retain(|event| event["originator"]["port"] == port || event["responder"]["port"] == port);
    all
}

#[test]
fn a_port_is_left_out_and_let_in_again() {
    let pair = Pair::new().unwrap();
    let [wanted, unwanted] = [Family::V4, Family::V6].map(|f| Service::open(&pair, f).unwrap());
    let rule = |port: u16| format!("[traffic]\nexclude_ports = [{port}]\n");
    let (in_port, out_port) = (wanted.address.port(), unwanted.address.port());
    let file = File::new("port", &rule(out_port));
    let observer = Observer::at(&pair.server, &["--policy", file.path()]);

    endings::closed_first_by(Side::Client, &unwanted).unwrap();
    let tuple = endings::closed_first_by(Side::Client, &wanted).unwrap();
    observer.endings(tuple, 1);
    let stats = observer.stats();
    assert_eq!(stats["opened"], 1, "{stats:#}");
    // SYN, SYN-ACK, ACK, two FINs at least.
    assert!(stats["left_out"]["port"].as_u64() > Some(4), "{stats:#}");
    assert!(told(&observer, out_port).is_empty());

    // The other way round, while a connection of each lives.
    let lives = wanted.converse().unwrap();
    let unseen = unwanted.converse().unwrap();
    file.write(&rule(in_port));
    assert!(observer.run(&["reload"]).status.success());
    let ending = observer.endings(lives.tuple, 1).remove(0);
    assert_eq!(
        ending["ending"], "shutdown",
        "nobody watches it: {ending:#}"
    );
    drop(lives);
    let tuple = endings::aborted_by(Side::Server, &unwanted).unwrap();
    observer.endings(tuple, 1);
    // What was not seen to begin is met midstream.
    let tuple = unseen.tuple;
    endings::abort(unseen.client).unwrap();
    let ending = observer.endings(tuple, 1).remove(0);
    assert_eq!(ending["seen"]["midstream"], true, "{ending:#}");

    let stats = observer.stats();
    assert_eq!(stats["difference"], 0, "{stats:#}");
    assert_eq!(stats["endings"]["shutdown"], 1, "{stats:#}");
    assert_eq!(stats["scaled"], Value::Null, "{stats:#}");
}

#[test]
fn prefixes_choose_by_family_and_length() {
    let pair = Pair::new().unwrap();
    let client = pair.client.v4;
    // The client's own address is excluded within what is included.
    let file = File::new(
        "prefix",
        &format!("[traffic]\ninclude = ['0.0.0.0/0', '::/0']\nexclude = ['{client}']\n"),
    );
    let observer = Observer::at(&pair.client, &["--policy", file.path()]);
    for (family, tracked) in [(Family::V4, false), (Family::V6, true)] {
        let service = Service::open(&pair, family).unwrap();
        let tuple = endings::closed_first_by(Side::Server, &service).unwrap();
        if tracked {
            observer.endings(tuple, 1);
        }
    }
    let stats = observer.stats();
    assert_eq!(stats["opened"], 1, "{stats:#}");
    assert!(stats["left_out"]["prefix"].as_u64() > Some(4), "{stats:#}");
}

#[test]
fn a_sample_takes_whole_connections_and_says_so() {
    const CONNECTIONS: u64 = 60;
    let pair = Pair::new().unwrap();
    let file = File::new("sample", "[traffic]\nsample = 3\n");
    let observer = Observer::at(&pair.server, &["--policy", file.path()]);
    let service = Service::open(&pair, Family::V4).unwrap();
    for _ in 0..CONNECTIONS {
        endings::closed_first_by(Side::Client, &service).unwrap();
    }
    let stats = wait_for("all connections to have ended", PATIENCE, || {
        let stats = observer.stats();
        (stats["endings"]["graceful"] == stats["opened"]).then_some(stats)
    });
    let opened = stats["opened"].as_u64().unwrap();
    // 60 at one in three: less than 2 or more than 45 once in 10^9 runs.
    assert!((2..45).contains(&opened), "{stats:#}");
    assert_eq!(
        stats["midstream"], 0,
        "both directions or neither: {stats:#}"
    );
    assert_eq!(stats["scaled"]["one_in"], 3);
    assert_eq!(stats["scaled"]["opened"], 3 * opened, "{stats:#}");
    assert_eq!(
        stats["scaled"]["endings"]["graceful"],
        3 * opened,
        "{stats:#}"
    );
    let endings = observer.ask(&["events", "--json"]);
    for ending in endings.iter().filter(|event| event["type"] == "ending") {
        assert_eq!(ending["seen"]["sampled"], true, "{ending:#}");
        assert_eq!(ending["seen"]["one_sided"], false, "{ending:#}");
    }

    // From here on each counts once.
    file.write("[traffic]\nsample = 1\n");
    assert!(observer.run(&["reload"]).status.success());
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    let ending = observer.endings(tuple, 1).remove(0);
    assert_eq!(ending["seen"]["sampled"], false, "{ending:#}");
    assert_eq!(observer.stats()["opened"], opened + 1);
}

#[test]
fn the_first_rule_and_the_last_take_effect_live() {
    let pair = Pair::new().unwrap();
    let file = File::new("late", "");
    let observer = Observer::at(&pair.server, &["--policy", file.path()]);
    let [kept, dropped] = [Family::V4, Family::V6].map(|f| Service::open(&pair, f).unwrap());
    let lives = kept.converse().unwrap();
    let goes = dropped.converse().unwrap();
    let out = |stats: &Value| stats["left_out"]["port"].as_u64().unwrap();
    assert_eq!(out(&observer.stats()), 0);

    let rule = format!("[traffic]\nexclude_ports = [{}]\n", dropped.address.port());
    file.write(&rule);
    assert!(observer.run(&["reload"]).status.success());
    let ending = observer.endings(goes.tuple, 1).remove(0);
    assert_eq!(ending["ending"], "shutdown", "{ending:#}");
    endings::closed_first_by(Side::Client, &dropped).unwrap();
    let before = out(&observer.stats());
    assert!(before > 4, "{before}");

    file.write("");
    assert!(observer.run(&["reload"]).status.success());
    let tuple = endings::closed_first_by(Side::Client, &dropped).unwrap();
    observer.endings(tuple, 1);
    // What was there all the time has lost nothing.
    let tuple = lives.tuple;
    endings::abort(lives.client).unwrap();
    let ending = observer.endings(tuple, 1).remove(0);
    assert_eq!(ending["ending"], "reset", "{ending:#}");
    assert_eq!(ending["seen"]["gaps"], false, "{ending:#}");
    let stats = observer.stats();
    assert_eq!(out(&stats), before, "{stats:#}");
    assert_eq!(stats["opened"], 3, "{stats:#}");
    assert_eq!(stats["midstream"], 0, "{stats:#}");
    assert_eq!(stats["difference"], 0, "{stats:#}");
}
