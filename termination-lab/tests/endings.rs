//! The scripted endings do what they say, by the kernel's own account.

use termination_lab::{
    Direction, Family, Gated, Pair, Service,
    endings::{self, Side, gated},
    kernel::{self, Counters, State},
    packet::flag,
};

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// Ends in TIME_WAIT that client and server hold.
fn time_waits(pair: &Pair) -> [usize; 2] {
    kernel::until_quiet(&[&pair.client.namespace, &pair.server.namespace]).unwrap();
    [&pair.client, &pair.server].map(|end| kernel::time_wait(&end.namespace).unwrap())
}

/// RSTs that client and server have sent.
fn resets(pair: &Pair) -> [i64; 2] {
    [&pair.client, &pair.server]
        .map(|end| Counters::read(&end.namespace).unwrap().get("Tcp.OutRsts"))
}

#[test]
fn closes_leave_time_wait_where_they_should() {
    for family in FAMILIES {
        let pair = Pair::new().unwrap();
        let service = Service::open(&pair, family).unwrap();
        for _ in 0..3 {
            endings::closed_first_by(Side::Client, &service).unwrap();
        }
        assert_eq!(time_waits(&pair), [3, 0], "{family:?}");
        endings::closed_first_by(Side::Server, &service).unwrap();
        endings::half_closed_by(Side::Server, &service).unwrap();
        assert_eq!(time_waits(&pair), [3, 2], "{family:?}");
        endings::half_closed_by(Side::Client, &service).unwrap();
        assert_eq!(time_waits(&pair), [4, 2], "{family:?}");
        endings::reused(&service).unwrap();
        assert_eq!(time_waits(&pair), [5, 2], "{family:?}");
        assert_eq!(resets(&pair), [0, 0], "{family:?}");
    }
}

#[test]
fn resets_come_from_where_they_should() {
    for family in FAMILIES {
        let pair = Pair::new().unwrap();
        let service = Service::open(&pair, family).unwrap();
        let mut expected = [0, 0];
        for (number, side) in [Side::Client, Side::Server].into_iter().enumerate() {
            endings::aborted_by(side, &service).unwrap();
            endings::disconnected_by(side, &service).unwrap();
            endings::closed_with_unread_data_by(side, &service).unwrap();
            endings::closed_with_unread_data_after_fin_by(side, &service).unwrap();
            endings::data_after_close_of(side, &service).unwrap();
            expected[number] += 5;
            assert_eq!(resets(&pair), expected, "{family:?} {side:?}");
        }
        endings::refused(&service).unwrap();
        endings::never_accepted(service).unwrap();
        assert_eq!(resets(&pair), [5, 7], "{family:?}");
        assert_eq!(time_waits(&pair), [0, 0], "{family:?}");
        let counters = Counters::read(&pair.server.namespace).unwrap();
        assert_eq!(counters.get("TcpExt.TCPAbortOnClose"), 2, "{family:?}");
    }
}

#[test]
fn segments_cross_and_are_lost() {
    for family in FAMILIES {
        let gated = Gated::new().unwrap();
        gated::closed_by_both(&gated, family).unwrap();
        assert_eq!(time_waits(&gated.pair), [1, 1], "{family:?}");
        gated::aborted_by_both(&gated, family).unwrap();
        assert_eq!(resets(&gated.pair), [1, 1], "{family:?}");
        let tuple = gated::last_ack_lost(&gated, family).unwrap();
        assert_eq!(time_waits(&gated.pair), [2, 1], "{family:?}");
        let fins = gated.gate.seen().into_iter().filter(|seen| {
            seen.direction == Direction::ToClient
                && seen.packet.destination == tuple.originator
                && seen.packet.is(flag::FIN)
        });
        assert!(fins.count() > 1, "{family:?}: the FIN was not repeated");
        gated::forgotten_by_server(&gated, family).unwrap();
        assert_eq!(resets(&gated.pair), [1, 3], "{family:?}");
    }
}

#[test]
fn a_dead_peer_is_noticed_by_keepalive() {
    let gated = Gated::new().unwrap();
    gated::keepalive_timeout(&gated, Family::V4).unwrap();
    assert_eq!(resets(&gated.pair), [1, 0]);
}

#[test]
fn a_full_queue_keeps_out() {
    for family in FAMILIES {
        for overflow in [gated::Overflow::Abort, gated::Overflow::Wait] {
            let gated = Gated::new().unwrap();
            gated::queue_overflow(&gated, family, overflow).unwrap();
            let counters = Counters::read(&gated.pair.server.namespace).unwrap();
            assert!(
                counters.get("TcpExt.ListenOverflows") > 0,
                "{family:?} {overflow:?}"
            );
        }
    }
}

#[test]
fn a_fin_wait_2_that_nobody_owns_is_no_time_wait() {
    let pair = Pair::new().unwrap();
    let service = Service::open(&pair, Family::V4).unwrap();
    let mut conversation = service.converse().unwrap();
    drop(conversation.client);
    termination_lab::conversation::until_fin(&mut conversation.server).unwrap();
    let sockets = termination_lab::wait_for("FIN_WAIT_2", termination_lab::PATIENCE, || {
        let found = kernel::sockets(&pair.client.namespace, &[State::FinWait2]).unwrap();
        (!found.is_empty()).then_some(found)
    });
    assert_eq!(sockets.len(), 1);
    assert_eq!(sockets[0].local, conversation.tuple.originator);
    assert_eq!(sockets[0].remote, conversation.tuple.responder);
    assert_eq!(kernel::time_wait(&pair.client.namespace).unwrap(), 0);
}
