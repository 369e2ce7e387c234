//! One TCP segment, as the engine sees it.

use crate::tuple::{Side, Tuple};

/// TCP control bits, the low eight of RFC 9293 3.1 (CWR and ECE included).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data from sender.
    pub const FIN: u8 = 0x01;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push function.
    pub const PSH: u8 = 0x08;
    /// Acknowledgment field is significant.
    pub const ACK: u8 = 0x10;
    /// Urgent pointer field is significant.
    pub const URG: u8 = 0x20;

    /// Any of `bits` is set.
    #[inline(always)]
    pub const fn any(self, bits: u8) -> bool {
        self.0 & bits != 0
    }
    /// FIN is set.
    #[inline(always)]
    pub const fn fin(self) -> bool {
        self.any(Self::FIN)
    }
    /// SYN is set.
    #[inline(always)]
    pub const fn syn(self) -> bool {
        self.any(Self::SYN)
    }
    /// RST is set.
    #[inline(always)]
    pub const fn rst(self) -> bool {
        self.any(Self::RST)
    }
    /// ACK is set.
    #[inline(always)]
    pub const fn ack(self) -> bool {
        self.any(Self::ACK)
    }
}

/// Which TCP options a segment carried, and facts about its packet: bits of
/// [`Segment::marks`].
pub mod mark {
    /// Timestamps (RFC 7323): `tsval` and `tsecr` are valid.
    pub const TIMESTAMPS: u16 = 1 << 0;
    /// Window scale (RFC 7323): `window_scale` is valid.
    pub const WINDOW_SCALE: u16 = 1 << 1;
    /// At least one SACK block (RFC 2018): `sack_edge` is valid.
    pub const SACK: u16 = 1 << 2;
    /// SACK permitted (RFC 2018).
    pub const SACK_PERMITTED: u16 = 1 << 3;
    /// Any Multipath TCP option (RFC 8684).
    pub const MPTCP: u16 = 1 << 4;
    /// A Fast Open cookie (RFC 7413).
    pub const FAST_OPEN: u16 = 1 << 5;
    /// The segment carried TCP options of any kind.
    pub const OPTIONS: u16 = 1 << 6;
    /// First fragment of a datagram: its flags count, its end does not.
    pub const FRAGMENT: u16 = 1 << 7;
    /// Seen leaving this host (egress hook).
    pub const EGRESS: u16 = 1 << 8;
    /// The IPv4 identification field is 0, or the packet is IPv6.
    pub const IP_ID_ZERO: u16 = 1 << 9;
    /// Its connection is in a sample; others like it are left out.
    pub const SAMPLED: u16 = 1 << 10;
    /// RST came with SYN or FIN; these were cleared, for RST wins.
    pub const ODD_FLAGS: u16 = 1 << 11;
    /// `time` has the resolution of a kernel tick (1 to 10 ms).
    pub const COARSE_TIME: u16 = 1 << 12;
    /// It has waited for a lock already.
    pub const WAITED: u16 = 1 << 15;
}

/// One TCP segment: addresses, sequence space, options and where it was seen.
///
/// Filled by the parser ([`crate::wire`]) and by the driver (time, home);
/// 96 bytes, no padding, so that it can live in a BPF map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Segment {
    /// Nanoseconds. Live: `CLOCK_MONOTONIC`; offline: the capture's clock.
    pub time: u64,
    /// The connection.
    pub tuple: Tuple,
    /// Sequence number (RFC 9293 3.1), host order.
    pub seq: u32,
    /// Acknowledgment number, host order; valid with [`Flags::ACK`].
    pub ack: u32,
    /// Payload bytes, from the IP length; neither SYN nor FIN counted.
    pub payload: u32,
    /// TSval, valid with [`mark::TIMESTAMPS`].
    pub tsval: u32,
    /// TSecr, valid with [`mark::TIMESTAMPS`].
    pub tsecr: u32,
    /// Highest right edge of the SACK blocks, valid with [`mark::SACK`].
    pub sack_edge: u32,
    /// Where it was seen: interface index << 1 | (1 at egress). Never 0 live.
    pub home: u32,
    /// Window field as on the wire, unscaled.
    pub window: u16,
    /// Packets on the wire that this segment stands for (`gso_segs`), >= 1.
    pub packets: u16,
    /// Control bits.
    pub flags: Flags,
    /// Shift count of the window scale option, at most 14 (RFC 7323 2.3).
    pub window_scale: u8,
    /// Options and packet facts: [`mark`].
    pub marks: u16,
    /// Sender: endpoint 0 or 1 of the tuple.
    pub sender: u8,
    /// IPv4 TTL or IPv6 hop limit.
    pub hops: u8,
    /// IPv4 type of service or IPv6 traffic class.
    pub traffic_class: u8,
    /// Bytes of TCP options.
    pub options_length: u8,
    /// IPv6 flow label, 0 for IPv4.
    pub flow_label: u32,
    /// Always 0; keeps the struct free of padding.
    pub reserved: u32,
}

impl Segment {
    /// Sequence number just past this segment: payload, SYN and FIN counted
    /// (SEG.SEQ + SEG.LEN of RFC 9293 3.4).
    #[inline(always)]
    pub const fn end(&self) -> u32 {
        self.seq
            .wrapping_add(self.payload)
            .wrapping_add(self.flags.syn() as u32)
            .wrapping_add(self.flags.fin() as u32)
    }

    /// The sender's side as an index.
    #[inline(always)]
    pub const fn side(&self) -> Side {
        (self.sender & 1) as Side
    }

    /// Every bit of `marks` in `bits` is set.
    #[inline(always)]
    pub const fn has(&self, bits: u16) -> bool {
        self.marks & bits == bits
    }

    /// Time as a [`crate::time::Tick`].
    #[inline(always)]
    pub const fn tick(&self) -> u32 {
        crate::time::tick(self.time)
    }
}

const _: () = assert!(size_of::<Segment>() == 96);

/// What there is to know of a segment with ACK and none of SYN, FIN and RST
/// that is no fragment and carries no TCP options but timestamps. The fields
/// are those of [`Segment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fast {
    /// The connection.
    pub tuple: Tuple,
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgment number.
    pub ack: u32,
    /// Payload bytes.
    pub payload: u32,
    /// When, as [`Segment::tick`].
    pub tick: u32,
    /// Where it was seen.
    pub home: u32,
    /// Window field.
    pub window: u16,
    /// Packets on the wire.
    pub packets: u16,
    /// TSval, where there are timestamps.
    pub tsval: Option<u32>,
    /// Endpoint 0 or 1 of the tuple.
    pub sender: u8,
}

impl Fast {
    /// The same segment, if it is one of these.
    #[inline(always)]
    pub const fn of(segment: &Segment) -> Option<Self> {
        const OTHER: u16 = mark::FRAGMENT | mark::SACK;
        let flags = segment.flags;
        if !flags.ack()
            || flags.any(Flags::SYN | Flags::FIN | Flags::RST)
            || segment.marks & OTHER != 0
        {
            return None;
        }
        Some(Self {
            tuple: segment.tuple,
            seq: segment.seq,
            ack: segment.ack,
            payload: segment.payload,
            tick: segment.tick(),
            home: segment.home,
            window: segment.window,
            packets: segment.packets,
            tsval: if segment.has(mark::TIMESTAMPS) {
                Some(segment.tsval)
            } else {
                None
            },
            sender: segment.sender,
        })
    }

    /// The same as a [`Segment`]. What the engine asks of a SYN or an RST alone (TSecr,
    /// hops, traffic class, flow label, identification and length of options) is left 0.
    ///
    /// `time` in nanoseconds, `marks` as of [`Segment::marks`].
    #[inline(always)]
    pub const fn whole(&self, time: u64, marks: u16) -> Segment {
        let (tsval, stamped) = match self.tsval {
            Some(tsval) => (tsval, mark::TIMESTAMPS),
            None => (0, 0),
        };
        Segment {
            time,
            tuple: self.tuple,
            seq: self.seq,
            ack: self.ack,
            payload: self.payload,
            tsval,
            tsecr: 0,
            sack_edge: 0,
            home: self.home,
            window: self.window,
            packets: self.packets,
            flags: Flags(Flags::ACK),
            window_scale: 0,
            marks: marks | stamped,
            sender: self.sender,
            hops: 0,
            traffic_class: 0,
            options_length: 0,
            flow_label: 0,
            reserved: 0,
        }
    }

    /// The sender's side as an index.
    #[inline(always)]
    pub const fn side(&self) -> Side {
        (self.sender & 1) as Side
    }
}
