//! `termination detach`.

use std::path::Path;

use super::{Halt, client, output::Output, stats::unexpected};
use crate::report::{Ask, Kind, Message, Report};

/// Asks the controller to stop, and waits until it has.
pub(super) fn main(socket: &Path) -> Result<(), Halt> {
    match client::ask(socket, &Ask::Detach)?.only()? {
        Report::Message(Message {
            kind: Kind::Done,
            message,
            ..
        }) => {
            let mut output = Output::open();
            output.write(&message)?;
            output.write("\n")?;
            output.flush()
        }
        other => Err(unexpected(&other)),
    }
}
