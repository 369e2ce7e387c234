//! Encapsulations.

use super::*;

/// An Ethernet frame of `kind` with `header` before `inner`.
fn wrapped(kind: u16, header: &[u8], inner: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend(kind.to_be_bytes());
    frame.extend(header);
    frame.extend(inner);
    frame
}

/// An IPv4 header with this protocol, and what follows it.
fn outer(protocol: u8, rest: &[u8]) -> Vec<u8> {
    let mut header = v4().raw().protocol(protocol).build();
    header.truncate(20);
    header.extend(rest);
    header
}

/// A UDP header to this port, and what follows it.
fn udp(port: u16, rest: &[u8]) -> Vec<u8> {
    let mut header = vec![0x30, 0x39];
    header.extend(port.to_be_bytes());
    header.extend([0xff, 0xff, 0, 0]);
    header.extend(rest);
    outer(17, &header)
}

#[test]
fn tunnels_are_peeled_when_asked_for() {
    let inner = Frame::v4("10.0.0.1:1", "10.0.0.2:2").payload(5);
    let (bridged, raw) = (inner.build(), inner.raw().build());
    let six = Frame::v6(A6, B6).raw().payload(5).build();
    let client = Frame::v6(A6, "[2001:0:c000:201::1]:80")
        .raw()
        .payload(5)
        .build();
    let cases = [
        (
            Follow::MPLS,
            wrapped(0x8847, &[0, 1, 0, 64, 0, 2, 1, 64], &raw),
        ),
        (
            Follow::MPLS,
            wrapped(0x8847, &[0, 2, 1, 64, 0, 0, 0, 0], &bridged),
        ),
        (
            Follow::PPPOE,
            wrapped(0x8864, &[0x11, 0, 0, 1, 0, 0, 0, 0x21], &raw),
        ),
        (
            Follow::PPPOE,
            wrapped(0x8864, &[0x11, 0, 0, 1, 0, 0, 0, 0x57], &six),
        ),
        (Follow::IP_IN_IP, wrapped(0x0800, &outer(4, &[]), &raw)),
        (Follow::IP_IN_IP, wrapped(0x0800, &outer(41, &[]), &six)),
        (
            Follow::GRE,
            wrapped(0x0800, &outer(47, &[0, 0, 8, 0]), &raw),
        ),
        (
            Follow::GRE,
            wrapped(
                0x0800,
                &outer(
                    47,
                    &[0xb0, 0, 0x65, 0x58, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                ),
                &bridged,
            ),
        ),
        (
            Follow::GRE,
            wrapped(
                0x0800,
                &outer(
                    47,
                    &[0x30, 1, 0x88, 0x0b, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 3, 0x21],
                ),
                &raw,
            ),
        ),
        (
            Follow::GRE,
            wrapped(
                0x0800,
                &outer(
                    47,
                    &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                ),
                &bridged,
            ),
        ),
        (
            Follow::VXLAN,
            wrapped(0x0800, &udp(4789, &[8, 0, 0, 0, 0, 0, 1, 0]), &bridged),
        ),
        (
            Follow::GENEVE,
            wrapped(
                0x0800,
                &udp(6081, &[1, 0, 0x65, 0x58, 0, 0, 1, 0, 0, 0, 0, 0]),
                &bridged,
            ),
        ),
        (
            Follow::TEREDO,
            wrapped(0x0800, &udp(3544, &[0, 0, 1, 2, 3, 4, 5, 6]), &six),
        ),
        (Follow::TEREDO, wrapped(0x0800, &udp(3545, &[]), &client)),
        (
            Follow::GRE,
            wrapped(0x0800, &udp(4754, &[0, 0, 8, 0]), &raw),
        ),
        (Follow::BRIDGE, wrapped(0x88e7, &[0, 0, 0, 9], &bridged)),
        (Follow::BRIDGE, wrapped(0x8926, &[0, 1, 0, 2, 8, 0], &raw)),
        (
            Follow::BRIDGE,
            wrapped(0x893f, &[0, 1, 0, 2, 0, 0, 8, 0], &raw),
        ),
    ];
    for (index, (bit, frame)) in cases.iter().enumerate() {
        let kind = u16::from_be_bytes([frame[12], frame[13]]);
        let read = |follow| {
            let (offset, kind) = innermost(&frame[..], 14, kind, follow);
            let mut segment = Segment::default();
            let result = by_ethertype(&frame[..], offset, kind, &context(frame), &mut segment);
            result.map(|()| segment.payload)
        };
        assert_eq!(read(Follow(*bit)), Ok(5), "{index}");
        assert_eq!(read(Follow::ALL), Ok(5), "{index}");
        let without = read(Follow(Follow::ALL.0 & !bit));
        assert!(
            matches!(without, Err(Skip::Encapsulated | Skip::NotTcp)),
            "{index}"
        );
    }
}
