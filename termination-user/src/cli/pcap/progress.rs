//! How far a long file is, on standard error, for somebody who looks.

use std::io::{self, IsTerminal as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::capture::Capture;

/// Smaller files are read before a bar would be understood.
const LONG: u64 = 32 << 20;

/// A progress bar, gone when dropped.
#[derive(Debug)]
pub(super) struct Progress(Option<ProgressBar>);

impl Progress {
    /// For this file: a bar if it is long, a counter if it is a pipe, nothing
    /// unless standard error is a terminal.
    pub(super) fn new(capture: &Capture, quiet: bool) -> Self {
        let (_, size) = capture.position();
        let short = size.is_some_and(|size| size < LONG);
        if quiet || short || !io::stderr().is_terminal() {
            return Self(None);
        }
        let (bar, template) = match size {
            Some(size) => (
                ProgressBar::new(size),
                "{bar:20} {percent:>3} %  {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}, {eta} left  {wide_msg}",
            ),
            None => (
                ProgressBar::new_spinner(),
                "{decimal_bytes}  {decimal_bytes_per_sec}  {wide_msg}",
            ),
        };
        // Ten times a second is enough for the eye and costs nothing.
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(capture.name().to_owned());
        Self(Some(bar))
    }

    /// Moves on.
    pub(super) fn show(&mut self, capture: &Capture) {
        if let Some(bar) = &self.0 {
            bar.set_position(capture.position().0);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
