//! Bytes to a conversation: segments that know enough TCP to get anywhere, and
//! the passing of time.

use termination_common::{
    segment::{Flags, Segment, mark},
    tuple::{Endpoint, Family, Tuple},
};

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// A segment is seen.
    Segment(Segment),
    /// The controller comes by.
    Sweep,
    /// The controller says that segments may have been missed.
    Mark,
    /// The ring has room for so many records more.
    Room(u32),
}

/// Two ends that talk, as far as a fuzzer needs to know.
#[derive(Clone, Copy)]
struct Talk {
    tuple: Tuple,
    /// Next sequence number of each end.
    next: [u32; 2],
    /// Where each end started.
    isn: [u32; 2],
}

/// Makes up conversations.
pub struct Script<'a> {
    bytes: &'a [u8],
    talks: Vec<Talk>,
    now: u64,
    /// The higher endpoints are this host: what they say is seen as it leaves.
    here: bool,
}

/// Steps of time, nanoseconds: within a burst, round trips, timers.
const STEPS: [u64; 16] = [
    0,
    1,
    10_000,
    1_000_000,
    2_000_000,
    50_000_000,
    200_000_000,
    900_000_000,
    1_100_000_000,
    3_200_000_000,
    10_500_000_000,
    30_000_000_000,
    61_000_000_000,
    301_000_000_000,
    3_601_000_000_000,
    7_876_000_000_000,
];

const FLAGS: [u8; 16] = [
    Flags::ACK,
    Flags::ACK,
    Flags::ACK | Flags::PSH,
    Flags::SYN,
    Flags::SYN | Flags::ACK,
    Flags::FIN | Flags::ACK,
    Flags::FIN | Flags::ACK | Flags::PSH,
    Flags::RST,
    Flags::RST | Flags::ACK,
    Flags::ACK | 0x40,
    Flags::SYN | 0xc0,
    Flags::ACK | Flags::URG,
    Flags::RST | Flags::PSH,
    Flags::FIN | Flags::ACK,
    Flags::SYN | Flags::PSH,
    Flags::RST | Flags::ACK,
];

impl<'a> Script<'a> {
    /// `crowd`: many tuples, which crowd a small table. `here`: the higher
    /// endpoints are this host, so that guards have something to judge.
    pub fn new(bytes: &'a [u8], crowd: bool, here: bool) -> Self {
        let talk = |number: u16| {
            let client = Endpoint::v4(0x0a00_0001, 40_000 + number);
            // Of every third, the client is the higher endpoint.
            let server = if number % 3 == 2 {
                Endpoint::v4(0x0900_0002, 443)
            } else {
                Endpoint::v4(0x0a00_0002, 443)
            };
            let (tuple, _) = Tuple::new(client, server, Family::V4, 0).expect("two endpoints");
            // Of some, the sequence space wraps soon.
            let isn = [0xffff_fff0_u32.wrapping_add(u32::from(number) << 4), 5000];
            Talk {
                tuple,
                next: isn,
                isn,
            }
        };
        Self {
            bytes,
            talks: (0..if crowd { 40 } else { 3 }).map(talk).collect(),
            now: 1_000_000_000_000_000,
            here,
        }
    }

    /// Time of the last act.
    pub fn now(&self) -> u64 {
        self.now
    }

    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        first
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// A number near `next`, or far from it, as `choice` says.
    fn near(&mut self, choice: u8, next: u32, isn: u32, other: u32) -> u32 {
        match choice & 7 {
            0..=2 => next,
            3 => next.wrapping_sub(1),
            4 => next.wrapping_add(u32::from(self.byte()) << 4),
            5 => next.wrapping_sub(u32::from(self.byte())),
            6 if choice & 8 == 0 => isn,
            6 => other,
            _ => self.word(),
        }
    }

    /// Where a side's segments are seen, or where else.
    fn home(&self, side: usize, elsewhere: bool) -> u32 {
        // The lowest bit is that of a hook for what leaves this host.
        if self.here {
            2 + side as u32 + 2 * u32::from(elsewhere)
        } else {
            2 + u32::from(elsewhere)
        }
    }

    fn segment(&mut self, kind: u8) -> Segment {
        let which = usize::from(self.byte()) % self.talks.len();
        let side = usize::from(kind & 1);
        let mut talk = self.talks[which];
        let [flags, places, extra] = [self.byte(), self.byte(), self.byte()];
        let control = Flags(FLAGS[usize::from(flags & 0xf)]);
        if control.syn() && flags & 0x80 != 0 {
            // A new incarnation.
            talk.isn[side] = self.word();
            talk.next[side] = talk.isn[side];
        }
        let (next, isn) = (talk.next[side], talk.isn[side]);
        let (peer, peer_isn) = (talk.next[side ^ 1], talk.isn[side ^ 1]);
        let seq = if control.syn() && places & 7 < 6 {
            isn
        } else {
            self.near(places, next, isn, peer)
        };
        let ack = if control.ack() {
            self.near(places >> 4, peer, peer_isn, next)
        } else {
            0
        };
        let payload = match extra & 7 {
            0..=3 => 0,
            4 => 1,
            5 => 100,
            6 => 1460,
            _ => self.word() & 0xf_ffff,
        };
        let mut segment = Segment {
            time: self.now,
            tuple: talk.tuple,
            seq,
            ack,
            payload: if control.rst() { 0 } else { payload },
            home: self.home(side, extra & 8 != 0 && flags & 0x40 != 0),
            window: if extra & 16 == 0 { 1000 } else { 0 },
            packets: 1 + u16::from(extra & 32 != 0),
            flags: control,
            sender: side as u8,
            hops: 64,
            ..Segment::default()
        };
        if flags & 0x10 != 0 {
            segment.marks |= mark::TIMESTAMPS | mark::OPTIONS;
            segment.tsval = (self.now >> 20) as u32;
            if extra & 64 != 0 {
                segment.tsval = segment.tsval.wrapping_sub(1000);
            }
        }
        if flags & 0x20 != 0 {
            segment.marks |= mark::OPTIONS;
            if control.syn() {
                segment.marks |= mark::WINDOW_SCALE | mark::SACK_PERMITTED;
                segment.window_scale = extra >> 4 & 0xf;
            } else {
                segment.marks |= mark::SACK;
                segment.sack_edge = peer;
            }
        }
        let end = segment.end();
        if end.wrapping_sub(talk.next[side]).cast_signed() > 0 && !control.rst() {
            talk.next[side] = end;
        }
        self.talks[which] = talk;
        segment
    }
}

impl Iterator for Script<'_> {
    type Item = Act;

    fn next(&mut self) -> Option<Act> {
        if self.bytes.is_empty() {
            return None;
        }
        let kind = self.byte();
        let step = STEPS[usize::from(kind >> 1 & 0xf)];
        // Captures of several queues are not in order.
        self.now = match kind & 0xe0 {
            0xe0 => self.now.saturating_sub(step.min(1_100_000_000)),
            _ => self.now + step,
        };
        Some(match kind & 0xe0 {
            0x20 if kind & 0x1e == 0x1e => Act::Mark,
            0x20 => Act::Sweep,
            0x40 if kind & 1 != 0 => Act::Room(u32::from(self.byte() & 3)),
            0x40 => Act::Room(u32::MAX),
            _ => Act::Segment(self.segment(kind)),
        })
    }
}
