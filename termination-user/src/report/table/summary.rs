//! What a capture held.

use super::{
    layout::{Paint, Style},
    number::{plural, short, span},
    stats::stats,
};
use crate::report::{Stats, Timestamp};

/// Where the packets came from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Source {
    /// Files, as they were named.
    pub files: Vec<String>,
    /// Packets in them.
    pub packets: u64,
    /// Bytes of these packets as they were on the wire.
    pub bytes: u64,
    /// Earliest and latest time.
    pub span: Option<(Timestamp, Timestamp)>,
}

/// What a capture held, each line with its end.
pub fn summary(source: &Source, figures: &Stats, style: Style) -> String {
    let Source {
        files,
        packets,
        bytes,
        span: times,
    } = source;
    let mut text = String::new();
    for file in files {
        text.push_str(&style.paint(Paint::Heading, file));
        text.push('\n');
    }
    text.push_str(&format!(
        "{}, {}B",
        plural(*packets, "packet"),
        short(*bytes)
    ));
    if let Some((first, last)) = times {
        let seconds = last.0.saturating_sub(first.0) as f64 / 1e9;
        let end = if first.date() == last.date() {
            last.clock()
        } else {
            format!("{} {}", last.date(), last.clock())
        };
        text.push_str(&format!(
            ", {} ({} {} to {end} UTC)",
            span(seconds),
            first.date(),
            first.clock(),
        ));
    }
    text.push_str("\n\n");
    text.push_str(&stats(figures, style));
    text
}
