//! Writers of small captures, apart from the reader so that they can disagree.

use super::super::window::Endian;
use super::Owned;

/// Appends numbers in a byte order.
pub(super) struct Bytes {
    pub(super) endian: Endian,
    pub(super) bytes: Vec<u8>,
}

impl Bytes {
    pub(super) fn new(endian: Endian) -> Self {
        let bytes = Vec::new();
        Self { endian, bytes }
    }
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.bytes.extend(bytes);
        self
    }
    pub(super) fn u16(self, n: u16) -> Self {
        let little = self.endian == Endian::Little;
        self.raw(&if little {
            n.to_le_bytes()
        } else {
            n.to_be_bytes()
        })
    }
    pub(super) fn u32(self, n: u32) -> Self {
        let little = self.endian == Endian::Little;
        self.raw(&if little {
            n.to_le_bytes()
        } else {
            n.to_be_bytes()
        })
    }
    pub(super) fn i64(self, n: i64) -> Self {
        let little = self.endian == Endian::Little;
        self.raw(&if little {
            n.to_le_bytes()
        } else {
            n.to_be_bytes()
        })
    }
    pub(super) fn pad(mut self) -> Self {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }
}

/// Three packets with times at whole microseconds, the last cut by the
/// snapshot length and earlier than the one before it.
pub(super) fn packets(link: u16) -> Vec<Owned> {
    let packet = |time, data: &[u8], length| Owned {
        time,
        link,
        data: data.to_vec(),
        length,
    };
    vec![
        packet(1_700_000_000_000_001_000, b"first", 5),
        packet(1_700_000_001_999_999_000, b"", 0),
        packet(1_700_000_001_000_000_000, b"the third", 1514),
    ]
}

pub(super) fn pcap(endian: Endian, magic: u32, packets: &[Owned]) -> Vec<u8> {
    let unit = if magic == 0xa1b2_3c4d { 1 } else { 1000 };
    let link = packets.first().map_or(1, |packet| packet.link);
    let mut file = Bytes::new(endian).u32(magic).u16(2).u16(4);
    file = file.u32(0).u32(0).u32(262_144).u32(u32::from(link));
    for packet in packets {
        file = file.u32((packet.time / 1_000_000_000) as u32);
        file = file.u32((packet.time % 1_000_000_000 / unit) as u32);
        file = file.u32(packet.data.len() as u32).u32(packet.length);
        if magic == 0xa1b2_cd34 {
            // Interface, protocol, packet type, padding.
            file = file.u32(3).u16(0x0800).raw(&[4, 0]);
        }
        file = file.raw(&packet.data);
    }
    file.bytes
}

pub(super) fn block(endian: Endian, kind: u32, body: Bytes) -> Vec<u8> {
    let body = body.pad().bytes;
    let length = body.len() as u32 + 12;
    let block = Bytes::new(endian).u32(kind).u32(length);
    block.raw(&body).u32(length).bytes
}

pub(super) fn section(endian: Endian) -> Vec<u8> {
    let body = Bytes::new(endian).u32(0x1a2b_3c4d).u16(1).u16(0).i64(-1);
    block(endian, 0x0a0d_0d0a, body)
}

/// An interface with a name, a resolution (microseconds where `None`) and
/// seconds to add.
pub(super) fn interface(
    endian: Endian,
    link: u16,
    snapshot: u32,
    resolution: Option<u8>,
    seconds: i64,
) -> Vec<u8> {
    let mut body = Bytes::new(endian).u16(link).u16(0).u32(snapshot);
    body = body.u16(2).u16(3).raw(b"en0").pad();
    if let Some(resolution) = resolution {
        body = body.u16(9).u16(1).raw(&[resolution]).pad();
    }
    body = body.u16(14).u16(8).i64(seconds).u32(0);
    block(endian, 1, body)
}

pub(super) fn enhanced(
    endian: Endian,
    interface: u32,
    units: u64,
    data: &[u8],
    length: u32,
) -> Vec<u8> {
    let mut body = Bytes::new(endian).u32(interface);
    body = body.u32((units >> 32) as u32).u32(units as u32);
    body = body.u32(data.len() as u32).u32(length).raw(data).pad();
    // A comment, and the end of options.
    body = body.u16(1).u16(2).raw(b"hi").pad().u32(0);
    block(endian, 6, body)
}

/// The old Packet Block, of interface 0, with a count of drops.
pub(super) fn obsolete(endian: Endian, units: u64, data: &[u8], length: u32) -> Vec<u8> {
    let mut body = Bytes::new(endian).u16(0).u16(0xffff);
    body = body.u32((units >> 32) as u32).u32(units as u32);
    body = body.u32(data.len() as u32).u32(length).raw(data);
    block(endian, 2, body)
}

pub(super) fn simple(endian: Endian, data: &[u8], length: u32) -> Vec<u8> {
    block(endian, 3, Bytes::new(endian).u32(length).raw(data))
}

/// A section with one interface of nanoseconds, the packets, and blocks of no
/// interest between them.
pub(super) fn pcapng(endian: Endian, packets: &[Owned]) -> Vec<u8> {
    let link = packets.first().map_or(1, |packet| packet.link);
    let mut file = section(endian);
    file.extend(interface(endian, link, 0, Some(9), 0));
    for packet in packets {
        let Owned {
            time, data, length, ..
        } = packet;
        file.extend(block(endian, 0x0bad, Bytes::new(endian).raw(b"unknown")));
        file.extend(enhanced(endian, 0, *time, data, *length));
    }
    file
}
