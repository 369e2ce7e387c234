//! Namespaces, cables and raw frames; and that nothing of them stays.

use std::{net::SocketAddr, path::Path};

use termination_lab::{
    Error, Family, Namespace, PATIENCE, Pair, Service,
    endings::{self, Side},
    inject::{self, Wire},
    packet::{Packet, flag},
};

#[test]
fn a_namespace_has_a_name_while_it_lives() {
    let namespace = Namespace::new("lab").unwrap();
    let path = Path::new("/run/netns").join(namespace.name());
    assert!(path.exists());
    let here = std::fs::read_link("/proc/self/ns/net").unwrap();
    let there = namespace
        .enter(|| std::fs::read_link("/proc/thread-self/ns/net").unwrap())
        .unwrap();
    assert_ne!(here, there);
    drop(namespace);
    assert!(!path.exists());
}

#[test]
fn a_namespace_goes_with_a_panic() {
    let made = std::sync::Mutex::new(None);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let namespace = Namespace::new("lab").unwrap();
        *made.lock().unwrap() = Some(namespace.name().to_owned());
        namespace.enter(|| panic!("on purpose")).unwrap()
    }));
    assert!(panicked.is_err());
    let name = made.into_inner().unwrap().unwrap();
    assert!(!Path::new("/run/netns").join(name).exists());
}

#[test]
fn kernel_parameters_are_those_of_the_namespace() {
    let namespace = Namespace::new("lab").unwrap();
    namespace.set_sysctl("net.ipv4.tcp_fin_timeout", 7).unwrap();
    let read = || std::fs::read_to_string("/proc/sys/net/ipv4/tcp_fin_timeout").unwrap();
    assert_eq!(namespace.enter(read).unwrap().trim(), "7");
    assert_ne!(read().trim(), "7");
    assert!(namespace.set_sysctl("net.ipv4.no_such_thing", 7).is_err());
}

#[test]
fn connections_go_through_a_vlan() {
    let pair = Pair::new().unwrap();
    for family in [Family::V4, Family::V6] {
        let number = if family == Family::V4 { 5 } else { 6 };
        let [(client, _), (server, interface)] = match pair.vlan(number, family) {
            Err(Error::Ip { output, .. }) if output.contains("Unknown device type") => {
                eprintln!("skipped: this kernel has no VLAN interfaces (CONFIG_VLAN_8021Q)");
                return;
            }
            ends => ends.unwrap(),
        };
        let service = Service::open_between(&pair, client, server, 8).unwrap();
        let wire = Wire::open_in(&pair.server.namespace, &interface).unwrap();
        let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
        let seen = wire
            .expect("a segment in the VLAN", PATIENCE, Packet::parse)
            .unwrap();
        assert_eq!(seen.source, tuple.originator);
    }
}

#[test]
fn a_frame_that_was_made_reaches_a_socket_and_is_answered() {
    let pair = Pair::new().unwrap();
    let wire = Wire::open(&pair.client).unwrap();
    let source = SocketAddr::new(pair.client.v4.into(), pair.next_port().unwrap());
    let destination = SocketAddr::new(pair.server.v4.into(), pair.next_port().unwrap());
    // The client's own kernel would answer the SYN-ACK, not the RST we expect.
    let mut frame = syn(source, destination);
    inject::address(
        &mut frame,
        pair.client.mac().unwrap(),
        pair.server.mac().unwrap(),
    );
    wire.send([&frame]).unwrap();
    let answer = wire
        .expect("a RST from a port without listener", PATIENCE, |frame| {
            Packet::parse(frame).filter(|packet| packet.source == destination)
        })
        .unwrap();
    assert!(answer.is(flag::RST | flag::ACK));
    assert_eq!((answer.seq, answer.ack), (0, 8));
    assert_eq!(pair.server.index().unwrap(), pair.server.index().unwrap());
}

/// A SYN with sequence number 7.
fn syn(source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
    let (SocketAddr::V4(source), SocketAddr::V4(destination)) = (source, destination) else {
        unreachable!("IPv4 only");
    };
    let (from, to) = (source.ip().octets(), destination.ip().octets());
    let mut ip = vec![0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0];
    ip.extend(from);
    ip.extend(to);
    let sum = checksum(&ip);
    ip[10..12].copy_from_slice(&sum);
    let mut tcp = Vec::new();
    tcp.extend(source.port().to_be_bytes());
    tcp.extend(destination.port().to_be_bytes());
    tcp.extend(7_u32.to_be_bytes());
    tcp.extend([0, 0, 0, 0, 0x50, flag::SYN, 0xff, 0xff, 0, 0, 0, 0]);
    let pseudo = [&from[..], &to, &[0, 6, 0, 20], &tcp].concat();
    let sum = checksum(&pseudo);
    tcp[16..18].copy_from_slice(&sum);
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00]);
    frame.extend(ip);
    frame.extend(tcp);
    frame
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}
