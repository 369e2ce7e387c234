//! Captures built in memory, read back.

mod broken;
mod build;
mod corpus;
mod formats;

use std::io::{self, Read};

use super::{Capture, CaptureError, LinkType};

/// A packet that outlives the capture.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owned {
    time: u64,
    link: u16,
    data: Vec<u8>,
    length: u32,
}

/// Everything readable, and the error at the end where there is one.
fn read_all(reader: impl Read + Send + 'static) -> (Vec<Owned>, Option<CaptureError>) {
    let mut packets = Vec::new();
    let mut capture = match Capture::from_reader("test".into(), reader) {
        Ok(capture) => capture,
        Err(error) => return (packets, Some(error)),
    };
    loop {
        match capture.next() {
            Ok(Some(packet)) => {
                packets.push(Owned {
                    time: packet.time,
                    link: packet.link.0,
                    data: packet.data.to_vec(),
                    length: packet.length,
                });
                assert_eq!(packet.number, packets.len() as u64);
            }
            Ok(None) => return (packets, None),
            Err(error) => {
                assert!(capture.next().unwrap().is_none(), "an error is said once");
                return (packets, Some(error));
            }
        }
    }
}

/// The same from bytes, which must be sound.
fn sound(bytes: Vec<u8>) -> Vec<Owned> {
    let (packets, error) = read_all(io::Cursor::new(bytes));
    assert!(error.is_none(), "{}", error.unwrap());
    packets
}

/// A pipe whose writer is slow: it gives one byte at a time.
struct Slow(io::Cursor<Vec<u8>>);

impl Read for Slow {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(1);
        self.0.read(&mut into[..most])
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    flate2::read::GzEncoder::new(bytes, flate2::Compression::fast())
        .read_to_end(&mut packed)
        .unwrap();
    packed
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}
