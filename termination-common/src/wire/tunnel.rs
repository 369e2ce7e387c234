//! Finding the innermost packet of a capture: label stacks and tunnels.
//!
//! Live, the kernel takes a tunnel apart itself and the inner packet shows up
//! on the tunnel's interface; a capture from a mirror port or a backbone has
//! only the outside. [`innermost`] steps inwards, bounded, and leaves it to
//! [`super::by_ethertype`] to read what it finds.

use super::{
    Bytes, Next, Step, be16,
    ip::{Upper, protocol, v4_upper, v6_upper},
    link::{ETHERNET, ethertype, untag},
};

/// Which encapsulations are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follow(pub u16);

impl Follow {
    /// MPLS label stacks (RFC 3032) and Ethernet over MPLS (RFC 4448).
    pub const MPLS: u16 = 1 << 0;
    /// PPPoE sessions (RFC 2516).
    pub const PPPOE: u16 = 1 << 1;
    /// IPv4 or IPv6 directly in either (RFC 2003, RFC 4213, RFC 2473).
    pub const IP_IN_IP: u16 = 1 << 2;
    /// GRE (RFC 2784, RFC 2890), PPTP's (RFC 2637), ERSPAN types I and II; also in
    /// UDP (RFC 8086), port 4754.
    pub const GRE: u16 = 1 << 3;
    /// VXLAN (RFC 7348), on UDP port 4789 or Linux's old default, 8472.
    pub const VXLAN: u16 = 1 << 4;
    /// GENEVE (RFC 8926), on UDP port 6081.
    pub const GENEVE: u16 = 1 << 5;
    /// Teredo (RFC 4380): to and from a server, on UDP port 3544; to and from a
    /// relay or another client, on any.
    pub const TEREDO: u16 = 1 << 6;
    /// What bridges put in front of a customer's frame: 802.1ah, and the tags of
    /// port extenders (802.1BR, VN-Tag).
    pub const BRIDGE: u16 = 1 << 7;
    /// GTP-U (3GPP TS 29.281), on UDP port 2152.
    pub const GTP: u16 = 1 << 8;

    /// None.
    pub const NONE: Self = Self(0);
    /// Those that carry a customer's line: the packet is whole, and there is no
    /// second pair of addresses outside.
    pub const LINK: Self = Self(Self::MPLS | Self::PPPOE | Self::BRIDGE);
    /// All.
    pub const ALL: Self = Self(
        Self::LINK.0
            | Self::IP_IN_IP
            | Self::GRE
            | Self::VXLAN
            | Self::GENEVE
            | Self::TEREDO
            | Self::GTP,
    );

    #[inline(always)]
    const fn has(self, bit: u16) -> bool {
        self.0 & bit != 0
    }
}

/// Encapsulations inside each other that are followed.
const LAYERS: u32 = 8;
/// Labels of an MPLS stack that are followed.
const LABELS: usize = 8;
/// Extension headers of GTP-U that are followed.
const EXTENSIONS: usize = 4;

/// UDP ports (IANA, but for the second).
mod port {
    pub(super) const VXLAN: u16 = 4789;
    pub(super) const VXLAN_LINUX: u16 = 8472;
    pub(super) const GENEVE: u16 = 6081;
    pub(super) const GTP: u16 = 2152;
    pub(super) const GRE: u16 = 4754;
    pub(super) const TEREDO: u16 = 3544;
}

/// The first 32 bits of every Teredo client's address (RFC 4380 2.6).
const TEREDO_PREFIX: u32 = 0x2001_0000;

/// GRE protocol types beyond the EtherTypes.
mod gre {
    /// PPP (RFC 2637 4.1).
    pub(super) const PPP: u16 = 0x880b;
    /// ERSPAN, types I and II.
    pub(super) const ERSPAN: u16 = 0x88be;
}

/// PPP protocol numbers (IANA).
mod ppp {
    pub(super) const IPV4: u16 = 0x0021;
    pub(super) const IPV6: u16 = 0x0057;
}

/// What starts where: an offset and the EtherType of what is there.
type Place = (usize, u16);

/// The offset and the EtherType of the innermost packet that `follow` leads to,
/// from what starts at `offset` with this EtherType. Where nothing is to be
/// followed, or it does not look like what it should be, that is the last
/// packet that does.
#[must_use]
#[inline(always)]
pub fn innermost<B: Bytes>(bytes: B, offset: usize, ethertype: u16, follow: Follow) -> Place {
    let mut peeling = Peeling {
        bytes,
        place: (offset, ethertype),
        follow,
    };
    B::repeat(LAYERS, &mut peeling);
    peeling.place
}

/// The way inwards.
struct Peeling<B> {
    bytes: B,
    place: Place,
    follow: Follow,
}

impl<B: Bytes> Step for Peeling<B> {
    #[inline(always)]
    fn step(&mut self) -> Next {
        match step(self.bytes, self.place, self.follow) {
            Some((offset, kind)) => {
                self.place = (self.bytes.forget(offset, u32::from(kind)), kind);
                Next::Continue
            }
            None => Next::Stop,
        }
    }
}

/// The EtherType of a PPP frame's payload and its offset, from the offset of
/// the protocol field. `None` for anything but IP.
#[must_use]
#[inline(always)]
pub fn ppp<B: Bytes>(bytes: B, offset: usize) -> Option<Place> {
    // Address and control field, unless compressed away (RFC 1661 6.6), then
    // the protocol in one byte if it is odd (6.5), else in two.
    let offset = match bytes.array(offset)? {
        [0xff, 0x03] => offset + 2,
        _ => offset,
    };
    let [first] = bytes.array(offset)?;
    let (number, offset) = if first & 1 == 1 {
        (u16::from(first), offset + 1)
    } else {
        (u16::from_be_bytes(bytes.array(offset)?), offset + 2)
    };
    match number {
        ppp::IPV4 => Some((offset, ethertype::IPV4)),
        ppp::IPV6 => Some((offset, ethertype::IPV6)),
        _ => None,
    }
}

/// One encapsulation inwards.
#[inline(always)]
fn step<B: Bytes>(bytes: B, (offset, kind): Place, follow: Follow) -> Option<Place> {
    let (offset, kind) = untag(bytes, offset, kind).ok()?;
    let upper = match kind {
        ethertype::MPLS | ethertype::MPLS_UPSTREAM if follow.has(Follow::MPLS) => {
            return labels(bytes, offset);
        }
        ethertype::PPPOE if follow.has(Follow::PPPOE) => return pppoe(bytes, offset),
        ethertype::BACKBONE if follow.has(Follow::BRIDGE) => return bridged(bytes, offset + 4),
        ethertype::VN_TAG if follow.has(Follow::BRIDGE) => return tagged(bytes, offset + 4),
        ethertype::E_TAG if follow.has(Follow::BRIDGE) => return tagged(bytes, offset + 6),
        ethertype::IPV4 => v4_upper(&bytes.array(offset)?, offset).ok()?,
        ethertype::IPV6 => {
            let [next] = bytes.array(offset + 6)?;
            v6_upper(bytes, next, offset + 40).ok()?
        }
        _ => return None,
    };
    let Upper {
        protocol, offset, ..
    } = upper;
    match protocol {
        protocol::IP_IN_IP | protocol::IPV6_IN_IP if follow.has(Follow::IP_IN_IP) => {
            by_version(bytes, offset)
        }
        protocol::GRE if follow.has(Follow::GRE) => generic(bytes, offset),
        protocol::UDP => udp(bytes, offset, follow),
        _ => None,
    }
}

/// What the EtherType at `offset` says.
#[inline(always)]
fn tagged<B: Bytes>(bytes: B, offset: usize) -> Option<Place> {
    let kind = bytes.array(offset)?;
    Some((offset + 2, u16::from_be_bytes(kind)))
}

/// The Ethernet frame at `offset`.
#[inline(always)]
fn bridged<B: Bytes>(bytes: B, offset: usize) -> Option<Place> {
    tagged(bytes, offset + ETHERNET - 2)
}

/// The IP packet at `offset`, by its version.
#[inline(always)]
fn by_version<B: Bytes>(bytes: B, offset: usize) -> Option<Place> {
    let [first] = bytes.array(offset)?;
    match first >> 4 {
        4 => Some((offset, ethertype::IPV4)),
        6 => Some((offset, ethertype::IPV6)),
        _ => None,
    }
}

/// What follows a GRE or GENEVE header with this protocol type.
#[inline(always)]
fn typed<B: Bytes>(bytes: B, offset: usize, kind: u16) -> Option<Place> {
    match kind {
        ethertype::BRIDGED => bridged(bytes, offset),
        ethertype::IPV4
        | ethertype::IPV6
        | ethertype::MPLS
        | ethertype::MPLS_UPSTREAM
        | ethertype::VLAN => Some((offset, kind)),
        _ => None,
    }
}

/// MPLS does not say what it carries: IP shows its version, a pseudowire a
/// control word that starts with a zero half byte (RFC 4385 3). One without
/// control word shows a MAC address, and is not told from IP.
#[inline(always)]
fn labels<B: Bytes>(bytes: B, mut offset: usize) -> Option<Place> {
    for _ in 0..LABELS {
        let [.., low, _] = bytes.array::<4>(offset)?;
        offset += 4;
        if low & 1 == 1 {
            let [first] = bytes.array(offset)?;
            return match first >> 4 {
                0 => bridged(bytes, offset + 4),
                _ => by_version(bytes, offset),
            };
        }
    }
    None
}

/// PPPoE: version 1, type 1, code 0, session, length; then PPP.
#[inline(always)]
fn pppoe<B: Bytes>(bytes: B, offset: usize) -> Option<Place> {
    match bytes.array(offset)? {
        [0x11, 0] => ppp(bytes, offset + 6),
        _ => None,
    }
}

#[inline(always)]
fn generic<B: Bytes>(bytes: B, offset: usize) -> Option<Place> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGMENT: u16 = 0x0080;
    const VERSION: u16 = 0x0007;

    let header = bytes.array::<4>(offset)?;
    let (flags, kind) = (be16(&header, 0), be16(&header, 2));
    let words = [KEY, SEQUENCE];
    let size = 4 + 4 * words.iter().filter(|&&word| flags & word != 0).count();
    match flags & VERSION {
        0 if flags & ROUTING != 0 => None, // RFC 1701's source routes
        0 => {
            let inner = offset + size + if flags & CHECKSUM != 0 { 4 } else { 0 };
            match kind {
                // Type II is told from type I by its sequence number, and has
                // eight bytes more.
                gre::ERSPAN if flags & SEQUENCE != 0 => bridged(bytes, inner + 8),
                gre::ERSPAN => bridged(bytes, inner),
                _ => typed(bytes, inner, kind),
            }
        }
        1 if kind == gre::PPP => {
            let acknowledgment = if flags & ACKNOWLEDGMENT != 0 { 4 } else { 0 };
            ppp(bytes, offset + size + acknowledgment)
        }
        _ => None,
    }
}

#[inline(always)]
fn udp<B: Bytes>(bytes: B, offset: usize, follow: Follow) -> Option<Place> {
    let header = bytes.array::<8>(offset)?;
    let ports = [be16(&header, 0), be16(&header, 2)];
    let inner = offset + 8;
    match ports[1] {
        port::VXLAN | port::VXLAN_LINUX if follow.has(Follow::VXLAN) => {
            // The flag says that the network identifier is valid.
            let [flags] = bytes.array(inner)?;
            if flags & 0x08 == 0 {
                return None;
            }
            return bridged(bytes, inner + 8);
        }
        port::GENEVE if follow.has(Follow::GENEVE) => {
            let header = bytes.array::<4>(inner)?;
            let [first, ..] = header;
            if first >> 6 != 0 {
                return None;
            }
            let options = usize::from(first & 0x3f) * 4;
            return typed(bytes, inner + 8 + options, be16(&header, 2));
        }
        port::GRE if follow.has(Follow::GRE) => return generic(bytes, inner),
        _ => {}
    }
    // Who answers may do so to any port.
    if follow.has(Follow::GTP) && ports.contains(&port::GTP) {
        return user_plane(bytes, inner);
    }
    if !follow.has(Follow::TEREDO) {
        return None;
    }
    // A client answers a server from any port.
    if ports.contains(&port::TEREDO) {
        return teredo(bytes, inner);
    }
    let length = u32::from(be16(&header, 4)).saturating_sub(8);
    is_of_a_client(bytes, inner, length).then_some((inner, ethertype::IPV6))
}

/// A datagram of so many bytes, at `offset`, is an IPv6 packet of a Teredo client or
/// to one; trailers may follow it (RFC 6081 4).
#[inline(always)]
fn is_of_a_client<B: Bytes>(bytes: B, offset: usize, length: u32) -> bool {
    let Some([first, second, source, _, _, _, destination]) = bytes.words::<7>(offset) else {
        return false;
    };
    first >> 28 == 6
        && (second >> 16) + 40 <= length
        && (source == TEREDO_PREFIX || destination == TEREDO_PREFIX)
}

/// GTP-U (3GPP TS 29.281 5.1, 5.2): version 1, a user's packet.
#[inline(always)]
fn user_plane<B: Bytes>(bytes: B, mut offset: usize) -> Option<Place> {
    const EXTENDED: u8 = 0x04;
    const OPTIONAL: u8 = 0x07;
    const PACKET: u8 = 0xff;
    let [flags, kind] = bytes.array(offset)?;
    if flags & 0xf0 != 0x30 || kind != PACKET {
        return None;
    }
    offset += 8;
    if flags & OPTIONAL == 0 {
        return by_version(bytes, offset);
    }
    offset += 4;
    for _ in 0..EXTENSIONS {
        // What comes next is in the last byte before it.
        let [next] = bytes.array(offset - 1)?;
        if flags & EXTENDED == 0 || next == 0 {
            break;
        }
        let [words] = bytes.array(offset)?;
        if words == 0 {
            return None;
        }
        offset = bytes.forget(offset + usize::from(words) * 4, u32::from(next));
    }
    by_version(bytes, offset)
}

/// Teredo: authentication and origin indication may come first (RFC 4380
/// 5.1.1).
#[inline(always)]
fn teredo<B: Bytes>(bytes: B, mut offset: usize) -> Option<Place> {
    if let [0, 1, identifier, value] = bytes.array(offset)? {
        // Lengths of the client identifier and of the authentication value;
        // a nonce and a confirmation byte follow them.
        offset += 4 + usize::from(identifier) + usize::from(value) + 9;
    }
    if let [0, 0] = bytes.array(offset)? {
        offset += 8;
    }
    by_version(bytes, offset).filter(|&(_, kind)| kind == ethertype::IPV6)
}
