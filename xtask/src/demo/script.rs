//! Who closes how, and what that is called.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use anyhow::{Context as _, Result};
use termination_lab::{
    Family, Pair, Service, Tuple,
    endings::{self, Side},
    try_wait_for,
};

use super::{
    ledger::{Expected, Ledger},
    observer::Observer,
};

/// The IP versions, in the order of the columns.
pub(super) const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// How long the endings of a batch may take to be reported.
const PATIENCE: Duration = Duration::from_secs(10);

/// One way to end a connection.
pub(super) struct Scene {
    /// What happens, in words.
    name: &'static str,
    /// Makes and ends a connection.
    play: fn(&Service) -> termination_lab::Result<Tuple>,
    expected: Expected,
}

/// A RST sent on close. Without a look into the kernel the wire does not tell
/// which of its reasons it was; with it, the reason has a name of its own.
const ABORTED: &[&str] = &["active_abort", "aborted_by_application"];
const UNREAD: &[&str] = &["active_abort", "closed_with_unread_data"];

/// All of them.
pub(super) const SCENES: [Scene; 11] = [
    Scene {
        name: "client closes first",
        play: |service| endings::closed_first_by(Side::Client, service),
        expected: Expected::graceful("graceful", "originator"),
    },
    Scene {
        name: "server closes first",
        play: |service| endings::closed_first_by(Side::Server, service),
        expected: Expected::graceful("graceful", "responder"),
    },
    Scene {
        name: "reply after client's FIN",
        play: |service| endings::half_closed_by(Side::Client, service),
        expected: Expected::graceful("graceful_half_close", "originator"),
    },
    Scene {
        name: "client has SO_LINGER 0",
        play: |service| endings::aborted_by(Side::Client, service),
        expected: Expected::reset("reset", "originator", ABORTED),
    },
    Scene {
        name: "server has SO_LINGER 0",
        play: |service| endings::aborted_by(Side::Server, service),
        expected: Expected::reset("reset", "responder", ABORTED),
    },
    Scene {
        name: "client closes, data unread",
        play: |service| endings::closed_with_unread_data_by(Side::Client, service),
        expected: Expected::reset("reset", "originator", UNREAD),
    },
    Scene {
        name: "server closes, data unread",
        play: |service| endings::closed_with_unread_data_by(Side::Server, service),
        expected: Expected::reset("reset", "responder", UNREAD),
    },
    Scene {
        name: "the same, after client's FIN",
        play: |service| endings::closed_with_unread_data_after_fin_by(Side::Server, service),
        expected: Expected::reset("reset_after_peer_fin", "responder", UNREAD),
    },
    Scene {
        name: "data after client's close",
        play: |service| endings::data_after_close_of(Side::Client, service),
        expected: Expected::reset("reset_after_own_fin", "originator", &["data_after_close"]),
    },
    Scene {
        name: "data after server's close",
        play: |service| endings::data_after_close_of(Side::Server, service),
        expected: Expected::reset("reset_after_own_fin", "responder", &["data_after_close"]),
    },
    Scene {
        name: "nobody listens",
        play: endings::refused,
        expected: Expected::reset("refused", "responder", &["no_listener"]),
    },
];

/// Plays all scenes, `each` times over each IP version, and waits after each
/// batch until all its endings were reported.
///
/// # Errors
///
/// When a socket does what the script does not expect, or a question fails.
/// Endings that are missing or wrong are for the ledger to tell.
pub(super) fn play(pair: &Pair, observer: &Observer, each: usize) -> Result<Ledger> {
    let mut ledger = Ledger::default();
    println!(
        "  {:<29}{:<36}{:>6}{:>7}",
        "how", "expected", "IPv4", "IPv6"
    );
    for Scene {
        name,
        play,
        expected,
    } in &SCENES
    {
        print!("  {name:<29}{:<36}", expected.to_string());
        for family in FAMILIES {
            // A row shows while it grows.
            io::stdout().flush()?;
            let service = Service::open(pair, family)?;
            let mut batch = Vec::with_capacity(each);
            for _ in 0..each {
                let tuple = play(&service).with_context(|| format!("{name}, {family:?}"))?;
                ledger.expect(tuple, name, expected);
                batch.push(tuple);
            }
            let reported = try_wait_for("endings", PATIENCE, || {
                let events = observer.ask(&["events", "--json"]);
                events
                    .map(|events| ledger.read(&events, &batch).then_some(()))
                    .transpose()
            });
            // Late is for the ledger to tell.
            if let Ok(asked) = reported {
                asked?;
            }
            let right = ledger.right(&batch);
            let width = if family == Family::V4 { 6 } else { 7 };
            if right == each {
                print!("{right:>width$}");
            } else {
                print!("{:>width$}", format!("{right}/{each}"));
            }
        }
        println!();
    }
    Ok(ledger)
}
