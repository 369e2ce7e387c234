//! Programs that do nothing, attached as ours are: what the hooks themselves
//! cost. veth pays for XDP whatever the program does. Or those that do what no
//! table can do without, and ask nothing.

use std::{
    ffi::CString,
    io::{self, Read as _, Write as _},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
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
    /// Not nothing: each segment into the table, each ending into the ring
    #[arg(long)]
    floor: bool,
}

/// As many as `termination run` has by default.
const SLOTS: u32 = 1 << 18;

/// As long as its reader rests.
const REST: Duration = Duration::from_millis(20);

/// Attaches, says `ready`, waits for the end of standard input.
pub(crate) fn run(options: &Options) -> Result<()> {
    let name = CString::new(options.interface.as_str())?;
    // SAFETY: a C string.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        return Err(format!("no interface {}", options.interface).into());
    }
    let (sizes, xdp, tc) = if options.floor {
        (Sizes::new(SLOTS, 1 << 24)?, "floor_xdp", "floor_tc")
    } else {
        (Sizes::new(64, 1 << 16)?, "empty", "empty_tc")
    };
    let (_loaded, mut programs, mut ring) = load::load(load::BENCH_OBJECT, sizes, false)?;
    let (ingress, place) = if options.xdp {
        (xdp, Place::XdpNative)
    } else {
        (tc, Place::TcxIngress)
    };
    let _ingress = bpf::attach(programs.get(ingress)?, index, place)?;
    let _egress = bpf::attach(programs.get(tc)?, index, Place::TcxEgress)?;
    println!("ready");
    io::stdout().flush()?;
    let over = AtomicBool::new(false);
    thread::scope(|scope| -> Result<()> {
        if options.floor {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    while ring.take().is_some() {}
                    ring.settle_all();
                    thread::sleep(REST);
                }
            });
        }
        let read = io::stdin().read_to_end(&mut Vec::new());
        over.store(true, Ordering::Relaxed);
        read?;
        Ok(())
    })
}
