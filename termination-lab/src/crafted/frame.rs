//! A segment as an Ethernet frame.

use std::net::IpAddr;

use crate::packet::Packet;

/// Writes it down; the link-layer addresses are still to be put in. Options are
/// a multiple of four bytes.
pub(super) fn build(packet: &Packet, payload: &[u8], identification: u16) -> Vec<u8> {
    let header = 20 + packet.options.len();
    let mut tcp = Vec::with_capacity(header + payload.len());
    tcp.extend(packet.source.port().to_be_bytes());
    tcp.extend(packet.destination.port().to_be_bytes());
    tcp.extend(packet.seq.to_be_bytes());
    tcp.extend(packet.ack.to_be_bytes());
    tcp.extend([(header as u8 / 4) << 4, packet.flags]);
    tcp.extend(packet.window.to_be_bytes());
    tcp.extend([0; 4]);
    tcp.extend(&packet.options);
    tcp.extend(payload);
    let length = (tcp.len() as u16).to_be_bytes();

    let mut frame = vec![0; 12];
    let mut pseudo = Vec::new();
    match (packet.source.ip(), packet.destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            let total = (tcp.len() as u16 + 20).to_be_bytes();
            let [high, low] = identification.to_be_bytes();
            let mut ip = vec![0x45, 0, total[0], total[1], high, low, 0x40, 0, 64, 6, 0, 0];
            ip.extend(from.octets());
            ip.extend(to.octets());
            let sum = checksum(&ip);
            ip[10..12].copy_from_slice(&sum);
            pseudo.extend(&ip[12..20]);
            frame.extend([0x08, 0x00]);
            frame.extend(ip);
        }
        (from, to) => {
            let octets = |address| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            pseudo.extend(octets(from));
            pseudo.extend(octets(to));
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, length[0], length[1], 6, 64]);
            frame.extend(&pseudo);
        }
    }
    pseudo.extend([0, 6, length[0], length[1]]);
    pseudo.extend(&tcp);
    let sum = checksum(&pseudo);
    tcp[16..18].copy_from_slice(&sum);
    frame.extend(tcp);
    frame
}

/// The identification field of an untagged IPv4 frame.
pub(super) fn identification(frame: &[u8]) -> u16 {
    match frame.get(18..20) {
        Some(&[high, low]) => u16::from_be_bytes([high, low]),
        _ => 0,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (source, destination) in [
            ("10.0.0.9:7", "10.0.0.2:443"),
            ("[fd00::9]:7", "[fd00::2]:443"),
        ] {
            let packet = Packet {
                source: source.parse().unwrap(),
                destination: destination.parse().unwrap(),
                flags: 0x18,
                seq: 1 << 31,
                ack: 9,
                window: 512,
                options: vec![1, 1, 1, 0],
                payload: 3,
            };
            let frame = build(&packet, b"odd", 5);
            assert_eq!(Packet::parse(&frame), Some(packet));
        }
        // RFC 1071, 3.
        assert_eq!(
            checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]),
            [0x22, 0x0d]
        );
    }
}
