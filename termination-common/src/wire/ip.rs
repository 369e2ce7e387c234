//! IPv4 (RFC 791) and IPv6 with its extension headers (RFC 8200).

use super::{Bytes, Context, Segment, Skip, be16, be32, be64, tcp};
use crate::{segment::mark, tuple::Family};

/// IP protocol numbers (IANA).
pub(super) mod protocol {
    pub(crate) const HOP_BY_HOP: u8 = 0;
    pub(crate) const IP_IN_IP: u8 = 4;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const IPV6_IN_IP: u8 = 41;
    pub(crate) const ROUTING: u8 = 43;
    pub(crate) const FRAGMENT: u8 = 44;
    pub(crate) const GRE: u8 = 47;
    pub(crate) const AUTHENTICATION: u8 = 51;
    pub(crate) const DESTINATION: u8 = 60;
    pub(crate) const MOBILITY: u8 = 135;
}

/// IPv6 extension headers that are followed. RFC 8200 4.1 knows at most seven
/// in one packet.
pub(super) const EXTENSIONS: usize = 8;

/// Bytes of the fixed IPv4 header.
const V4: usize = 20;
/// Bytes of the fixed IPv6 header.
const V6: usize = 40;

/// What the IP layer says about a TCP segment.
pub(super) struct Datagram {
    /// Source, as in [`crate::tuple::Endpoint`].
    pub(super) source: [u64; 2],
    /// Destination, likewise.
    pub(super) destination: [u64; 2],
    pub(super) family: Family,
    /// Where the TCP header starts.
    pub(super) offset: usize,
    /// Bytes of TCP header and payload.
    pub(super) length: u32,
    pub(super) hops: u8,
    pub(super) traffic_class: u8,
    pub(super) flow_label: u32,
    /// Packet facts among [`mark`].
    pub(super) marks: u16,
    /// `destination` is the one the sender's checksum covers.
    pub(super) final_destination: bool,
}

/// What lies behind the IP headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Upper {
    /// IP protocol number; of a transport, as far as the headers were followed.
    pub(super) protocol: u8,
    /// Where it starts.
    pub(super) offset: usize,
    /// First fragment of several.
    pub(super) fragment: bool,
    /// No routing header sends the packet on to another destination.
    pub(super) final_destination: bool,
}

/// Reads an IP packet at `offset`, of the version that its first half byte
/// says.
///
/// # Errors
/// The reason why there is no segment; `segment` is then left as it was.
#[inline(always)]
pub fn ip<B: Bytes>(
    bytes: B,
    offset: usize,
    context: &Context,
    segment: &mut Segment,
) -> Result<(), Skip> {
    let [first] = bytes.array(offset).ok_or(Skip::Runt)?;
    match first >> 4 {
        4 => ipv4(bytes, offset, context, segment),
        6 => ipv6(bytes, offset, context, segment),
        _ => Err(Skip::NotIp),
    }
}

/// Reads an IPv4 packet at `offset`.
#[inline(always)]
pub(super) fn ipv4<B: Bytes>(
    bytes: B,
    offset: usize,
    context: &Context,
    segment: &mut Segment,
) -> Result<(), Skip> {
    let header = bytes.array::<V4>(offset).ok_or(Skip::Runt)?;
    let upper = v4_upper(&header, offset)?;
    if upper.protocol != protocol::TCP {
        return Err(no_segment(upper.protocol));
    }
    let total = match be16(&header, 2) {
        0 => context.length.saturating_sub(offset as u32),
        length => u32::from(length),
    };
    let length = total
        .checked_sub((upper.offset - offset) as u32)
        .ok_or(Skip::BadHeader)?;
    let mut marks = 0;
    if be16(&header, 4) == 0 {
        marks |= mark::IP_ID_ZERO;
    }
    if upper.fragment {
        marks |= mark::FRAGMENT;
    }
    let datagram = Datagram {
        source: mapped(be32(&header, 12)),
        destination: mapped(be32(&header, 16)),
        family: Family::V4,
        offset: upper.offset,
        length,
        hops: header[8],
        traffic_class: header[1],
        flow_label: 0,
        marks,
        // A source route ends at the destination of the checksum (RFC 9293
        // 3.1); nobody routes these any more, so options are not read.
        final_destination: true,
    };
    tcp::segment(bytes, &datagram, context, segment)
}

/// Reads an IPv6 packet at `offset`.
#[inline(always)]
pub(super) fn ipv6<B: Bytes>(
    bytes: B,
    offset: usize,
    context: &Context,
    segment: &mut Segment,
) -> Result<(), Skip> {
    let header = bytes.array::<V6>(offset).ok_or(Skip::Runt)?;
    let first = be32(&header, 0);
    if first >> 28 != 6 {
        return Err(Skip::BadHeader);
    }
    let upper = v6_upper(bytes, header[6], offset + V6)?;
    if upper.protocol != protocol::TCP {
        return Err(no_segment(upper.protocol));
    }
    let after = match be16(&header, 4) {
        // A jumbo payload option, where there is one, says the same.
        0 => context.length.saturating_sub((offset + V6) as u32),
        length => u32::from(length),
    };
    let length = after
        .checked_sub((upper.offset - offset - V6) as u32)
        .ok_or(Skip::BadHeader)?;
    let mut marks = mark::IP_ID_ZERO;
    if upper.fragment {
        marks |= mark::FRAGMENT;
    }
    let datagram = Datagram {
        source: [be64(&header, 8), be64(&header, 16)],
        destination: [be64(&header, 24), be64(&header, 32)],
        family: Family::V6,
        offset: upper.offset,
        length,
        hops: header[7],
        traffic_class: (first >> 20) as u8,
        flow_label: first & 0xf_ffff,
        marks,
        final_destination: upper.final_destination,
    };
    tcp::segment(bytes, &datagram, context, segment)
}

/// What lies behind an IPv4 header at `offset`.
#[inline(always)]
pub(super) fn v4_upper(header: &[u8; V4], offset: usize) -> Result<Upper, Skip> {
    let size = usize::from(header[0] & 0xf) * 4;
    if header[0] >> 4 != 4 || size < V4 {
        return Err(Skip::BadHeader);
    }
    // Three bits of flags, of which the last is "more fragments", and 13 bits
    // of fragment offset.
    let fragment = be16(header, 6);
    let protocol = header[9];
    if fragment & 0x1fff != 0 {
        return Err(later(protocol));
    }
    Ok(Upper {
        protocol,
        offset: offset + size,
        fragment: fragment & 0x2000 != 0,
        final_destination: true,
    })
}

/// What lies behind the IPv6 headers that start with `next` at `offset`.
#[inline(always)]
pub(super) fn v6_upper<B: Bytes>(bytes: B, mut next: u8, mut offset: usize) -> Result<Upper, Skip> {
    let mut fragment = false;
    let mut final_destination = true;
    for _ in 0..EXTENSIONS {
        let unit = match next {
            protocol::HOP_BY_HOP
            | protocol::DESTINATION
            | protocol::ROUTING
            | protocol::MOBILITY
            | protocol::FRAGMENT => 8,
            protocol::AUTHENTICATION => 4,
            _ => break,
        };
        let header = bytes.array::<4>(offset).ok_or(Skip::Runt)?;
        let mut size = (usize::from(header[1]) + 1) * unit;
        match next {
            protocol::AUTHENTICATION => size += 4, // RFC 4302 2.2: words minus 2
            protocol::ROUTING => final_destination &= header[3] == 0, // segments left
            protocol::FRAGMENT => {
                // 13 bits of offset, two reserved, "more fragments"; its second
                // byte is reserved too and says nothing about its size.
                let place = be16(&header, 2);
                if place & 0xfff8 != 0 {
                    return Err(later(header[0]));
                }
                fragment |= place & 1 != 0;
                size = 8;
            }
            _ => {}
        }
        next = header[0];
        offset = bytes.forget(offset + size, u32::from(be16(&header, 2)));
    }
    match next {
        protocol::HOP_BY_HOP
        | protocol::DESTINATION
        | protocol::ROUTING
        | protocol::MOBILITY
        | protocol::FRAGMENT
        | protocol::AUTHENTICATION => Err(Skip::TooManyHeaders),
        protocol => Ok(Upper {
            protocol,
            offset,
            fragment,
            final_destination,
        }),
    }
}

/// The reason for a protocol other than TCP.
#[inline(always)]
const fn no_segment(protocol: u8) -> Skip {
    match protocol {
        protocol::IP_IN_IP | protocol::IPV6_IN_IP | protocol::GRE => Skip::Encapsulated,
        _ => Skip::NotTcp,
    }
}

/// The reason for a fragment that is not the first.
#[inline(always)]
const fn later(protocol: u8) -> Skip {
    match protocol {
        protocol::TCP => Skip::LaterFragment,
        _ => no_segment(protocol),
    }
}

/// An IPv4 address in the form of [`crate::tuple::Endpoint`].
#[inline(always)]
const fn mapped(address: u32) -> [u64; 2] {
    [0, 0xffff_0000_0000 | address as u64]
}
