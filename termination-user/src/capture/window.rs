//! The part of a capture that is in memory.

use std::ops::Range;

use super::error::{Fault, Reason};
use super::link::LinkType;
use super::stream::Stream;

/// Size of the buffer at first, and as a rule for ever: small enough to stay
/// in the second-level cache between the read and the parse, large enough that
/// the system call does not count.
const SIZE: usize = 128 << 10;
/// The page size that matters to [`Window::make_room`]; a larger one is a
/// multiple of it.
const PAGE: usize = 4096;

/// What a packet record says, and where in the window its packet lies.
#[derive(Debug)]
pub(super) struct Record {
    /// Nanoseconds since the epoch.
    pub(super) time: u64,
    pub(super) link: LinkType,
    /// On the wire.
    pub(super) length: u32,
    /// For [`Window::lent`].
    pub(super) data: Range<usize>,
}

/// A window that moves over the decompressed bytes.
///
/// It grows only while bytes keep arriving, so a length that lies costs at
/// most twice the memory of what the file really has.
#[derive(Debug)]
pub(super) struct Window {
    stream: Stream,
    buffer: Vec<u8>,
    /// First byte not consumed; `start <= end <= buffer.len()`.
    start: usize,
    /// One past the last byte read.
    end: usize,
    /// Offset in the decompressed data of `end`.
    position: u64,
}

impl Window {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            buffer: vec![0; SIZE + PAGE],
            start: 0,
            end: 0,
            position: 0,
        }
    }

    /// What was read and not consumed.
    #[inline(always)]
    pub(super) fn bytes(&self) -> &[u8] {
        // `start <= end <= len` always; `get` spares the panic path.
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// Reads on until `wanted` bytes are there; false where the data end first.
    ///
    /// # Errors
    /// Reading or decompressing failed; what was read before is kept.
    #[inline(always)]
    pub(super) fn fill(&mut self, wanted: usize) -> Result<bool, Fault> {
        if self.end - self.start >= wanted {
            return Ok(true);
        }
        self.read(wanted)
    }

    /// The first bytes of what is ahead; `None` where the data end first.
    ///
    /// # Errors
    /// As [`Window::fill`].
    #[inline(always)]
    pub(super) fn head<const N: usize>(&mut self) -> Result<Option<&[u8; N]>, Fault> {
        self.fill(N)?;
        Ok(self.bytes().first_chunk())
    }

    #[cold]
    #[inline(never)]
    fn read(&mut self, wanted: usize) -> Result<bool, Fault> {
        self.make_room();
        while self.end - self.start < wanted {
            if self.end == self.buffer.len() {
                self.make_room();
            }
            match self.stream.read(&mut self.buffer[self.end..]) {
                Ok(0) => return Ok(false),
                Ok(count) => {
                    self.end += count;
                    self.position += count as u64;
                }
                Err(reason) => return Err(Fault::new(self.position, reason)),
            }
        }
        Ok(true)
    }

    /// Moves what is left, less than one record, to the front: there, to where
    /// the next byte to come gets the address that its offset in the file is,
    /// by the page.
    ///
    /// So the kernel copies from its page cache to the same place in a page.
    /// Where the target lies 1 to 31 bytes further, the `rep movsb` of AMD's
    /// Zen cores is four times slower (measured: 40 ns instead of 9 for the 82
    /// bytes of a small packet's record).
    fn make_room(&mut self) {
        let left = self.end - self.start;
        if left + PAGE >= self.buffer.len() {
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
        let address = self.buffer.as_ptr().addr() + left;
        // No truncation: less than a page.
        let front = (self.position.wrapping_sub(address as u64) % PAGE as u64) as usize;
        self.buffer.copy_within(self.start..self.end, front);
        self.start = front;
        self.end = front + left;
    }

    /// Moves past `count` bytes that are in the window, and says where they lie.
    #[inline(always)]
    pub(super) fn consume(&mut self, count: usize) -> usize {
        let from = self.start;
        self.start = self.end.min(from + count);
        from
    }

    /// Moves past `count` bytes, read yet or not; gives how many were there.
    pub(super) fn skip(&mut self, count: u64) -> Result<u64, Fault> {
        let mut left = count;
        while left > 0 {
            let here = left.min((self.end - self.start) as u64);
            // No truncation: at most the size of the window.
            self.consume(here as usize);
            left -= here;
            if left > 0 && !self.fill(1)? {
                break;
            }
        }
        Ok(count - left)
    }

    /// The bytes of a record; valid until the next [`Window::fill`].
    #[inline(always)]
    pub(super) fn lent(&self, data: Range<usize>) -> &[u8] {
        self.buffer.get(data).unwrap_or_default()
    }

    /// Offset in the decompressed data of the first byte not consumed.
    #[inline(always)]
    pub(super) fn offset(&self) -> u64 {
        self.position - (self.end - self.start) as u64
    }

    /// Offset in the file on disk.
    pub(super) fn position(&self) -> u64 {
        if self.is_compressed() {
            self.stream.count()
        } else {
            self.offset()
        }
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.stream.is_compressed()
    }

    /// The data end inside the thing at `offset`, of which `found` bytes exist.
    #[cold]
    pub(super) fn cut(&self, what: &'static str, wanted: u64) -> Fault {
        let found = (self.end - self.start) as u64;
        Fault::new(
            self.offset(),
            Reason::Cut {
                what,
                wanted,
                found,
            },
        )
    }
}

/// The byte order of a file or section, that of the machine that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Endian {
    Little,
    Big,
}

impl Endian {
    /// The number at `at`; 0 past the end, so callers check the length first.
    #[inline(always)]
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let bytes = array(bytes, at);
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }

    /// As [`Endian::u32`].
    #[inline(always)]
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> u16 {
        let bytes = array(bytes, at);
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    /// As [`Endian::u32`].
    pub(super) fn i64(self, bytes: &[u8], at: usize) -> i64 {
        let bytes = array(bytes, at);
        match self {
            Self::Little => i64::from_le_bytes(bytes),
            Self::Big => i64::from_be_bytes(bytes),
        }
    }
}

#[inline(always)]
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    match bytes.get(at..).and_then(|bytes| bytes.first_chunk()) {
        Some(chunk) => *chunk,
        None => [0; N],
    }
}
