//! A capture of small packets, made up: many connections at once, from
//! handshake to FINs, interleaved at random.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
};

use anyhow::{Context as _, Result};

/// Connections that are open at any moment.
pub(super) const CONNECTIONS: usize = 64_000;
/// Packets of one connection: handshake, requests and replies, close.
const LIFE: u16 = 64;
/// Between two packets. So 2 × MSL is six million packets, and TIME_WAIT is
/// both entered and left.
const STEP_NS: u64 = 10_000;
/// 2024-01-01.
const START: u64 = 1_704_067_200_000_000_000;
/// Ethernet's least, without its checksum.
const FRAME_MIN: usize = 60;
const ETHERNET: usize = 14;
const IP: usize = 20;
const TCP: usize = 20;

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;

/// One connection of those that are open.
#[derive(Clone, Copy)]
struct Flow {
    /// How many connections this place has had before.
    round: u16,
    /// Packets sent.
    step: u16,
    /// Next sequence number: client's, server's.
    next: [u32; 2],
}

/// Writes a capture of `packets` packets: pcap, nanoseconds, Ethernet, IPv4.
pub(super) fn write(path: &Path, packets: u64) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut file = BufWriter::with_capacity(1 << 20, file);
    let mut header = Vec::with_capacity(24);
    for word in [0xa1b2_3c4d_u32, 2 | 4 << 16, 0, 0, 65_535, 1] {
        header.extend(word.to_le_bytes());
    }
    file.write_all(&header)?;
    let mut flows: Vec<_> = (0..CONNECTIONS)
        .map(|place| Flow {
            round: 0,
            step: 0,
            next: isn(place, 0),
        })
        .collect();
    // xorshift64: the same capture every time.
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut record = Vec::with_capacity(16 + 80);
    for number in 0..packets {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // No truncation that matters: the high half of a product.
        let place = (((random >> 32) * CONNECTIONS as u64) >> 32) as usize;
        let Some(flow) = flows.get_mut(place) else {
            continue;
        };
        record.clear();
        packet(&mut record, place, flow, START + number * STEP_NS);
        file.write_all(&record)?;
    }
    file.flush()?;
    Ok(())
}

/// Initial sequence numbers, apart from one round to the next.
fn isn(place: usize, round: u16) -> [u32; 2] {
    let client = (place as u32)
        .wrapping_mul(0x9e37_79b9)
        .wrapping_add(u32::from(round) << 20);
    [client, client ^ 0x5555_5555]
}

/// The flow's next packet, as a record.
fn packet(record: &mut Vec<u8>, place: usize, flow: &mut Flow, time: u64) {
    // Who sends, with which flags, how many bytes.
    let (side, flags, payload) = match (flow.step, LIFE - flow.step) {
        (0, _) => (0, SYN, 0),
        (1, _) => (1, SYN | ACK, 0),
        (2, _) => (0, ACK, 0),
        (_, 4) => (0, FIN | ACK, 0),
        (_, 3) => (1, ACK, 0),
        (_, 2) => (1, FIN | ACK, 0),
        (_, 1) => (0, ACK, 0),
        // Request, ack, reply, ack.
        (step, _) => match step % 4 {
            3 => (0, PSH | ACK, 6 + usize::from(step % 7)),
            0 => (1, ACK, 0),
            1 => (1, PSH | ACK, 12),
            _ => (0, ACK, 0),
        },
    };
    let other = side ^ 1;
    let captured = (ETHERNET + IP + TCP + payload).max(FRAME_MIN);
    for word in [
        (time / 1_000_000_000) as u32,
        (time % 1_000_000_000) as u32,
        captured as u32,
        captured as u32,
    ] {
        record.extend(word.to_le_bytes());
    }
    record.extend([2, 0, 0, 0, 0, other as u8, 2, 0, 0, 0, 0, side as u8, 8, 0]);
    let total = (IP + TCP + payload) as u16;
    record.extend([0x45, 0]);
    record.extend(total.to_be_bytes());
    record.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
    let client = [10, 1, (place >> 8) as u8, place as u8];
    let server = [10, 2, 0, (place % 16) as u8];
    let port = 1024 + flow.round % 60_000;
    let ends = [(client, port), (server, 443)];
    let (from, to) = (ends[side], ends[other]);
    record.extend(from.0);
    record.extend(to.0);
    record.extend(from.1.to_be_bytes());
    record.extend(to.1.to_be_bytes());
    let ack = if flags & ACK == 0 {
        0
    } else {
        flow.next[other]
    };
    record.extend(flow.next[side].to_be_bytes());
    record.extend(ack.to_be_bytes());
    record.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
    record.resize(16 + captured, 0);

    let taken = payload as u32 + u32::from(flags & (SYN | FIN) != 0);
    flow.next[side] = flow.next[side].wrapping_add(taken);
    flow.step += 1;
    if flow.step == LIFE {
        flow.round = flow.round.wrapping_add(1);
        flow.step = 0;
        flow.next = isn(place, flow.round);
    }
}
