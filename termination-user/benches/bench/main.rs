//! Measurements of the kernel programs and of the controller. `cargo xtask
//! bench` runs them, sets up what they need, and writes down where they ran.

mod ask;
mod events;
mod expiry;
mod frame;
mod harness;
mod hold;
mod life;
mod live;
mod memory;
mod packet;
mod scan;
mod segments;

use std::{path::PathBuf, process};

use clap::{Parser, Subcommand};
use termination_lab::{cleanup, signal};

use harness::{Result, write};

/// Measures one thing; prints a table.
#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    what: What,
    /// Also writes the figures here, as JSON
    #[arg(long, global = true, value_name = "FILE")]
    json: Option<PathBuf>,
    /// A first impression
    #[arg(long, global = true)]
    quick: bool,
    /// What `cargo bench` says to all measurements
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum What {
    /// What a packet costs in the kernel
    Packet(packet::Options),
    /// What a frame costs on its way over a veth pair
    Live(live::Options),
    /// What a whole connection costs in the kernel
    Life(life::Options),
    /// Endings a second, from the kernel to a reader
    Events(events::Options),
    /// What the table costs user space: looks, expiry, questions
    Scan(scan::Options),
    /// Memory of a million connections
    Memory,
    /// Attaches programs that do nothing, or the least, until standard input ends
    Hold(hold::Options),
}

fn main() -> Result<()> {
    let Options {
        what,
        json,
        quick,
        bench: _,
    } = Options::parse();
    // Namespaces outlive a process that a signal ends.
    signal::on_interrupt(|signal| cleanup(|| process::exit(128 + signal)))?;
    let figures = match what {
        What::Packet(options) => packet::run(&options, quick)?,
        What::Live(options) => live::run(&options, quick)?,
        What::Life(options) => life::run(&options, quick)?,
        What::Events(options) => events::run(&options, quick)?,
        What::Scan(options) => scan::run(&options, quick)?,
        What::Memory => memory::run()?,
        What::Hold(options) => return hold::run(&options),
    };
    write(json.as_deref(), &figures)
}
