//! `termination check-policy`.

use std::path::PathBuf;

use super::{Halt, output::Output};
use crate::policy::{Policy, Summary};

/// What to read.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Policy file (TOML)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// One object of JSON
    #[arg(long)]
    json: bool,
}

/// Reads the file as `run` and `reload` would, and says what it means.
pub(super) fn main(arguments: &Arguments) -> Result<(), Halt> {
    let Arguments { file, json } = arguments;
    let policy = Policy::read(file)?;
    let summary = Summary::new(&policy, Some(file));
    let mut output = Output::open();
    if *json {
        output.json(&summary)?;
    } else {
        output.write(&format!("{} is good; it means\n", file.display()))?;
        output.write(&summary.text())?;
    }
    output.flush()
}
