//! The fast way: that it is gone, and where it does not lead.

use termination_common::{
    exchange::Operation,
    policy::{Settings, Timers},
    segment::Flags,
    wire::build::Frame,
};

use super::{Hook, Host, Sight};

const CLIENT: &str = "10.0.0.1:40000";
const SERVER: &str = "10.0.0.2:80";

fn see(host: &Host, frame: Frame) {
    let sight = Sight {
        frame,
        time: 1 << 40,
        hook: Hook::Xdp,
        home: 2,
        gso: 0,
    };
    host.see(&sight, &sight.frame.build());
}

/// So many rounds of ten bytes there and an ACK back, after a handshake.
fn talk(host: &Host, client: &str, rounds: u32) {
    let there = || Frame::v4(client, SERVER).window(500);
    let back = || Frame::v4(SERVER, client).window(500);
    see(host, there().tcp(Flags::SYN).seq(100));
    see(host, back().tcp(Flags::SYN | Flags::ACK).seq(900).ack(101));
    see(host, there().tcp(Flags::ACK).seq(101).ack(901));
    for round in 0..rounds {
        let sent = 101 + round * 10;
        see(host, there().tcp(Flags::ACK).seq(sent).ack(901).payload(10));
        see(host, back().tcp(Flags::ACK).seq(901).ack(sent + 10));
    }
}

/// A connection as most are goes the fast way, once both ends have spoken.
#[test]
fn data_and_acks_go_the_fast_way() {
    let host = Host::new(Settings::DEFAULT);
    talk(&host, CLIENT, 20);
    assert_eq!(host.fast(), 40);
}

/// The slot changes hands between the look for it and the look at it: the
/// tuple is not compared there, so the entry must be.
#[test]
fn the_fast_way_does_not_lead_into_another_connection() {
    /// Of the same two lines of the table, so that it gets the same place.
    const OTHERS: std::ops::Range<u16> = 1000..60_000;
    let host = Host::new(Settings::DEFAULT);
    talk(&host, CLIENT, 8);
    let old = host.places()[0];
    host.meanwhile(move |host| {
        host.sweep(u64::MAX >> 11, Operation::Shutdown, &Timers::DEFAULT);
        for port in OTHERS {
            talk(host, &format!("10.0.0.1:{port}"), 8);
            if host.places() == [old] {
                return;
            }
            host.sweep(u64::MAX >> 11, Operation::Shutdown, &Timers::DEFAULT);
        }
        unreachable!("one of so many gets the same place");
    });
    let late = Frame::v4(CLIENT, SERVER).window(500).tcp(Flags::ACK);
    see(&host, late.seq(181).ack(901).payload(10));
    let slots = host.slots();
    assert_eq!(slots.len(), 2, "the late segment opened one of its own");
    assert!(slots.iter().any(|slot| slot.hot.half[0].segments == 10));
}
