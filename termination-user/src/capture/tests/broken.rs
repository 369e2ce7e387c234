//! Captures that are none, or not for long: never a panic, always what was
//! readable and then a sentence.

use std::io::{self, Cursor, Read, Write as _};
use std::path::{Path, PathBuf};
use std::{env, fs, process};

use super::super::window::Endian;
use super::build::{Bytes, block, enhanced, interface, packets, pcap, pcapng, section, simple};
use super::{Capture, Owned, gzip, read_all, zstd};

/// What is said of these bytes, and how many packets come before.
fn said(bytes: &[u8]) -> (usize, String) {
    let (packets, error) = read_all(Cursor::new(bytes.to_vec()));
    (
        packets.len(),
        error.map(|e| e.to_string()).unwrap_or_default(),
    )
}

/// Cuts a file at every byte. `whole` are the offsets where that leaves a sound
/// file; at each offset of `ends`, one more packet is complete.
fn cut_everywhere(file: &[u8], whole: &[usize], ends: &[usize], expected: &[Owned]) {
    for length in 0..file.len() {
        let (found, error) = read_all(Cursor::new(file[..length].to_vec()));
        let complete = ends.iter().filter(|end| **end <= length).count();
        assert_eq!(found, expected[..complete], "cut at {length}");
        assert_eq!(error.is_none(), whole.contains(&length), "cut at {length}");
        let offset = error.and_then(|error| error.offset).unwrap_or_default();
        assert!(offset <= length as u64, "cut at {length}");
    }
}

/// Where the blocks of a pcapng file end, by the length at each block's end.
fn block_ends(endian: Endian, file: &[u8]) -> Vec<usize> {
    let mut ends = vec![file.len()];
    while let Some(end) = ends.last().copied().filter(|end| *end > 0) {
        ends.push(end - endian.u32(file, end - 4) as usize);
    }
    ends.retain(|end| *end > 0);
    ends
}

#[test]
fn pcap_cut_at_every_byte() {
    let expected = packets(1);
    for magic in [0xa1b2_c3d4, 0xa1b2_3c4d] {
        for endian in [Endian::Little, Endian::Big] {
            let file = pcap(endian, magic, &expected);
            let ends = [24, 45, 61, 86];
            cut_everywhere(&file, &ends, &ends[1..], &expected);
            let (found, text) = said(&file[..50]);
            assert_eq!(found, 1);
            let cut = "the file is cut off inside a packet record: 5 of 16 bytes are there";
            assert_eq!(text, format!("test: at byte 45: {cut}"));
        }
    }
}

#[test]
fn pcapng_cut_at_every_byte() {
    let expected = packets(1);
    for endian in [Endian::Little, Endian::Big] {
        let file = pcapng(endian, &expected);
        let ends = [1, 2, 3].map(|count| pcapng(endian, &expected[..count]).len());
        let whole = block_ends(endian, &file);
        assert_eq!(whole.len(), 8);
        cut_everywhere(&file, &whole, &ends, &expected);
        let (found, text) = said(&file[..ends[0] - 1]);
        assert_eq!(found, 0);
        assert!(
            text.contains("cut off inside a packet block: 51 of 52"),
            "{text}"
        );
    }
}

#[test]
fn compressed_cut_at_every_byte() {
    let expected = packets(1);
    let plain = pcap(Endian::Little, 0xa1b2_c3d4, &expected);
    for (name, magic, file) in [("gzip", 2, gzip(&plain)), ("zstd", 4, zstd(&plain))] {
        for length in magic..file.len() {
            let (found, error) = read_all(Cursor::new(file[..length].to_vec()));
            assert!(expected.starts_with(&found));
            let text = error.expect("cut").to_string();
            let cut = format!("the {name} data end early: the file is cut off");
            assert!(text.ends_with(&cut), "cut at {length}: {text}");
        }
    }
}

/// A large file cut in its middle gives about half of its packets.
#[test]
fn compressed_cut_in_the_middle() {
    // Not repetitive, or everything would be in the first bytes.
    let data =
        |n: u32| (0..100).map(move |i: u32| ((n * 31 + i).wrapping_mul(2_654_435_761) >> 24) as u8);
    let all: Vec<_> = (0..10_000)
        .map(|number| Owned {
            time: 0,
            link: 1,
            data: data(number).collect(),
            length: 100,
        })
        .collect();
    let plain = pcap(Endian::Little, 0xa1b2_c3d4, &all);
    for file in [gzip(&plain), zstd(&plain)] {
        let (found, error) = read_all(Cursor::new(file[..file.len() / 2].to_vec()));
        assert!(error.is_some());
        assert!(
            all.starts_with(&found) && found.len() > 3000,
            "{}",
            found.len()
        );
    }
}

#[test]
fn damaged_compression() {
    let plain = pcap(Endian::Little, 0xa1b2_c3d4, &packets(1));
    let mut packed = gzip(&plain);
    let checksum = packed.len() - 8;
    packed[checksum] ^= 1;
    let (found, text) = said(&packed);
    // The capture is complete before the checksum is known to be wrong.
    assert_eq!(found, 3);
    let start = "test: at byte 86 of the decompressed data: the gzip data are damaged: ";
    assert!(text.starts_with(start), "{text}");
    let (_, text) = said(&[&zstd(&plain), &b"rubbish"[..]].concat());
    assert!(text.contains("the zstd data are damaged: "), "{text}");
}

#[test]
fn behind_the_compressed_data() {
    let plain = pcap(Endian::Little, 0xa1b2_c3d4, &packets(1));
    let packed = gzip(&plain);
    // Padding, between members as well.
    let padded = [&packed[..], &[0; 100_000]].concat();
    assert_eq!(read_all(Cursor::new(padded)).0, packets(1));
    let (front, back) = plain.split_at(50);
    let padded = [&gzip(front)[..], &[0; 512], &gzip(back)].concat();
    let (found, error) = read_all(Cursor::new(padded));
    assert_eq!(found, packets(1));
    assert!(error.is_none(), "{error:?}");
    // Neither cut off nor damaged.
    for rest in [&b"rubbish"[..], b"\0\0rubbish of some length"] {
        let (found, text) = said(&[&packed, rest].concat());
        assert_eq!(found, 3);
        let end = "the gzip data are complete, and something else follows: 72 75 62 62";
        assert!(text.ends_with(end), "{text}");
    }
    // What begins like another member and ends early is cut off.
    let (found, text) = said(&[&packed[..], &packed[..5]].concat());
    assert_eq!(found, 3);
    assert!(
        text.ends_with("gzip data end early: the file is cut off"),
        "{text}"
    );
}

#[test]
fn a_zstd_window_beyond_what_is_granted() {
    let plain = pcap(Endian::Little, 0xa1b2_c3d4, &packets(1));
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(28).unwrap();
    encoder.write_all(&plain).unwrap();
    let (found, text) = said(&encoder.finish().unwrap());
    assert_eq!(found, 0);
    assert!(
        text.contains("more than 128 MiB") && text.contains("--long=31"),
        "{text}"
    );
}

#[test]
fn lengths_that_lie() {
    let endian = Endian::Little;
    let mut file = pcap(endian, 0xa1b2_c3d4, &packets(1));
    file[53..57].fill(0xff);
    let (found, text) = said(&file);
    assert_eq!(found, 1);
    let reason = "packet record claims 4294967295 bytes, more than the 262144 that a captured packet can have";
    assert_eq!(text, format!("test: at byte 45: {reason}"));

    let header = || [section(endian), interface(endian, 1, 0, None, 0)].concat();
    let at = header().len();
    let with = |block: Vec<u8>| said(&[header(), block].concat()).1;
    let words = |words: &[u32]| {
        let bytes = words
            .iter()
            .fold(Bytes::new(endian), |b, word| b.u32(*word));
        bytes.bytes
    };
    let table = [
        (
            words(&[6, 0xffff_fffc, 0]),
            "packet block claims 4294967292 bytes, more than the 16777216 that are believed",
        ),
        (
            words(&[6, 0x0010_0000, 0]),
            "the file is cut off inside a packet block: 12 of 1048576 bytes are there",
        ),
        (
            words(&[9, 0xffff_fffc, 0]),
            "the file is cut off inside a block: 12 of 4294967292 bytes are there",
        ),
        (
            words(&[9, 8, 0]),
            "block claims 8 bytes, but a block has at least 12 and a multiple of four",
        ),
        (
            words(&[6, 28, 0]),
            "block claims 28 bytes, but a block has at least 32 and a multiple of four",
        ),
        (
            words(&[9, 13, 0, 0]),
            "block claims 13 bytes, but a block has at least 12 and a multiple of four",
        ),
        (
            words(&[9, 12, 16]),
            "block begins with length 12 and ends with length 16",
        ),
        (
            words(&[6, 32, 0, 0, 0, 1, 1, 32]),
            "packet block claims 1 bytes of packet, but has room for 0",
        ),
        (
            simple(endian, b"abc", 5),
            "packet block claims 5 bytes of packet, but has room for 4",
        ),
        (
            enhanced(endian, 1, 0, b"", 0),
            "packet is of interface 1, but the section has described 1 so far",
        ),
        (
            words(&[0x0a0d_0d0a, 28, 1, 1, 0, 0, 28]),
            "section header has the byte-order magic 0x00000001, not 0x1a2b3c4d",
        ),
        (
            words(&[0x0a0d_0d0a, 28, 0x1a2b_3c4d, 2, 0, 0, 28]),
            "is pcapng version 2.0, and only 1.0 is known",
        ),
        (words(&[1, 28, 1, 0, 0x0001_0009, 6, 28]), ""),
        (
            words(&[1, 24, 1, 0, 0x0002_0009, 24]),
            "option 9 of an interface is malformed, so its times cannot be told",
        ),
    ];
    for (block, reason) in table {
        let expected = match reason {
            "" => String::new(),
            reason => format!("test: at byte {at}: {reason}"),
        };
        assert_eq!(with(block), expected);
    }
}

#[test]
fn too_many_interfaces() {
    let endian = Endian::Big;
    let one = block(endian, 1, Bytes::new(endian).u32(0).u32(0));
    let file = [section(endian), one.repeat(65_537)].concat();
    assert!(
        said(&file)
            .1
            .ends_with("section describes more than 65536 interfaces")
    );
}

#[test]
fn no_captures() {
    let table: [(&[u8], &str); 12] = [
        (b"", "is empty: a capture has a header even without packets"),
        (b"\n", "is text, not a pcap or pcapng capture"),
        (
            b"No. Time Source\r\n1\t0.0 10.0.0.1",
            "is text, not a pcap or pcapng capture",
        ),
        (
            "Gr\u{fc}\u{df}e".as_bytes(),
            "is text, not a pcap or pcapng capture",
        ),
        (
            b"\x7fELF\x02\x01",
            "is not a pcap or pcapng capture: it begins with 7f 45 4c 46",
        ),
        (
            b"\xff",
            "is not a pcap or pcapng capture: it begins with ff",
        ),
        (
            b"BZh91AY",
            "is compressed with bzip2: decompress it first, only one layer of gzip or zstd is read",
        ),
        (
            b"\xd4\xc3\xb2\xa1",
            "at byte 0: the file is cut off inside a file header: 4 of 24 bytes are there",
        ),
        (
            b"\x0a\x0d\x0d\x0a",
            "at byte 0: the file is cut off inside a block: 4 of 12 bytes are there",
        ),
        (
            b"\xd4\xc3\xb2\xa1\x03\0\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            "at byte 4: is pcap version 3.1, and only 2.4 is known",
        ),
        (
            &gzip(b""),
            "is empty: a capture has a header even without packets",
        ),
        (
            &gzip(&gzip(b"twice")),
            "is compressed with gzip: decompress it first, only one layer of gzip or zstd is read",
        ),
    ];
    for (bytes, reason) in table {
        assert_eq!(said(bytes), (0, format!("test: {reason}")));
    }
    // The look ends inside a character.
    let umlauts = "a".to_owned() + &"\u{fc}".repeat(400);
    assert!(said(umlauts.as_bytes()).1.contains("is text"));
}

#[test]
fn reading_fails() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is on fire"))
        }
    }
    let file = pcap(Endian::Little, 0xa1b2_c3d4, &packets(1));
    let (found, error) = read_all(Cursor::new(file).chain(Failing));
    assert_eq!(found, packets(1));
    let text = error.unwrap().to_string();
    assert_eq!(text, "test: at byte 86: reading fails: the disk is on fire");
    let text = read_all(Failing).1.unwrap().to_string();
    assert_eq!(text, "test: reading fails: the disk is on fire");
}

fn open_error(path: &Path) -> String {
    Capture::open(path).unwrap_err().to_string()
}

#[test]
fn paths() {
    let missing = open_error(Path::new("no-such-directory/x.pcap"));
    assert_eq!(missing, "no-such-directory/x.pcap: there is no such file");
    let directory = open_error(Path::new("."));
    assert_eq!(directory, ".: is a directory, not a capture");

    let path = scratch_file();
    let file = pcap(Endian::Little, 0xa1b2_c3d4, &packets(1));
    for file in [gzip(&file), file] {
        fs::write(&path, &file).unwrap();
        let mut capture = Capture::open(&path).unwrap();
        let size = file.len() as u64;
        assert_eq!(capture.position().1, Some(size));
        while capture.next().unwrap().is_some() {}
        assert_eq!(capture.position(), (size, Some(size)));
    }
    fs::write(&path, "").unwrap();
    let text = open_error(&path);
    fs::remove_file(&path).unwrap();
    let reason = "is empty: a capture has a header even without packets";
    assert_eq!(text, format!("{}: {reason}", path.display()));
}

/// A name that no other test run has.
fn scratch_file() -> PathBuf {
    env::temp_dir().join(format!("termination-capture-{}.pcap", process::id()))
}
