//! A terminal that is drawn on again and again, and is as before afterwards.

use std::io::{self, Write as _};

use super::{Halt, output::Output};

/// The alternate screen, without cursor, until dropped (xterm's control
/// sequences, understood by every terminal in use).
#[derive(Debug)]
pub(super) struct Screen;

impl Screen {
    const ENTER: &str = "\x1b[?1049h\x1b[?25l";
    const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

    /// Enters.
    ///
    /// # Errors
    /// Those of the output.
    pub(super) fn enter(output: &mut Output) -> Result<Self, Halt> {
        // From here on dropping restores, also after a failing write.
        let screen = Self;
        output.write(Self::ENTER)?;
        output.flush()?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Whoever holds the lock on standard output is this very thread. A
        // terminal that went away needs no restoring.
        let mut stdout = io::stdout();
        let _ = stdout.write_all(Self::LEAVE.as_bytes());
        let _ = stdout.flush();
    }
}

/// What to write so that `text` takes the place of the frame before, without a
/// flash of empty screen. Lines beyond the last row are counted, not shown.
pub(super) fn frame(text: &str, rows: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    let mut frame = String::from("\x1b[H");
    let rows = rows.max(2);
    let shown = if lines.len() > rows {
        rows - 1
    } else {
        lines.len()
    };
    for (index, line) in lines.iter().take(shown).enumerate() {
        if index > 0 {
            frame.push('\n');
        }
        frame.push_str(line);
        frame.push_str("\x1b[K");
    }
    if shown < lines.len() {
        let more = lines.len() - shown;
        frame.push_str(&format!(
            "\n({more} more lines: make the window higher)\x1b[K"
        ));
    }
    frame.push_str("\x1b[J");
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_overwrites_the_one_before_and_clears_what_is_left_of_it() {
        assert_eq!(frame("a\nb\n", 24), "\x1b[Ha\x1b[K\nb\x1b[K\x1b[J");
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let drawn = frame("1\n2\n3\n4\n5\n", 3);
        assert_eq!(drawn.matches("\n").count(), 2);
        assert!(drawn.contains("(3 more lines"), "{drawn:?}");
        assert!(!drawn.contains("\n3\x1b"));
    }
}
