//! The internet checksum (RFC 1071) of a TCP segment.

use super::{Bytes, ip::protocol};
use crate::tuple::Family;

/// Folds a sum of 16-bit words to 16 bits, carries added back in.
#[inline(always)]
pub const fn fold(sum: u64) -> u32 {
    // 64 to 33, to 18, to 17, to 16 bits.
    let sum = (sum >> 32) + (sum & 0xffff_ffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    sum as u32
}

/// The folded sum over the pseudo-header (RFC 9293 3.1, RFC 8200 8.1):
/// addresses as in [`crate::tuple::Endpoint`], `length` of header and payload.
#[inline(always)]
pub const fn pseudo_header(
    source: [u64; 2],
    destination: [u64; 2],
    family: Family,
    length: u32,
) -> u32 {
    let addresses = match family {
        // Without the prefix of the mapped form.
        Family::V4 => (source[1] & 0xffff_ffff) + (destination[1] & 0xffff_ffff),
        Family::V6 => {
            halves(source[0]) + halves(source[1]) + halves(destination[0]) + halves(destination[1])
        }
    };
    fold(addresses + protocol::TCP as u64 + length as u64)
}

#[inline(always)]
const fn halves(word: u64) -> u64 {
    (word >> 32) + (word & 0xffff_ffff)
}

/// Whether the TCP checksum of the segment at `offset` holds; `None` when its
/// bytes are out of reach. `pseudo` is [`pseudo_header`]'s sum, `field` the
/// checksum field.
///
/// Two values are right. One is the checksum. The other is the sum of the
/// pseudo-header, not complemented: a sender that leaves the checksum to the
/// hardware fills in just that (Linux `CHECKSUM_PARTIAL`), and veth, bridges
/// and virtio hand such frames to the receiver as they are, since they never
/// touched a wire. Linux takes them for good, so the observer must too.
#[inline(always)]
pub fn tcp_checksum_ok<B: Bytes>(
    bytes: B,
    offset: usize,
    length: usize,
    pseudo: u32,
    field: u16,
) -> Option<bool> {
    if u32::from(field) == pseudo {
        return Some(true);
    }
    let sum = bytes.sum(offset, length)?;
    Some(fold(u64::from(sum) + u64::from(pseudo)) == 0xffff)
}
