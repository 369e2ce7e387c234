//! `termination detach`.

use std::path::{Path, PathBuf};

use termination_common::counters::{MIDSTREAM, OPENED};

use super::{
    Halt,
    client::{self, Answer, ClientError},
    output::Output,
    stats::unexpected,
};
use crate::{
    control,
    report::{Ask, Kind, Message, Report},
};

/// What to stop.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Where a `run --persist` that is gone has left its pins
    #[arg(long, value_name = "DIR", default_value = control::process::paths::PINS)]
    pin_dir: PathBuf,
    /// Network namespace of its interfaces; needed only for the filters that it
    /// left by --clsact or before Linux 6.6
    #[arg(long, value_name = "NAME")]
    netns: Option<String>,
}

/// Asks the controller to stop, and waits until it has; without one, removes
/// what the last has left.
pub(super) fn main(arguments: &Arguments, socket: &Path) -> Result<(), Halt> {
    let Arguments { pin_dir, netns } = arguments;
    let said = match client::ask(socket, &Ask::Detach) {
        Ok(answer) => vec![done(answer)?],
        Err(ClientError::NotRunning(socket)) => {
            let Some(left) = control::forget(pin_dir, netns.as_deref())? else {
                return Err(ClientError::NotRunning(socket).into());
            };
            let mut said = vec![format!(
                "no controller was running; what was attached ({}) is removed",
                pin_dir.display()
            )];
            if let Some((counters, room)) = &left.counters {
                let lived = counters.0[OPENED] + counters.0[MIDSTREAM];
                let lived = lived.saturating_sub(counters.endings());
                said.push(format!("{lived} connections that lived have no ending"));
                said.extend(control::answers::status::summary(counters, room));
            }
            said.extend(left.filters);
            said
        }
        Err(error) => return Err(error.into()),
    };
    say(said)
}

/// Asks for something to be done, and says what the controller says of it.
pub(super) fn told(socket: &Path, question: &Ask) -> Result<(), Halt> {
    say([done(client::ask(socket, question)?)?])
}

/// What the controller says of something that it did.
fn done(mut answer: Answer) -> Result<String, Halt> {
    match answer.only()? {
        Report::Message(Message {
            kind: Kind::Done,
            message,
            ..
        }) => Ok(message),
        other => Err(unexpected(&other)),
    }
}

fn say(lines: impl IntoIterator<Item = String>) -> Result<(), Halt> {
    let mut output = Output::open();
    for line in lines {
        output.write(&line)?;
        output.write("\n")?;
    }
    output.flush()
}
