//! The reader of captures: any file, plain or behind gzip or zstd. What is
//! broken is an error with a place, memory follows what the file has. What
//! becomes of its packets: `tracker`.

#![no_main]

use std::io::{Cursor, Write};

use libfuzzer_sys::fuzz_target;
use termination_user::capture::{Capture, Entry};

/// Packets after which a file that unpacks to many is left.
const ENOUGH: u64 = 20_000;

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, bytes)) = bytes.split_first() else {
        return;
    };
    // Damage inside of a compressed file would hardly ever get through.
    let file = match first & 3 {
        1 => gzip(bytes, first),
        2 => zstd::bulk::compress(bytes, 1).expect("memory"),
        _ => bytes.to_vec(),
    };
    read(file);
});

/// One member, or the same file in two. Stored: how well the compressor is
/// reached is no matter, and would be most of what is counted as coverage.
fn gzip(bytes: &[u8], first: u8) -> Vec<u8> {
    let (one, other) = bytes.split_at(if first & 8 != 0 { bytes.len() / 2 } else { 0 });
    [one, other]
        .map(|bytes| {
            let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
            member.write_all(bytes).expect("memory");
            member.finish().expect("memory")
        })
        .concat()
}

fn read(file: Vec<u8>) {
    let size = file.len() as u64;
    let mut capture = match Capture::from_reader(String::from("fuzz"), Cursor::new(file)) {
        Ok(capture) => capture,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut count = 0;
    while count < ENOUGH {
        match capture.next() {
            Ok(Some(packet)) => {
                count += 1;
                assert_eq!(packet.number, count);
                match packet.entry() {
                    // It may be cut anywhere, so an offset may lie beyond.
                    Entry::Ethernet { offset }
                    | Entry::EtherType { offset, .. }
                    | Entry::Ip { offset } => assert!(offset < 1 << 16),
                    Entry::NotIp | Entry::Unsupported => {}
                }
            }
            Ok(None) => break,
            Err(error) => {
                assert!(error.to_string().contains("fuzz"));
                assert!(matches!(capture.next(), Ok(None)), "an error ends it");
                break;
            }
        }
        assert!(capture.position().0 <= size);
    }
}
