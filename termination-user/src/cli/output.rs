//! Standard output: buffered, with a closed pipe as an end like any other.

use std::{
    env,
    io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _},
};

use anyhow::Context as _;

use super::Halt;
use crate::report::{line, table::Style};

/// Standard output.
#[derive(Debug)]
pub(super) struct Output {
    to: BufWriter<StdoutLock<'static>>,
    /// Where a line is made.
    line: Vec<u8>,
}

impl Output {
    /// Takes it for this process's only writer.
    pub(super) fn open() -> Self {
        Self {
            to: BufWriter::new(io::stdout().lock()),
            line: Vec::new(),
        }
    }

    /// Writes text, at the latest at [`Output::flush`].
    ///
    /// # Errors
    /// [`Halt::Pipe`] when nobody reads; others as the system says.
    pub(super) fn write(&mut self, text: &str) -> Result<(), Halt> {
        let done = self.to.write_all(text.as_bytes());
        checked(done)
    }

    /// Writes an object as a line of JSON.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub(super) fn json(&mut self, object: &impl serde::Serialize) -> Result<(), Halt> {
        self.line.clear();
        line::push(&mut self.line, object)?;
        checked(self.to.write_all(&self.line))
    }

    /// Hands over what was written.
    ///
    /// # Errors
    /// As [`Output::write`].
    pub(super) fn flush(&mut self) -> Result<(), Halt> {
        let done = self.to.flush();
        checked(done)
    }
}

fn checked(done: io::Result<()>) -> Result<(), Halt> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Halt::Pipe),
        done => Ok(done.context("cannot write to standard output")?),
    }
}

/// Somebody looks at standard output.
pub(super) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// How text for standard output is to look: the terminal's width, colours
/// unless `NO_COLOR` is set (<https://no-color.org>) or the terminal is dumb;
/// elsewhere 80 columns and none.
pub(super) fn style() -> Style {
    if !is_terminal() {
        return Style::PLAIN;
    }
    let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || env::var_os("TERM").is_none_or(|term| term == "dumb");
    let width = size().map_or(Style::NARROW, |(columns, _)| columns);
    Style {
        width,
        colour: !refused,
    }
}

/// Columns and rows of the terminal, if it is one and tells.
pub(super) fn size() -> Option<(usize, usize)> {
    let (columns, rows) = terminal_size::terminal_size()?;
    Some((usize::from(columns.0), usize::from(rows.0)))
}
