//! Endings that two sockets make without any help.

use serde_json::Value;
use termination_lab::{
    Family, Pair, Service, Tuple,
    endings::{self, Side},
};

use crate::{
    check::{Expected, check},
    observer::Observer,
};

/// One way to end a connection: its name, the script, what it should be.
type Scene = (
    &'static str,
    fn(&Service) -> termination_lab::Result<Tuple>,
    Expected,
);

const ABORT: Option<&str> = Some("active_abort");
const LATE: Option<&str> = Some("data_after_close");

/// All of them.
const SCENES: [Scene; 14] = [
    (
        "client first",
        |s| endings::closed_first_by(Side::Client, s),
        ("graceful", "originator", None, Some("originator")),
    ),
    (
        "server first",
        |s| endings::closed_first_by(Side::Server, s),
        ("graceful", "responder", None, Some("responder")),
    ),
    (
        "half-close by client",
        |s| endings::half_closed_by(Side::Client, s),
        (
            "graceful_half_close",
            "originator",
            None,
            Some("originator"),
        ),
    ),
    (
        "half-close by server",
        |s| endings::half_closed_by(Side::Server, s),
        ("graceful_half_close", "responder", None, Some("responder")),
    ),
    (
        "linger 0, client",
        |s| endings::aborted_by(Side::Client, s),
        ("reset", "originator", ABORT, None),
    ),
    (
        "linger 0, server",
        |s| endings::aborted_by(Side::Server, s),
        ("reset", "responder", ABORT, None),
    ),
    (
        "AF_UNSPEC, client",
        |s| endings::disconnected_by(Side::Client, s),
        ("reset", "originator", ABORT, None),
    ),
    (
        "unread, client",
        |s| endings::closed_with_unread_data_by(Side::Client, s),
        ("reset", "originator", ABORT, None),
    ),
    (
        "unread, server",
        |s| endings::closed_with_unread_data_by(Side::Server, s),
        ("reset", "responder", ABORT, None),
    ),
    (
        "unread after FIN, client",
        |s| endings::closed_with_unread_data_after_fin_by(Side::Client, s),
        ("reset_after_peer_fin", "originator", ABORT, None),
    ),
    (
        "unread after FIN, server",
        |s| endings::closed_with_unread_data_after_fin_by(Side::Server, s),
        ("reset_after_peer_fin", "responder", ABORT, None),
    ),
    (
        "data after close, client",
        |s| endings::data_after_close_of(Side::Client, s),
        ("reset_after_own_fin", "originator", LATE, None),
    ),
    (
        "data after close, server",
        |s| endings::data_after_close_of(Side::Server, s),
        ("reset_after_own_fin", "responder", LATE, None),
    ),
    (
        "refused",
        endings::refused,
        ("refused", "responder", Some("no_listener"), None),
    ),
];

/// Plays all scenes and the comparison with the kernel; `at` says which end is
/// observed.
fn play(family: Family, at: Side) {
    let pair = Pair::new().unwrap();
    let end = match at {
        Side::Client => &pair.client,
        Side::Server => &pair.server,
    };
    let observer = Observer::at(end, &[]);
    let service = Service::open(&pair, family).unwrap();
    for (what, play, expected) in SCENES {
        let tuple = play(&service).unwrap_or_else(|error| panic!("{what}: {error}"));
        check(what, &observer.ending(tuple), expected);
    }
    let tuple = endings::never_accepted(service).unwrap();
    check(
        "never accepted",
        &observer.ending(tuple),
        ("reset", "responder", ABORT, None),
    );
    observer.agrees_with_kernel(&pair);
}

#[test]
fn ipv4_seen_by_the_server() {
    play(Family::V4, Side::Server);
}

#[test]
fn ipv6_seen_by_the_server() {
    play(Family::V6, Side::Server);
}

#[test]
fn ipv4_seen_by_the_client() {
    play(Family::V4, Side::Client);
}

#[test]
fn ipv6_seen_by_the_client() {
    play(Family::V6, Side::Client);
}

#[test]
fn half_closes_are_accounted_for() {
    let pair = Pair::new().unwrap();
    let observer = Observer::at(&pair.server, &[]);
    let service = Service::open(&pair, Family::V4).unwrap();
    let tuple = endings::half_closed_by(Side::Client, &service).unwrap();
    let ending = observer.ending(tuple);
    assert_eq!(
        ending["half_close"]["first_fin"], "originator",
        "{ending:#}"
    );
    assert_eq!(
        ending["half_close"]["bytes_after_fin"]["originator"], 0,
        "{ending:#}"
    );
    assert_eq!(
        ending["half_close"]["bytes_after_fin"]["responder"], 28,
        "{ending:#}"
    );
    assert_eq!(ending["bytes"]["originator"], 17, "{ending:#}");
    assert_eq!(ending["bytes"]["responder"], 28, "{ending:#}");
    assert_eq!(ending["lost"]["responder"], 0, "{ending:#}");
}

#[test]
fn a_proxy_that_breaks_half_close_shows() {
    let pair = Pair::new().unwrap();
    let observer = Observer::at(&pair.server, &[]);
    let service = Service::open(&pair, Family::V4).unwrap();
    let through = |halves| {
        let tuples = endings::through_a_proxy(halves, &service).unwrap();
        tuples.map(|tuple| observer.ending(tuple))
    };
    // What the user's side has said, what came back, and how much of it after the
    // first FIN.
    let bytes = |leg: &Value| {
        let after = &leg["half_close"]["bytes_after_fin"]["responder"];
        [
            &leg["bytes"]["originator"],
            &leg["bytes"]["responder"],
            after,
        ]
        .map(|n| n.as_u64().unwrap())
    };
    let whole = (
        "graceful_half_close",
        "originator",
        None,
        Some("originator"),
    );
    for leg in through(true) {
        check("a proxy that knows halves", &leg, whole);
        assert_eq!(bytes(&leg), [17, 28, 28], "{leg:#}");
    }
    let [front, back] = through(false);
    let cut = ("graceful", "originator", None, Some("originator"));
    check("the user's leg", &front, cut);
    assert_eq!(bytes(&front), [17, 0, 0], "{front:#}");
    // The proxy has closed first, and was sent an answer.
    check(
        "the backend's leg",
        &back,
        ("reset_after_own_fin", "originator", LATE, None),
    );
    assert_eq!(back["half_close"]["first_fin"], "originator", "{back:#}");
    assert_eq!(bytes(&back), [17, 28, 28], "{back:#}");
    assert_eq!(back["lost"]["responder"], 28, "{back:#}");
    observer.agrees_with_kernel(&pair);
}

#[test]
fn a_tuple_in_time_wait_is_used_again() {
    for family in [Family::V4, Family::V6] {
        let pair = Pair::new().unwrap();
        let observer = Observer::at(&pair.server, &[]);
        let service = Service::open(&pair, family).unwrap();
        let tuple = endings::reused(&service).unwrap();
        let endings = observer.endings(tuple, 2);
        check(
            "first",
            &endings[0],
            ("graceful", "responder", None, Some("responder")),
        );
        check(
            "second",
            &endings[1],
            ("graceful", "originator", None, Some("originator")),
        );
        let over = observer.reports("time_wait", tuple, 1);
        assert_eq!(over[0]["sequel"], "reused_by_timestamp", "{over:#?}");
        observer.agrees_with_kernel(&pair);
    }
}
