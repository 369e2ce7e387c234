//! Packets are tracked a batch at a time, each with a guess where its connection
//! is. That must not show.

use termination_common::{exchange::Record, segment::Flags, wire::build::Frame};
use termination_user::{
    capture::{LinkType, Packet},
    offline::Offline,
    policy::Policy,
};

use super::scratch::{SECOND, START};

/// Few tuples that come and go, so that within a batch places are released and
/// taken by others.
#[test]
fn a_batch_says_what_single_packets_say() {
    let mut batched = Tracker::new();
    let mut single = Tracker::new();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut time = START;
    for _ in 0..20_000 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let drawn = |at: u32, below: u64| (state >> at) % below;
        // Every sixth packet, more than all that lingers: half a batch at most is
        // of one such time.
        time += if drawn(0, 6) == 0 {
            100 * SECOND
        } else {
            SECOND / 1_000
        };
        let client = format!("192.0.2.1:{}", 40_000 + drawn(8, 5));
        let server = "192.0.2.2:443".to_owned();
        let (from, to) = if drawn(16, 2) == 0 {
            (client, server)
        } else {
            (server, client)
        };
        let flags = [
            Flags::SYN,
            Flags::SYN | Flags::ACK,
            Flags::ACK,
            Flags::FIN | Flags::ACK,
            Flags::RST | Flags::ACK,
        ];
        let frame = Frame::v4(&from, &to)
            .tcp(flags[drawn(20, 5) as usize])
            .window(500)
            .seq(1_000 + drawn(24, 3) as u32)
            .ack(1_000 + drawn(32, 3) as u32)
            .build();
        batched.take(time, &frame);
        single.take(time, &frame);
        single.catch_up();
    }
    let (batched, single) = (batched.finish(), single.finish());
    assert!(batched.len() > 5_000, "{} records", batched.len());
    // Without a line of the whole list where they differ.
    let first = batched.iter().zip(&single).position(|(a, b)| a != b);
    assert_eq!(first, None);
    assert_eq!(batched.len(), single.len());
}

struct Tracker {
    offline: Offline,
    records: Vec<Record>,
}

impl Tracker {
    fn new() -> Self {
        Self {
            offline: Offline::new(&Policy::default(), false),
            records: Vec::new(),
        }
    }

    fn take(&mut self, time: u64, data: &[u8]) {
        let packet = Packet {
            time,
            link: LinkType::ETHERNET,
            data,
            length: data.len() as u32,
            number: 1,
        };
        let Self { offline, records } = self;
        offline.frame(&packet, &mut |record| records.push(*record));
    }

    fn catch_up(&mut self) {
        let Self { offline, records } = self;
        offline.catch_up(&mut |record| records.push(*record));
    }

    fn finish(mut self) -> Vec<Record> {
        let Self { offline, records } = &mut self;
        offline.finish(&mut |record| records.push(*record));
        self.records
    }
}
