//! For measurements: each program draws a connection, writes it into the frame
//! and then does more or less of what the live program does. Entry points only.
#![no_std]
#![cfg_attr(target_arch = "bpf", no_main, feature(asm_experimental_arch))]

// Here and not in the library: a map of the library is in every object that is
// linked with it, and two million entries are made by every `termination run`.
#[cfg(target_arch = "bpf")]
mod draw;
#[cfg(target_arch = "bpf")]
mod floor;
#[cfg(target_arch = "bpf")]
mod rivals;

#[cfg(target_arch = "bpf")]
mod entry {
    use aya_ebpf::{
        bindings::xdp_action::XDP_PASS,
        macros::{classifier, xdp},
        programs::{TcContext, XdpContext},
    };
    use termination_ebpf::programs::{self, Live};

    use crate::{draw, floor, rivals};

    /// Nothing: what BPF_PROG_TEST_RUN itself takes.
    #[xdp(frags)]
    pub(crate) fn empty(_context: XdpContext) -> u32 {
        XDP_PASS
    }

    /// Nothing, on the way out.
    #[classifier]
    pub(crate) fn empty_tc(_context: TcContext) -> i32 {
        programs::UNSPEC
    }

    /// A record into the ring.
    #[xdp]
    pub(crate) fn ring(_context: XdpContext) -> u32 {
        rivals::record();
        XDP_PASS
    }

    /// The draw alone: what is taken off the others.
    #[xdp(frags)]
    pub(crate) fn drawn(context: XdpContext) -> u32 {
        draw::draw(&context);
        XDP_PASS
    }

    /// Up to the segment.
    #[xdp(frags)]
    pub(crate) fn parse(context: XdpContext) -> u32 {
        draw::draw(&context);
        programs::parse_only::<Live>(&context)
    }

    /// All of it.
    #[xdp(frags)]
    pub(crate) fn full(context: XdpContext) -> u32 {
        draw::draw(&context);
        programs::ingress_xdp::<Live>(&context)
    }

    /// What a segment cannot do without.
    #[xdp(frags)]
    pub(crate) fn floor(context: XdpContext) -> u32 {
        draw::draw(&context);
        floor::xdp(&context);
        XDP_PASS
    }

    /// The same of frames as they come.
    #[xdp(frags)]
    pub(crate) fn floor_xdp(context: XdpContext) -> u32 {
        floor::xdp(&context);
        XDP_PASS
    }

    /// The same by TCX, either way.
    #[classifier]
    pub(crate) fn floor_tc(context: TcContext) -> i32 {
        floor::skb(&context);
        programs::UNSPEC
    }

    /// The segment into a BPF hash map.
    #[xdp(frags)]
    pub(crate) fn hash(context: XdpContext) -> u32 {
        draw::draw(&context);
        rivals::hash::<Live>(&context)
    }

    /// The segment into a BPF LRU hash map.
    #[xdp(frags)]
    pub(crate) fn lru(context: XdpContext) -> u32 {
        draw::draw(&context);
        rivals::lru::<Live>(&context)
    }

    /// Time passes; run by the controller only.
    #[xdp]
    pub(crate) fn sweep(context: XdpContext) -> u32 {
        programs::sweep(&context)
    }
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
