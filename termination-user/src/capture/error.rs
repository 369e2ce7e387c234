//! What can be wrong with a capture.

use std::io;

use thiserror::Error;

/// A capture could not be opened or read on, with the place and the reason.
///
/// Its text is complete, so it names no [`source`](std::error::Error::source).
#[derive(Debug, Error)]
#[error("{file}: {}{reason}", place(*offset, *decompressed))]
pub struct CaptureError {
    /// The file as the user named it, or "standard input".
    pub file: String,
    /// Bytes before the header, record or block that is broken; `None` where
    /// the file as a whole is meant.
    pub offset: Option<u64>,
    /// `offset` counts decompressed bytes.
    pub decompressed: bool,
    /// What is wrong there.
    pub reason: Reason,
}

fn place(offset: Option<u64>, decompressed: bool) -> String {
    match (offset, decompressed) {
        (None, _) => String::new(),
        (Some(offset), false) => format!("at byte {offset}: "),
        (Some(offset), true) => format!("at byte {offset} of the decompressed data: "),
    }
}

/// Why a capture cannot be read, or not any further.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing has this name.
    #[error("there is no such file")]
    Missing,
    /// The system refuses to open it.
    #[error("cannot be opened: {0}")]
    Open(io::Error),
    /// The name is that of a directory.
    #[error("is a directory, not a capture")]
    Directory,
    /// Standard input is a keyboard.
    #[error("is a terminal; name a file, or pipe a capture into it")]
    Terminal,
    /// The system fails to read on.
    #[error("reading fails: {0}")]
    Read(io::Error),
    /// Not a single byte.
    #[error("is empty: a capture has a header even without packets")]
    Empty,
    /// Readable text, as of a log or a saved web page.
    #[error("is text, not a pcap or pcapng capture")]
    Text,
    /// A compression that is not read, or one inside another.
    #[error("is compressed with {0}: decompress it first, only one layer of gzip or zstd is read")]
    Compression(&'static str),
    /// Bytes that no known format begins with.
    #[error("is not a pcap or pcapng capture: it begins with {}", hexadecimal(.0))]
    Unknown(Vec<u8>),
    /// A version of the format that no description covers.
    #[error("is {format} version {major}.{minor}, and only {known} is known")]
    Version {
        /// `pcap` or `pcapng`.
        format: &'static str,
        /// As in the file.
        major: u16,
        /// As in the file.
        minor: u16,
        /// The version that is read.
        known: &'static str,
    },
    /// The compressed data stop before their end.
    #[error("the {0} data end early: the file is cut off")]
    CompressedCut(&'static str),
    /// Behind the compressed data comes something else.
    #[error(
        "the {compression} data are complete, and something else follows: {}",
        hexadecimal(begins)
    )]
    Trailing {
        /// `gzip`.
        compression: &'static str,
        /// What follows begins with these bytes.
        begins: Vec<u8>,
    },
    /// A zstd frame asks for more memory than is granted.
    #[error(
        "to decompress this takes more than 128 MiB of memory (zstd --long): pipe it in, \
         `zstd -dc --long=31 FILE | termination pcap -`"
    )]
    CompressedWindow,
    /// The compressed data do not decompress, or their checksum is wrong.
    #[error("the {compression} data are damaged: {error}")]
    Damaged {
        /// `gzip` or `zstd`.
        compression: &'static str,
        /// What the decompressor says.
        error: io::Error,
    },
    /// The file stops inside something.
    #[error("the file is cut off inside a {what}: {found} of {wanted} bytes are there")]
    Cut {
        /// What is incomplete.
        what: &'static str,
        /// Bytes it has by its own account, or at least.
        wanted: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// A pcap packet record with an unbelievable length.
    #[error(
        "packet record claims {claimed} bytes, more than the {limit} that a captured packet can have"
    )]
    PacketTooLong {
        /// Length in the record.
        claimed: u32,
        /// The most that is believed.
        limit: u32,
    },
    /// A pcapng block with an unbelievable length.
    #[error("{what} claims {claimed} bytes, more than the {limit} that are believed")]
    BlockTooLong {
        /// The kind of block.
        what: &'static str,
        /// Length in the block.
        claimed: u32,
        /// The most that is believed.
        limit: u32,
    },
    /// A pcapng block length that no block can have.
    #[error(
        "block claims {claimed} bytes, but a block has at least {least} and a multiple of four"
    )]
    BlockLength {
        /// Length in the block.
        claimed: u32,
        /// The least for this kind of block.
        least: u32,
    },
    /// The two lengths of a pcapng block differ.
    #[error("block begins with length {first} and ends with length {last}")]
    BlockTrailer {
        /// Length before the body.
        first: u32,
        /// Length after the body.
        last: u32,
    },
    /// A pcapng packet that does not fit into its own block.
    #[error("packet block claims {claimed} bytes of packet, but has room for {room}")]
    PacketOutsideBlock {
        /// Captured length in the block.
        claimed: u32,
        /// Bytes between the block's header and its end.
        room: u32,
    },
    /// A section header whose byte-order magic is neither way round.
    #[error("section header has the byte-order magic {0:#010x}, not 0x1a2b3c4d")]
    ByteOrder(u32),
    /// A packet of an interface that was not described.
    #[error("packet is of interface {interface}, but the section has described {known} so far")]
    Interface {
        /// Number in the packet block.
        interface: u32,
        /// Interface blocks so far.
        known: u32,
    },
    /// More interfaces than memory should be given to.
    #[error("section describes more than {0} interfaces")]
    Interfaces(u32),
    /// An option of an interface, on which its times depend, is malformed.
    #[error("option {0} of an interface is malformed, so its times cannot be told")]
    InterfaceOption(u16),
}

fn hexadecimal(bytes: &[u8]) -> String {
    let words: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    words.join(" ")
}

/// A reason and its place, not yet the file; boxed, so that what goes right
/// is not moved about with the room of what goes wrong.
#[derive(Debug)]
pub(super) struct Fault(Box<(Option<u64>, Reason)>);

impl Fault {
    /// Something is wrong at this byte.
    #[cold]
    pub(super) fn new(offset: u64, reason: Reason) -> Self {
        Self(Box::new((Some(offset), reason)))
    }

    /// Something is wrong with the file as a whole.
    #[cold]
    pub(super) fn whole(reason: Reason) -> Self {
        Self(Box::new((None, reason)))
    }

    /// In which file.
    #[cold]
    pub(super) fn at(self, file: String, decompressed: bool) -> CaptureError {
        let (offset, reason) = *self.0;
        CaptureError {
            file,
            offset,
            decompressed,
            reason,
        }
    }
}
