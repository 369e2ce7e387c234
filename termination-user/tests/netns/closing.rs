//! The level `closing`: real sockets, of which the observer sees beginnings and
//! ends.

use serde_json::Value;
use termination_lab::{
    Family, PATIENCE, Pair, Service,
    conversation::until_peer_closed,
    endings::{self, Side},
    wait_for,
};

use crate::{
    check::{Expected, check},
    observer::Observer,
    policy::File,
};

/// Shorter than one would have them, or the tests would take as long.
const TIMERS: &str = "level = \"closing\"\n[timers]\nreset_confirm = 0.5\n";

const ABORT: Option<&str> = Some("active_abort");

type Scene = (
    &'static str,
    fn(&Service) -> termination_lab::Result<termination_lab::Tuple>,
    Expected,
    Option<&'static str>,
);

/// What ends by FINs, and what ends by an RST: before the handshake was complete,
/// in the middle, after a FIN. With the verdict; where it is one of two, it depends
/// on whether the FIN was acked before the RST was sent: then its sender has spoken.
const SCENES: [Scene; 12] = [
    (
        "client first",
        |s| endings::closed_first_by(Side::Client, s),
        ("graceful", "originator", None, Some("originator")),
        None,
    ),
    (
        "server first",
        |s| endings::closed_first_by(Side::Server, s),
        ("graceful", "responder", None, Some("responder")),
        None,
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
        None,
    ),
    (
        "half-close by server",
        |s| endings::half_closed_by(Side::Server, s),
        ("graceful_half_close", "responder", None, Some("responder")),
        None,
    ),
    (
        "linger 0, client",
        |s| endings::aborted_by(Side::Client, s),
        ("reset", "originator", ABORT, None),
        Some("unverifiable"),
    ),
    (
        "linger 0, server",
        |s| endings::aborted_by(Side::Server, s),
        ("reset", "responder", ABORT, None),
        Some("unverifiable"),
    ),
    (
        "unread, client",
        |s| endings::closed_with_unread_data_by(Side::Client, s),
        ("reset", "originator", ABORT, None),
        Some("unverifiable"),
    ),
    (
        "unread after FIN, client",
        |s| endings::closed_with_unread_data_after_fin_by(Side::Client, s),
        ("reset_after_peer_fin", "originator", ABORT, None),
        Some("exact|unverifiable"),
    ),
    (
        "unread after FIN, server",
        |s| endings::closed_with_unread_data_after_fin_by(Side::Server, s),
        ("reset_after_peer_fin", "responder", ABORT, None),
        Some("exact|unverifiable"),
    ),
    (
        "data after close, client",
        |s| endings::data_after_close_of(Side::Client, s),
        (
            "reset_after_own_fin",
            "originator",
            Some("data_after_close"),
            None,
        ),
        Some("exact"),
    ),
    (
        "data after close, server",
        |s| endings::data_after_close_of(Side::Server, s),
        (
            "reset_after_own_fin",
            "responder",
            Some("data_after_close"),
            None,
        ),
        Some("exact"),
    ),
    (
        "refused",
        endings::refused,
        ("refused", "responder", Some("no_listener"), None),
        Some("syn_sent_ok"),
    ),
];

fn play(name: &str, family: Family, at: Side) {
    let pair = Pair::new().unwrap();
    let end = match at {
        Side::Client => &pair.client,
        Side::Server => &pair.server,
    };
    let file = File::new(name, TIMERS);
    let observer = Observer::at(end, &["--policy", file.path()]);
    let service = Service::open(&pair, family).unwrap();
    for (what, play, expected, verdict) in SCENES {
        let tuple = play(&service).unwrap_or_else(|error| panic!("{what}: {error}"));
        let ending = observer.ending(tuple);
        check(what, &ending, expected);
        let verdicts: Vec<_> = verdict.map_or(vec![None], |any| any.split('|').map(Some).collect());
        let fits = verdicts.contains(&ending["verdict"].as_str());
        assert!(fits, "{what}: {ending:#}");
        assert_eq!(ending["level"], "closing", "{ending:#}");
        let attempt = expected.0 == "refused";
        assert_eq!(ending["segments"]["originator"].is_null(), !attempt);
        assert_eq!(ending["lost"]["originator"].is_null(), !attempt);
        assert_eq!(ending["bytes_modulo"].is_null(), attempt, "{ending:#}");
    }
    let tuple = endings::half_closed_by(Side::Client, &service).unwrap();
    let ending = observer.ending(tuple);
    assert_eq!(ending["bytes"]["originator"], 17, "{ending:#}");
    assert_eq!(ending["bytes"]["responder"], 28, "{ending:#}");
    let close = &ending["half_close"];
    assert_eq!(close["bytes_after_fin"]["responder"], 28, "{ending:#}");
    let tuple = endings::reused(&service).unwrap();
    let (first, second) = (
        ("graceful", "responder", None, Some("responder")),
        ("graceful", "originator", None, Some("originator")),
    );
    let both = observer.endings(tuple, 2);
    check("first", &both[0], first);
    check("second", &both[1], second);
    let over = observer.reports("time_wait", tuple, 1);
    assert_eq!(over[0]["sequel"], "reused_by_timestamp", "{over:#?}");
    assert_eq!(observer.stats()["level"], "closing");
    observer.agrees_with_kernel(&pair);
}

#[test]
fn ipv4_seen_by_the_server() {
    play("closing-4s", Family::V4, Side::Server);
}

#[test]
fn ipv6_seen_by_the_client() {
    play("closing-6c", Family::V6, Side::Client);
}

/// A connection that speaks now and then outlives its timer many times over; when
/// it falls silent, the timer is asked twice.
#[test]
fn an_idle_connection_lives_on_as_long_as_it_speaks() {
    const IDLE: f64 = 1.0;
    let pair = Pair::new().unwrap();
    let file = File::new("closing-idle", "[timers]\nestablished_idle = 1\n");
    let arguments = ["--level", "closing", "--policy", file.path()];
    let observer = Observer::at(&pair.server, &arguments);
    let service = Service::open(&pair, Family::V4).unwrap();
    let mut conversation = service.converse().unwrap();
    let tuple = conversation.tuple;
    let alive: Value = wait_for("it to outlive its timer", PATIENCE, || {
        conversation.exchange().unwrap();
        let connection = observer.ask(&["connections", "--json"]).pop()?;
        (connection["age_seconds"].as_f64()? > 4.0 * IDLE).then_some(connection)
    });
    assert_eq!(alive["state"], "established", "{alive:#}");
    assert_eq!(alive["level"], "closing", "{alive:#}");
    assert!(alive["bytes"]["originator"].is_null(), "{alive:#}");
    let ending = observer.ending(tuple);
    check("idle", &ending, ("idle_expired", "nobody", None, None));
    assert!(ending["duration_seconds"].is_null(), "{ending:#}");
    assert_eq!(observer.stats()["midstream"], 0);
}

#[test]
fn another_level_is_refused_and_a_takeover_goes_on() {
    let pair = Pair::new().unwrap();
    let file = File::new("closing-takeover", "level = \"closing\"\n");
    let mut observer = Observer::persistent(&pair.server, &["--policy", file.path()]);
    let service = Service::open(&pair, Family::V4).unwrap();
    let conversation = service.converse().unwrap();
    observer.kill();
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    let said = observer.refused(&["--level", "full"]);
    assert!(
        said.contains("--level closing") && said.contains("--takeover=fresh"),
        "{said}"
    );
    observer.start();
    observer.until_ready();
    check(
        "while nobody listened",
        &observer.ending(tuple),
        ("graceful", "originator", None, Some("originator")),
    );
    let tuple = conversation.tuple;
    drop(conversation.client);
    until_peer_closed(&conversation.server).unwrap();
    drop(conversation.server);
    check(
        "opened before",
        &observer.ending(tuple),
        ("graceful", "originator", None, Some("originator")),
    );
    assert_eq!(observer.stats()["difference"], 0);
}

#[test]
fn guards_and_the_level_closing_exclude_each_other() {
    let pair = Pair::new().unwrap();
    let file = File::new("closing-guards", "[guards]\nblind = \"dry_run\"\n");
    let arguments = ["--policy", file.path()];
    let observer = Observer::new(
        &pair.server.namespace,
        &pair.server.interface,
        &arguments,
        false,
    );
    let said = observer.refused(&["--level", "closing"]);
    assert!(said.contains("guards") && said.contains("full"), "{said}");
}
