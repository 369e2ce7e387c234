//! The frames that are measured with: of which connection, the kernel draws
//! (`termination-ebpf/src/draw.rs`), or this.

use termination_common::wire::build::Frame;
use termination_user::control::kernel::plain::Plain;

/// The server of every drawn connection; the client is drawn
/// (`termination-ebpf/src/draw.rs`).
const SERVER: &str = "10.0.0.1:0";

/// As in `termination-ebpf/src/draw.rs`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Draw {
    pub(crate) count: u64,
    pub(crate) mask: u32,
    pub(crate) shift: u32,
    pub(crate) back: u32,
    pub(crate) seq: u32,
    pub(crate) step: u32,
    pub(crate) ack: u32,
    pub(crate) ack_step: u32,
    pub(crate) first: u32,
    pub(crate) reserved: [u32; 22],
}

// SAFETY: repr(C), 8 + 30 * 4 = 128 bytes, no padding.
unsafe impl Plain for Draw {}

const _: () = assert!(size_of::<Draw>() == 128);

/// One kind of frame, and how it goes on from round to round.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// As it is called in the tables.
    pub(crate) name: &'static str,
    pub(crate) frame: Vec<u8>,
    pub(crate) draw: Draw,
}

/// What one kind of frame looks like.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// TCP flags.
    pub(crate) flags: u8,
    /// Sent by the server.
    pub(crate) back: bool,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) payload: usize,
    /// TCP options.
    pub(crate) options: &'static [u8],
}

impl Shape {
    /// The frame, with everything that is drawn left 0.
    pub(crate) fn kind(&self) -> Kind {
        let client = "0.0.0.0:0";
        let (source, destination) = if self.back {
            (SERVER, client)
        } else {
            (client, SERVER)
        };
        let frame = Frame::v4(source, destination)
            .tcp(self.flags)
            .window(u16::MAX)
            .options(self.options)
            .payload(self.payload)
            .build();
        Kind {
            name: self.name,
            frame,
            draw: Draw {
                back: self.back.into(),
                seq: self.seq,
                step: self.payload as u32,
                ack: self.ack,
                ..Draw::default()
            },
        }
    }
}

impl Kind {
    /// Each further round is so many bytes further, and acks so many more.
    pub(crate) const fn advances(mut self, sent: u32, acked: u32) -> Self {
        self.draw.step = sent;
        self.draw.ack_step = acked;
        self
    }

    /// Writes what the kernel's side writes, for frame `number` of `1 << shift`
    /// connections, into a copy of the frame. The checksum of the IP header is
    /// left as it was.
    pub(crate) fn draw(&self, shift: u32, number: u64, frame: &mut [u8]) {
        // As in `termination-ebpf/src/draw.rs`, place by place.
        const SPREAD: u32 = 0x9e37_79b1;
        let flow = (number as u32).wrapping_mul(SPREAD) & ((1 << shift) - 1);
        let round = (number >> shift) as u32;
        let address = (0x0a01_0000 + (flow >> 14)).to_be_bytes();
        let client = (2048 + (flow & 0x3fff) as u16).to_be_bytes();
        let server = 443_u16.to_be_bytes();
        let (at, ports) = if self.draw.back == 0 {
            (26, [client, server])
        } else {
            (30, [server, client])
        };
        let [seq, ack] = [
            (self.draw.seq, self.draw.step),
            (self.draw.ack, self.draw.ack_step),
        ]
        .map(|(from, step)| from.wrapping_add(step.wrapping_mul(round)).to_be_bytes());
        frame[at..at + 4].copy_from_slice(&address);
        frame[34..38].copy_from_slice(ports.as_flattened());
        frame[38..42].copy_from_slice(&seq);
        frame[42..46].copy_from_slice(&ack);
        let halves = [address, seq, ack]
            .into_iter()
            .flat_map(|[a, b, c, d]| [[a, b], [c, d]]);
        let sum: u32 = halves
            .chain(ports)
            .map(|half| u32::from(u16::from_be_bytes(half)))
            .sum();
        let sum = (sum & 0xffff) + (sum >> 16);
        let sum = (sum & 0xffff) + (sum >> 16);
        frame[52..54].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    }
}
