//! The TCP header (RFC 9293 3.1) and its options.

use super::{
    Bytes, Context, Next, Segment, Skip, Step, be16, be32,
    checksum::{pseudo_header, tcp_checksum_ok},
    ip::Datagram,
};
use crate::{
    segment::{Flags, mark},
    serial,
    tuple::{Endpoint, Tuple},
};

/// Bytes of the fixed header.
const HEADER: usize = 20;
/// The most bytes of options: 15 words of header, less the fixed 5.
const OPTIONS: usize = 40;

/// TCP option kinds (IANA).
mod kind {
    pub(super) const END: u8 = 0;
    pub(super) const NOP: u8 = 1;
    pub(super) const WINDOW_SCALE: u8 = 3;
    pub(super) const SACK_PERMITTED: u8 = 4;
    pub(super) const SACK: u8 = 5;
    pub(super) const TIMESTAMPS: u8 = 8;
    pub(super) const MPTCP: u8 = 30;
    pub(super) const FAST_OPEN: u8 = 34;
    pub(super) const EXPERIMENT: u8 = 254;
}

/// Experiment identifier of Fast Open before it had a kind (RFC 7413 4.1.1).
const FAST_OPEN_EXPERIMENT: u16 = 0xf989;

/// Words of options that begin where a word does.
pub(super) mod aligned {
    /// No-op, no-op, timestamps of length 10.
    pub(in crate::wire) const TIMESTAMPS: u32 = 0x0101_080a;
    /// No-op, no-op, SACK; plus the length of all options, where nothing but
    /// timestamps, as above, precedes. The length of SACK is 14 less than that.
    pub(super) const SACK: u32 = 0x0101_0500 - 14;
    /// Maximum segment size (RFC 9293 3.1): the word's high half.
    pub(super) const SEGMENT_SIZE: u32 = 0x0204;
    /// No-op, window scale: the word but for its last byte.
    pub(super) const WINDOW_SCALE: u32 = 0x01_0303;
    /// No-op, no-op, SACK permitted.
    pub(super) const SACK_PERMITTED: u32 = 0x0101_0402;
    /// SACK permitted, end of options.
    pub(super) const SACK_PERMITTED_END: u32 = 0x0402_0000;
    /// SACK permitted, timestamps of length 10.
    pub(super) const SACK_PERMITTED_TIMESTAMPS: u32 = 0x0402_080a;
}

/// The largest shift count that counts (RFC 7323 2.3).
const SHIFT_MAX: u8 = 14;

/// Reads the TCP segment of `datagram` and writes all of `segment`.
#[inline(always)]
pub(super) fn segment<B: Bytes>(
    bytes: B,
    datagram: &Datagram,
    context: &Context,
    segment: &mut Segment,
) -> Result<(), Skip> {
    let header = bytes.array::<HEADER>(datagram.offset).ok_or(Skip::Runt)?;
    let at = bytes.forget(datagram.offset, be32(&header, 4));
    if datagram.length < HEADER as u32 {
        return Err(Skip::Runt);
    }
    let size = usize::from(header[12] >> 4) * 4;
    let Some(payload) = datagram.length.checked_sub(size as u32) else {
        return Err(Skip::BadDataOffset);
    };
    // One comparison for both bounds, on the number that is used below: the
    // verifier, which follows registers rather than reasons, then knows it.
    let options = size.wrapping_sub(HEADER);
    if options > OPTIONS {
        return Err(Skip::BadDataOffset);
    }
    let mut marks = datagram.marks | context.marks;
    let (flags, odd) = judge(header[13])?;
    marks |= odd;

    let source = Endpoint {
        address: datagram.source,
        port: be16(&header, 0),
    };
    let destination = Endpoint {
        address: datagram.destination,
        port: be16(&header, 2),
    };
    let (tuple, sender) = Tuple::new(source, destination, datagram.family, context.zone)
        .ok_or(Skip::SameEndpoints)?;

    if !context.trimmed && options != 0 && bytes.array::<1>(at + size - 1).is_none() {
        return Err(Skip::Runt);
    }
    if context.verify_checksum
        && Flags(header[13]).any(Flags::SYN | Flags::FIN | Flags::RST)
        && marks & mark::FRAGMENT == 0
        && datagram.final_destination
    {
        let pseudo = pseudo_header(
            datagram.source,
            datagram.destination,
            datagram.family,
            datagram.length,
        );
        let length = datagram.length as usize;
        if tcp_checksum_ok(bytes, at, length, pseudo, be16(&header, 16)) == Some(false) {
            return Err(Skip::BadChecksum);
        }
    }

    *segment = Segment {
        time: context.time,
        tuple,
        seq: be32(&header, 4),
        ack: be32(&header, 8),
        payload,
        tsval: 0,
        tsecr: 0,
        sack_edge: 0,
        home: context.home,
        window: be16(&header, 14),
        packets: context.packets,
        flags,
        window_scale: 0,
        marks,
        sender: sender as u8,
        hops: datagram.hops,
        traffic_class: datagram.traffic_class,
        options_length: options as u8,
        flow_label: datagram.flow_label,
        reserved: 0,
    };
    if options == 0 {
        return Ok(());
    }
    segment.marks |= mark::OPTIONS;
    let at = at + HEADER;
    let read = if flags.syn() {
        read_syn(bytes, at, options, segment)
    } else {
        read_aligned(bytes, at, options, segment)
    };
    if !read {
        segment.marks |= read_options(bytes, at, options, segment);
    }
    Ok(())
}

/// Reads the options of a data segment or an ACK as every common stack lays
/// them out (RFC 7323, appendix A): timestamps, then SACK blocks, each after two
/// no-ops. Whether they were that, and nothing else.
#[inline(always)]
fn read_aligned<B: Bytes>(bytes: B, start: usize, length: usize, segment: &mut Segment) -> bool {
    if length < 12 {
        return false;
    }
    let Some([kinds, value, echo]) = bytes.words(start) else {
        return false;
    };
    if kinds != aligned::TIMESTAMPS {
        return false;
    }
    let mut marks = mark::TIMESTAMPS;
    if length > 12 {
        let Some([sack]) = bytes.words(start + 12) else {
            return false;
        };
        let blocks = matches!(length, 24 | 32 | 40);
        if !blocks || sack != aligned::SACK + length as u32 {
            return false;
        }
        let Some(edge) = sack_edge(bytes, start + 16, length - 16) else {
            return false;
        };
        segment.sack_edge = edge;
        marks |= mark::SACK;
    }
    segment.tsval = value;
    segment.tsecr = echo;
    segment.marks |= marks;
    true
}

/// Reads the options of a SYN as the common stacks lay them out: the maximum
/// segment size, then window scale, SACK permitted and timestamps in an order of
/// their own, padded to words. Whether they were that, and nothing else.
///
/// By whole layouts, not word by word: to a verifier, that would be a loop in
/// which each word may be anything.
#[inline(always)]
fn read_syn<B: Bytes>(bytes: B, start: usize, length: usize, segment: &mut Segment) -> bool {
    const SCALED: u16 = mark::WINDOW_SCALE | mark::SACK_PERMITTED;
    let (size, scale, stamps, marks) = if length == 20 {
        let Some([size, a, b, c, d]) = bytes.words(start) else {
            return false;
        };
        if a == aligned::SACK_PERMITTED_TIMESTAMPS {
            // Linux.
            (size, d, [b, c], SCALED | mark::TIMESTAMPS)
        } else if b == aligned::SACK_PERMITTED_TIMESTAMPS {
            // FreeBSD.
            (size, a, [c, d], SCALED | mark::TIMESTAMPS)
        } else {
            return false;
        }
    } else if length == 12 {
        let Some([size, a, b]) = bytes.words(start) else {
            return false;
        };
        if a == aligned::SACK_PERMITTED {
            // Linux without timestamps.
            (size, b, [0; 2], SCALED)
        } else if b == aligned::SACK_PERMITTED {
            // Windows.
            (size, a, [0; 2], SCALED)
        } else {
            return false;
        }
    } else if length == 24 {
        let Some([size, scale, kinds, value, echo, last]) = bytes.words(start) else {
            return false;
        };
        if kinds != aligned::TIMESTAMPS || last != aligned::SACK_PERMITTED_END {
            return false;
        }
        // Darwin.
        (size, scale, [value, echo], SCALED | mark::TIMESTAMPS)
    } else {
        return false;
    };
    if size >> 16 != aligned::SEGMENT_SIZE || scale >> 8 != aligned::WINDOW_SCALE {
        return false;
    }
    let shift = scale as u8;
    segment.window_scale = if shift > SHIFT_MAX { SHIFT_MAX } else { shift };
    [segment.tsval, segment.tsecr] = stamps;
    segment.marks |= marks;
    true
}

/// What the flags mean to a receiver, and [`mark::ODD_FLAGS`] if they had to be
/// bent to it: RST is looked at before SYN and FIN, which then mean nothing
/// (RFC 9293 3.10.7.4, second step).
#[inline(always)]
const fn judge(bits: u8) -> Result<(Flags, u16), Skip> {
    let flags = Flags(bits);
    if !flags.any(Flags::SYN | Flags::RST | Flags::ACK) {
        return Err(Skip::NoFlags);
    }
    if flags.rst() {
        let plain = bits & !(Flags::SYN | Flags::FIN);
        let odd = if plain == bits { 0 } else { mark::ODD_FLAGS };
        return Ok((Flags(plain), odd));
    }
    if flags.syn() && flags.fin() {
        return Err(Skip::SynFin);
    }
    Ok((flags, 0))
}

/// Reads `length` bytes of options at `start`, as far as they are there and
/// well formed; a malformed option ends the options, not the segment, as in
/// Linux (`tcp_parse_options`).
///
/// Not inlined: it is off the fast path, and as a BPF sub-program it has its
/// own stack. It returns the marks, since the verifier refuses a sub-program
/// that returns nothing and happens to leave a pointer in the result's register.
#[inline(never)]
fn read_options<B: Bytes>(bytes: B, start: usize, length: usize, segment: &mut Segment) -> u16 {
    let mut options = Options {
        bytes,
        at: start,
        end: start + length,
        marks: 0,
        segment,
    };
    // Every option takes a byte at least, so 40 rounds see 40 bytes.
    B::repeat(OPTIONS as u32, &mut options);
    options.marks
}

/// The options that are left.
struct Options<'a, B> {
    bytes: B,
    at: usize,
    end: usize,
    marks: u16,
    segment: &'a mut Segment,
}

impl<B: Bytes> Step for Options<'_, B> {
    #[inline(always)]
    fn step(&mut self) -> Next {
        let size = self.option().unwrap_or(0);
        self.at = self.bytes.forget(self.at + size, self.segment.seq);
        if size == 0 {
            Next::Stop
        } else {
            Next::Continue
        }
    }
}

impl<B: Bytes> Options<'_, B> {
    /// Reads the option at hand; its size, or `None` where the options end.
    #[inline(always)]
    fn option(&mut self) -> Option<usize> {
        let Self { bytes, at, end, .. } = *self;
        let [kind] = bytes.array(at)?;
        match kind {
            kind::NOP => return Some(1),
            kind::END => return None,
            _ => {}
        }
        let [size] = bytes.array(at + 1)?;
        let size = usize::from(size);
        if size < 2 || at + size > end {
            return None;
        }
        let mark = match (kind, size) {
            (kind::WINDOW_SCALE, 3) => {
                let [shift] = bytes.array(at + 2)?;
                self.segment.window_scale = if shift > SHIFT_MAX { SHIFT_MAX } else { shift };
                mark::WINDOW_SCALE
            }
            (kind::SACK_PERMITTED, 2) => mark::SACK_PERMITTED,
            (kind::SACK, 10 | 18 | 26 | 34) => {
                self.segment.sack_edge = sack_edge(bytes, at + 2, size - 2)?;
                mark::SACK
            }
            (kind::TIMESTAMPS, 10) => {
                let stamps = bytes.array::<8>(at + 2)?;
                self.segment.tsval = be32(&stamps, 0);
                self.segment.tsecr = be32(&stamps, 4);
                mark::TIMESTAMPS
            }
            (kind::MPTCP, _) => mark::MPTCP,
            (kind::FAST_OPEN, _) => mark::FAST_OPEN,
            (kind::EXPERIMENT, 4..)
                if u16::from_be_bytes(bytes.array(at + 2)?) == FAST_OPEN_EXPERIMENT =>
            {
                mark::FAST_OPEN
            }
            _ => 0,
        };
        self.marks |= mark;
        Some(size)
    }
}

/// The highest right edge of the SACK blocks (RFC 2018 3) in `length` bytes at
/// `start`, of those that are there. A block below the others is a D-SACK
/// (RFC 2883) and loses.
#[inline(always)]
fn sack_edge<B: Bytes>(bytes: B, start: usize, length: usize) -> Option<u32> {
    let mut edge = u32::from_be_bytes(bytes.array(start + 4)?);
    for block in 1..4 {
        if block * 8 >= length {
            break;
        }
        let Some(right) = bytes.array(start + block * 8 + 4) else {
            break;
        };
        edge = serial::latest(edge, u32::from_be_bytes(right));
    }
    Some(edge)
}
