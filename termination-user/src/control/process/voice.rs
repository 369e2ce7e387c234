//! Speaking to the person who started it.

use std::{
    fmt,
    io::{self, Write as _},
};

/// Speaks on stderr.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    /// Only what has to be known.
    pub quiet: bool,
}

impl Voice {
    /// What is good to know; not with `--quiet`.
    pub fn say(self, text: impl fmt::Display) {
        if !self.quiet {
            self.warn(text);
        }
    }

    /// What has to be known.
    pub fn warn(self, text: impl fmt::Display) {
        // A closed stderr is no reason to stop observing.
        let _ = writeln!(io::stderr(), "termination: {text}");
    }
}
