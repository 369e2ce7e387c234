//! Attached to interfaces. Entry points only.
#![no_std]
#![cfg_attr(target_arch = "bpf", no_main)]

#[cfg(target_arch = "bpf")]
mod entry {
    use aya_ebpf::{
        macros::{classifier, xdp},
        programs::{TcContext, XdpContext},
    };
    use termination_ebpf::programs::{self, Live};

    /// Ingress, native or generic XDP.
    #[xdp(frags)]
    pub(crate) fn ingress_xdp(context: XdpContext) -> u32 {
        programs::ingress_xdp::<Live>(&context)
    }

    /// Ingress where XDP cannot be had.
    #[classifier]
    pub(crate) fn ingress_tc(context: TcContext) -> i32 {
        programs::tc::<Live>(&context, false)
    }

    /// The host's own segments.
    #[classifier]
    pub(crate) fn egress_tc(context: TcContext) -> i32 {
        programs::tc::<Live>(&context, true)
    }

    /// Time passes; run by the controller only.
    #[xdp]
    pub(crate) fn sweep(context: XdpContext) -> u32 {
        programs::sweep(&context)
    }
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}
