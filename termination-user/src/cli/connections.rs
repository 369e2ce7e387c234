//! `termination connections`.

use std::path::Path;

use super::{
    Halt, client,
    output::{self, Output},
    stats::unexpected,
};
use crate::report::{
    Ask, Connection, Filter, Report,
    ask::{Prefix, StateName},
    table,
};

/// What to show.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// In this state as a whole, or with an end in it: established,
    /// half_closed, fin_wait_2, close_wait, time_wait, …
    #[arg(long, value_name = "STATE")]
    state: Option<StateName>,
    /// With an end of this address, or of this prefix
    #[arg(long, value_name = "ADDRESS[/LENGTH]")]
    address: Option<Prefix>,
    /// With an end on this port
    #[arg(long)]
    port: Option<u16>,
    /// Also those that have ended and linger
    #[arg(long)]
    ended: bool,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// JSON Lines, one connection a line
    #[arg(long)]
    json: bool,
}

/// Asks for the connections that match.
pub(super) fn main(arguments: Arguments, socket: &Path) -> Result<(), Halt> {
    let Arguments {
        state,
        address,
        port,
        ended,
        limit,
        json,
    } = arguments;
    let filter = Filter {
        state,
        address,
        port,
        ended,
        limit,
    };
    let mut output = Output::open();
    let mut answer = client::ask(socket, &Ask::Connections(filter))?;
    if json {
        return answer.copy(&mut output);
    }
    let mut list = collect(&mut answer)?;
    // The longest at work last, next to the prompt.
    list.sort_by(|a, b| a.age_seconds.total_cmp(&b.age_seconds));
    output.write(&table::connections(&list, output::style()))?;
    output.flush()
}

/// All connections of an answer.
pub(super) fn collect(answer: &mut client::Answer) -> Result<Vec<Connection>, Halt> {
    let mut list = Vec::new();
    while let Some(report) = answer.report()? {
        match report {
            Report::Connection(connection) => list.push(connection),
            other => return Err(unexpected(&other)),
        }
    }
    Ok(list)
}
