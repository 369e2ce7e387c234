//! Endings a second from the kernel to a reader, with every one accounted for,
//! beside what the ring buffer takes by itself.
//!
//! A producer is a thread that runs the live program on attempts and their
//! refusals, without pause: two segments and one ending each. The ring's own
//! ceiling comes from a program that does nothing but write records of the same
//! size. The two take turns.

use std::{
    os::fd::AsRawFd as _,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use termination_common::{
    counters::{self, Counters, Loss},
    exchange::{Operation, SWEEP_BATCH},
    policy::Timers,
    taxonomy::Ending,
};
use termination_user::{
    control::{
        records::ring::Ring,
        timers::{clock, sweep},
    },
    report::{Clock, Report, line},
};

use crate::{
    frame::Kind,
    harness::{
        Part, Programs, Result, Runner, cpu_time, nanoseconds, progress, spread_json, stay_on,
        with_spread,
    },
    segments::refusal,
};

/// Frames at once: so many endings come in a row, then as many attempts.
const FRAMES: u32 = 1024;
/// Connections of each producer, as a power of two.
const SHIFT: u32 = 16;

/// How long, how often.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Runs of each
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Seconds of each
    #[arg(long, default_value_t = 2, value_name = "N")]
    seconds: u64,
}

/// What is produced, and what is done with it.
struct Contest {
    name: &'static str,
    program: &'static str,
    producers: u8,
    json: bool,
    outcomes: Vec<Outcome>,
}

/// One run.
struct Outcome {
    seconds: f64,
    produced: u64,
    delivered: u64,
    lost: u64,
    /// Of those delivered: by a look at the table after the run, since they had
    /// found no room.
    late: u64,
    producing: Duration,
    reading: Duration,
}

/// Measures and prints.
pub(crate) fn run(options: &Options, quick: bool) -> Result<Value> {
    let rounds = options.rounds.unwrap_or(if quick { 1 } else { 5 });
    let time = Duration::from_secs(options.seconds);
    let mut programs = Programs::load(1 << 19, 16 << 20, &["ring", "full"])?;
    let mut contests: Vec<_> = [1, 2]
        .into_iter()
        .flat_map(|producers| {
            [
                ("ring alone", "ring", false),
                ("endings", "full", false),
                ("endings as JSON", "full", true),
            ]
            .map(|(name, program, json)| Contest {
                name,
                program,
                producers,
                json,
                outcomes: Vec::new(),
            })
        })
        .collect();
    for round in 1..=rounds {
        progress(&format!("events, round {round} of {rounds}"));
        for contest in &mut contests {
            let outcome = contest.run(&mut programs, time)?;
            contest.outcomes.push(outcome);
        }
    }
    print(&contests, rounds, options.seconds);
    let list: Vec<_> = contests.iter().map(Contest::to_json).collect();
    Ok(json!({ "rounds": rounds, "seconds": options.seconds, "contests": list }))
}

impl Contest {
    fn run(&self, programs: &mut Programs, time: Duration) -> Result<Outcome> {
        let before = programs.counters()?;
        let stop = AtomicBool::new(false);
        let running = AtomicUsize::new(self.producers.into());
        let started = Instant::now();
        let Programs { kernel, ring, .. } = programs;
        let runners = (0..self.producers).map(|_| kernel.runner(self.program));
        let runners: Vec<_> = runners.collect::<Result<_>>()?;
        let (frames, producing, mut delivered, reading, seconds) = thread::scope(|scope| {
            let (stop, running) = (&stop, &running);
            let producers: Vec<_> = runners
                .into_iter()
                .enumerate()
                .map(|(number, runner)| {
                    scope.spawn(move || {
                        let outcome = produce(runner, number, self.program == "full", stop);
                        running.fetch_sub(1, Ordering::Release);
                        outcome.map_err(|error| error.to_string())
                    })
                })
                .collect();
            let before = cpu_time();
            let delivered = read(ring, self.json, || {
                if started.elapsed() >= time {
                    stop.store(true, Ordering::Relaxed);
                }
                running.load(Ordering::Acquire) == 0
            });
            stop.store(true, Ordering::Relaxed);
            let delivered = delivered?;
            let reading = cpu_time() - before;
            let seconds = started.elapsed().as_secs_f64();
            let (mut frames, mut producing) = (0, Duration::ZERO);
            for producer in producers {
                let (count, took) = producer.join().map_err(|_| "a producer panicked")??;
                frames += count;
                producing += took;
            }
            Ok::<_, Box<dyn std::error::Error>>((frames, producing, delivered, reading, seconds))
        })?;
        let at_once = delivered;
        if self.program == "full" {
            delivered += told_late(programs)?;
        }
        let after = programs.counters()?;
        let counted = |counter: usize| after.0[counter] - before.0[counter];
        let (produced, lost) = if self.program == "ring" {
            (frames, counted(counters::LOSS + Loss::RingFull as usize))
        } else {
            (
                endings(&after) - endings(&before),
                counted(counters::LOSS + Loss::RecordLost as usize),
            )
        };
        if produced != delivered + lost {
            return Err(format!(
                "{}: {produced} produced, {delivered} delivered and {lost} counted as lost",
                self.name
            )
            .into());
        }
        programs.clear()?;
        programs.drain();
        Ok(Outcome {
            seconds,
            produced,
            delivered,
            lost,
            late: delivered - at_once,
            producing,
            reading,
        })
    }

    fn each(&self, value: impl Fn(&Outcome) -> f64) -> Vec<f64> {
        self.outcomes.iter().map(value).collect()
    }

    fn to_json(&self) -> Value {
        let outcomes = self.outcomes.iter().map(|outcome| {
            json!({
                "seconds": outcome.seconds,
                "produced": outcome.produced,
                "delivered": outcome.delivered,
                "lost": outcome.lost,
                "late": outcome.late,
                "producer_cpu_seconds": outcome.producing.as_secs_f64(),
                "reader_cpu_seconds": outcome.reading.as_secs_f64(),
            })
        });
        json!({
            "name": self.name,
            "producers": self.producers,
            "delivered_per_second": spread_json(&self.each(Outcome::rate)),
            "outcomes": outcomes.collect::<Vec<_>>(),
        })
    }
}

impl Outcome {
    fn rate(&self) -> f64 {
        (self.delivered - self.late) as f64 / self.seconds
    }
}

fn endings(counters: &Counters) -> u64 {
    let endings = Ending::ALL.iter();
    endings
        .map(|&ending| counters.0[counters::ENDING + ending as usize])
        .sum()
}

/// Runs the program until told to stop. Frames that end something, and what it
/// took of the processor.
fn produce(
    mut runner: Runner<'_>,
    number: usize,
    endings: bool,
    stop: &AtomicBool,
) -> Result<(u64, Duration)> {
    // With a reader besides, there may be fewer processors than threads.
    stay_on((number + 1) % thread::available_parallelism()?.get())?;
    let [attempt, refused] = refusal();
    let mut part = Part {
        number: number as u8,
        first: (number as u32) << SHIFT,
        shift: SHIFT,
        from: 0,
        frames: FRAMES,
    };
    let (mut frames, mut took) = (0, Duration::ZERO);
    let mut one = |kind: &Kind, part| -> Result<()> {
        took += runner.run(kind, part)?;
        Ok(())
    };
    while !stop.load(Ordering::Relaxed) {
        if endings {
            one(&attempt, part)?;
        }
        one(&refused, part)?;
        part.from += u64::from(FRAMES);
        frames += u64::from(FRAMES);
    }
    Ok((frames, took))
}

/// Reads until nobody produces any more and the ring is empty. Counts.
fn read(ring: &mut Ring, json: bool, mut finished: impl FnMut() -> bool) -> Result<u64> {
    /// Between two looks at the clock; as the controller's turn.
    const TURN: usize = 4096;
    let clock = Clock {
        offset_ns: clock::offset()?,
    };
    let mut lines = Vec::new();
    let mut delivered = 0;
    loop {
        // Asked before the look: what was produced until then is seen.
        let last = finished();
        let mut turn = 0;
        while turn < TURN
            && let Some(record) = ring.take()
        {
            turn += 1;
            if json && let Some(report) = Report::from_record(&record, 0, &clock) {
                line::push(&mut lines, &report)?;
            }
        }
        lines.clear();
        ring.settle_all();
        delivered += turn as u64;
        if turn == 0 {
            if last {
                return Ok(delivered);
            }
            wait(ring);
        }
    }
}

/// Until the kernel says that there is something, or for a moment.
fn wait(ring: &Ring) {
    const MILLISECONDS: i32 = 10;
    let mut poll = libc::pollfd {
        fd: ring.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one valid pollfd. Whatever it answers, the ring is looked at.
    unsafe { libc::poll(&raw mut poll, 1, MILLISECONDS) };
}

/// What had found no room is told from the table, as the controller does.
fn told_late(programs: &mut Programs) -> Result<u64> {
    let mut told = 0;
    loop {
        let now = clock::monotonic()?;
        let due = sweep::due(&programs.loaded.table, now, &Timers::DEFAULT);
        if due.is_empty() {
            return Ok(told);
        }
        for batch in due.chunks(SWEEP_BATCH) {
            let sweep = programs.loaded.sweep();
            sweep::batch(sweep, now, Operation::Visit, Timers::DEFAULT, batch)?;
            told += programs.drain();
        }
    }
}

fn print(contests: &[Contest], rounds: u32, seconds: u64) {
    println!("records a second that reached a reader; {rounds} runs of {seconds} s each, median ±");
    println!("the farther end. Each run: produced = delivered + counted as lost, to the one.");
    println!("CPU: nanoseconds a record, of the producers and of the reader\n");
    println!(
        "{:<16} {:>9} {:>21} {:>8} {:>10} {:>10}",
        "", "producers", "delivered/s", "lost %", "producing", "reading"
    );
    for contest in contests {
        let rate = contest.each(|outcome| outcome.rate() / 1e3);
        let lost = contest.each(|outcome| 100.0 * outcome.lost as f64 / outcome.produced as f64);
        let per = |time: Duration, count| nanoseconds(time) / count as f64;
        let producing = contest.each(|outcome| per(outcome.producing, outcome.produced));
        let reading = contest.each(|outcome| per(outcome.reading, outcome.delivered));
        println!(
            "{:<16} {:>9} {:>20}k {:>8} {:>10} {:>10}",
            contest.name,
            contest.producers,
            with_spread(&rate, 0),
            with_spread(&lost, 1),
            with_spread(&producing, 0),
            with_spread(&reading, 0),
        );
    }
}
