//! `termination time-wait`.

use std::path::Path;

use super::{
    Halt, client, connections,
    output::{self, Output},
    stats::unexpected,
};
use crate::report::{Ask, Report, table};

/// Groups that a table shows unless asked for more.
const GROUPS: u64 = 100;

/// What to show.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// One line for each connection instead of one for each pair of addresses
    /// and service
    #[arg(long)]
    each: bool,
    /// At most so many lines; how many were left out is said [default: 100
    /// groups in the table]
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Rates are over so many seconds, at most TIME_WAIT, or since observation
    /// began [default: 10]
    #[arg(long, value_name = "SECONDS", conflicts_with = "each",
          value_parser = clap::value_parser!(u64).range(1..=300))]
    window: Option<u64>,
    /// JSON Lines: the sums and each group, or with --each each connection
    #[arg(long)]
    json: bool,
}

/// Asks who holds TIME_WAIT.
pub(super) fn main(arguments: &Arguments, socket: &Path) -> Result<(), Halt> {
    let &Arguments {
        each,
        limit,
        window,
        json,
    } = arguments;
    let question = if each {
        Ask::TimeWait
    } else {
        let limit = if json { limit } else { limit.or(Some(GROUPS)) };
        Ask::TimeWaits { limit, window }
    };
    let mut output = Output::open();
    let mut answer = client::ask(socket, &question)?;
    if json {
        return answer.copy(&mut output);
    }
    let text = if each {
        let list = connections::collect(&mut answer)?;
        let limit = limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        table::sockets(&list, limit, output::style())
    } else {
        groups(&mut answer)?
    };
    output.write(&text)?;
    output.flush()
}

/// The table of an answer.
fn groups(answer: &mut client::Answer) -> Result<String, Halt> {
    let waits = match answer.only()? {
        Report::TimeWaits(waits) => waits,
        other => return Err(unexpected(&other)),
    };
    let mut list = Vec::new();
    while let Some(report) = answer.report()? {
        match report {
            Report::TimeWaitGroup(group) => list.push(group),
            other => return Err(unexpected(&other)),
        }
    }
    Ok(table::groups(&waits, &list, output::style()))
}
