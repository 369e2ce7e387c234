//! What a packet costs in the kernel: `termination-user/benches/packet.rs`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::{
    command::{self, cargo},
    privileges, setup,
};

/// How often, and where to write it down.
#[derive(Args)]
pub(crate) struct Options {
    /// Lives of every connection; the median of them is shown
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Connections, as powers of two: 0 is one, 20 a million
    #[arg(long, value_name = "N,…", default_value = "0,16,20")]
    shift: String,
    /// Where to write the figures as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Measures and prints a table.
///
/// # Errors
///
/// When a privilege is missing, set-up or the measurement fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    privileges::require("bench")?;
    setup::run()?;
    let mut command = cargo();
    command
        .args([
            "bench",
            "--package",
            "termination-user",
            "--bench",
            "packet",
            "--",
        ])
        .args(["--rounds", &options.rounds.to_string()])
        .args(["--shift", &options.shift]);
    if let Some(file) = &options.json {
        command.arg("--json").arg(std::path::absolute(file)?);
    }
    command::announce(&mut command)
}
