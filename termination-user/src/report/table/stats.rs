//! The counters: what lives, how the others ended, what went wrong.

use super::{
    events::paint_of,
    layout::{Paint, Style, edges, width},
    number::{grouped, plural, short},
};
use crate::report::{Level, Room, Stats};
use termination_common::taxonomy;

/// Columns of one of the two halves, and between them.
const HALF: usize = 38;
const GAP: usize = 4;

/// A titled list of names and numbers.
struct Block {
    title: &'static str,
    sum: u64,
    rows: Vec<(String, u64, Option<Paint>)>,
}

impl Block {
    /// A number without parts.
    const fn single(title: &'static str, sum: u64) -> Self {
        Self {
            title,
            sum,
            rows: Vec::new(),
        }
    }

    fn new<'a>(title: &'static str, rows: impl IntoIterator<Item = (&'a str, u64)>) -> Self {
        Self::painted(title, rows, |_| None)
    }

    /// Rows of zero are left out.
    fn painted<'a>(
        title: &'static str,
        rows: impl IntoIterator<Item = (&'a str, u64)>,
        paint: impl Fn(&str) -> Option<Paint>,
    ) -> Self {
        let rows: Vec<_> = rows
            .into_iter()
            .filter(|&(_, number)| number > 0)
            .map(|(name, number)| (name.to_owned(), number, paint(name)))
            .collect();
        let sum = rows.iter().map(|&(_, number, _)| number).sum();
        Self { title, sum, rows }
    }

    /// Lines, each padded to [`HALF`] columns.
    fn lines(&self, style: Style) -> Vec<String> {
        let line = |left: &str, number: u64, paint: Option<Paint>| {
            // Beside the longest name there is room for seven digits in full.
            let text = edges(left, &grouped(number), HALF)
                .or_else(|| edges(left, &short(number), HALF))
                .unwrap_or_else(|| format!("{left} {number}"));
            match paint {
                Some(paint) => style.paint(paint, &text),
                None => text,
            }
        };
        let mut lines = vec![line(self.title, self.sum, Some(Paint::Heading))];
        for (name, number, paint) in &self.rows {
            lines.push(line(&format!("  {name}"), *number, *paint));
        }
        lines
    }
}

/// The statistics, each line with its end. Blocks whose sum is zero are left
/// out, but for what lives and how the others ended.
pub fn stats(stats: &Stats, style: Style) -> String {
    let bad = |_: &str| Some(Paint::Bad);
    let endings = Block::painted("ended", stats.endings.sorted(), |name| {
        taxonomy::Ending::from_name(name).and_then(paint_of)
    });
    let left = [
        Block::new("live", stats.live.each()),
        Block::new("in TIME_WAIT, held by", stats.time_wait.each()),
        Block::single("lingering after other endings", stats.lingering),
        Block::new("resets, by verdict", stats.resets.sorted()),
        Block::new("RSTs where guards are", stats.guarded.sorted()),
        Block::new("TIME_WAITs over", stats.sequels.sorted()),
    ];
    let events = stats.events.sorted().into_iter().filter(|&(name, _)| {
        // Counted elsewhere on the page.
        !["ending", "time_wait", "established"].contains(&name)
    });
    let right = [
        endings,
        Block::new("events", events),
        Block::painted("losses", stats.losses.sorted(), bad),
        Block::new("frames not tracked", stats.untracked_frames.sorted()),
        Block::single("segments on unknown tuples", stats.untracked_segments),
        Block::new("segments left out by policy", stats.left_out.sorted()),
        Block::new("no news by policy", stats.benign.sorted()),
    ];
    let scaled = stats.scaled.as_ref().map(|scaled| {
        format!(
            "sampled, one in {}; scaled: opened {}, midstream {}, live {}, ended {}\n",
            scaled.one_in,
            short(scaled.opened),
            short(scaled.midstream),
            short(scaled.live),
            short(scaled.endings.sum()),
        )
    });
    let mut text = String::new();
    beside(&column(&left, style), &column(&right, style), &mut text);
    text.push('\n');
    text.push_str(&conservation(stats, style));
    text.push_str(scaled.as_deref().unwrap_or_default());
    for line in stats.room.iter().flat_map(Room::shortage) {
        text.push_str(&style.paint(Paint::Bad, &line));
        text.push('\n');
    }
    if stats.level == Level::Closing {
        text.push_str("level closing: segments between handshake and close are not looked at\n");
    }
    text
}

/// opened + midstream = live + ended, in words.
fn conservation(stats: &Stats, style: Style) -> String {
    let segments = plural(stats.segments, "segment");
    let came = format!(
        "opened {} + midstream {}",
        grouped(stats.opened),
        grouped(stats.midstream)
    );
    let became = format!(
        "= live {} + ended {}",
        grouped(stats.live.sum()),
        grouped(stats.endings.sum())
    );
    let (verdict, paint) = match stats.difference {
        0 => (String::from("holds"), Paint::Good),
        difference => (
            format!("differs by {difference}; ask again when it is quiet"),
            Paint::Bad,
        ),
    };
    let sum = format!("{segments}; {came} {became}");
    let fits = width(&sum) + 2 + width(&verdict) <= style.width.max(Style::NARROW);
    let verdict = style.paint(paint, &verdict);
    if fits {
        format!("{sum}: {verdict}\n")
    } else {
        format!("{segments}\n{came}\n  {became}\n  {verdict}\n")
    }
}

/// Blocks one below the other, an empty line between.
fn column(blocks: &[Block], style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        if index > 0 && block.sum == 0 {
            continue;
        }
        if index > 0 {
            lines.push(" ".repeat(HALF));
        }
        lines.extend(block.lines(style));
    }
    lines
}

/// Two columns of lines side by side.
fn beside(left: &[String], right: &[String], text: &mut String) {
    for index in 0..left.len().max(right.len()) {
        let blank = " ".repeat(HALF);
        let first = left.get(index).unwrap_or(&blank);
        let second = right.get(index).map_or("", String::as_str);
        let line = format!("{first}{:GAP$}{second}", "");
        text.push_str(line.trim_end());
        text.push('\n');
    }
}
