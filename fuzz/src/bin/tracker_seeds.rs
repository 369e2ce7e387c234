//! Seeds of `tracker` from what `engine` and `frame_parser` have found: each input
//! as the capture that says the same. Mutations of a file alone rarely make the
//! next segment of a conversation.
//!
//! ```sh
//! cargo run --release --bin tracker_seeds -- corpus/engine corpus/frame_parser OUT
//! ```

use std::{
    env,
    error::Error,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use termination_common::{
    segment::{Segment, mark},
    tuple::Endpoint,
    wire::{build::Frame, ethertype},
};
use termination_fuzz::script::{Act, Script};

/// Link types.
const ETHERNET: u32 = 1;
const RAW: u32 = 101;
/// The tracker's first byte: follow tunnels.
const TUNNELS: u8 = 4;
const SECOND: u64 = 1_000_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [engine, frames, out] = &arguments[..] else {
        return Err("usage: tracker_seeds ENGINE_CORPUS FRAME_CORPUS OUT".into());
    };
    let out = Path::new(out);
    fs::create_dir_all(out)?;
    let mut written = 0;
    for (from, convert) in [
        (engine, conversation as fn(&[u8]) -> Option<Vec<u8>>),
        (frames, frame),
    ] {
        let entries = fs::read_dir(from).map_err(|error| format!("{from}: {error}"))?;
        for entry in entries {
            if let Some(seed) = convert(&fs::read(entry?.path())?) {
                fs::write(out.join(format!("seed-{written:05}")), seed)?;
                written += 1;
            }
        }
    }
    println!("{written} captures in {}", out.display());
    Ok(())
}

/// The segments of a script, one packet each.
fn conversation(input: &[u8]) -> Option<Vec<u8>> {
    let (&first, bytes) = input.split_first()?;
    let mut seed = head(0, ETHERNET);
    for act in Script::new(bytes, first & 1 != 0, false) {
        if let Act::Segment(segment) = act {
            let frame = carried(&segment);
            packet(&mut seed, segment.time, &frame, segment.payload);
        }
    }
    Some(seed)
}

/// What `frame_parser` reads, in the link that has it so.
fn frame(input: &[u8]) -> Option<Vec<u8>> {
    let (&first, frame) = input.split_first()?;
    let (link, frame) = match first >> 2 & 3 {
        0 => (ETHERNET, frame.to_vec()),
        1 => (RAW, frame.to_vec()),
        _ => {
            let kind = match first >> 5 {
                0 | 1 => ethertype::IPV4,
                2 => ethertype::IPV6,
                3 => ethertype::MPLS,
                4 => ethertype::PPPOE,
                5 => ethertype::VLAN,
                _ => ethertype::BRIDGED,
            };
            let header = [&[2; 12][..], &kind.to_be_bytes()].concat();
            (ETHERNET, [&header, frame].concat())
        }
    };
    let mut seed = head(TUNNELS, link);
    packet(&mut seed, SECOND, &frame, 0);
    Some(seed)
}

/// The tracker's first byte, and the header of a pcap with nanoseconds.
fn head(first: u8, link: u32) -> Vec<u8> {
    let mut seed = vec![first];
    for word in [0xa1b2_3c4d, 2 | 4 << 16, 0, 0, 65_535, link] {
        seed.extend(word.to_le_bytes());
    }
    seed
}

/// `missing`: bytes of it that were not captured.
fn packet(seed: &mut Vec<u8>, time: u64, frame: &[u8], missing: u32) {
    let captured = frame.len() as u32;
    let (seconds, rest) = ((time / SECOND) as u32, (time % SECOND) as u32);
    for word in [seconds, rest, captured, captured + missing] {
        seed.extend(word.to_le_bytes());
    }
    seed.extend(frame);
}

/// The frame that carried a segment, without payload.
fn carried(segment: &Segment) -> Vec<u8> {
    let sender = usize::from(segment.sender);
    let [source, destination] =
        [sender, sender ^ 1].map(|side| address(segment.tuple.endpoint(side)));
    let mut options = Vec::new();
    if segment.marks & mark::TIMESTAMPS != 0 {
        options.extend([1, 1, 8, 10]);
        options.extend(segment.tsval.to_be_bytes());
        options.extend([0; 4]);
    }
    if segment.marks & mark::WINDOW_SCALE != 0 {
        options.extend([1, 3, 3, segment.window_scale]);
    }
    if segment.marks & mark::SACK_PERMITTED != 0 {
        options.extend([1, 1, 4, 2]);
    }
    if segment.marks & mark::SACK != 0 {
        let begin = segment.sack_edge.wrapping_sub(1).to_be_bytes();
        options.extend([1, 1, 5, 10]);
        options.extend([begin, segment.sack_edge.to_be_bytes()].concat());
    }
    // No packet is longer than its length field says.
    let length = 40 + options.len() as u32 + segment.payload;
    Frame::between(source, destination)
        .tcp(segment.flags.0)
        .seq(segment.seq)
        .ack(segment.ack)
        .window(segment.window as u16)
        .options(&options)
        .ip_length(u16::try_from(length).unwrap_or(u16::MAX))
        .build()
}

fn address(endpoint: Endpoint) -> SocketAddr {
    // Scripts talk over IPv4.
    let address = Ipv4Addr::from_bits(endpoint.address[1] as u32);
    SocketAddr::from((address, endpoint.port))
}
