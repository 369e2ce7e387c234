//! From a captured packet to a segment.

use termination_common::{
    segment::Segment,
    wire::{
        self, Context, Skip, ethertype,
        tunnel::{self, Follow},
    },
};

use crate::capture::{Entry, Packet};

/// Fills `segment`, or says why there is none.
#[inline]
pub(super) fn parse(
    packet: &Packet<'_>,
    follow: Follow,
    segment: &mut Segment,
) -> Result<(), Skip> {
    let bytes = packet.data;
    let context = Context {
        time: packet.time,
        home: 2,
        packets: 1,
        length: packet.length,
        trimmed: (bytes.len() as u64) < u64::from(packet.length),
        // Which side of the wire the capture was taken on is not known, and
        // what leaves a host has its checksum filled in later.
        verify_checksum: false,
        ..Context::default()
    };
    let (offset, kind) = match packet.entry() {
        Entry::Ethernet { offset } => {
            let Some(kind) = bytes.get(offset + 12..offset + 14) else {
                return Err(Skip::Runt);
            };
            (offset + 14, u16::from_be_bytes([kind[0], kind[1]]))
        }
        Entry::EtherType { ether_type, offset } => (offset, ether_type),
        Entry::Ip { offset } => match bytes.get(offset).map(|byte| byte >> 4) {
            Some(4) => (offset, ethertype::IPV4),
            Some(6) => (offset, ethertype::IPV6),
            Some(_) => return Err(Skip::BadHeader),
            None => return Err(Skip::Runt),
        },
        Entry::NotIp | Entry::Unsupported => return Err(Skip::NotIp),
    };
    let (offset, kind) =
        if matches!(kind, ethertype::IPV4 | ethertype::IPV6) && follow == Follow::LINK {
            (offset, kind)
        } else {
            tunnel::innermost(bytes, offset, kind, follow)
        };
    wire::by_ethertype(bytes, offset, kind, &context, segment)
}
