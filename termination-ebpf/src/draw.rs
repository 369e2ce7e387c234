//! Which connection the next frame of a measurement belongs to.
//!
//! BPF_PROG_TEST_RUN runs a program on one frame as often as it is told. Here
//! the frame becomes another connection's each time, all of them in turn in an
//! order that no cache foresees, and each connection's sequence numbers go on.

use core::arch::asm;

use aya_ebpf::{btf_maps::Array, macros::btf_map, programs::XdpContext};

/// What to draw from; user space writes it before each run.
#[repr(C)]
pub(crate) struct Draw {
    /// Frames so far.
    pub count: u64,
    /// Number of connections - 1; the number is a power of two.
    pub mask: u32,
    /// Its logarithm.
    pub shift: u32,
    /// 0: from the client; 1: from the server.
    pub back: u32,
    /// Sequence number of each connection's first frame.
    pub seq: u32,
    /// By how much it goes on with each further one.
    pub step: u32,
    /// Acknowledgment number of the first frame.
    pub ack: u32,
    /// By how much it goes on.
    pub ack_step: u32,
    /// Number of the first connection.
    pub first: u32,
    /// Always 0. Two draws that are used at once share no cache line.
    pub reserved: [u32; 22],
}

const _: () = assert!(size_of::<Draw>() == 128);

/// One for each run at the same time; the first byte of the frame, of which
/// nothing else depends, says which.
#[btf_map]
pub(crate) static DRAW: Array<Draw, 2> = Array::new();

// Where things are in a frame of Ethernet, IPv4 without options and TCP.
const SOURCE: usize = 26;
const DESTINATION: usize = 30;
const PORTS: usize = 34;
const SEQ: usize = 38;
const ACK: usize = 42;
const URGENT: usize = 52;
const LEAST: usize = 54;

/// Golden ratio: an odd factor, so that every connection comes once a round.
const SPREAD: u32 = 0x9e37_79b1;

/// Writes the next connection into the frame. Its checksum stays what it was:
/// the urgent pointer, which nobody reads without URG, makes up for the rest.
#[inline(always)]
pub(crate) fn draw(context: &XdpContext) {
    let frame = context.data();
    if frame + LEAST > context.data_end() {
        return;
    }
    // SAFETY: within the frame, checked above.
    let number = unsafe { core::ptr::with_exposed_provenance::<u8>(frame).read() };
    let Some(draw) = DRAW.get_ptr_mut(number.into()) else {
        return;
    };
    // A word at a time, in assembly: the compiler would write bytes, since words of
    // headers are misaligned, and a word that was written in bytes cannot be read
    // before all of them have reached the cache. No card writes like that.
    let put = |at: usize, value: u32| {
        // SAFETY: within the frame, checked above; where words cannot be
        // misaligned, the verifier refuses the program.
        unsafe {
            asm!(
                "*(u32 *)({0} + 0) = {1}",
                in(reg) frame + at,
                in(reg) u64::from(value),
                options(nostack, preserves_flags)
            );
        }
    };
    // SAFETY: a map value, written by this program alone while it is measured.
    let draw = unsafe { &mut *draw };
    let count = draw.count;
    draw.count = count + 1;
    let flow = draw.first + ((count as u32).wrapping_mul(SPREAD) & draw.mask);
    let round = (count >> (draw.shift & 31)) as u32;
    // 10.1.0.0 and up, sixteen thousand ports each.
    let address = (0x0a01_0000 + (flow >> 14)).to_be();
    let client = u32::from((2048 + (flow & 0x3fff) as u16).to_be());
    let server = u32::from(443_u16.to_be());
    let ports = if draw.back == 0 {
        put(SOURCE, address);
        client | server << 16
    } else {
        put(DESTINATION, address);
        server | client << 16
    };
    let seq = draw.seq.wrapping_add(draw.step.wrapping_mul(round)).to_be();
    let ack = draw
        .ack
        .wrapping_add(draw.ack_step.wrapping_mul(round))
        .to_be();
    put(PORTS, ports);
    put(SEQ, seq);
    put(ACK, ack);
    let mut sum = halves(address) + halves(ports) + halves(seq) + halves(ack);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    // SAFETY: as above.
    unsafe {
        asm!(
            "*(u16 *)({0} + 0) = {1}",
            in(reg) frame + URGENT,
            in(reg) u64::from(!(sum as u16)),
            options(nostack, preserves_flags)
        );
    }
}

#[inline(always)]
const fn halves(word: u32) -> u32 {
    (word & 0xffff) + (word >> 16)
}
