//! `termination guards`.

use std::path::Path;

use super::{
    Halt, client,
    output::{self, Output},
    stats::unexpected,
};
use crate::report::{Ask, Report, table};

/// What to show.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The last so many RSTs that were dropped, or would have been
    #[arg(long, value_name = "N", default_value_t = 10)]
    count: u64,
    /// JSON Lines: the counts, then these RSTs, one event a line
    #[arg(long)]
    json: bool,
}

/// Asks what the guards did.
pub(super) fn main(arguments: &Arguments, socket: &Path) -> Result<(), Halt> {
    let &Arguments { count, json } = arguments;
    let mut output = Output::open();
    let mut answer = client::ask(socket, &Ask::Guards { count })?;
    if json {
        return answer.copy(&mut output);
    }
    let guards = match answer.only()? {
        Report::Guards(guards) => guards,
        other => return Err(unexpected(&other)),
    };
    let mut examples = Vec::new();
    while let Some(report) = answer.report()? {
        examples.push(report);
    }
    output.write(&table::guards(&guards, &examples, output::style()))?;
    output.flush()
}
