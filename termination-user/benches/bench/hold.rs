//! Programs that do nothing, attached as ours are: what the hooks themselves
//! cost. veth pays for XDP whatever the program does.

use std::{
    ffi::CString,
    io::{self, Read as _, Write as _},
};

use termination_user::control::kernel::{
    bpf::{self, Place},
    load::{self, Sizes},
};

use crate::harness::Result;

/// Where.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Interface of this network namespace
    interface: String,
    /// Incoming packets by native XDP, not TCX
    #[arg(long)]
    xdp: bool,
}

/// Attaches, says `ready`, waits for the end of standard input.
pub(crate) fn run(options: &Options) -> Result<()> {
    let name = CString::new(options.interface.as_str())?;
    // SAFETY: a C string.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(format!("no interface {}", options.interface).into());
    }
    let sizes = Sizes::new(64, 1 << 16)?;
    let (_loaded, mut programs, _ring) = load::load(load::BENCH_OBJECT, sizes, false)?;
    let (ingress, place) = if options.xdp {
        ("empty", Place::XdpNative)
    } else {
        ("empty_tc", Place::TcxIngress)
    };
    let _ingress = bpf::attach(programs.get(ingress)?, index, place)?;
    let _egress = bpf::attach(programs.get("empty_tc")?, index, Place::TcxEgress)?;
    println!("ready");
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
