//! The filters of kernels before TCX, which anybody may delete or replace.

use std::process::Command;

use termination_lab::{
    Family, Namespace, PATIENCE, Pair, Service,
    conversation::until_fin,
    endings::{self, Side},
    wait_for,
};

use crate::{
    check::{Expected, check, check_gaps},
    interfaces::until_attached,
    observer::Observer,
};

const CLIENT_FIRST: Expected = ("graceful", "originator", None, Some("originator"));
const SERVER_FIRST: Expected = ("graceful", "responder", None, Some("responder"));

/// Runs tc(8) in a namespace.
fn tc(namespace: &Namespace, arguments: &str) -> String {
    let mut command = Command::new("tc");
    command.args(arguments.split_whitespace());
    let output = namespace.enter(|| command.output().unwrap()).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "tc {arguments}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_filter_that_somebody_takes_away_is_taken_again() {
    for persist in [false, true] {
        let pair = Pair::new().unwrap();
        let server = &pair.server;
        let arguments = ["--mode", "tcx", "--clsact"];
        let mut observer = Observer::new(&server.namespace, &server.interface, &arguments, persist);
        observer.start_loud();
        observer.until_ready();
        let service = Service::open(&pair, Family::V4).unwrap();
        let name = &server.interface;
        let filters = || {
            let show = |side| tc(&server.namespace, &format!("filter show dev {name} {side}"));
            let all = ["ingress", "egress"].map(show).concat();
            all.matches("direct-action").count()
        };
        for takes_away in [
            format!("filter del dev {name} egress pref 1"),
            format!("filter del dev {name} ingress"),
            format!("qdisc del dev {name} clsact"),
        ] {
            let mut lives = service.converse().unwrap();
            tc(&server.namespace, &takes_away);
            wait_for("both to be there again", PATIENCE, || {
                (filters() == 2).then_some(())
            });
            until_attached(&observer, &[name]);
            lives.exchange().unwrap();
            let tuple = lives.tuple;
            drop(lives.client);
            until_fin(&mut lives.server).unwrap();
            drop(lives.server);
            check_gaps(&takes_away, &observer.ending(tuple), CLIENT_FIRST);
        }
        let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
        check("what is new", &observer.ending(tuple), CLIENT_FIRST);
        let said = observer.last_words(2);
        let words = format!("{name}: somebody has taken a hook away");
        assert_eq!(said.matches(&words).count(), 3, "{said}");
        assert_eq!(filters(), 0);
    }
}

#[test]
fn a_filter_that_is_replaced_is_left_to_who_did() {
    let pair = Pair::new().unwrap();
    let server = &pair.server;
    let arguments = ["--mode", "tcx", "--clsact"];
    let mut first = Observer::new(&server.namespace, &server.interface, &arguments, false);
    first.start_loud();
    first.until_ready();
    let service = Service::open(&pair, Family::V4).unwrap();
    // Another controller, with a socket of its own, has the same place in mind.
    let second = Observer::at(server, &arguments);
    until_attached(&first, &[]);
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    check("the second sees it", &second.ending(tuple), CLIENT_FIRST);
    let said = first.last_words(2);
    let words = format!(
        "{}: another program has replaced a filter of this one",
        server.interface
    );
    assert_eq!(said.matches(&words).count(), 1, "{said}");
    // What the first one leaves behind is the second one's.
    let tuple = endings::closed_first_by(Side::Server, &service).unwrap();
    check("and still does", &second.ending(tuple), SERVER_FIRST);
}

#[test]
fn a_filter_that_was_taken_away_meanwhile_leaves_a_mark() {
    let pair = Pair::new().unwrap();
    let server = &pair.server;
    let mut observer = Observer::persistent(server, &["--mode", "tcx", "--clsact"]);
    let service = Service::open(&pair, Family::V4).unwrap();
    let (mut lives, other) = (service.converse().unwrap(), service.converse().unwrap());
    observer.kill();
    let filter = format!("filter del dev {} egress pref 1", server.interface);
    tc(&server.namespace, &filter);
    lives.exchange().unwrap();
    observer.start();
    observer.until_ready();
    for (what, mut lives) in [("spoke meanwhile", lives), ("was silent", other)] {
        lives.exchange().unwrap();
        let tuple = lives.tuple;
        drop(lives.client);
        until_fin(&mut lives.server).unwrap();
        drop(lives.server);
        check_gaps(what, &observer.ending(tuple), CLIENT_FIRST);
    }
}

#[test]
fn a_filter_that_was_replaced_meanwhile_leaves_a_mark() {
    let pair = Pair::new().unwrap();
    let server = &pair.server;
    let arguments = ["--mode", "tcx", "--clsact"];
    let mut observer = Observer::persistent(server, &arguments);
    let service = Service::open(&pair, Family::V4).unwrap();
    let (across, lives) = (service.converse().unwrap(), service.converse().unwrap());
    observer.kill();
    // The same programs, taken over: nothing was missed.
    observer.start();
    observer.until_ready();
    endings::abort(across.client).unwrap();
    let ending = observer.ending(across.tuple);
    assert_eq!(ending["seen"]["gaps"], false, "{ending:#}");
    observer.kill();
    // Another controller takes the place, and leaves its filters there. What passed
    // meanwhile nobody knows.
    Observer::at(server, &arguments).kill();
    observer.start();
    observer.until_ready();
    let mut lives = lives;
    lives.exchange().unwrap();
    let tuple = lives.tuple;
    drop(lives.client);
    until_fin(&mut lives.server).unwrap();
    drop(lives.server);
    check_gaps("another's filter", &observer.ending(tuple), CLIENT_FIRST);
}
