//! The commonest frames, read with as little as it takes: a segment with ACK
//! and none of SYN, FIN and RST, over IPv4 without options or IPv6 without
//! extension headers, and no TCP options but timestamps.
//!
//! What is returned here is what [`super::ethernet`] would have written; where
//! anything is out of the ordinary, nothing is returned and the other reads.
//! Words instead of bytes: a BPF program spends as much on taking a word apart
//! as on reading it.

use super::{Bytes, ethertype, ip::protocol, link::ETHERNET, tcp};
use crate::{
    segment::{Fast, Flags},
    tuple::{Endpoint, Family, Tuple},
};

/// Words of an IPv4 header without options, and of the fixed IPv6 header.
const V4: usize = 5;
const V6: usize = 10;
/// Words of a TCP header without options, and of timestamps after two no-ops.
const TCP: usize = 5;
const STAMPS: usize = 3;

/// Reads an Ethernet II frame that starts at offset 0, with at most one VLAN
/// tag. `tick` and `home` of the result are left 0, `packets` 1.
#[inline(always)]
pub fn fast<B: Bytes>(bytes: B) -> Option<Fast> {
    let mut kind = u16::from_be_bytes(bytes.array(ETHERNET - 2)?);
    let mut at = ETHERNET;
    if kind == ethertype::VLAN {
        let [tag] = bytes.words(at)?;
        kind = tag as u16;
        at += 4;
    }
    if kind == ethertype::IPV4 {
        let [first, fragment, protocol, source, destination] = bytes.words::<V4>(at)?;
        // Version 4, five words; no fragment; TCP.
        if first >> 24 != 0x45
            || fragment & 0x3fff != 0
            || protocol >> 16 & 0xff != u32::from(protocol::TCP)
        {
            return None;
        }
        // 0, where the length is not said, underflows.
        let length = (first & 0xffff).checked_sub(V4 as u32 * 4)?;
        let ends = [mapped(source), mapped(destination)];
        transport(bytes, at + V4 * 4, length, ends, Family::V4)
    } else if kind == ethertype::IPV6 {
        let [first, next, a, b, c, d, e, f, g, h] = bytes.words::<V6>(at)?;
        let length = next >> 16;
        if first >> 28 != 6 || next >> 8 & 0xff != u32::from(protocol::TCP) || length == 0 {
            return None;
        }
        let ends = [[join(a, b), join(c, d)], [join(e, f), join(g, h)]];
        transport(bytes, at + V6 * 4, length, ends, Family::V6)
    } else {
        None
    }
}

/// An IPv4 address in the form of [`Endpoint`].
#[inline(always)]
pub(super) const fn mapped(address: u32) -> [u64; 2] {
    [0, 0xffff_0000_0000 | address as u64]
}

#[inline(always)]
pub(super) const fn join(high: u32, low: u32) -> u64 {
    (high as u64) << 32 | low as u64
}

#[inline(always)]
fn transport<B: Bytes>(
    bytes: B,
    at: usize,
    length: u32,
    [source, destination]: [[u64; 2]; 2],
    family: Family,
) -> Option<Fast> {
    let [ports, seq, ack, control, _] = bytes.words::<TCP>(at)?;
    let flags = Flags((control >> 16) as u8);
    if !flags.ack() || flags.any(Flags::SYN | Flags::FIN | Flags::RST) {
        return None;
    }
    let words = control >> 28;
    let mut tsval = None;
    if words == (TCP + STAMPS) as u32 {
        let [kind, value, _] = bytes.words::<STAMPS>(at + TCP * 4)?;
        if kind != tcp::aligned::TIMESTAMPS {
            return None;
        }
        tsval = Some(value);
    } else if words != TCP as u32 {
        return None;
    }
    let payload = length.checked_sub(words * 4)?;
    let source = Endpoint {
        address: source,
        port: (ports >> 16) as u16,
    };
    let destination = Endpoint {
        address: destination,
        port: ports as u16,
    };
    let (tuple, sender) = Tuple::new(source, destination, family, 0)?;
    Some(Fast {
        tuple,
        seq,
        ack,
        payload,
        window: control as u16,
        packets: 1,
        tsval,
        sender: sender as u8,
        home: 0,
        tick: 0,
    })
}
