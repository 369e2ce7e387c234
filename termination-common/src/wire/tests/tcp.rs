//! The TCP header, its flags, options and checksum.

use super::*;

#[test]
fn flags() {
    use Flags as F;
    for (bits, expected) in [
        (F::SYN, Ok(F::SYN)),
        (F::SYN | F::ACK, Ok(F::SYN | F::ACK)),
        (0, Err(Skip::NoFlags)),
        (F::FIN, Err(Skip::NoFlags)),
        (F::FIN | F::PSH | F::URG, Err(Skip::NoFlags)),
        (F::SYN | F::FIN, Err(Skip::SynFin)),
        (F::SYN | F::FIN | F::ACK, Err(Skip::SynFin)),
        (F::FIN | F::ACK, Ok(F::FIN | F::ACK)),
        (F::RST, Ok(F::RST)),
        (F::RST | F::SYN, Ok(F::RST)),
        (F::RST | F::FIN | F::ACK, Ok(F::RST | F::ACK)),
        (F::RST | F::SYN | F::FIN, Ok(F::RST)),
    ] {
        let result = read(&v4().tcp(bits));
        assert_eq!(result.map(|segment| segment.flags.0), expected, "{bits:#x}");
        if let Ok(segment) = result {
            let odd = segment.has(mark::ODD_FLAGS);
            assert_eq!(odd, segment.flags.0 != bits, "{bits:#x}");
        }
    }
}

#[test]
fn data_offset() {
    check(&[
        ("below five", v4().data_offset(4), Some(Skip::BadDataOffset)),
        ("zero", v6().data_offset(0), Some(Skip::BadDataOffset)),
        ("beyond", v4().data_offset(6), Some(Skip::BadDataOffset)),
        ("all of it", v4().data_offset(6).payload(4), None),
    ]);
}

#[test]
fn a_syn_carries_fast_open_data_as_payload() {
    let syn = v4()
        .tcp(Flags::SYN)
        .options(&[34, 6, 1, 2, 3, 4])
        .payload(10);
    let segment = read(&syn).unwrap();
    assert_eq!((segment.payload, segment.end()), (10, 11));
    assert!(segment.has(mark::FAST_OPEN));
}

#[test]
fn options() {
    const BOTH: u16 = mark::TIMESTAMPS | mark::SACK;
    let stamped = |rest: &[u8]| [&[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2], rest].concat();
    let sack = [
        1, 1, 5, 26, 0, 0, 0, 10, 0, 0, 0, 20, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 5, 0, 0, 0,
        40, 0, 0, 0, 50,
    ];
    let cases: &[(&str, &[u8], u16)] = &[
        ("MSS alone", &[2, 4, 5, 180], 0),
        (
            "Linux SYN",
            &[
                2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7,
            ],
            mark::SACK_PERMITTED | mark::TIMESTAMPS | mark::WINDOW_SCALE,
        ),
        (
            "timestamps, unaligned",
            &[8, 10, 0, 0, 0, 1, 0, 0, 0, 2],
            mark::TIMESTAMPS,
        ),
        ("SACK", &sack, mark::SACK),
        (
            "timestamps and SACK",
            &stamped(&[1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2]),
            BOTH,
        ),
        (
            "timestamps and SACK, three blocks",
            &stamped(&[
                1, 1, 5, 26, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6,
            ]),
            BOTH,
        ),
        (
            "timestamps, then SACK without a block",
            &stamped(&[1, 1, 5, 2]),
            mark::TIMESTAMPS,
        ),
        (
            "timestamps, then SACK too long",
            &stamped(&[1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2]),
            mark::TIMESTAMPS,
        ),
        (
            "timestamps, then SACK permitted",
            &stamped(&[1, 1, 4, 2]),
            mark::TIMESTAMPS | mark::SACK_PERMITTED,
        ),
        ("timestamps too short", &[1, 1, 8, 10], 0),
        ("MPTCP", &[30, 4, 0, 0], mark::MPTCP),
        ("Fast Open", &[34, 2], mark::FAST_OPEN),
        (
            "Fast Open, experimental",
            &[254, 4, 0xf9, 0x89],
            mark::FAST_OPEN,
        ),
        ("another experiment", &[254, 4, 0xf9, 0x88], 0),
        ("end", &[0, 4, 2, 0], 0),
        ("forty no-ops", &[1; 40], 0),
        ("length 0", &[9, 0, 4, 2], 0),
        ("length 1", &[9, 1, 4, 2], 0),
        (
            "length beyond, after a good one",
            &[4, 2, 9, 40],
            mark::SACK_PERMITTED,
        ),
        ("kind without length", &[4, 2, 1, 9], mark::SACK_PERMITTED),
        ("window scale of a wrong length", &[3, 4, 7, 7], 0),
        ("SACK of a wrong length", &[5, 8, 0, 0, 0, 0, 0, 0], 0),
    ];
    for (description, options, marks) in cases {
        for frame in [v4(), v6()] {
            let segment = read(&frame.identification(9).options(options)).unwrap();
            let expected = mark::OPTIONS | marks;
            assert_eq!(segment.marks & !mark::IP_ID_ZERO, expected, "{description}");
            let length = options.len().next_multiple_of(4);
            assert_eq!(usize::from(segment.options_length), length);
        }
    }
    assert_eq!(read(&v4().options(&sack)).unwrap().sack_edge, 50);
    let scale = |shift| read(&v4().options(&[3, 3, shift])).unwrap().window_scale;
    assert_eq!(
        (scale(7), scale(14), scale(15), scale(255)),
        (7, 14, 14, 14)
    );
}

#[test]
fn checksums_of_syn_fin_and_rst() {
    for frame in [v4(), v6(), v6().extension_of(0, 8)] {
        for payload in [0, 1, 2, 31, 32, 1447] {
            let fin = frame.clone().tcp(Flags::FIN | Flags::ACK).payload(payload);
            for (kind, expected) in [
                (Checksum::Good, None),
                (Checksum::Partial, None),
                (Checksum::Bad, Some(Skip::BadChecksum)),
            ] {
                assert_eq!(read(&fin.clone().checksum(kind)).err(), expected);
            }
        }
    }
    let bad = v4().checksum(Checksum::Bad);
    for (flags, expected) in [
        (Flags::ACK, None),
        (Flags::SYN, Some(Skip::BadChecksum)),
        (Flags::RST, Some(Skip::BadChecksum)),
        (Flags::RST | Flags::SYN, Some(Skip::BadChecksum)),
    ] {
        assert_eq!(read(&bad.clone().tcp(flags)).err(), expected);
    }
    // Out of reach, or not asked for: taken.
    let bytes = bad.tcp(Flags::RST).payload(9).build();
    assert!(read_with(&bytes[..60], &context(&bytes)).is_ok());
    let unasked = Context {
        verify_checksum: false,
        ..context(&bytes)
    };
    assert!(read_with(&bytes, &unasked).is_ok());
}
