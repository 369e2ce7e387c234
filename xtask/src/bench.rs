//! `cargo xtask bench <what>`: measurements that anyone can repeat.

mod capture;
mod measure;
mod packet;
mod pcap;

use anyhow::Result;
use clap::{Args, Subcommand};

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Packets a second from a capture, beside tshark, tcptrace and argus
    Pcap(pcap::Options),
    /// Nanoseconds a packet in the kernel, beside BPF's own hash maps
    Packet(packet::Options),
}

/// Measures, prints a table, writes JSON.
///
/// # Errors
///
/// When a program is missing or fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    match &options.what {
        What::Pcap(options) => pcap::run(options),
        What::Packet(options) => packet::run(options),
    }
}
