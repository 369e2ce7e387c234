//! The reader of captures, and the tracker behind it: any file. What is broken
//! is an error with a place, memory follows what the file has.

#![no_main]

use std::io::{Cursor, Write};

use libfuzzer_sys::fuzz_target;
use termination_common::counters;
use termination_user::{capture::Capture, offline::Offline, policy::Policy};

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
    read(file, first & 4 != 0);
});

/// One member, or the same file in two.
fn gzip(bytes: &[u8], first: u8) -> Vec<u8> {
    let (one, other) = bytes.split_at(if first & 8 != 0 { bytes.len() / 2 } else { 0 });
    [one, other]
        .map(|bytes| {
            let mut member = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            member.write_all(bytes).expect("memory");
            member.finish().expect("memory")
        })
        .concat()
}

fn read(file: Vec<u8>, tunnels: bool) {
    let size = file.len() as u64;
    let mut capture = match Capture::from_reader(String::from("fuzz"), Cursor::new(file)) {
        Ok(capture) => capture,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let mut offline = Offline::new(&Policy::default(), tunnels);
    let mut count = 0;
    while count < ENOUGH {
        match capture.next() {
            Ok(Some(packet)) => {
                count += 1;
                assert_eq!(packet.number, count);
                offline.frame(&packet, &mut |_| {});
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
    offline.finish(&mut |_| {});
    let counters = offline.counters();
    let opened = counters.0[counters::OPENED] + counters.0[counters::MIDSTREAM];
    assert_eq!(opened, counters.endings());
}
