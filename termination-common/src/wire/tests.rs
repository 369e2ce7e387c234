//! The parser over built frames, good and bad.

mod tcp;
mod tunnel;

use super::{
    build::{Checksum, Frame, zoo},
    tunnel::{Follow, innermost},
    *,
};
use crate::{
    segment::{Flags, mark},
    tuple::{Endpoint, Family},
};

const A: &str = "192.0.2.1:40000";
const B: &str = "192.0.2.2:443";
const A6: &str = "[2001:db8::1]:40000";
const B6: &str = "[2001:db8::2]:443";
const ENDPOINT_A: Endpoint = Endpoint::v4(0xc000_0201, 40000);
const ENDPOINT_B: Endpoint = Endpoint::v4(0xc000_0202, 443);

fn v4() -> Frame {
    Frame::v4(A, B)
}

fn v6() -> Frame {
    Frame::v6(A6, B6)
}

fn context(frame: &[u8]) -> Context {
    Context {
        time: 5,
        home: 6,
        zone: 7,
        packets: 1,
        length: frame.len() as u32,
        verify_checksum: true,
        ..Context::default()
    }
}

fn read_with(frame: &[u8], context: &Context) -> Result<Segment, Skip> {
    let mut segment = Segment::default();
    let before = segment;
    let result = ethernet(frame, context, &mut segment);
    assert!(result.is_ok() || segment == before, "half-written");
    result.map(|()| segment)
}

fn read(frame: &Frame) -> Result<Segment, Skip> {
    let bytes = frame.build();
    read_with(&bytes, &context(&bytes))
}

#[test]
fn every_field_of_an_ipv4_segment() {
    let frame = v4()
        .hops(61)
        .traffic_class(0xb8)
        .seq(0x0102_0304)
        .ack(0x0506_0708)
        .window(0x1122)
        .timestamps(0xaabb_ccdd, 0x1020_3040)
        .tcp(Flags::ACK | Flags::PSH)
        .payload(33);
    let segment = read(&frame).unwrap();
    let (tuple, sender) = crate::tuple::Tuple::new(ENDPOINT_A, ENDPOINT_B, Family::V4, 7).unwrap();
    let expected = Segment {
        time: 5,
        tuple,
        seq: 0x0102_0304,
        ack: 0x0506_0708,
        payload: 33,
        tsval: 0xaabb_ccdd,
        tsecr: 0x1020_3040,
        sack_edge: 0,
        home: 6,
        window: 0x1122,
        packets: 1,
        flags: Flags(Flags::ACK | Flags::PSH),
        window_scale: 0,
        marks: mark::TIMESTAMPS | mark::OPTIONS,
        sender: sender as u8,
        hops: 61,
        traffic_class: 0xb8,
        options_length: 12,
        flow_label: 0,
        reserved: 0,
    };
    assert_eq!(segment, expected);
}

#[test]
fn every_field_of_ipv6() {
    let frame = v6().hops(3).traffic_class(0x2e).flow_label(0xabcde);
    let segment = read(&frame.payload(9)).unwrap();
    assert_eq!(segment.tuple.family(), Family::V6);
    let [a, b] = [1u16, 2].map(|last| {
        let mut address = [0; 16];
        address[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        address[14..].copy_from_slice(&last.to_be_bytes());
        address
    });
    assert_eq!(segment.tuple.endpoint(0), Endpoint::v6(a, 40000));
    assert_eq!(segment.tuple.endpoint(1), Endpoint::v6(b, 443));
    assert_eq!((segment.hops, segment.traffic_class), (3, 0x2e));
    assert_eq!(segment.flow_label, 0xabcde);
    assert_eq!((segment.payload, segment.sender), (9, 0));
    assert_eq!(segment.marks, mark::IP_ID_ZERO);
}

#[test]
fn both_directions_meet_in_one_tuple() {
    for (there, back) in [(v4(), Frame::v4(B, A)), (v6(), Frame::v6(B6, A6))] {
        let (there, back) = (read(&there).unwrap(), read(&back).unwrap());
        assert_eq!(there.tuple, back.tuple);
        assert_ne!(there.sender, back.sender);
    }
}

/// A description, a frame, and why it is skipped (or not).
type Case = (&'static str, Frame, Option<Skip>);

fn check(cases: &[Case]) {
    for (description, frame, expected) in cases {
        assert_eq!(read(frame).err(), *expected, "{description}");
    }
}

#[test]
fn link_layer() {
    use ethertype::{QINQ, SERVICE_VLAN};
    check(&[
        ("802.1Q", v4().vlan(5), None),
        ("802.1ad", v4().tag(SERVICE_VLAN, 5).vlan(6), None),
        ("QinQ before 802.1ad", v6().tag(QINQ, 5).vlan(6), None),
        ("four tags", v4().vlan(1).vlan(2).vlan(3).vlan(4), None),
        (
            "five tags",
            v4().vlan(1).vlan(2).vlan(3).vlan(4).vlan(5),
            Some(Skip::TooManyHeaders),
        ),
        ("ARP", v4().tag(0x0806, 0), Some(Skip::NotIp)),
        ("MPLS", v4().tag(0x8847, 0), Some(Skip::Encapsulated)),
        ("PPPoE", v4().tag(0x8864, 0), Some(Skip::Encapsulated)),
    ]);
}

#[test]
fn ip_layer() {
    let extended = |number| v6().extension_of(number, 16).payload(4);
    let many = |count| (0..count).fold(v6(), |frame, _| frame.extension_of(60, 8));
    check(&[
        ("IPv4 options", v4().ip_options(&[1; 40]), None),
        (
            "total length below the header",
            v4().ip_length(19),
            Some(Skip::BadHeader),
        ),
        (
            "total length below TCP",
            v4().ip_length(39),
            Some(Skip::Runt),
        ),
        ("UDP", v4().protocol(17), Some(Skip::NotTcp)),
        ("IP in IP", v4().protocol(4), Some(Skip::Encapsulated)),
        ("GRE over IPv6", v6().protocol(47), Some(Skip::Encapsulated)),
        ("ESP", v6().protocol(50), Some(Skip::NotTcp)),
        ("no next header", v6().protocol(59), Some(Skip::NotTcp)),
        ("first fragment", v4().fragment(0, true), None),
        (
            "middle fragment",
            v4().fragment(10, true),
            Some(Skip::LaterFragment),
        ),
        (
            "last fragment",
            v4().fragment(10, false),
            Some(Skip::LaterFragment),
        ),
        (
            "UDP fragment",
            v4().protocol(17).fragment(10, true),
            Some(Skip::NotTcp),
        ),
        ("do not fragment", v4().fragment(0x4000, false), None),
        ("IPv6 first fragment", v6().fragment(0, true), None),
        (
            "IPv6 later fragment",
            v6().fragment(1, false),
            Some(Skip::LaterFragment),
        ),
        ("hop by hop", extended(0), None),
        ("destination options", extended(60), None),
        ("routing", extended(43), None),
        ("mobility", extended(135), None),
        ("authentication", v6().extension_of(51, 24).payload(4), None),
        ("eight extensions", many(8), None),
        ("nine extensions", many(9), Some(Skip::TooManyHeaders)),
        (
            "payload length below extensions",
            extended(0).ip_length(15),
            Some(Skip::BadHeader),
        ),
        ("LAND", Frame::v4(A, A), Some(Skip::SameEndpoints)),
        (
            "one address, two ports",
            Frame::v4(A, "192.0.2.1:443"),
            None,
        ),
    ]);
}

#[test]
fn a_wrong_version_or_header_length_is_a_bad_header() {
    for first in [0x55, 0x44, 0x40, 0x60] {
        let mut frame = v4().build();
        frame[14] = first;
        assert_eq!(read_with(&frame, &context(&frame)), Err(Skip::BadHeader));
    }
    let mut frame = v6().build();
    frame[14] = 0x45;
    assert_eq!(read_with(&frame, &context(&frame)), Err(Skip::BadHeader));
}

#[test]
fn fragments_and_routing_are_read_but_not_verified() {
    let first = v4()
        .fragment(0, true)
        .tcp(Flags::RST)
        .checksum(Checksum::Bad);
    assert!(read(&first).unwrap().has(mark::FRAGMENT));
    let atomic = read(&v6().fragment(0, false)).unwrap();
    assert!(!atomic.has(mark::FRAGMENT));
    // Type 0, one segment left: the checksum is over the final destination.
    let routed = |left| {
        v6().extension(43, &[0, 0, left, 0, 0, 0, 0])
            .tcp(Flags::RST)
    };
    assert!(read(&routed(1).checksum(Checksum::Bad)).is_ok());
    assert!(read(&routed(0).checksum(Checksum::Bad)).is_err());
}

#[test]
fn the_ip_length_counts_not_the_frame() {
    let padded = read(&v4().padding(6)).unwrap();
    assert_eq!((padded.payload, padded.end()), (0, 0));

    // A super-segment of which 200 bytes were kept.
    let mut frame = v4().payload(60_000).build();
    let trimmed = Context {
        trimmed: true,
        ..context(&frame)
    };
    frame.truncate(200);
    assert_eq!(read_with(&frame, &trimmed).unwrap().payload, 60_000);

    // Too long for the length field, which is then 0.
    for frame in [v4().ip_length(0), v6().ip_length(0)] {
        let bytes = frame.timestamps(1, 2).build();
        let big = Context {
            length: bytes.len() as u32 + 100_000,
            ..context(&bytes)
        };
        assert_eq!(read_with(&bytes, &big).unwrap().payload, 100_000);
        let lost = Context { length: 3, ..big };
        let skip = read_with(&bytes, &lost).unwrap_err();
        assert!(matches!(skip, Skip::BadHeader | Skip::Runt));
    }
}

#[test]
fn cut_at_every_byte_nothing_panics_and_the_answer_is_steady() {
    for frame in zoo() {
        let whole = read_with(&frame, &context(&frame)).unwrap();
        for length in 0..frame.len() {
            let cut = &frame[..length];
            let live = read_with(cut, &context(&frame));
            let trimmed = Context {
                trimmed: true,
                ..context(&frame)
            };
            // Live, it is whole or a runt; trimmed, options may be missing.
            match live {
                Ok(segment) => assert_eq!(segment, whole),
                Err(skip) => assert_eq!(skip, Skip::Runt),
            }
            match read_with(cut, &trimmed) {
                Ok(segment) => {
                    assert_eq!(segment.end(), whole.end());
                    assert_eq!(segment.marks & !whole.marks, 0);
                }
                Err(skip) => assert_eq!(skip, Skip::Runt),
            }
        }
    }
}

#[test]
fn any_byte_may_be_anything() {
    // A fixed xorshift: the same frames in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    for frame in zoo() {
        for _ in 0..2000 {
            let mut bytes = frame.clone();
            for _ in 0..1 + random() % 4 {
                let at = random() % bytes.len();
                bytes[at] = random() as u8;
            }
            bytes.truncate(random() % (2 * bytes.len()));
            let trimmed = random() % 2 == 0;
            let context = Context {
                trimmed,
                ..context(&bytes)
            };
            if let Ok(segment) = read_with(&bytes, &context) {
                assert!(segment.window_scale <= 14 && segment.options_length <= 40);
                assert!(segment.flags.any(Flags::SYN | Flags::RST | Flags::ACK));
            }
            let (offset, kind) = innermost(&bytes[..], 12, 0x0800, Follow::ALL);
            let _ = by_ethertype(&bytes[..], offset, kind, &context, &mut Segment::default());
        }
    }
}

#[test]
fn raw_ip_by_its_version() {
    for frame in [v4().raw(), v6().raw()] {
        let bytes = frame.payload(3).build();
        let mut segment = Segment::default();
        ip(&bytes[..], 0, &context(&bytes), &mut segment).unwrap();
        assert_eq!(segment.payload, 3);
    }
    let mut segment = Segment::default();
    let result = ip(&[0x20_u8; 60][..], 0, &Context::default(), &mut segment);
    assert_eq!(result, Err(Skip::NotIp));
}

#[test]
fn reasons_have_names_and_room() {
    for &skip in Skip::ALL {
        assert_eq!(Skip::from_name(skip.name()), Some(skip));
        assert!((skip as usize) < SKIPS);
    }
}
