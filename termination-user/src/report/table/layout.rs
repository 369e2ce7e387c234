//! Columns, colours, and what to do with a row that is too long.

use termination_common::taxonomy::{By, Holder};

use crate::report::{Address, Sides};

/// How text is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns that a line may take, at least [`Style::NARROW`].
    pub width: usize,
    /// Escape sequences for colours are understood and wanted.
    pub colour: bool,
}

impl Style {
    /// The width that every table fits into.
    pub const NARROW: usize = 80;
    /// For files, pipes and tests.
    pub const PLAIN: Self = Self {
        width: Self::NARROW,
        colour: false,
    };

    /// `text` in a colour, if colours are wanted.
    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let code = match paint {
            Paint::Heading => "1",
            Paint::Quiet => "2",
            Paint::Good => "32",
            Paint::Odd => "33",
            Paint::Bad => "31",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// What a colour means (ECMA-48 SGR: bold, faint, green, yellow, red).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paint {
    /// A title.
    Heading,
    /// Less important.
    Quiet,
    /// As it should be.
    Good,
    /// Worth a look.
    Odd,
    /// Wrong.
    Bad,
}

/// Columns that `text` takes: every character used here is one column wide.
pub(super) fn width(text: &str) -> usize {
    text.chars().count()
}

/// `left` and `right` at the two edges of `width` columns, at least one space
/// between; `None` if they do not fit.
pub(super) fn edges(left: &str, right: &str, columns: usize) -> Option<String> {
    let gap = columns
        .checked_sub(width(left) + width(right))
        .filter(|&gap| gap > 0)?;
    Some(format!("{left}{:gap$}{right}", ""))
}

/// A row of an elastic cell and fixed cells: `left` and `right` share
/// `columns`, then come `rest`. If the two do not fit, `left` has a line of its
/// own, and the others keep their columns in the next one.
pub(super) fn elastic(
    indent: usize,
    left: &str,
    right: &str,
    columns: usize,
    rest: &str,
) -> String {
    match edges(left, right, columns) {
        Some(cell) => format!("{cell} {rest}"),
        None => format!("{left}\n{:indent$}{right:>columns$} {rest}", ""),
    }
}

/// Cells, each padded on the right to its column's width but the last. A cell
/// too long for its column keeps its line, and the rest goes on in the next
/// line at its own column.
pub(super) fn cells(cells: &[(&str, usize)], rest: &str) -> String {
    let mut row = String::new();
    let mut start = 0;
    for &(text, columns) in cells {
        row.push_str(text);
        start += columns + 1;
        if width(text) > columns {
            row.push_str(&format!("\n{:start$}", ""));
        } else {
            row.push_str(&format!("{:gap$}", "", gap = columns + 1 - width(text)));
        }
    }
    row.push_str(rest);
    row
}

/// `10.0.0.1:40000 → 10.0.0.2:443`.
pub(super) fn ends(originator: Address, responder: Address) -> String {
    format!("{originator} → {responder}")
}

/// The letter of a party.
pub(super) const fn by_letter(by: By) -> char {
    match by {
        By::Originator => 'O',
        By::Responder => 'R',
        By::Both => 'B',
        By::Nobody => '-',
        By::Observer => '*',
    }
}

/// The letter of a holder.
pub(super) const fn holder_letter(holder: Holder) -> char {
    match holder {
        Holder::None => '-',
        Holder::Originator => 'O',
        Holder::Responder => 'R',
        Holder::Both => 'B',
    }
}

/// What [`by_letter`] and [`holder_letter`] stand for.
pub(super) const LETTERS: &str = "O originator  R responder  B both  - nobody  * observer";

/// Words of both ends: one if they agree, `originator/responder` if not, `?`
/// for what is not known.
pub(super) fn both(words: Sides<Option<&str>>) -> String {
    let Sides {
        originator,
        responder,
    } = words.map(|word| word.unwrap_or("?"));
    if originator == responder {
        originator.to_owned()
    } else {
        format!("{originator}/{responder}")
    }
}
