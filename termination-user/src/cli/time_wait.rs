//! `termination time-wait`.

use std::path::Path;

use super::{
    Halt, client, connections,
    output::{self, Output},
};
use crate::report::{Ask, table};

/// What to show.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// One line for each connection instead of one for each pair of addresses
    /// and service
    #[arg(long)]
    each: bool,
    /// At most so many lines; how many were left out is said
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// JSON Lines, one connection a line
    #[arg(long)]
    json: bool,
}

/// Asks for the connections in TIME_WAIT.
pub(super) fn main(arguments: &Arguments, socket: &Path) -> Result<(), Halt> {
    let mut output = Output::open();
    let mut answer = client::ask(socket, &Ask::TimeWait)?;
    if arguments.json {
        return answer.copy(&mut output);
    }
    let list = connections::collect(&mut answer)?;
    let text = if arguments.each {
        table::sockets(&list, arguments.limit, output::style())
    } else {
        table::groups(&list, arguments.limit, output::style())
    };
    output.write(&text)?;
    output.flush()
}
