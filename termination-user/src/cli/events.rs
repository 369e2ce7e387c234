//! `termination events`.

use std::path::Path;

use super::{
    Halt, client, complain,
    output::{self, Output},
    stats::unexpected,
};
use crate::report::{Ask, Report, table::Events};

/// What to show.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// What happens from now on, until Ctrl-C; else what is remembered
    #[arg(long, short)]
    follow: bool,
    /// With --follow: begin with what is remembered
    #[arg(long, requires = "follow")]
    recent: bool,
    /// The last so many, or with --follow the next
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// JSON Lines, one event a line
    #[arg(long)]
    json: bool,
}

/// Asks for endings, ends of TIME_WAITs and events.
pub(super) fn main(arguments: &Arguments, socket: &Path) -> Result<(), Halt> {
    let Arguments {
        follow,
        recent,
        count,
        json,
    } = *arguments;
    let mut output = Output::open();
    let question = Ask::Events {
        follow,
        count,
        recent,
    };
    let mut answer = client::ask(socket, &question)?;
    if json {
        answer.copy(&mut output)?;
    } else {
        let mut events = Events::new(output::style());
        output.write(&events.header())?;
        output.flush()?;
        while let Some(report) = answer.report()? {
            match report {
                Report::Lost(lost) => {
                    output.write(&format!(
                        "({} events lost: this reader was too slow)\n",
                        lost.count
                    ))?;
                }
                Report::Ending(_) | Report::TimeWait(_) | Report::Event(_) => {
                    output.write(&events.row(&report))?;
                }
                other => return Err(unexpected(&other)),
            }
            if answer.is_drained() {
                output.flush()?;
            }
        }
        output.flush()?;
    }
    if follow && count.is_none() {
        complain("the controller has stopped");
    }
    Ok(())
}
