//! `termination pcap`: captures through the same engine.
//!
//! Several files are one capture in pieces, in the order given. A file that is
//! broken counts up to the break; then the next one follows, and the exit code
//! is 1.

mod piece;
mod progress;
mod report;

use std::path::PathBuf;

use super::{
    Halt, complain,
    output::{self, Output},
};
use crate::{
    capture::{Capture, CaptureError},
    control::kernel::scale::Scale,
    offline::Offline,
    policy::Policy,
    report::{
        Gauges, Stats, Timestamp,
        stats::Scaled,
        table::{self, Source},
    },
};
use piece::Piece;
use progress::Progress;
use report::Reporter;

/// Packets between two looks at the clock and the position.
const STRIDE: u64 = 1 << 13;

/// What to read and what to say.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// pcap or pcapng, plain, gzip or zstd; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// JSON Lines, one connection a line; with --events also the events
    #[arg(long)]
    json: bool,
    /// The columns of Zeek's conn.log
    #[arg(long, conflicts_with_all = ["json", "events"])]
    zeek: bool,
    /// One line for each ending and event instead of the summary
    #[arg(long)]
    events: bool,
    /// Look into tunnels: IP in IP, GRE, VXLAN, GENEVE, GTP-U, Teredo
    #[arg(long)]
    tunnels: bool,
    /// Policy file (TOML)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// No progress bar
    #[arg(long, short)]
    quiet: bool,
}

/// Reads all files, reports what they held.
pub(super) fn main(arguments: &Arguments) -> Result<(), Halt> {
    let Arguments {
        files,
        json,
        zeek,
        events,
        tunnels,
        policy,
        quiet,
    } = arguments;
    let policy = match policy {
        // A capture has every segment: its level is `full`.
        Some(path) => Policy {
            level: None,
            ..Policy::read(path)?
        },
        None => Policy::default(),
    };
    let mut tracker = Offline::new(&policy, *tunnels);
    let mut output = Output::open();
    let mut reporter = Reporter::new(*json, *zeek, *events, output::style(), policy.clone());
    let mut source = Source::default();
    let mut broken = false;
    for path in files {
        let mut piece = Piece::new();
        let read = Capture::open(path)
            .map_err(Stop::Broken)
            .and_then(|mut capture| {
                source.files.push(capture.name().to_owned());
                read(
                    &mut capture,
                    &mut piece,
                    &mut tracker,
                    &mut reporter,
                    &mut output,
                    &mut source,
                    *quiet,
                )
            });
        let broke = match read {
            Ok(()) => None,
            Err(Stop::Broken(error)) => Some(error.to_string()),
            Err(Stop::Output(halt)) => return Err(halt),
        };
        broken |= broke.is_some() || piece.is_lost();
        let remarks = piece.remarks(source.files.last().map_or("", String::as_str));
        if broke.is_some() || !remarks.is_empty() {
            // What was readable comes first.
            output.flush()?;
        }
        for text in broke.into_iter().chain(remarks) {
            complain(&text);
        }
    }
    if broken && source.packets == 0 {
        // There is nothing to tell but what was wrong.
        return Err(Halt::Said);
    }
    let mut done = Ok(());
    tracker.finish(&mut |record| {
        if done.is_ok() {
            done = reporter.record(record, &mut output);
        }
    });
    done?;
    reporter.end(&mut output)?;
    if reporter.is_silent() {
        let mut figures = Stats::new(tracker.counters(), &Gauges::default(), None);
        figures.benign = reporter.benign();
        if policy.traffic.sample > 1 {
            let one_in = policy.traffic.sample;
            let sums = Scale::default().of(tracker.counters(), one_in);
            figures.scaled = Some(Scaled::new(&sums, &figures.live, one_in));
        }
        output.write(&table::summary(&source, &figures, output::style()))?;
    }
    output.flush()?;
    if broken { Err(Halt::Said) } else { Ok(()) }
}

/// Why a file is not read to its end.
enum Stop {
    /// The file's fault.
    Broken(CaptureError),
    /// Nobody takes the output.
    Output(Halt),
}

/// Reads one file.
fn read(
    capture: &mut Capture,
    piece: &mut Piece,
    tracker: &mut Offline,
    reporter: &mut Reporter,
    output: &mut Output,
    source: &mut Source,
    quiet: bool,
) -> Result<(), Stop> {
    let mut progress = Progress::new(capture, quiet);
    let (mut first, mut last) = source
        .span
        .map_or((u64::MAX, 0), |(first, last)| (first.0, last.0));
    let mut done = Ok(());
    let end = loop {
        let packet = match capture.next() {
            Ok(Some(packet)) => packet,
            Ok(None) => break Ok(()),
            Err(error) => break Err(Stop::Broken(error)),
        };
        piece.see(&packet, last);
        source.packets += 1;
        source.bytes += u64::from(packet.length);
        first = first.min(packet.time);
        last = last.max(packet.time);
        tracker.frame(&packet, &mut |record| {
            if done.is_ok() {
                done = reporter.record(record, output);
            }
        });
        if source.packets.is_multiple_of(STRIDE) {
            progress.show(capture);
        }
        if done.is_err() {
            break Ok(());
        }
    };
    tracker.catch_up(&mut |record| {
        if done.is_ok() {
            done = reporter.record(record, output);
        }
    });
    if first <= last {
        source.span = Some((Timestamp(first), Timestamp(last)));
    }
    done.map_err(Stop::Output)?;
    end
}
