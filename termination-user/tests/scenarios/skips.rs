//! Frames that open nothing: passed as they are, counted by reason, and no
//! state is touched.

use std::net::SocketAddr;

use termination_common::{
    counters::{self, Counters},
    policy::{Level, Settings},
    segment::Flags,
    wire::{
        Skip,
        build::{Checksum, Frame, zoo},
    },
};

use crate::machine::{Hook, Host, Sight, kernel_at, since};

const A: &str = "192.0.2.1:40000";
const B: &str = "192.0.2.2:443";
const A6: &str = "[2001:db8::1]:40000";
const B6: &str = "[2001:db8::2]:443";

/// What it is, its bytes, why it is passed by.
fn table() -> Vec<(&'static str, Vec<u8>, Skip)> {
    let syn = || Frame::v4(A, B).tcp(Flags::SYN);
    let syn6 = || Frame::v6(A6, B6).tcp(Flags::SYN);
    let cut = |frame: Frame, length| frame.build()[..length].to_vec();
    let change = |at: usize, value| {
        let mut bytes = syn().build();
        bytes[at] = value;
        bytes
    };
    let same: SocketAddr = A.parse().unwrap();
    let land = Frame::between(same, same).tcp(Flags::SYN);
    vec![
        ("an Ethernet header alone", vec![0; 14], Skip::NotIp),
        ("ARP", change(13, 6), Skip::NotIp),
        ("half an IPv4 header", cut(syn(), 14 + 10), Skip::Runt),
        ("half an IPv6 header", cut(syn6(), 14 + 20), Skip::Runt),
        ("half a TCP header", cut(syn(), 14 + 20 + 10), Skip::Runt),
        (
            "half a TCP header, IPv6",
            cut(syn6(), 14 + 40 + 19),
            Skip::Runt,
        ),
        ("IPv4 with version 5", change(14, 0x55), Skip::BadHeader),
        ("IHL of 4 words", change(14, 0x44), Skip::BadHeader),
        (
            "IP length below its header",
            syn().ip_length(19).build(),
            Skip::BadHeader,
        ),
        (
            "IP length within the TCP header",
            syn().ip_length(30).build(),
            Skip::Runt,
        ),
        (
            "data offset of 4 words",
            syn().data_offset(4).build(),
            Skip::BadDataOffset,
        ),
        (
            "data offset beyond the segment",
            syn().data_offset(15).build(),
            Skip::BadDataOffset,
        ),
        (
            "data offset of 4 words, IPv6",
            syn6().data_offset(4).build(),
            Skip::BadDataOffset,
        ),
        ("UDP", syn().protocol(17).build(), Skip::NotTcp),
        ("ICMPv6", syn6().protocol(58).build(), Skip::NotTcp),
        (
            "a later fragment",
            syn().fragment(10, true).build(),
            Skip::LaterFragment,
        ),
        (
            "a later fragment, IPv6",
            syn6().fragment(10, false).build(),
            Skip::LaterFragment,
        ),
        ("LAND", land.build(), Skip::SameEndpoints),
        ("no flags", syn().tcp(0).build(), Skip::NoFlags),
        ("FIN alone", syn().tcp(Flags::FIN).build(), Skip::NoFlags),
        ("xmas", syn().tcp(0x29).build(), Skip::NoFlags),
        ("SYN and FIN", syn().tcp(0x03).build(), Skip::SynFin),
        ("SYN, FIN and ACK", syn6().tcp(0x13).build(), Skip::SynFin),
        (
            "five tags",
            (0..5).fold(syn(), Frame::vlan).build(),
            Skip::TooManyHeaders,
        ),
        ("a tag and no more", cut(syn().vlan(1), 15), Skip::Runt),
    ]
}

const fn sight(hook: Hook, frame: Frame) -> Sight {
    Sight {
        frame,
        time: 1_000_000_000_000,
        hook,
        home: 4,
        gso: 0,
    }
}

/// Where the kernel runs a program on these bytes: XDP takes any frame, TC none
/// whose IP header is cut (net/bpf/test_run.c, bpf_prog_test_run_skb).
fn hooks(bytes: &[u8]) -> &'static [Hook] {
    let header = match bytes[12..14] {
        [0x08, 0x00] => 20,
        [0x86, 0xdd] => 40,
        _ => 1,
    };
    if bytes.len() < 14 + header {
        &[Hook::Xdp]
    } else {
        &[Hook::Xdp, Hook::Ingress, Hook::Egress]
    }
}

/// Through the kernel by a hook: what was counted, and nothing is in the table.
fn counted(hook: Hook, bytes: &[u8]) -> Counters {
    let mut kernel = kernel_at(Level::Full);
    kernel.set(Settings::DEFAULT);
    let before = kernel.counters();
    kernel.see(&sight(hook, Frame::v4(A, B)), bytes);
    let counted = since(&before, &kernel.counters());
    assert!(kernel.slots().is_empty());
    assert!(kernel.records().is_empty());
    counted
}

#[test]
fn what_is_no_segment_is_passed_and_counted_by_reason() {
    for (description, bytes, reason) in table() {
        for &hook in hooks(&bytes) {
            let mut expected = Counters::default();
            expected.0[counters::SKIP + reason as usize] = 1;
            let counted = counted(hook, &bytes);
            assert_eq!(counted, expected, "{description} by {hook:?}");
        }
    }
}

#[test]
fn a_wrong_checksum_counts_at_ingress_alone() {
    let bytes = Frame::v4(A, B)
        .tcp(Flags::SYN)
        .checksum(Checksum::Bad)
        .build();
    for hook in [Hook::Xdp, Hook::Ingress] {
        let counted = counted(hook, &bytes);
        let skipped = counted.0[counters::SKIP + Skip::BadChecksum as usize];
        assert_eq!(skipped, 1, "{hook:?}");
        assert_eq!(counted.0[counters::SEGMENTS], 0, "{hook:?}");
    }
    // On its way out, hardware has yet to fill it in.
    let host = Host::new(Settings::DEFAULT);
    host.see(&sight(Hook::Egress, Frame::v4(A, B)), &bytes);
    assert_eq!(host.counters().0[counters::SEGMENTS], 1);
}

/// Every frame of the zoo, cut at every length that the kernel runs programs
/// on, is to both the same.
#[test]
fn a_frame_cut_anywhere_is_the_same_to_both() {
    for bytes in zoo() {
        for length in (14..bytes.len()).rev().step_by(3) {
            let bytes = &bytes[..length];
            for &hook in hooks(bytes) {
                let sight = sight(hook, Frame::v4(A, B));
                let host = Host::new(Settings::DEFAULT);
                host.see(&sight, bytes);
                let kernel = kernel_at(Level::Full);
                kernel.set(Settings::DEFAULT);
                let before = kernel.counters();
                kernel.see(&sight, bytes);
                let counted = since(&before, &kernel.counters());
                assert_eq!(host.counters(), counted, "{bytes:x?}");
                assert_eq!(host.slots(), kernel.slots());
            }
        }
    }
}
