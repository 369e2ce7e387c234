//! One frame of every kind.

use alloc::vec::Vec;

use super::{Checksum, Frame, alloc, protocol};

/// Frames of every kind the parser knows, for tests that alter, cut or replay
/// them.
#[must_use]
pub fn zoo() -> Vec<Vec<u8>> {
    const A: &str = "192.0.2.1:40000";
    const B: &str = "192.0.2.2:443";
    const A6: &str = "[2001:db8::1]:40000";
    const B6: &str = "[2001:db8::2]:443";
    const SYN: [u8; 20] = [
        2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7,
    ];
    const SACK: [u8; 24] = [
        1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0,
    ];
    let both = |change: &dyn Fn(Frame) -> Frame| {
        [Frame::v4(A, B), Frame::v6(A6, B6)].map(|frame| change(frame).build())
    };
    let mut zoo = Vec::new();
    zoo.extend(both(&|frame| frame.payload(17)));
    zoo.extend(both(&|frame| frame.timestamps(1, 2).payload(8)));
    zoo.extend(both(&|frame| frame.tcp(0x02).options(&SYN)));
    zoo.extend(both(&|frame| frame.options(&SACK)));
    zoo.extend(both(&|frame| frame.tcp(0x11).payload(101)));
    zoo.extend(both(&|frame| {
        frame.tcp(0x04).checksum(Checksum::Partial).padding(6)
    }));
    zoo.extend(both(&|frame| frame.vlan(5).vlan(6).options(&[1; 40])));
    zoo.extend(both(&|frame| frame.fragment(0, true).payload(40)));
    zoo.extend(both(&|frame| frame.ip_length(0).payload(40)));
    zoo.push(Frame::v4(A, B).ip_options(&[7; 40]).payload(4).build());
    let extended = Frame::v6(A6, B6)
        .extension_of(protocol::HOP_BY_HOP, 8)
        .extension_of(protocol::DESTINATION, 24)
        .extension_of(protocol::ROUTING, 24)
        .extension_of(protocol::AUTHENTICATION, 12)
        .fragment(0, false);
    zoo.push(extended.payload(4).build());
    zoo
}
