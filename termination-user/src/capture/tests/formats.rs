//! Sound captures of every format.

use std::io::Cursor;

use super::super::window::Endian;
use super::build::{
    Bytes, block, enhanced, interface, obsolete, packets, pcap, pcapng, section, simple,
};
use super::{LinkType, Owned, Slow, gzip, read_all, sound, zstd};

const BOTH: [Endian; 2] = [Endian::Little, Endian::Big];

#[test]
fn pcap_of_all_magics() {
    for endian in BOTH {
        for magic in [0xa1b2_c3d4, 0xa1b2_3c4d, 0xa1b2_cd34] {
            for link in [LinkType::ETHERNET, LinkType::LINUX_SLL2] {
                let expected = packets(link.0);
                let file = pcap(endian, magic, &expected);
                assert_eq!(sound(file), expected, "{endian:?} {magic:#x} {link}");
            }
        }
    }
}

#[test]
fn nanoseconds_are_kept() {
    let mut expected = packets(1);
    expected[1].time += 123;
    for endian in BOTH {
        assert_eq!(sound(pcap(endian, 0xa1b2_3c4d, &expected)), expected);
        assert_eq!(sound(pcapng(endian, &expected)), expected);
    }
}

#[test]
fn pcap_lengths_of_old_versions_change_places() {
    let expected = packets(1);
    let mut file = pcap(Endian::Big, 0xa1b2_c3d4, &expected);
    file[7] = 2;
    let third = file.len() - 9 - 8;
    file.copy_within(third + 4..third + 8, third);
    file[third + 4..third + 8].copy_from_slice(&9u32.to_be_bytes());
    assert_eq!(sound(file), expected);
}

#[test]
fn pcap_frame_check_sequence_in_the_link_field() {
    let mut file = pcap(Endian::Little, 0xa1b2_c3d4, &packets(1));
    file[23] = 0x44;
    assert_eq!(sound(file), packets(1));
}

#[test]
fn pcapng_of_both_orders() {
    for endian in BOTH {
        assert_eq!(sound(pcapng(endian, &packets(113))), packets(113));
    }
}

#[test]
fn headers_alone_are_empty_captures() {
    assert_eq!(sound(pcap(Endian::Little, 0xa1b2_c3d4, &[])), []);
    assert_eq!(sound(pcapng(Endian::Big, &[])), []);
}

#[test]
fn pcapng_sections_and_interfaces() {
    let mut file = Vec::new();
    let mut expected = Vec::new();
    // The second section is of another machine and counts interfaces anew.
    for (endian, first) in [(Endian::Little, 1), (Endian::Big, 101)] {
        file.extend(section(endian));
        file.extend(interface(endian, first, 0, None, 0));
        file.extend(interface(endian, 276, 64, Some(9), 10));
        file.extend(enhanced(endian, 1, 5, b"one", 3));
        file.extend(enhanced(endian, 0, 1 << 32, b"zero", 99));
        file.extend(obsolete(endian, 7, b"old", 3));
        // An interface described late, in units of 1/1024 second.
        file.extend(interface(endian, 0, 0, Some(0x8a), -1));
        file.extend(enhanced(endian, 2, 1536, b"", 0));
        let packet = |time, link, data: &[u8], length| Owned {
            time,
            link,
            data: data.to_vec(),
            length,
        };
        expected.extend([
            packet(10_000_000_005, 276, b"one", 3),
            packet(1000 << 32, first, b"zero", 99),
            packet(7000, first, b"old", 3),
            packet(500_000_000, 0, b"", 0),
        ]);
    }
    assert_eq!(sound(file), expected);
}

#[test]
fn pcapng_simple_packets() {
    for endian in BOTH {
        let mut file = section(endian);
        file.extend(interface(endian, 1, 6, None, 0));
        file.extend(simple(endian, b"short", 5));
        file.extend(enhanced(endian, 0, 3, b"", 0));
        // Cut by the snapshot length, and padded.
        file.extend(simple(endian, b"longer", 1500));
        let packet = |time, data: &[u8], length| Owned {
            time,
            link: 1,
            data: data.to_vec(),
            length,
        };
        let expected = [
            packet(0, b"short", 5),
            packet(3000, b"", 0),
            packet(3000, b"longer", 1500),
        ];
        assert_eq!(sound(file), expected);
    }
}

#[test]
fn compressed() {
    for plain in [
        pcap(Endian::Big, 0xa1b2_3c4d, &packets(1)),
        pcapng(Endian::Little, &packets(1)),
    ] {
        // Several members or frames are one file, wherever they were split.
        let (front, back) = plain.split_at(30);
        assert_eq!(sound(gzip(&plain)), packets(1));
        assert_eq!(sound([gzip(front), gzip(back)].concat()), packets(1));
        assert_eq!(sound(zstd(&plain)), packets(1));
        assert_eq!(sound([zstd(front), zstd(back)].concat()), packets(1));
        // A frame for other programs, as pzstd writes.
        let skippable = [
            &[0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3],
            &*zstd(&plain),
        ];
        assert_eq!(sound(skippable.concat()), packets(1));
    }
}

#[test]
fn a_slow_pipe() {
    let plain = pcapng(Endian::Little, &packets(1));
    for bytes in [gzip(&plain), zstd(&plain), plain] {
        let (found, error) = read_all(Slow(Cursor::new(bytes)));
        assert!(error.is_none());
        assert_eq!(found, packets(1));
    }
}

/// More than any buffer holds, with sizes that make every alignment occur.
#[test]
fn many_packets() {
    let expected: Vec<_> = (0..4000u32)
        .map(|number| Owned {
            time: u64::from(number) * 1000,
            link: 1,
            data: vec![number as u8; number as usize % 1601],
            length: number,
        })
        .collect();
    let plain = pcap(Endian::Little, 0xa1b2_c3d4, &expected);
    for bytes in [
        gzip(&plain),
        zstd(&plain),
        pcapng(Endian::Big, &expected),
        plain,
    ] {
        assert!(sound(bytes) == expected);
    }
}

/// Blocks and packets larger than the buffer.
#[test]
fn large() {
    let endian = Endian::Little;
    let mut expected = packets(1);
    expected[1].data = vec![7; 262_144];
    expected[1].length = 300_000;
    assert!(sound(pcap(endian, 0xa1b2_c3d4, &expected)) == expected);
    let unknown = block(endian, 0x0bad, Bytes::new(endian).raw(&vec![1; 40 << 20]));
    let file = [
        pcapng(endian, &expected),
        unknown,
        pcapng(endian, &expected),
    ]
    .concat();
    assert!(sound(file) == [&expected[..], &expected].concat());
}
