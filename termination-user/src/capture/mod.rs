//! Packet captures from files and pipes: pcap and pcapng, plain or compressed
//! with gzip or zstd.
//!
//! Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng. What is in a
//! file is believed by nobody: lengths are bounded before memory is taken, and
//! a broken file gives every packet before the break, then one error that
//! names file, offset and reason.
//!
//! Packets are lent from one buffer that is refilled by large reads; nothing
//! is allocated per packet. A memory map would spare the copy from the page
//! cache, but its page faults cost more (measured, for the 82 bytes of a small
//! packet's record: read 9 ns, map 13), and a file cut short meanwhile would
//! kill the process (SIGBUS).
//!
//! ```no_run
//! # use termination_user::capture::{Capture, CaptureError};
//! # fn main() -> Result<(), CaptureError> {
//! let mut capture = Capture::open("trace.pcapng.zst".as_ref())?;
//! while let Some(packet) = capture.next()? {
//!     println!("{} {} {:?}", packet.number, packet.time, packet.entry());
//! }
//! # Ok(())
//! # }
//! ```

mod clock;
mod error;
mod link;
mod pcap;
mod pcapng;
mod stream;
#[cfg(test)]
mod tests;
mod window;

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::path::Path;

pub use error::{CaptureError, Reason};
pub use link::{Entry, LinkType};

use error::Fault;
use pcap::Pcap;
use pcapng::Pcapng;
use stream::Stream;
use window::{Record, Window};

/// One packet, lent from the capture's buffer until the next one is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Nanoseconds since 1970-01-01 UTC, as the capture says: not necessarily
    /// rising. A pcapng Simple Packet Block has no time; it takes that of the
    /// packet before it, 0 at the start.
    pub time: u64,
    /// What the data begins with.
    pub link: LinkType,
    /// The bytes that were captured, from the link layer on.
    pub data: &'a [u8],
    /// Bytes the packet had on the wire; more than `data` where the snapshot
    /// length cut it, and as wrong as the file has it.
    pub length: u32,
    /// Place in the capture, from 1: Wireshark's `frame.number`.
    pub number: u64,
}

impl Packet<'_> {
    /// Where the network layer starts.
    #[inline]
    pub fn entry(&self) -> Entry {
        self.link.entry(self.data)
    }
}

/// A capture being read, from the first packet to the last.
#[derive(Debug)]
pub struct Capture {
    name: String,
    size: Option<u64>,
    window: Window,
    format: Format,
    number: u64,
    /// Once set, never unset: the end or an error was reached.
    finished: bool,
}

/// The file format, with what is known from the headers so far.
#[derive(Debug)]
enum Format {
    Pcap(Pcap),
    Pcapng(Pcapng),
}

impl Capture {
    /// Opens a capture file and reads its header; `-` is standard input.
    ///
    /// # Errors
    /// There is no such file, it cannot be read, or it is no capture.
    pub fn open(path: &Path) -> Result<Self, CaptureError> {
        if path.as_os_str() == "-" {
            let name = String::from("standard input");
            let input = io::stdin();
            if input.is_terminal() {
                return Err(Fault::whole(Reason::Terminal).at(name, false));
            }
            return Self::start(name, Box::new(input), None);
        }
        let name = path.display().to_string();
        match open_file(path) {
            Ok((file, size)) => Self::start(name, Box::new(file), size),
            Err(reason) => Err(Fault::whole(reason).at(name, false)),
        }
    }

    /// Reads a capture from anywhere; `name` stands for the file in errors.
    ///
    /// # Errors
    /// The reader fails, or what it gives is no capture.
    pub fn from_reader(
        name: String,
        reader: impl Read + Send + 'static,
    ) -> Result<Self, CaptureError> {
        Self::start(name, Box::new(reader), None)
    }

    fn start(
        name: String,
        reader: Box<dyn Read + Send>,
        size: Option<u64>,
    ) -> Result<Self, CaptureError> {
        let stream = match Stream::new(reader) {
            Ok(stream) => stream,
            Err(reason) => return Err(Fault::whole(reason).at(name, false)),
        };
        let mut window = Window::new(stream);
        match Format::detect(&mut window) {
            Ok(format) => Ok(Self {
                name,
                size,
                window,
                format,
                number: 0,
                finished: false,
            }),
            Err(fault) => Err(fault.at(name, window.is_compressed())),
        }
    }

    /// The next packet, or `None` at the end of the capture.
    ///
    /// # Errors
    /// The capture is broken here, or reading failed. That is said once: what
    /// follows is `None`.
    #[inline]
    #[expect(
        clippy::should_implement_trait,
        reason = "an Iterator cannot lend from itself"
    )]
    pub fn next(&mut self) -> Result<Option<Packet<'_>>, CaptureError> {
        if self.finished {
            return Ok(None);
        }
        let found = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(&mut self.window),
            Format::Pcapng(pcapng) => pcapng.next(&mut self.window),
        };
        match found {
            Ok(Some(record)) => {
                self.number += 1;
                let Record {
                    time,
                    link,
                    length,
                    data,
                } = record;
                Ok(Some(Packet {
                    time,
                    link,
                    data: self.window.lent(data),
                    length,
                    number: self.number,
                }))
            }
            Ok(None) => {
                self.finished = true;
                Ok(None)
            }
            Err(fault) => Err(self.fail(fault)),
        }
    }

    /// How far the reading is: bytes consumed of the file on disk (before
    /// decompression), and the file's size when it was opened, unknown for
    /// pipes.
    pub fn position(&self) -> (u64, Option<u64>) {
        (self.window.position(), self.size)
    }

    /// The name of the file, as errors show it.
    pub fn name(&self) -> &str {
        &self.name
    }

    #[cold]
    fn fail(&mut self, fault: Fault) -> CaptureError {
        self.finished = true;
        fault.at(self.name.clone(), self.window.is_compressed())
    }
}

impl Format {
    /// Tells the format by its magic and reads the header.
    fn detect(window: &mut Window) -> Result<Self, Fault> {
        // A file too short for a magic has none.
        window.fill(4)?;
        if let Some(pcapng) = Pcapng::detect(window.bytes()) {
            return Ok(Self::Pcapng(pcapng));
        }
        if let Some(pcap) = Pcap::detect(window)? {
            return Ok(Self::Pcap(pcap));
        }
        window.fill(stream::GUESS)?;
        Err(Fault::whole(stream::guess(window.bytes())))
    }
}

/// Opens a file for reading; its size where it is a regular one.
fn open_file(path: &Path) -> Result<(File, Option<u64>), Reason> {
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => Reason::Missing,
        _ => Reason::Open(error),
    })?;
    let metadata = file.metadata().map_err(Reason::Open)?;
    if metadata.is_dir() {
        return Err(Reason::Directory);
    }
    Ok((file, metadata.is_file().then_some(metadata.len())))
}
