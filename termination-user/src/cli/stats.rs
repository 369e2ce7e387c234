//! `termination stats`.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, bail};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use super::{
    Halt, client,
    output::{self, Output},
    screen::{Screen, frame},
};
use crate::report::{Ask, Report, Stats, table};

/// Rows of a terminal that does not tell.
const ROWS: usize = 24;

/// What to show.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Again every so many seconds, in place, until Ctrl-C
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "1", value_parser = seconds)]
    watch: Option<Duration>,
    /// One line of JSON (each time)
    #[arg(long)]
    json: bool,
}

/// A pause between two looks.
fn seconds(text: &str) -> anyhow::Result<Duration> {
    const SHORTEST: f64 = 0.1;
    const LONGEST: f64 = 86_400.0;
    let seconds: f64 = text.parse().context("not a number of seconds")?;
    if !(SHORTEST..=LONGEST).contains(&seconds) {
        bail!("it has to be between {SHORTEST} and {LONGEST} seconds");
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Asks once, or again and again.
pub(super) fn main(arguments: &Arguments, socket: &Path) -> Result<(), Halt> {
    let mut output = Output::open();
    let Some(pause) = arguments.watch else {
        let text = if arguments.json {
            json(socket)?
        } else {
            page(&fetch(socket)?)
        };
        output.write(&text)?;
        return output.flush();
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the timer for --watch")?;
    if arguments.json || !output::is_terminal() {
        return runtime.block_on(blocks(arguments.json, pause, socket, &mut output));
    }
    let last = {
        let _screen = Screen::enter(&mut output)?;
        runtime.block_on(redraw(pause, socket, &mut output))?
    };
    // Left behind, as the alternate screen is gone.
    output.write(&page(&last))?;
    output.flush()
}

/// One block of lines after the other.
async fn blocks(
    json_lines: bool,
    pause: Duration,
    socket: &Path,
    output: &mut Output,
) -> Result<(), Halt> {
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if json_lines {
            output.write(&json(socket)?)?;
        } else {
            output.write(&format!("{}\n", page(&fetch(socket)?)))?;
        }
        output.flush()?;
    }
}

/// One frame in the place of the other, until somebody has seen enough.
async fn redraw(pause: Duration, socket: &Path, output: &mut Output) -> Result<Stats, Halt> {
    let mut enough = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let mut end = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut resized = signal(SignalKind::window_change()).context("cannot listen for SIGWINCH")?;
    let mut ticks = interval(pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut latest = fetch(socket)?;
    loop {
        let rows = output::size().map_or(ROWS, |(_, rows)| rows);
        output.write(&frame(&page(&latest), rows))?;
        output.flush()?;
        tokio::select! {
            _ = ticks.tick() => latest = fetch(socket)?,
            _ = resized.recv() => {}
            _ = enough.recv() => return Ok(latest),
            _ = end.recv() => return Ok(latest),
        }
    }
}

fn page(stats: &Stats) -> String {
    table::stats(stats, output::style())
}

/// The line as it comes, with its end.
fn json(socket: &Path) -> Result<String, Halt> {
    let mut answer = client::ask(socket, &Ask::Stats)?;
    let line = answer
        .line()?
        .context("the controller hung up without an answer")?;
    Ok(format!("{line}\n"))
}

fn fetch(socket: &Path) -> Result<Stats, Halt> {
    match client::ask(socket, &Ask::Stats)?.only()? {
        Report::Stats(stats) => Ok(stats),
        other => Err(unexpected(&other)),
    }
}

/// The controller answered another question.
pub(super) fn unexpected(report: &Report) -> Halt {
    anyhow::anyhow!("the controller answered something else than was asked: {report:?}").into()
}
