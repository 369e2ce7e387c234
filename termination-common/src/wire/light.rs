//! The least that there is to know of a segment at the level `closing`: that it
//! has ACK and none of SYN, FIN and RST, and the key of its connection in the
//! attention filter.
//!
//! Of Ethernet with at most one VLAN tag, IPv4 without options and unfragmented,
//! IPv6 without extension headers; what is out of the ordinary is nothing here.
//! Neither lengths nor options nor the order of the ends matter: all of that is
//! for those who need attention.

use super::{
    Bytes, ethertype,
    fast::{join, mapped},
    ip::protocol,
    link::ETHERNET,
};
use crate::{attention::key_of, segment::Flags};

/// Words of an IPv4 header without options and of the part of a TCP header that
/// has its flags; the same with the fixed IPv6 header.
const V4: usize = 5 + 4;
const V6: usize = 10 + 4;

/// The key of the connection ([`crate::attention::key`]), if the frame is such a
/// segment; `seed` as for the table.
#[inline(always)]
pub fn light<B: Bytes>(bytes: B, seed: [u64; 2]) -> Option<u64> {
    let mut kind = u16::from_be_bytes(bytes.array(ETHERNET - 2)?);
    let mut at = ETHERNET;
    if kind == ethertype::VLAN {
        let [tag] = bytes.words(at)?;
        kind = tag as u16;
        at += 4;
    }
    if kind == ethertype::IPV4 {
        let [
            first,
            fragment,
            protocol,
            source,
            destination,
            ports,
            _,
            _,
            control,
        ] = bytes.words::<V4>(at)?;
        if !is_plain(control)
            || first >> 24 != 0x45
            || fragment & 0x3fff != 0
            || protocol >> 16 & 0xff != u32::from(protocol::TCP)
        {
            return None;
        }
        Some(key(mapped(source), mapped(destination), ports, seed))
    } else if kind == ethertype::IPV6 {
        let [first, next, a, b, c, d, e, f, g, h, ports, _, _, control] = bytes.words::<V6>(at)?;
        if !is_plain(control) || first >> 28 != 6 || next >> 8 & 0xff != u32::from(protocol::TCP) {
            return None;
        }
        let source = [join(a, b), join(c, d)];
        let destination = [join(e, f), join(g, h)];
        Some(key(source, destination, ports, seed))
    } else {
        None
    }
}

/// The word with the flags has ACK and neither SYN, FIN nor RST.
#[inline(always)]
const fn is_plain(control: u32) -> bool {
    const ASKED: u8 = Flags::ACK | Flags::SYN | Flags::FIN | Flags::RST;
    (control >> 16) as u8 & ASKED == Flags::ACK
}

#[inline(always)]
const fn key(source: [u64; 2], destination: [u64; 2], ports: u32, seed: [u64; 2]) -> u64 {
    key_of(
        (source, (ports >> 16) as u16),
        (destination, ports as u16),
        seed,
    )
}
