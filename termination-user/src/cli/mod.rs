//! The command line: one verb, one file.
//!
//! Exit codes: 0 done, 1 could not, 2 wrong usage. A closed pipe at the other
//! end of standard output is an end like any other (0). What is asked for goes
//! to standard output, everything else to standard error.

mod check_policy;
mod client;
mod connections;
mod detach;
mod events;
mod guards;
mod output;
mod pcap;
mod reload;
mod run;
mod screen;
mod stats;
mod time_wait;

#[cfg(test)]
mod tests;

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::control::process::paths;

/// Watches TCP connections end, and says how.
///
/// `termination run -i IFACE` observes; the other commands ask it, from
/// another terminal. `termination pcap FILE` needs neither that nor root.
#[derive(Debug, Parser)]
#[command(name = "termination", version, propagate_version = true)]
pub struct Cli {
    /// Control socket [default: /run/termination/control.sock, or what
    /// TERMINATION_SOCKET says]
    #[arg(long, global = true, value_name = "PATH")]
    socket: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Attach to interfaces and observe until SIGINT, SIGTERM or `detach`
    Run(run::Arguments),
    /// What lives, how the others ended, what was lost
    Stats(stats::Arguments),
    /// The connections that live (and those that linger)
    Connections(connections::Arguments),
    /// Who holds TIME_WAIT, how often, how long still; when ports run out
    TimeWait(time_wait::Arguments),
    /// One line for each connection that ends
    Events(events::Arguments),
    /// Which RSTs the guards dropped, or would have
    Guards(guards::Arguments),
    /// What a policy file would put in force, or what is wrong with it
    CheckPolicy(check_policy::Arguments),
    /// Have `run` read its policy file again; no connection is lost
    Reload,
    /// Stop the `run` that observes; what lives ends as `shutdown`
    Detach(detach::Arguments),
    /// The same analysis over captures; no privileges needed
    Pcap(pcap::Arguments),
}

/// Why a verb stops early.
#[derive(Debug)]
enum Halt {
    /// Nobody reads standard output any more: as good as done.
    Pipe,
    /// It failed, and that was said already.
    Said,
    /// It failed.
    Failed(anyhow::Error),
}

impl<E: Into<anyhow::Error>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Reads the command line, does what it says.
pub fn main() -> ExitCode {
    // Wrong usage ends in here, with exit code 2.
    let Cli { socket, verb } = Cli::parse();
    let socket = paths::socket(socket.as_deref());
    let done = match verb {
        Verb::Run(arguments) => run::main(arguments, socket),
        Verb::Stats(arguments) => stats::main(&arguments, &socket),
        Verb::Connections(arguments) => connections::main(arguments, &socket),
        Verb::TimeWait(arguments) => time_wait::main(&arguments, &socket),
        Verb::Events(arguments) => events::main(&arguments, &socket),
        Verb::Guards(arguments) => guards::main(&arguments, &socket),
        Verb::CheckPolicy(arguments) => check_policy::main(&arguments),
        Verb::Reload => reload::main(&socket),
        Verb::Detach(arguments) => detach::main(&arguments, &socket),
        Verb::Pcap(arguments) => pcap::main(&arguments),
    };
    match done {
        Ok(()) | Err(Halt::Pipe) => ExitCode::SUCCESS,
        Err(Halt::Said) => ExitCode::FAILURE,
        Err(Halt::Failed(error)) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Says on standard error what is wrong.
fn complain(text: &str) {
    // If nobody listens there either, the exit code is left.
    let _ = writeln!(std::io::stderr(), "termination: {text}");
}
