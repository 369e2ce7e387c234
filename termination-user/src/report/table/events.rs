//! One line per ending, end of a TIME_WAIT or event.

use super::{
    layout::{LETTERS, Paint, Style, by_letter, elastic, ends, holder_letter},
    number::{short, span},
};
use crate::report::{Address, Ending, Event, Report, TimeWait, Timestamp};
use termination_common::{
    counters,
    engine::guard::Guarded,
    taxonomy::{self, Answer, Sequel, Verdict},
};

/// `12:34:56` and a space.
const TIME: usize = 9;
/// `BY FIN TW BYTES  TOOK` and the space before.
const REST: usize = 22;

/// What the narrow columns are.
const COLUMNS: &str = "BY who ended it  FIN who closed first  TW who holds TIME_WAIT";

/// A list that grows: it remembers which date it has said.
#[derive(Debug)]
pub struct Events {
    style: Style,
    date: Option<String>,
}

/// One row before it is laid out.
struct Row<'a> {
    at: Timestamp,
    ends: [Address; 2],
    what: &'a str,
    paint: Option<Paint>,
    rest: String,
}

impl Events {
    /// A list without rows.
    pub const fn new(style: Style) -> Self {
        Self { style, date: None }
    }

    /// Legend and column names, to be written once.
    pub fn header(&self) -> String {
        let [by, fin, tw, bytes, took] = ["BY", "FIN", "TW", "BYTES", "TOOK"];
        let title = elastic(
            TIME,
            "ORIGINATOR → RESPONDER",
            "ENDING",
            self.columns(),
            &rest([by, fin, tw, bytes, took]),
        );
        format!(
            "{}\n{}\n{}\n",
            self.style.paint(Paint::Quiet, COLUMNS),
            self.style.paint(Paint::Quiet, LETTERS),
            self.style
                .paint(Paint::Heading, &format!("TIME     {title}")),
        )
    }

    /// Column names of a list that has none but events.
    pub(super) fn titles(&self, what: &str, by: &str, verdict: &str) -> String {
        let ends = "ORIGINATOR → RESPONDER";
        let rest = format!("{by:>2}{verdict:>19}");
        let title = elastic(TIME, ends, what, self.columns(), &rest);
        let title = self
            .style
            .paint(Paint::Heading, &format!("TIME     {title}"));
        format!("{title}\n")
    }

    /// The row of a report, each line with its end; before it the date if it
    /// is another than that of the row before. Empty for reports that are no
    /// row of this table.
    pub fn row(&mut self, report: &Report) -> String {
        match report {
            Report::Ending(ending) => self.ending(ending),
            Report::TimeWait(time_wait) => self.time_wait(time_wait),
            Report::Event(event) => self.event(event),
            Report::Connection(_)
            | Report::TimeWaits(_)
            | Report::TimeWaitGroup(_)
            | Report::Stats(_)
            | Report::Guards(_)
            | Report::Lost(_)
            | Report::Message(_) => String::new(),
        }
    }

    fn ending(&mut self, ending: &Ending) -> String {
        let fin = ending.half_close.as_ref().map(|close| close.first_fin);
        self.lay_out(&Row {
            at: ending.ended_at,
            ends: [ending.originator, ending.responder],
            what: ending.ending.name(),
            paint: paint_of(ending.ending),
            rest: rest([
                by_letter(ending.by).encode_utf8(&mut [0; 4]),
                fin.map_or('-', by_letter).encode_utf8(&mut [0; 4]),
                holder_letter(ending.holder()).encode_utf8(&mut [0; 4]),
                &ending.bytes.sum().map_or("-".to_owned(), short),
                &ending.duration_seconds.map_or("-".to_owned(), span),
            ]),
        })
    }

    fn time_wait(&mut self, time_wait: &TimeWait) -> String {
        let what = format!("time_wait {}", time_wait.sequel);
        self.lay_out(&Row {
            at: time_wait.left_at,
            ends: [time_wait.originator, time_wait.responder],
            what: &what,
            paint: Some(match time_wait.sequel {
                Sequel::ReusedEarly | Sequel::Assassinated | Sequel::Offered => Paint::Odd,
                _ => Paint::Quiet,
            }),
            // In the columns that only an ending fills.
            rest: format!(
                "{:9}{}{:>11}",
                "",
                holder_letter(time_wait.holder),
                time_wait.answer.map_or("", Answer::name)
            ),
        })
    }

    fn event(&mut self, event: &Event) -> String {
        // In the columns that only an ending fills; the longest just fits.
        let verdict = event.verdict.map_or("", Verdict::name);
        self.lay_out(&Row {
            at: event.at,
            ends: [event.originator, event.responder],
            what: event.guarded.map_or(event.event.name(), Guarded::name),
            paint: Some(match event.event {
                counters::Event::RstRejected
                | counters::Event::RstGuarded
                | counters::Event::HalfOpenSuspected => Paint::Odd,
                _ => Paint::Quiet,
            }),
            rest: format!("{:>2}{verdict:>19}", by_letter(event.by)),
        })
    }

    /// Columns of addresses and ending together.
    const fn columns(&self) -> usize {
        let width = if self.style.width > Style::NARROW {
            self.style.width
        } else {
            Style::NARROW
        };
        // Beyond this, the two only drift apart.
        let most = TIME + REST + 80;
        (if width > most { most } else { width }) - TIME - REST
    }

    fn lay_out(&mut self, row: &Row<'_>) -> String {
        let Row {
            at,
            ends: [originator, responder],
            what,
            paint,
            rest,
        } = row;
        let mut text = String::new();
        let date = at.date();
        if self.date.as_ref() != Some(&date) {
            text.push_str(&self.style.paint(Paint::Quiet, &format!("{date} UTC")));
            text.push('\n');
            self.date = Some(date);
        }
        let line = elastic(
            TIME,
            &ends(*originator, *responder),
            what,
            self.columns(),
            rest,
        );
        let line = line.trim_end();
        // Painted after the widths are settled; the word is there once, since
        // no address contains it.
        let line = match paint {
            Some(paint) => line.replacen(what, &self.style.paint(*paint, what), 1),
            None => line.to_owned(),
        };
        text.push_str(&format!("{} {line}\n", at.clock()));
        text
    }
}

/// The fixed columns of an ending.
fn rest([by, fin, tw, bytes, took]: [&str; 5]) -> String {
    format!("{by:>2} {fin:>3} {tw:>2} {bytes:>5} {took:>5}")
}

/// Endings that deserve a look, by colour.
pub(super) const fn paint_of(ending: taxonomy::Ending) -> Option<Paint> {
    match ending {
        taxonomy::Ending::Graceful
        | taxonomy::Ending::GracefulHalfClose
        | taxonomy::Ending::GracefulSimultaneous => Some(Paint::Good),
        taxonomy::Ending::Evicted | taxonomy::Ending::Shutdown => Some(Paint::Quiet),
        taxonomy::Ending::GracefulUnconfirmed
        | taxonomy::Ending::IdleExpired
        | taxonomy::Ending::Superseded
        | taxonomy::Ending::Cancelled
        | taxonomy::Ending::ResetAfterOwnFin
        | taxonomy::Ending::ResetAfterPeerFin => Some(Paint::Odd),
        taxonomy::Ending::Unanswered
        | taxonomy::Ending::Refused
        | taxonomy::Ending::HandshakeUnacked
        | taxonomy::Ending::HandshakeReset
        | taxonomy::Ending::HandshakeAborted
        | taxonomy::Ending::Reset
        | taxonomy::Ending::HalfOpenDiscoveredBySyn
        | taxonomy::Ending::HalfOpenDiscoveredByData
        | taxonomy::Ending::HalfOpenSilent
        | taxonomy::Ending::HalfClosedAbandoned
        | taxonomy::Ending::FinUnanswered => Some(Paint::Bad),
    }
}
