//! IPFIX flowEndReason (RFC 5102 5.11.3) of each ending that a capture can
//! have. Lack of resources: `scenarios/crowding.rs`.

use termination_common::{segment::Flags, wire::build::Frame};

use crate::{
    command::{Frames, graceful},
    scratch::{SECOND, START, endings, pcap},
};

const MINUTE: u64 = 60 * SECOND;

fn segment(port: u16, side: usize, flags: u8, seq: u32, ack: u32) -> Vec<u8> {
    let mut ends = [format!("10.0.0.1:{port}"), String::from("10.0.0.2:443")];
    ends.rotate_left(side);
    let [from, to] = ends;
    Frame::v4(&from, &to).tcp(flags).seq(seq).ack(ack).build()
}

/// The ending of the connection at port 40000, and its flowEndReason.
fn reason(mut frames: Frames) -> (String, u64) {
    frames.sort_by_key(|&(time, _)| time);
    let found = endings(&[], &pcap(&frames));
    let mut ours = found
        .iter()
        .filter(|ending| ending["originator"]["port"] == 40_000);
    let ending = ours.next().unwrap();
    assert!(ours.next().is_none(), "one connection: {found:?}");
    let name = ending["ending"].as_str().unwrap().to_owned();
    (name, ending["ipfix"]["flow_end_reason"].as_u64().unwrap())
}

/// A handshake.
fn opened() -> Frames {
    graceful(40_000, START).into_iter().take(3).collect()
}

/// Another connection, so much later: time goes on.
fn after(minutes: u64) -> Frames {
    graceful(50_000, START + minutes * MINUTE)
}

#[test]
fn idle_timeout_is_1() {
    let syn = segment(40_000, 0, Flags::SYN, 1_000, 0);
    let attempt = [vec![(START, syn)], after(30)].concat();
    assert_eq!(reason(attempt), ("unanswered".into(), 1));
    let idle = [opened(), after(24 * 60)].concat();
    assert_eq!(reason(idle), ("idle_expired".into(), 1));
    let fin = segment(40_000, 0, Flags::FIN | Flags::ACK, 1_001, 5_001);
    let unanswered = [opened(), vec![(START + SECOND, fin)], after(24 * 60)].concat();
    assert_eq!(reason(unanswered), ("fin_unanswered".into(), 1));
}

#[test]
fn end_of_flow_detected_is_3() {
    let closed = [graceful(40_000, START), after(30)].concat();
    assert_eq!(reason(closed), ("graceful".into(), 3));
    let rst = segment(40_000, 1, Flags::RST | Flags::ACK, 5_001, 1_001);
    let aborted = [opened(), vec![(START + SECOND, rst)]].concat();
    assert_eq!(reason(aborted), ("reset".into(), 3));
    let rst = segment(40_000, 1, Flags::RST | Flags::ACK, 0, 1_001);
    let syn = segment(40_000, 0, Flags::SYN, 1_000, 0);
    let refused = vec![(START, syn), (START + SECOND, rst)];
    assert_eq!(reason(refused), ("refused".into(), 3));
}

/// The observer stops: the capture ends.
#[test]
fn forced_end_is_4() {
    assert_eq!(reason(opened()), ("shutdown".into(), 4));
}
