//! From a frame to a [`Segment`]: Ethernet, VLAN, IPv4, IPv6 and TCP.
//!
//! One parser for the kernel and for captures. It reads through [`Bytes`], so
//! that a BPF program can check each access the way its verifier wants it
//! (`termination-ebpf`'s `packet`), and host code can pass a plain `&[u8]`.
//! It returns nothing but a reason to pass the frame by; the segment is written
//! in place, because a BPF program has 512 bytes of stack.
//!
//! Sequence space comes from the **IP** length alone. The frame's own length
//! lies: short frames are padded, captures are trimmed, offloads hand over
//! super-segments.

mod checksum;
mod fast;
mod ip;
mod light;
mod link;
mod tcp;
pub mod tunnel;

#[cfg(any(test, feature = "build"))]
pub mod build;
#[cfg(test)]
mod tests;

pub use checksum::{fold, pseudo_header, tcp_checksum_ok};
pub use fast::fast;
pub use ip::ip;
pub use light::light;
pub use link::{by_ethertype, ethernet, ethertype};

use crate::{segment::Segment, taxonomy::vocabulary};

/// A frame that can be read at an offset.
///
/// `Copy`, and meant to be two words (begin and end), so that an implementation
/// can be handed to a BPF sub-program in registers.
pub trait Bytes: Copy {
    /// The `N` bytes at `offset`, if all of them are within reach.
    fn array<const N: usize>(&self, offset: usize) -> Option<[u8; N]>;

    /// The `N` 32-bit words at `offset`, in host order, if all of them are
    /// within reach: what [`Self::array`] reads, for those who need no bytes.
    fn words<const N: usize>(&self, offset: usize) -> Option<[u32; N]>;

    /// The ones-complement sum of `length` bytes at `offset` as big-endian
    /// 16-bit words, an odd last byte padded with zero, folded to 16 bits
    /// (RFC 1071). `None` if some of them are out of reach, or if there are
    /// more than the implementation is willing to sum.
    fn sum(&self, offset: usize, length: usize) -> Option<u32>;

    /// The same `offset`. A BPF verifier tells apart all values that it can
    /// follow, and walks on once for each; here it is made to forget, with the
    /// help of `noise`: any value from the frame that nothing branched on.
    #[inline(always)]
    fn forget(&self, offset: usize, noise: u32) -> usize {
        let _ = noise;
        offset
    }

    /// Takes up to `rounds` steps, until one says that it was the last. A BPF
    /// program has the kernel go round (`bpf_loop`), so that the verifier walks
    /// the step and not the rounds.
    #[inline(always)]
    fn repeat<S: Step>(rounds: u32, state: &mut S) {
        for _ in 0..rounds {
            if state.step() == Next::Stop {
                break;
            }
        }
    }
}

/// The body of a loop with what it carries from round to round.
pub trait Step {
    /// One round.
    fn step(&mut self) -> Next;
}

/// Whether there is another round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Yes.
    Continue,
    /// No.
    Stop,
}

impl Bytes for &[u8] {
    #[inline(always)]
    fn array<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.get(offset..)?.first_chunk().copied()
    }

    #[inline(always)]
    fn words<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        let (words, _) = self.get(offset..)?.as_chunks::<4>();
        Some(words.first_chunk::<N>()?.map(u32::from_be_bytes))
    }

    fn sum(&self, offset: usize, length: usize) -> Option<u32> {
        let bytes = self.get(offset..offset.checked_add(length)?)?;
        let (words, odd) = bytes.as_chunks::<2>();
        let last = odd.first().map_or(0, |&byte| u64::from(byte) << 8);
        let sum = words
            .iter()
            .fold(last, |sum, &word| sum + u64::from(u16::from_be_bytes(word)));
        Some(fold(sum))
    }
}

vocabulary! {
    /// Why a frame is passed without being tracked.
    Skip {
        /// Neither IPv4 nor IPv6.
        NotIp = 1, "not_ip";
        /// IP, but not TCP (or TCP that cannot be seen, as behind ESP).
        NotTcp = 2, "not_tcp";
        /// Shorter than its headers.
        Runt = 3, "runt";
        /// IP version or header length is impossible, or the IP length does
        /// not even cover the IP headers.
        BadHeader = 4, "bad_header";
        /// TCP data offset below 5 words or beyond the segment.
        BadDataOffset = 5, "bad_data_offset";
        /// A fragment without the TCP header.
        LaterFragment = 6, "later_fragment";
        /// More VLAN tags or IPv6 extension headers than are followed.
        TooManyHeaders = 7, "too_many_headers";
        /// Source and destination are one endpoint (LAND, self-connect).
        SameEndpoints = 8, "same_endpoints";
        /// None of SYN, RST and ACK (null, bare FIN, xmas): receivers drop
        /// these (RFC 9293 3.10.7.4, fifth step).
        NoFlags = 9, "no_flags";
        /// SYN and FIN without RST: no implementation sends it, Linux drops it.
        SynFin = 10, "syn_fin";
        /// SYN, FIN or RST with a wrong TCP checksum.
        BadChecksum = 11, "bad_checksum";
        /// Carries another packet that is not followed: MPLS, PPPoE, IP in IP,
        /// GRE. Tunnels over UDP count as `not_tcp`.
        Encapsulated = 12, "encapsulated";
    }
}

/// Number of [`Skip`] reasons plus one; index 0 is unused.
pub const SKIPS: usize = 13;

/// What the driver knows about a frame and the frame itself does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// [`Segment::time`].
    pub time: u64,
    /// [`Segment::home`].
    pub home: u32,
    /// Zone for the tuple, 0 unless policy gives the interface one.
    pub zone: u16,
    /// Marks that hold whatever the frame says, such as
    /// [`crate::segment::mark::EGRESS`].
    pub marks: u16,
    /// [`Segment::packets`], >= 1.
    pub packets: u16,
    /// Bytes of the whole frame, from offset 0 on (skb length, or the original
    /// length in a capture). Read only where the IP length field is 0: a
    /// super-segment of 64 KiB or more (BIG TCP), or one before segmentation.
    pub length: u32,
    /// The bytes may end before the frame does (a capture's snap length): take
    /// the TCP options that are there. Otherwise a frame that ends inside its
    /// TCP header is a runt, as it is to a receiver.
    pub trimmed: bool,
    /// Check the TCP checksum of SYN, FIN and RST segments. Not for egress,
    /// where it has yet to be computed.
    pub verify_checksum: bool,
}

/// Big-endian 16 bits at a constant place of a header; 0 beyond its end, so
/// that no panic is compiled in.
#[inline(always)]
fn be16<const N: usize>(header: &[u8; N], at: usize) -> u16 {
    part(header, at).map_or(0, u16::from_be_bytes)
}

/// Big-endian 32 bits, likewise.
#[inline(always)]
fn be32<const N: usize>(header: &[u8; N], at: usize) -> u32 {
    part(header, at).map_or(0, u32::from_be_bytes)
}

/// Big-endian 64 bits, likewise.
#[inline(always)]
fn be64<const N: usize>(header: &[u8; N], at: usize) -> u64 {
    part(header, at).map_or(0, u64::from_be_bytes)
}

#[inline(always)]
fn part<const N: usize, const M: usize>(header: &[u8; N], at: usize) -> Option<[u8; M]> {
    header.get(at..)?.first_chunk().copied()
}
