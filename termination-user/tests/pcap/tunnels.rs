//! The packet inside: followed where the line is the customer's own, behind
//! `--tunnels` where there is a second pair of addresses.

use termination_common::{segment::Flags, wire::build::Frame};

use crate::scratch::{START, endings, pcap};

const INNER: (&str, &str) = ("192.168.1.1:40000", "192.168.1.2:80");
const INNER6: (&str, &str) = ("[2001:db8::1]:40000", "[2001:db8::2]:80");
/// A Teredo client's address (RFC 4380 4).
const CLIENT: &str = "2001:0:c000:201:0:1234:3fff:fdfe";

fn inner() -> Frame {
    Frame::v4(INNER.0, INNER.1).tcp(Flags::SYN).seq(1)
}

fn inner6() -> Frame {
    Frame::v6(INNER6.0, INNER6.1).tcp(Flags::SYN).seq(1)
}

fn ethernet(kind: u16, content: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
    frame.extend(kind.to_be_bytes());
    frame.extend(content);
    frame
}

/// An outer IPv4 packet.
fn ip(protocol: u8, content: &[u8]) -> Vec<u8> {
    let length = (20 + content.len()) as u16;
    let mut packet = vec![0x45, 0];
    packet.extend(length.to_be_bytes());
    packet.extend([0, 1, 0, 0, 64, protocol, 0, 0]);
    packet.extend([203, 0, 113, 1, 203, 0, 113, 2]);
    packet.extend(content);
    ethernet(0x0800, &packet)
}

fn udp(port: u16, header: &[u8], content: &[u8]) -> Vec<u8> {
    let mut datagram = Vec::from(50_000_u16.to_be_bytes());
    datagram.extend(port.to_be_bytes());
    datagram.extend(((8 + header.len() + content.len()) as u16).to_be_bytes());
    datagram.extend([0, 0]);
    datagram.extend(header);
    datagram.extend(content);
    ip(17, &datagram)
}

fn gre(header: &[u8], content: &[u8]) -> Vec<u8> {
    ip(47, &[header, content].concat())
}

/// Who `termination` sees connect, with and without the flag.
fn seen(frame: &[u8]) -> [Option<String>; 2] {
    [&["--tunnels"][..], &[]].map(|arguments| {
        let found = endings(arguments, &pcap(&[(START, frame.to_vec())]));
        let one = found.first()?;
        assert_eq!(found.len(), 1);
        Some(one["originator"]["ip"].as_str()?.to_owned())
    })
}

#[test]
fn tunnels_are_followed_if_asked() {
    let whole = inner().build();
    let bare = inner().raw().build();
    let bare6 = inner6().raw().build();
    let teredo = Frame::v6(&format!("[{CLIENT}]:40000"), INNER6.1)
        .tcp(Flags::SYN)
        .raw()
        .build();
    for (name, frame, originator) in [
        ("IPv4 in IPv4", ip(4, &bare), "192.168.1.1"),
        ("IPv6 in IPv4", ip(41, &bare6), "2001:db8::1"),
        ("GRE", gre(&[0, 0, 8, 0], &bare), "192.168.1.1"),
        (
            "GRE, key",
            gre(&[0x20, 0, 8, 0, 0, 0, 0, 9], &bare),
            "192.168.1.1",
        ),
        (
            "GRE, bridged",
            gre(&[0, 0, 0x65, 0x58], &whole),
            "192.168.1.1",
        ),
        (
            "VXLAN",
            udp(4789, &[8, 0, 0, 0, 0, 0, 42, 0], &whole),
            "192.168.1.1",
        ),
        (
            "GENEVE",
            udp(6081, &[0, 0, 0x65, 0x58, 0, 0, 42, 0], &whole),
            "192.168.1.1",
        ),
        (
            "GENEVE, option",
            udp(6081, &[1, 0, 0x65, 0x58, 0, 0, 42, 0, 1, 2, 3, 0], &whole),
            "192.168.1.1",
        ),
        ("Teredo", udp(3544, &[], &bare6), "2001:db8::1"),
        (
            "Teredo, origin",
            udp(3544, &[0, 0, 1, 2, 3, 4, 5, 6], &bare6),
            "2001:db8::1",
        ),
        ("Teredo, relay", udp(3545, &[], &teredo), CLIENT),
        (
            "GTP-U",
            udp(2152, &[0x32, 255, 0, 0, 0, 0, 0, 1, 0, 7, 0, 0], &bare),
            "192.168.1.1",
        ),
        ("GRE in UDP", udp(4754, &[0, 0, 8, 0], &bare), "192.168.1.1"),
        (
            "GRE in IP in IP",
            ip(4, &gre(&[0, 0, 8, 0], &bare)[14..]),
            "192.168.1.1",
        ),
    ] {
        let expected = [Some(originator.to_owned()), None];
        assert_eq!(seen(&frame), expected, "{name}");
    }
}

#[test]
fn what_only_resembles_a_tunnel_is_none() {
    let bare6 = inner6().raw().build();
    let mut longer = Frame::v6(&format!("[{CLIENT}]:40000"), INNER6.1)
        .tcp(Flags::SYN)
        .raw()
        .build();
    // One byte more than the datagram has.
    longer[5] += 1;
    for (name, frame) in [
        ("IPv6 of others in UDP", udp(3545, &[], &bare6)),
        (
            "GTP-U's own words",
            udp(2152, &[0x30, 1, 0, 0, 0, 0, 0, 1], &bare6),
        ),
        ("longer than its datagram", udp(3545, &[], &longer)),
    ] {
        assert_eq!(seen(&frame), [None, None], "{name}");
    }
}

#[test]
fn the_line_itself_is_always_followed() {
    let bare = inner().raw().build();
    let labels = [0, 0, 0x10, 64, 0, 0, 0x21, 64];
    let session = |content: &[u8]| {
        let length = (2 + content.len()) as u16;
        let header = [0x11, 0, 0, 1, (length >> 8) as u8, length as u8];
        ethernet(0x8864, &[&header, content].concat())
    };
    for (name, frame) in [
        ("MPLS", ethernet(0x8847, &[&labels, &bare[..]].concat())),
        ("PPPoE", session(&[&[0, 0x21], &bare[..]].concat())),
        (
            "PPPoE, short protocol",
            session(&[&[0x21], &bare[..]].concat()),
        ),
        (
            "802.1ah",
            ethernet(0x88e7, &[&[0, 0, 0, 9], &inner().build()[..]].concat()),
        ),
        (
            "VN-Tag",
            ethernet(0x8926, &[&[0, 1, 0, 2, 8, 0], &bare[..]].concat()),
        ),
        (
            "802.1BR",
            ethernet(0x893f, &[&[0, 1, 0, 2, 0, 0, 8, 0], &bare[..]].concat()),
        ),
        ("VLAN", inner().vlan(7).build()),
        ("QinQ", inner().tag(0x88a8, 7).vlan(8).build()),
    ] {
        let expected = Some("192.168.1.1".to_owned());
        assert_eq!(seen(&frame), [expected.clone(), expected], "{name}");
    }
}
