//! Ethernet II and VLAN tags.

use super::{Bytes, Context, Segment, Skip, ip};

/// EtherTypes (IEEE registration authority).
pub mod ethertype {
    /// IPv4.
    pub const IPV4: u16 = 0x0800;
    /// IPv6.
    pub const IPV6: u16 = 0x86dd;
    /// 802.1Q customer tag.
    pub const VLAN: u16 = 0x8100;
    /// 802.1ad service tag.
    pub const SERVICE_VLAN: u16 = 0x88a8;
    /// Stacked tags before 802.1ad gave them a type of their own.
    pub const QINQ: u16 = 0x9100;
    /// MPLS, unicast.
    pub const MPLS: u16 = 0x8847;
    /// MPLS, multicast or upstream-assigned label.
    pub const MPLS_UPSTREAM: u16 = 0x8848;
    /// PPPoE session stage.
    pub const PPPOE: u16 = 0x8864;
    /// 802.1ah service instance tag: a whole frame behind four bytes.
    pub const BACKBONE: u16 = 0x88e7;
    /// VN-Tag of a port extender.
    pub const VN_TAG: u16 = 0x8926;
    /// 802.1BR tag of a port extender.
    pub const E_TAG: u16 = 0x893f;
    /// Ethernet inside GRE or GENEVE (transparent Ethernet bridging).
    pub const BRIDGED: u16 = 0x6558;
}

/// Bytes of an Ethernet II header.
pub(super) const ETHERNET: usize = 14;

/// VLAN tags that are followed. Two is QinQ; more than three is not met.
pub(super) const TAGS: usize = 4;

/// Reads an Ethernet II frame that starts at offset 0.
///
/// # Errors
/// The reason why there is no segment; `segment` is then left as it was.
#[inline(always)]
pub fn ethernet<B: Bytes>(bytes: B, context: &Context, segment: &mut Segment) -> Result<(), Skip> {
    let kind = bytes.array(ETHERNET - 2).ok_or(Skip::Runt)?;
    by_ethertype(bytes, ETHERNET, u16::from_be_bytes(kind), context, segment)
}

/// Reads what follows an EtherType: VLAN tags, then IP, at `offset`.
///
/// # Errors
/// As [`ethernet`].
#[inline(always)]
pub fn by_ethertype<B: Bytes>(
    bytes: B,
    offset: usize,
    ethertype: u16,
    context: &Context,
    segment: &mut Segment,
) -> Result<(), Skip> {
    let (offset, ethertype) = untag(bytes, offset, ethertype)?;
    match ethertype {
        ethertype::IPV4 => ip::ipv4(bytes, offset, context, segment),
        ethertype::IPV6 => ip::ipv6(bytes, offset, context, segment),
        ethertype::MPLS
        | ethertype::MPLS_UPSTREAM
        | ethertype::PPPOE
        | ethertype::BACKBONE
        | ethertype::VN_TAG
        | ethertype::E_TAG => Err(Skip::Encapsulated),
        _ => Err(Skip::NotIp),
    }
}

/// Steps over VLAN tags: the offset behind them and the EtherType they carry.
#[inline(always)]
pub(super) fn untag<B: Bytes>(
    bytes: B,
    mut offset: usize,
    mut kind: u16,
) -> Result<(usize, u16), Skip> {
    for _ in 0..TAGS {
        if !is_tag(kind) {
            return Ok((offset, kind));
        }
        let tag = u32::from_be_bytes(bytes.array(offset).ok_or(Skip::Runt)?);
        kind = tag as u16;
        offset = bytes.forget(offset + 4, tag >> 16);
    }
    if is_tag(kind) {
        return Err(Skip::TooManyHeaders);
    }
    Ok((offset, kind))
}

#[inline(always)]
const fn is_tag(kind: u16) -> bool {
    matches!(
        kind,
        ethertype::VLAN | ethertype::SERVICE_VLAN | ethertype::QINQ
    )
}
