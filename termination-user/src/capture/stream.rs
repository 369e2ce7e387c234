//! Bytes from a file or a pipe, decompressed where their magic says so.

use std::fmt;
use std::io::{self, BufRead as _, BufReader, ErrorKind, Read};
use std::mem;

use flate2::bufread::GzDecoder;

use super::error::Reason;

/// Bytes that [`guess`] looks at.
pub(super) const GUESS: usize = 512;

/// RFC 1952 2.3.1.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// RFC 8878 3.1.1, little-endian.
const ZSTD: u32 = 0xfd2f_b528;
/// RFC 8878 3.1.2: sixteen magics, little-endian; such a frame may come first.
const ZSTD_SKIPPABLE: u32 = 0x184d_2a50;
/// Base 2 logarithm of the largest zstd window, 128 MiB: what the `zstd` tool
/// grants without `--long=31`, and so the most memory a file can ask for.
const ZSTD_WINDOW_LOG: u32 = 27;
/// What zstd calls a frame with a larger one (`ZSTD_error_frameParameter_windowTooLarge`).
const ZSTD_WINDOW_ERROR: &str = "Frame requires too much memory for decoding";
/// Compressed data are decompressed in steps of this many bytes: a decompressor
/// that meets damage loses what it had done of the step.
const STEP: usize = 32 << 10;

/// Where the bytes of a capture come from.
pub(super) struct Stream(Source);

enum Source {
    Plain(Counted),
    Gzip(Box<GzDecoder<BufReader<Counted>>>),
    Zstd(Box<zstd::Decoder<'static, BufReader<Counted>>>),
}

impl Stream {
    /// Looks at the first bytes and sets up the decompressor they ask for.
    pub(super) fn new(reader: Box<dyn Read + Send>) -> Result<Self, Reason> {
        let mut counted = Counted::new(reader);
        counted.peek().map_err(Reason::Read)?;
        let head = counted.head;
        let magic = u32::from_le_bytes(head);
        Ok(Self(if head.starts_with(&GZIP) {
            Source::Gzip(Box::new(GzDecoder::new(BufReader::with_capacity(
                STEP, counted,
            ))))
        } else if counted.filled < 4 {
            Source::Plain(counted)
        } else if magic == ZSTD || magic & !0xf == ZSTD_SKIPPABLE {
            let mut decoder = zstd::Decoder::new(counted).map_err(Reason::Open)?;
            decoder
                .window_log_max(ZSTD_WINDOW_LOG)
                .map_err(Reason::Open)?;
            Source::Zstd(Box::new(decoder))
        } else {
            Source::Plain(counted)
        }))
    }

    /// The data are being decompressed.
    pub(super) fn is_compressed(&self) -> bool {
        self.compression().is_some()
    }

    /// Bytes taken from the file or pipe.
    pub(super) fn count(&self) -> u64 {
        match &self.0 {
            Source::Plain(counted) => counted.count,
            Source::Gzip(decoder) => decoder.get_ref().get_ref().count,
            Source::Zstd(decoder) => decoder.get_ref().get_ref().count,
        }
    }

    /// Fills the front of `into`; 0 at the end.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize, Reason> {
        let step = into.len().min(STEP);
        loop {
            let read = match &mut self.0 {
                Source::Plain(counted) => counted.read(into),
                Source::Gzip(decoder) => match decoder.read(&mut into[..step]) {
                    Ok(0) if step > 0 => match next_member(decoder) {
                        Ok(Next::Member) => continue,
                        Ok(Next::End) => Ok(0),
                        Ok(Next::Other(begins)) => {
                            let compression = "gzip";
                            return Err(Reason::Trailing {
                                compression,
                                begins,
                            });
                        }
                        Err(error) => Err(error),
                    },
                    read => read,
                },
                Source::Zstd(decoder) => decoder.read(&mut into[..step]),
            };
            match read {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.explain(error)),
            }
        }
    }

    #[cold]
    fn explain(&self, error: io::Error) -> Reason {
        match self.compression() {
            // The operating system's own errors have a number.
            Some(compression) if error.raw_os_error().is_none() => match error.kind() {
                ErrorKind::UnexpectedEof => Reason::CompressedCut(compression),
                _ if error.to_string() == ZSTD_WINDOW_ERROR => Reason::CompressedWindow,
                _ => Reason::Damaged { compression, error },
            },
            _ => Reason::Read(error),
        }
    }

    fn compression(&self) -> Option<&'static str> {
        match &self.0 {
            Source::Plain(_) => None,
            Source::Gzip(_) => Some("gzip"),
            Source::Zstd(_) => Some("zstd"),
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("compression", &self.compression())
            .field("count", &self.count())
            .finish()
    }
}

/// What follows a member of a gzip file (RFC 1952 2.2).
enum Next {
    Member,
    End,
    /// Something else, and how it begins.
    Other(Vec<u8>),
}

/// Goes on with the next member, if there is one. Zeros behind the last are
/// padding, as of tapes, to gzip(1) as well.
#[cold]
fn next_member(decoder: &mut GzDecoder<BufReader<Counted>>) -> io::Result<Next> {
    loop {
        let ahead = decoder.get_mut().fill_buf()?;
        let zeros = ahead.iter().take_while(|byte| **byte == 0).count();
        match ahead {
            [] => return Ok(Next::End),
            [0, ..] => decoder.get_mut().consume(zeros),
            [first, ..] if *first == GZIP[0] => break,
            other => return Ok(Next::Other(other[..other.len().min(4)].to_vec())),
        }
    }
    let nothing = Counted::new(Box::new(io::empty()));
    let rest = mem::replace(decoder.get_mut(), BufReader::with_capacity(0, nothing));
    decoder.reset(rest);
    Ok(Next::Member)
}

/// A reader whose first four bytes were looked at already, and that counts.
struct Counted {
    head: [u8; 4],
    /// Bytes of `head` given out again, at most `filled`.
    used: usize,
    /// Bytes of `head` that are there, at most 4.
    filled: usize,
    reader: Box<dyn Read + Send>,
    /// Bytes given out.
    count: u64,
}

impl Counted {
    fn new(reader: Box<dyn Read + Send>) -> Self {
        Self {
            head: [0; 4],
            used: 0,
            filled: 0,
            reader,
            count: 0,
        }
    }

    fn peek(&mut self) -> io::Result<()> {
        while self.filled < self.head.len() {
            match self.reader.read(&mut self.head[self.filled..]) {
                Ok(0) => break,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = if self.used < self.filled {
            let count = (&self.head[self.used..self.filled]).read(into)?;
            self.used += count;
            count
        } else {
            self.reader.read(into)?
        };
        self.count += count as u64;
        Ok(count)
    }
}

/// Says what a file is that does not begin like a capture.
pub(super) fn guess(bytes: &[u8]) -> Reason {
    const COMPRESSIONS: [(&[u8], &str); 7] = [
        (b"\x1f\x8b", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\xfd7zXZ\0", "xz"),
        (b"BZh", "bzip2"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (b"PK\x03\x04", "zip"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
    ];
    if bytes.is_empty() {
        return Reason::Empty;
    }
    let known = COMPRESSIONS
        .iter()
        .find(|(magic, _)| bytes.starts_with(magic));
    if let Some((_, name)) = known {
        return Reason::Compression(name);
    }
    let bytes = &bytes[..bytes.len().min(GUESS)];
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // A character that the look ended in the middle of.
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => "",
    };
    let printable = |c: char| !c.is_control() || c.is_ascii_whitespace();
    if !text.is_empty() && text.chars().all(printable) {
        return Reason::Text;
    }
    Reason::Unknown(bytes[..bytes.len().min(4)].to_vec())
}
