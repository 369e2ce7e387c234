//! The pcapng file format (draft-ietf-opsawg-pcapng).

use super::clock::Clock;
use super::error::{Fault, Reason};
use super::link::LinkType;
use super::window::{Endian, Record, Window};

/// Section Header Block (4.1); the same in both byte orders.
const SECTION: u32 = 0x0a0d_0d0a;
/// Interface Description Block (4.2).
const INTERFACE: u32 = 1;
/// The obsolete Packet Block (appendix A).
const PACKET: u32 = 2;
/// Simple Packet Block (4.4).
const SIMPLE: u32 = 3;
/// Enhanced Packet Block (4.3).
const ENHANCED: u32 = 6;

/// The byte-order magic of a section (4.1).
const BYTE_ORDER: u32 = 0x1a2b_3c4d;

/// Bytes of a block before its body: type and length (3.1).
const HEAD: usize = 8;
/// Bytes of a block after its body: length again (3.1).
const TAIL: usize = 4;
/// The least a block has.
const LEAST: u32 = 12;
/// The most that is believed of a block that has to be in memory as a whole:
/// libpcap's own limit.
const LIMIT: u32 = 16 << 20;
/// The most interfaces of a section. The obsolete Packet Block cannot name
/// more, and each costs memory.
const INTERFACES: usize = 1 << 16;

/// A pcapng file, behind the block read last.
#[derive(Debug)]
pub(super) struct Pcapng {
    endian: Endian,
    /// Of the section.
    interfaces: Vec<Interface>,
    /// Of the packet read last, nanoseconds.
    time: u64,
}

#[derive(Debug)]
struct Interface {
    link: LinkType,
    /// The most bytes captured of a packet, 0 for all.
    snapshot: u32,
    clock: Clock,
}

impl Pcapng {
    /// `None` where the file does not begin with a section header.
    pub(super) fn detect(bytes: &[u8]) -> Option<Self> {
        (Endian::Little.u32(bytes, 0) == SECTION).then(|| Self {
            // Until the section header says.
            endian: Endian::Little,
            interfaces: Vec::new(),
            time: 0,
        })
    }

    /// The next packet, or `None` at the end of the file.
    #[inline(always)]
    pub(super) fn next(&mut self, window: &mut Window) -> Result<Option<Record>, Fault> {
        loop {
            let Some(head) = window.head::<{ LEAST as usize }>()? else {
                return if window.bytes().is_empty() {
                    Ok(None)
                } else {
                    Err(window.cut("block", u64::from(LEAST)))
                };
            };
            let kind = self.endian.u32(head, 0);
            if kind == ENHANCED {
                return self.enhanced(window).map(Some);
            }
            if let Some(record) = self.other(kind, window)? {
                return Ok(Some(record));
            }
        }
    }

    /// Every block but the common one; the packet where it has one.
    #[inline(never)]
    fn other(&mut self, kind: u32, window: &mut Window) -> Result<Option<Record>, Fault> {
        match kind {
            SECTION => self.section(window)?,
            INTERFACE => self.interface(window)?,
            PACKET => return self.packet(window).map(Some),
            SIMPLE => return self.simple(window).map(Some),
            _ => self.unknown(window)?,
        }
        Ok(None)
    }

    fn section(&mut self, window: &mut Window) -> Result<(), Fault> {
        // Interfaces count from 0 again, and the length is in the byte order
        // that the magic behind it tells.
        self.interfaces.clear();
        let magic = Endian::Little.u32(window.bytes(), HEAD);
        self.endian = match magic {
            BYTE_ORDER => Endian::Little,
            _ if magic.swap_bytes() == BYTE_ORDER => Endian::Big,
            _ => return Err(Fault::new(window.offset(), Reason::ByteOrder(magic))),
        };
        let block = self.block(window, "section header", 28)?;
        let bytes = window.bytes();
        let (major, minor) = (self.endian.u16(bytes, 12), self.endian.u16(bytes, 14));
        if major != 1 {
            return Err(Fault::new(
                window.offset(),
                Reason::Version {
                    format: "pcapng",
                    major,
                    minor,
                    known: "1.0",
                },
            ));
        }
        window.consume(block);
        Ok(())
    }

    fn interface(&mut self, window: &mut Window) -> Result<(), Fault> {
        let block = self.block(window, "interface description", 20)?;
        let fault = |reason| Err(Fault::new(window.offset(), reason));
        if self.interfaces.len() == INTERFACES {
            return fault(Reason::Interfaces(INTERFACES as u32));
        }
        let bytes = window.bytes();
        let options = bytes.get(16..block - TAIL).unwrap_or_default();
        let clock = match Clock::from_options(self.endian, options) {
            Ok(clock) => clock,
            Err(option) => return fault(Reason::InterfaceOption(option)),
        };
        self.interfaces.push(Interface {
            link: LinkType(self.endian.u16(bytes, 8)),
            snapshot: self.endian.u32(bytes, 12),
            clock,
        });
        window.consume(block);
        Ok(())
    }

    #[inline(always)]
    fn enhanced(&mut self, window: &mut Window) -> Result<Record, Fault> {
        let block = self.block(window, "packet block", 32)?;
        let interface = self.endian.u32(window.bytes(), 8);
        self.timed(window, block, interface)
    }

    fn packet(&mut self, window: &mut Window) -> Result<Record, Fault> {
        // As the enhanced one, but for the interface's number, which gave half
        // its room to a count of drops.
        let block = self.block(window, "packet block", 32)?;
        let interface = self.endian.u16(window.bytes(), 8);
        self.timed(window, block, u32::from(interface))
    }

    /// The packet of a block with a time.
    #[inline(always)]
    fn timed(
        &mut self,
        window: &mut Window,
        block: usize,
        interface: u32,
    ) -> Result<Record, Fault> {
        const BODY: usize = 28;
        // The whole block is there; an array spares the checks of its length.
        let Some(head) = window.head::<BODY>()? else {
            return Err(window.cut("packet block", BODY as u64));
        };
        let high = self.endian.u32(head, 12);
        let low = self.endian.u32(head, 16);
        let captured = self.endian.u32(head, 20);
        let length = self.endian.u32(head, 24);
        let Some(Interface { link, clock, .. }) = self.interfaces.get(interface as usize) else {
            return Err(self.missing(window, interface));
        };
        // No truncation: a block has at most LIMIT bytes.
        let room = (block - BODY - TAIL) as u32;
        if captured > room {
            let claimed = captured;
            let reason = Reason::PacketOutsideBlock { claimed, room };
            return Err(Fault::new(window.offset(), reason));
        }
        self.time = clock.nanoseconds(u64::from(high) << 32 | u64::from(low));
        let from = window.consume(block) + BODY;
        Ok(Record {
            time: self.time,
            link: *link,
            length,
            data: from..from + captured as usize,
        })
    }

    fn simple(&mut self, window: &mut Window) -> Result<Record, Fault> {
        const BODY: usize = 12;
        let block = self.block(window, "packet block", 16)?;
        let length = self.endian.u32(window.bytes(), 8);
        let Some(Interface { link, snapshot, .. }) = self.interfaces.first() else {
            return Err(self.missing(window, 0));
        };
        // The captured length is not written down (4.4): all of the packet, but
        // for what the snapshot length cut off.
        let claimed = match *snapshot {
            0 => length,
            snapshot => length.min(snapshot),
        };
        // No truncation: a block has at most LIMIT bytes.
        let room = (block - BODY - TAIL) as u32;
        if claimed > room {
            let reason = Reason::PacketOutsideBlock { claimed, room };
            return Err(Fault::new(window.offset(), reason));
        }
        let from = window.consume(block) + BODY;
        Ok(Record {
            time: self.time,
            link: *link,
            length,
            data: from..from + claimed as usize,
        })
    }

    /// Moves past a block of no interest, which need not fit into memory.
    fn unknown(&mut self, window: &mut Window) -> Result<(), Fault> {
        let offset = window.offset();
        let length = self.length(window, LEAST)?;
        let skipped = window.skip(u64::from(length) - TAIL as u64)?;
        if !window.fill(TAIL)? {
            let reason = Reason::Cut {
                what: "block",
                wanted: u64::from(length),
                found: skipped + window.bytes().len() as u64,
            };
            return Err(Fault::new(offset, reason));
        }
        let last = self.endian.u32(window.bytes(), 0);
        if last != length {
            let first = length;
            return Err(Fault::new(offset, Reason::BlockTrailer { first, last }));
        }
        window.consume(TAIL);
        Ok(())
    }

    /// Gets a block into the window as a whole; its size, at least `least`.
    #[inline(always)]
    fn block(&self, window: &mut Window, what: &'static str, least: u32) -> Result<usize, Fault> {
        let length = self.length(window, least)?;
        if length > LIMIT {
            let reason = Reason::BlockTooLong {
                what,
                claimed: length,
                limit: LIMIT,
            };
            return Err(Fault::new(window.offset(), reason));
        }
        let size = length as usize;
        if !window.fill(size)? {
            return Err(window.cut(what, u64::from(length)));
        }
        let last = self.endian.u32(window.bytes(), size - TAIL);
        if last != length {
            let first = length;
            let reason = Reason::BlockTrailer { first, last };
            return Err(Fault::new(window.offset(), reason));
        }
        Ok(size)
    }

    /// The length of the block ahead, possible for a block of this kind.
    #[inline(always)]
    fn length(&self, window: &Window, least: u32) -> Result<u32, Fault> {
        let claimed = self.endian.u32(window.bytes(), 4);
        if claimed < least || !claimed.is_multiple_of(4) {
            let reason = Reason::BlockLength { claimed, least };
            return Err(Fault::new(window.offset(), reason));
        }
        Ok(claimed)
    }

    #[cold]
    fn missing(&self, window: &Window, interface: u32) -> Fault {
        // No truncation: at most INTERFACES.
        let known = self.interfaces.len() as u32;
        Fault::new(window.offset(), Reason::Interface { interface, known })
    }
}
