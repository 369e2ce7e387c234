//! The pcap file format (draft-ietf-opsawg-pcap).

use super::error::{Fault, Reason};
use super::link::LinkType;
use super::window::{Endian, Record, Window};

/// Times in microseconds (section 4).
const MICROSECONDS: u32 = 0xa1b2_c3d4;
/// Times in nanoseconds (section 4).
const NANOSECONDS: u32 = 0xa1b2_3c4d;
/// Microseconds, and eight more bytes in each record: Alexey Kuznetzov's
/// "modified" format of old Linux distributions (libpcap, sf-pcap.c).
const MODIFIED: u32 = 0xa1b2_cd34;

/// The file header (section 4).
const HEADER: usize = 24;
/// The record header (section 5).
const RECORD: usize = 16;
/// The record header of [`MODIFIED`].
const RECORD_MODIFIED: usize = 24;
/// The most that is believed of a captured length: libpcap's own limit
/// (MAXIMUM_SNAPLEN), above which it neither writes nor reads.
const LIMIT: u32 = 262_144;

/// A pcap file, behind its header.
#[derive(Debug)]
pub(super) struct Pcap {
    endian: Endian,
    link: LinkType,
    /// Nanoseconds in a unit of the second half of a time.
    unit: u32,
    /// Bytes of a record's header.
    header: usize,
    /// Before version 2.4 the two lengths may be the other way round.
    old: bool,
}

impl Pcap {
    /// Reads the file header; `None` where the magic is not that of pcap.
    pub(super) fn detect(window: &mut Window) -> Result<Option<Self>, Fault> {
        if !window.fill(4)? {
            return Ok(None);
        }
        let magics = [Endian::Little, Endian::Big].map(|e| (e, e.u32(window.bytes(), 0)));
        let known = magics.into_iter().find_map(|(endian, magic)| match magic {
            MICROSECONDS => Some((endian, 1000, RECORD)),
            NANOSECONDS => Some((endian, 1, RECORD)),
            MODIFIED => Some((endian, 1000, RECORD_MODIFIED)),
            _ => None,
        });
        let Some((endian, unit, header)) = known else {
            return Ok(None);
        };
        if !window.fill(HEADER)? {
            return Err(window.cut("file header", HEADER as u64));
        }
        let bytes = window.bytes();
        let (major, minor) = (endian.u16(bytes, 4), endian.u16(bytes, 6));
        if major != 2 {
            return Err(Fault::new(
                4,
                Reason::Version {
                    format: "pcap",
                    major,
                    minor,
                    known: "2.4",
                },
            ));
        }
        // The upper half tells about frame check sequences at the end of
        // packets, which lengths in the IP header leave out anyway.
        let link = LinkType(endian.u32(bytes, 20) as u16);
        window.consume(HEADER);
        Ok(Some(Self {
            endian,
            link,
            unit,
            header,
            old: minor < 4,
        }))
    }

    /// The next record, or `None` at the end of the file.
    #[inline(always)]
    pub(super) fn next(&mut self, window: &mut Window) -> Result<Option<Record>, Fault> {
        let Some(head) = window.head::<RECORD>()? else {
            return if window.bytes().is_empty() {
                Ok(None)
            } else {
                Err(window.cut("packet record", self.header as u64))
            };
        };
        let seconds = self.endian.u32(head, 0);
        let fraction = self.endian.u32(head, 4);
        let mut captured = self.endian.u32(head, 8);
        let mut length = self.endian.u32(head, 12);
        if self.old && captured > length {
            (captured, length) = (length, captured);
        }
        if captured > LIMIT {
            return Err(Fault::new(
                window.offset(),
                Reason::PacketTooLong {
                    claimed: captured,
                    limit: LIMIT,
                },
            ));
        }
        let captured = captured as usize;
        let whole = self.header + captured;
        if !window.fill(whole)? {
            return Err(window.cut("packet record", whole as u64));
        }
        let from = window.consume(whole) + self.header;
        Ok(Some(Record {
            // Both products and the sum fit: less than 2^32 * (10^9 + 10^3).
            time: u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * u64::from(self.unit),
            link: self.link,
            length,
            data: from..from + captured,
        }))
    }
}
