//! A million connections in TIME_WAIT, and the controller that ends them while
//! traffic goes on: all at once, and as they come and go in the long run.
//!
//! The controller is the real one on a thread of its own, with its event loop
//! but without interfaces; connections are those that `full` is run on.

use std::{
    env, fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process,
    rc::Rc,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use termination_common::{counters::Event, policy::Level};
use termination_user::{
    control::{
        Mode, RunOptions,
        answers::{serve::serve, status::Facts},
        controller::Controller,
        hooks::{attach::Plan, attached::Attached, wanted::Named},
        kernel::load::{self, Loaded, Sizes},
        process::voice::Voice,
        records::ring::Pump,
        timers::clock,
    },
    policy::{Interfaces, Policy},
    report::Clock,
};
use tokio::{
    task::LocalSet,
    time::{Interval, MissedTickBehavior, interval},
};

use crate::{
    harness::{
        Kernel, Part, Programs, Result, cpu_time, last_cpu, progress, spread_json, stay_on,
        with_spread,
    },
    scan::{milliseconds, seconds_since},
    segments::{established, handshake, whole},
};

/// Connections in TIME_WAIT, as a power of two.
const SHIFT: u32 = 20;
/// Connections of the traffic that goes on.
const TRAFFIC: u32 = 16;
/// As long as TIME_WAIT lasts.
const TIME_WAIT: Duration = Duration::from_secs(60);

/// Measures and prints.
pub(crate) fn run(quick: bool) -> Result<Value> {
    let rounds = if quick { 1 } else { 3 };
    let mut silent = Vec::new();
    let mut followed = Vec::new();
    for round in 1..=rounds {
        for (follow, outcomes) in [(false, &mut silent), (true, &mut followed)] {
            progress(&format!(
                "a million TIME_WAITs end, round {round} of {rounds}"
            ));
            outcomes.push(at_once(follow)?);
        }
    }
    println!("1,048,576 TIME_WAITs are over at once, while established connections send as");
    println!("fast as the other processor can; median of {rounds} ± the farther end\n");
    println!(
        "{:<26} {:>12} {:>12} {:>12} {:>12}",
        "", "s until told", "CPU ms", "ns each", "% of 60 s"
    );
    for (name, outcomes) in [("nobody follows", &silent), ("followed as JSON", &followed)] {
        let each = |value: fn(&AtOnce) -> f64| outcomes.iter().map(value).collect::<Vec<_>>();
        println!(
            "{name:<26} {:>12} {:>12} {:>12} {:>12}",
            with_spread(&each(|o| o.seconds), 2),
            with_spread(&each(|o| milliseconds(o.cpu)), 0),
            with_spread(
                &each(|o| o.cpu.as_secs_f64() * 1e9 / f64::from(1 << SHIFT)),
                0
            ),
            with_spread(
                &each(|o| 100.0 * o.cpu.as_secs_f64() / TIME_WAIT.as_secs_f64()),
                2
            ),
        );
    }
    println!();
    let steady = if quick { Value::Null } else { steady()? };
    let list = |outcomes: &[AtOnce]| -> Value { outcomes.iter().map(AtOnce::to_json).collect() };
    Ok(json!({
        "connections": 1 << SHIFT,
        "at_once": { "silent": list(&silent), "followed": list(&followed) },
        "steady": steady,
    }))
}

/// What became of a million that were over at once.
struct AtOnce {
    /// From the deadline until the last was told.
    seconds: f64,
    cpu: Duration,
    /// Lines that a follower did not get.
    lost: u64,
}

impl AtOnce {
    fn to_json(&self) -> Value {
        json!({
            "seconds": self.seconds,
            "cpu_seconds": self.cpu.as_secs_f64(),
            "lost": self.lost,
        })
    }
}

fn at_once(follow: bool) -> Result<AtOnce> {
    let mut programs = Programs::load(2 << SHIFT, RunOptions::RING_BYTES, &["full"])?;
    stay_on(last_cpu())?;
    programs.fill(&whole(), SHIFT)?;
    let filled = Instant::now();
    let stop = AtomicBool::new(false);
    let Programs {
        loaded,
        kernel,
        ring,
    } = programs;
    let directory = Scratch::new()?;
    thread::scope(|scope| {
        let traffic = scope.spawn(|| traffic(&kernel, &stop).map_err(|error| error.to_string()));
        let policy = directory.0.join("policy.toml");
        stay_on(0)?;
        let outcome = with_controller(loaded, &policy, async |controller| {
            let mut pump = Pump::new(ring)?;
            let mut tick = ticker();
            // Until the youngest is older than the new timer.
            while seconds_since(filled) < 1.5 {
                look(controller, &mut pump, &mut tick).await?;
            }
            let reader = follow.then(|| follower(controller)).transpose()?;
            fs::write(&policy, "[timers]\nmsl = 0.5\n")?;
            let before = controller.hub.borrow().published();
            let (deadline, used) = (Instant::now(), cpu_time());
            controller.reload()?;
            let goal = before + (1 << SHIFT);
            while controller.hub.borrow().published() < goal {
                look(controller, &mut pump, &mut tick).await?;
                if seconds_since(deadline) > 60.0 {
                    let missing = goal - controller.hub.borrow().published();
                    return Err(format!("{missing} TIME_WAITs are not told after a minute").into());
                }
            }
            let mut outcome = AtOnce {
                seconds: seconds_since(deadline),
                cpu: cpu_time() - used,
                lost: 0,
            };
            if let Some(reader) = reader {
                while controller.hub.borrow().is_behind() {
                    tokio::task::yield_now().await;
                }
                outcome.cpu = cpu_time() - used;
                outcome.seconds = seconds_since(deadline);
                controller.hub.borrow_mut().close();
                tokio::task::yield_now().await;
                outcome.lost = reader.await?;
            }
            Ok(outcome)
        });
        stop.store(true, Ordering::Relaxed);
        traffic.join().map_err(|_| "the traffic panicked")??;
        outcome
    })
}

/// Everyone who follows, on the other end of a socket. Gives the number of lines
/// that were lost to it.
fn follower(controller: &Rc<Controller>) -> Result<tokio::task::JoinHandle<u64>> {
    use std::io::{BufRead as _, BufReader, Write as _};
    let (mut theirs, ours) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let stream = tokio::net::UnixStream::from_std(ours)?;
    tokio::task::spawn_local(serve(Rc::clone(controller), stream));
    theirs.write_all(b"{\"ask\":\"events\",\"follow\":true}\n")?;
    Ok(tokio::task::spawn_blocking(move || {
        let mut lost = 0;
        let mut lines = BufReader::with_capacity(1 << 20, theirs);
        let mut line = String::new();
        while lines.read_line(&mut line).is_ok_and(|length| length > 0) {
            if line.contains("\"type\":\"lost\"") {
                let value: Value = serde_json::from_str(&line).unwrap_or_default();
                lost += value["count"].as_u64().unwrap_or(0);
            }
            line.clear();
        }
        lost
    }))
}

/// The rate at which a million are in TIME_WAIT in the long run: the share of a
/// processor, and how late the last is told.
fn steady() -> Result<Value> {
    const MEASURED: Duration = Duration::from_secs(15);
    progress("a million TIME_WAITs that come and go, 80 s");
    let programs = Programs::load(2 << SHIFT, RunOptions::RING_BYTES, &["full"])?;
    let Programs {
        loaded,
        kernel,
        ring,
    } = programs;
    let stop = AtomicBool::new(false);
    let directory = Scratch::new()?;
    thread::scope(|scope| {
        let source = scope.spawn(|| come_and_go(&kernel, &stop).map_err(|error| error.to_string()));
        stay_on(0)?;
        let outcome = with_controller(loaded, &directory.0.join("none"), async |controller| {
            let mut pump = Pump::new(ring)?;
            let mut tick = ticker();
            let begin = Instant::now();
            // A little longer, so that as many leave as come.
            while begin.elapsed() < TIME_WAIT + Duration::from_secs(2) {
                turn(controller, &mut pump, &mut tick).await?;
            }
            let (measured, used) = (Instant::now(), cpu_time());
            let published = controller.hub.borrow().published();
            let (mut looks, mut latest) = (Vec::new(), Duration::ZERO);
            let mut last = measured;
            let mut late = Lateness {
                seen: published,
                ..Lateness::default()
            };
            while measured.elapsed() < MEASURED {
                let look = turn(controller, &mut pump, &mut tick).await?;
                late.look(controller)?;
                if let Some((start, took)) = look {
                    // What was over just after the last look began, is told now.
                    latest = latest.max(last.elapsed());
                    last = start;
                    looks.push(milliseconds(took));
                }
            }
            let share = 100.0 * (cpu_time() - used).as_secs_f64() / seconds_since(measured);
            let records = controller.hub.borrow().published() - published;
            let rate = records as f64 / seconds_since(measured);
            let waiting = controller.stats().await?;
            let waiting = serde_json::to_value(&waiting)?["time_wait"].clone();
            println!("a million in TIME_WAIT in the long run: {rate:.0} records a second, half of");
            println!("them TIME_WAITs that are over; in TIME_WAIT now: {waiting}");
            println!(
                "one core {share:.1} % busy; a look {} ms; told at most {:.2} s late,",
                with_spread(&looks, 1),
                late.worst.as_secs_f64()
            );
            println!(
                "and between two looks were at most {:.2} s\n",
                latest.as_secs_f64()
            );
            Ok(json!({
                "time_wait": waiting,
                "records_per_second": rate,
                "percent_of_a_core": share,
                "look_milliseconds": spread_json(&looks),
                "late_seconds": late.worst.as_secs_f64(),
                "latest_seconds": latest.as_secs_f64(),
            }))
        });
        stop.store(true, Ordering::Relaxed);
        source.join().map_err(|_| "the source panicked")??;
        outcome
    })
}

/// Established connections send, as fast as this processor can.
fn traffic(kernel: &Kernel, stop: &AtomicBool) -> Result<()> {
    stay_on(last_cpu())?;
    let mut runner = kernel.runner("full")?;
    let mut part = Part {
        number: 1,
        first: 1 << SHIFT,
        shift: TRAFFIC,
        from: 0,
        frames: 1 << TRAFFIC,
    };
    for kind in handshake() {
        runner.run(&kind, part)?;
    }
    let [data, ack] = established();
    while !stop.load(Ordering::Relaxed) {
        runner.run(&data, part)?;
        runner.run(&ack, part)?;
        part.from += u64::from(part.frames);
    }
    Ok(())
}

/// Whole connections, evenly so many that a million are in TIME_WAIT.
fn come_and_go(kernel: &Kernel, stop: &AtomicBool) -> Result<()> {
    const FRAMES: u32 = 512;
    stay_on(last_cpu())?;
    let mut runner = kernel.runner("full")?;
    let kinds = whole();
    // Twice the tuples, so that none is used again before it is free.
    let mut part = Part {
        shift: SHIFT + 1,
        frames: FRAMES,
        ..Part::default()
    };
    let begin = Instant::now();
    let each = TIME_WAIT.mul_f64(f64::from(FRAMES) / f64::from(1 << SHIFT));
    let mut due = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(due.saturating_sub(begin.elapsed()));
        for kind in &kinds {
            runner.run(kind, part)?;
        }
        part.from += u64::from(FRAMES);
        due += each;
    }
    Ok(())
}

/// Runs `work` with a controller over this table, in an event loop as `run`'s.
pub(crate) fn with_controller<T>(
    loaded: Loaded,
    policy: &Path,
    work: impl AsyncFnOnce(&Rc<Controller>) -> Result<T>,
) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let clock = Clock {
        offset_ns: clock::offset()?,
    };
    let facts = Facts {
        started_at: clock.at(clock::monotonic()?),
        netns: None,
        namespace: None,
        tunnels: false,
        level: Level::Full,
        level_asked: false,
        policy: Some(policy.to_path_buf()),
        pinned: None,
        resumed: false,
        rfc1337: false,
    };
    runtime.block_on(LocalSet::new().run_until(async {
        let attached = attached_nowhere()?;
        let policy = Policy::default();
        let controller = Rc::new(Controller::new(loaded, attached, facts, policy, clock));
        work(&controller).await
    }))
}

/// What a controller has that was told to attach to nothing. Its programs are
/// those of another table, a small one: these here run by themselves.
fn attached_nowhere() -> Result<Attached> {
    let (_, programs, _) = load::load(load::OBJECT, Sizes::new(1 << 10, 1 << 16)?, false)?;
    let plan = Plan {
        mode: Mode::default(),
        clsact: false,
    };
    let named = Named {
        interfaces: vec!["none".to_owned()],
        hooks: None,
    };
    let voice = Voice { quiet: true };
    Ok(Attached::new(
        programs,
        plan,
        named,
        &Interfaces::default(),
        None,
        voice,
    )?)
}

/// When to look at the timers.
fn ticker() -> Interval {
    let mut tick = interval(RunOptions::TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

/// Waits for the next look, and looks.
async fn look(controller: &Rc<Controller>, pump: &mut Pump, tick: &mut Interval) -> Result<()> {
    while turn(controller, pump, tick).await?.is_none() {}
    Ok(())
}

/// How late the ends of TIME_WAITs are told.
#[derive(Default)]
struct Lateness {
    /// Number of the last record that was looked at.
    seen: u64,
    worst: Duration,
}

impl Lateness {
    /// Looks at what was told since the last time, of the latest few thousand.
    fn look(&mut self, controller: &Controller) -> Result<()> {
        let now = clock::monotonic()?;
        let hub = controller.hub.borrow();
        let told = hub.numbered().filter(|&(number, record)| {
            number > self.seen && record.event == Event::TimeWait as u8
        });
        if let Some(first) = told.map(|(_, record)| record.time).min() {
            let late = Duration::from_nanos(now.saturating_sub(first));
            self.worst = self.worst.max(late);
        }
        self.seen = hub.published();
        Ok(())
    }
}

/// What `termination run` does when something happens. Begin of the look at the
/// timers, if it was one, and what it took of the processor.
async fn turn(
    controller: &Rc<Controller>,
    pump: &mut Pump,
    tick: &mut Interval,
) -> Result<Option<(Instant, Duration)>> {
    tokio::select! {
        due = pump.due() => {
            due?;
            controller.turn(pump);
            Ok(None)
        }
        _ = tick.tick() => {
            let (start, before) = (Instant::now(), cpu_time());
            controller.measure_clock();
            controller.look_at_timers(pump).await?;
            Ok(Some((start, cpu_time() - before)))
        }
    }
}

/// A directory of its own, removed with this value.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn new() -> Result<Self> {
        let path = env::temp_dir().join(format!("termination-bench-{}", process::id()));
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // There is nobody to tell.
        let _ = fs::remove_dir_all(&self.0);
    }
}
