//! Endings in which segments cross or are lost.

use serde_json::Value;
use termination_lab::{
    Family, Gated, Tuple,
    endings::gated::{self, Overflow},
};

use crate::{check::check, observer::Observer};

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// A network with a gate, observed at the server, and a connection in it.
fn at_server(
    family: Family,
    play: fn(&Gated, Family) -> termination_lab::Result<Tuple>,
) -> (Gated, Observer, Tuple) {
    let gated = Gated::new().unwrap();
    let observer = Observer::at(&gated.pair.server, &[]);
    let tuple = play(&gated, family).unwrap();
    (gated, observer, tuple)
}

/// What the list of TIME_WAITs says of a connection.
fn waiting(observer: &Observer, tuple: Tuple) -> Value {
    let mut list = observer.ask(&["time-wait", "--each", "--json"]);
    list.retain(|connection| connection["originator"]["port"] == tuple.originator.port());
    assert_eq!(list.len(), 1, "{list:#?}");
    list.remove(0)
}

#[test]
fn two_fins_cross() {
    for family in FAMILIES {
        let (gated, observer, tuple) = at_server(family, gated::closed_by_both);
        let ending = observer.ending(tuple);
        check(
            "crossing FINs",
            &ending,
            ("graceful_simultaneous", "both", None, Some("both")),
        );
        observer.agrees_with_kernel(&gated.pair);
    }
}

#[test]
fn two_rsts_cross() {
    for family in FAMILIES {
        let (gated, observer, tuple) = at_server(family, gated::aborted_by_both);
        let ending = observer.ending(tuple);
        // The server's own comes first where the server is.
        check(
            "crossing RSTs",
            &ending,
            ("reset", "responder", Some("active_abort"), None),
        );
        observer.agrees_with_kernel(&gated.pair);
    }
}

#[test]
fn a_lost_last_ack_restarts_time_wait() {
    for family in FAMILIES {
        // Where it was sent it is seen; where it never came it is not.
        let gated = Gated::new().unwrap();
        let client = Observer::at(&gated.pair.client, &[]);
        let server = Observer::at(&gated.pair.server, &[]);
        let tuple = gated::last_ack_lost(&gated, family).unwrap();
        for (observer, restarts) in [(&client, 1), (&server, 0)] {
            check(
                "lost ACK",
                &observer.ending(tuple),
                ("graceful", "originator", None, Some("originator")),
            );
            let waiting = waiting(observer, tuple);
            assert_eq!(waiting["time_wait"]["restarts"], restarts, "{waiting:#}");
            observer.agrees_with_kernel(&gated.pair);
        }
    }
}

#[test]
fn keepalive_gives_up() {
    let gated = Gated::new().unwrap();
    // Where the server is, its answers are seen, and only there.
    let observer = Observer::at(&gated.pair.client, &[]);
    let tuple = gated::keepalive_timeout(&gated, Family::V4).unwrap();
    let ending = observer.ending(tuple);
    check(
        "keepalive",
        &ending,
        ("reset", "originator", Some("keepalive_timeout"), None),
    );
}

#[test]
fn a_server_comes_back_without_memory() {
    for family in FAMILIES {
        let gated = Gated::new().unwrap();
        // Where the server is, its RST would be seen that the client misses.
        let observer = Observer::at(&gated.pair.client, &[]);
        let tuple = gated::forgotten_by_server(&gated, family).unwrap();
        let expected = (
            "half_open_discovered_by_data",
            "responder",
            Some("no_connection"),
            None,
        );
        check("no memory", &observer.ending(tuple), expected);
    }
}

#[test]
fn a_full_queue_answers_with_a_rst() {
    for family in FAMILIES {
        let (_gated, observer, tuple) = at_server(family, |gated, family| {
            gated::queue_overflow(gated, family, Overflow::Abort)
        });
        let expected = (
            "handshake_aborted",
            "responder",
            Some("handshake_rejected"),
            None,
        );
        check("overflow", &observer.ending(tuple), expected);
    }
}
