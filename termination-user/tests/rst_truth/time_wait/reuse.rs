//! A TIME_WAIT that its holder gives up, and one that is over in time.

use termination_lab::{
    Family, PATIENCE, Pair, Service,
    crafted::Stage,
    endings::{self, Side},
    wait_for,
};

use super::waiting;
use crate::{
    bench::{Bench, Policy, of},
    observer::Observer,
};

#[test]
fn the_holder_opens_anew() {
    let pair = Pair::new().unwrap();
    pair.client
        .namespace
        .set_sysctl("net.ipv4.tcp_tw_reuse", 1)
        .unwrap();
    let observer = Observer::at(&pair.server, &[]);
    for family in [Family::V4, Family::V6] {
        let service = Service::open(&pair, family).unwrap();
        let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
        // The kernel lets go of its TIME_WAIT after a second, and not before.
        let socket = wait_for("a tuple to be let go of", PATIENCE, || {
            let socket = service.caller_again(tuple).ok()?;
            socket
                .connect(&tuple.responder.into())
                .is_ok()
                .then_some(socket)
        });
        let over = observer.reports("time_wait", tuple, 1);
        assert_eq!(over[0]["sequel"], "reused_by_holder", "{over:#?}");
        assert_eq!(over[0]["answer"], "syn_ack", "{over:#?}");
        drop(socket);
    }
}

#[test]
fn it_is_over_when_its_time_is() {
    let policy = Policy::new("expiry", "[timers]\nmsl = 0.5\n");
    let pair = Pair::new().unwrap();
    let observer = Observer::at(&pair.server, &["--policy", policy.path()]);
    let stage = Stage::new(&pair, Family::V4).unwrap();
    let service = Service::open(&pair, Family::V4).unwrap();
    let bench = Bench {
        stage: &stage,
        service: &service,
        observer: &observer,
    };
    let (_, tuple) = waiting(&bench, true);
    let over = wait_for("the end of a TIME_WAIT", PATIENCE, || {
        let events = observer.ask(&["events", "--json"]);
        let over = of(&events, tuple);
        over.into_iter()
            .find(|report| report["type"] == "time_wait")
            .cloned()
    });
    assert_eq!(over["sequel"], "expired", "{over:#}");
    assert_eq!(over["restarts"], 0, "{over:#}");
}
