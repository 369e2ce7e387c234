//! What the measurements share: the object with its draw of connections, runs
//! of one program, medians, and how figures are written down.

use std::{
    error::Error,
    ffi::CString,
    fs,
    io::{self, Write as _},
    ops::Range,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use aya::{
    maps::{Array, Map, MapData},
    programs::{TestRun as _, TestRunOptions, Xdp},
};
use serde_json::{Value, json};
use termination_common::{
    counters::Counters,
    exchange::{Operation, SWEEP_BATCH},
    policy::{Level, Settings, Timers},
};
use termination_lab::Namespace;
use termination_user::control::{
    kernel::{
        bpf,
        load::{self, Loaded, Sizes},
        plain::Raw,
        programs,
    },
    records::ring::Ring,
    timers::sweep::{self, Tally},
};

use crate::frame::{Draw, Kind};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The programs to measure, their table, and what they draw from.
pub(crate) struct Programs {
    pub(crate) loaded: Loaded,
    pub(crate) kernel: Kernel,
    /// Who does not read it lets it run full.
    pub(crate) ring: Ring,
}

/// What runs them.
pub(crate) struct Kernel {
    programs: programs::Programs,
    draw: MapData,
    /// Each is attached somewhere, as a program at work is. Otherwise each run
    /// of it would begin and end with a change of the kernel's dispatcher of XDP
    /// programs, and a wait of milliseconds for all processors
    /// (kernel/bpf/dispatcher.c).
    _attached: (Namespace, Vec<OwnedFd>),
}

/// Which frames a run takes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Part {
    /// Which draw; another for each run at the same time.
    pub(crate) number: u8,
    /// Number of the first connection.
    pub(crate) first: u32,
    /// The number of connections is `1 << shift`.
    pub(crate) shift: u32,
    /// Frames that have been.
    pub(crate) from: u64,
    /// Frames to run.
    pub(crate) frames: u32,
}

/// One program and one draw, for a thread of its own.
pub(crate) struct Runner<'a> {
    name: &'static str,
    program: &'a Xdp,
    draw: Array<MapData, Raw<Draw>>,
}

impl Kernel {
    /// One of the programs that were loaded.
    pub(crate) fn runner(&self, name: &'static str) -> Result<Runner<'_>> {
        let program: &Xdp = self
            .programs
            .object()
            .and_then(|object| object.program(name))
            .ok_or("no such program")?
            .try_into()?;
        let draw = self.draw.fd().as_fd().try_clone_to_owned()?;
        let draw = Map::from_map_data(MapData::from_fd(draw)?)?.try_into()?;
        Ok(Runner {
            name,
            program,
            draw,
        })
    }
}

impl Runner<'_> {
    /// Runs the program on frames of this kind. Returns what it took of the
    /// processor.
    pub(crate) fn run(&mut self, kind: &Kind, part: Part) -> Result<Duration> {
        let draw = Draw {
            count: part.from,
            mask: (1 << part.shift) - 1,
            shift: part.shift,
            first: part.first,
            ..kind.draw
        };
        self.draw.set(part.number.into(), Raw(draw), 0)?;
        let mut frame = kind.frame.clone();
        frame[0] = part.number;
        let mut out = vec![0; frame.len()];
        let before = cpu_time();
        let result = self.program.test_run(TestRunOptions {
            data_in: Some(&frame),
            data_out: Some(&mut out),
            repeat: part.frames,
            ..TestRunOptions::new()
        })?;
        let took = cpu_time() - before;
        if result.return_value != 2 {
            return Err(format!("{} returned {}", self.name, result.return_value).into());
        }
        Ok(took)
    }
}

impl Programs {
    /// Loads the object with a table of `slots`, and the named programs.
    pub(crate) fn load(slots: u32, ring: u32, names: &[&'static str]) -> Result<Self> {
        Self::load_at(Level::Full, slots, ring, names)
    }

    /// The same at a level.
    pub(crate) fn load_at(
        level: Level,
        slots: u32,
        ring: u32,
        names: &[&'static str],
    ) -> Result<Self> {
        let sizes = Sizes::new(slots, ring)?.at(level);
        let (loaded, mut programs, ring) = load::load(load::BENCH_OBJECT, sizes, false)?;
        let namespace = Namespace::new("bench")?;
        let mut links = Vec::new();
        for name in names {
            let program = programs.get(name)?;
            // Nothing comes by there.
            namespace.ip(&format!("link add {name} type veth"))?;
            let attach = || {
                let name = CString::new(*name)?;
                // SAFETY: a C string.
                let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
                bpf::attach(program, index, bpf::Place::XdpGeneric)
            };
            links.push(namespace.enter(attach)??);
        }
        let object = programs.object_mut().ok_or("no object")?;
        let Some(Map::Array(draw)) = object.take_map("DRAW") else {
            return Err("no map DRAW".into());
        };
        loaded.set(Settings::DEFAULT)?;
        Ok(Self {
            loaded,
            kernel: Kernel {
                programs,
                draw,
                _attached: (namespace, links),
            },
            ring,
        })
    }

    /// Runs a program on a frame of each of `1 << shift` connections, in each of
    /// these rounds. Returns nanoseconds a frame.
    pub(crate) fn run(
        &self,
        name: &'static str,
        kind: &Kind,
        shift: u32,
        rounds: Range<u32>,
    ) -> Result<f64> {
        let part = Part {
            shift,
            from: u64::from(rounds.start) << shift,
            frames: (rounds.end - rounds.start) << shift,
            ..Part::default()
        };
        let took = self.kernel.runner(name)?.run(kind, part)?;
        Ok(nanoseconds(took) / f64::from(part.frames))
    }

    /// One frame of each kind in turn for each of `1 << shift` connections, a few
    /// connections at a time, through all of the live program. Records are taken
    /// out and thrown away.
    pub(crate) fn fill(&mut self, kinds: &[Kind], shift: u32) -> Result<()> {
        let frames = 1024.min(1 << shift);
        for from in (0..1_u64 << shift).step_by(frames as usize) {
            let part = Part {
                shift,
                from,
                frames,
                ..Part::default()
            };
            let mut runner = self.kernel.runner("full")?;
            for kind in kinds {
                runner.run(kind, part)?;
            }
            self.drain();
        }
        Ok(())
    }

    /// A frame for each of `1 << shift` connections, with the ring emptied often
    /// enough that it never runs full. Returns what the program took.
    pub(crate) fn read_along(
        &mut self,
        name: &'static str,
        kind: &Kind,
        shift: u32,
    ) -> Result<Duration> {
        /// Half of the records that the default ring has room for.
        const AT_ONCE: u32 = 1 << 15;
        let frames = AT_ONCE.min(1 << shift);
        let mut sum = Duration::ZERO;
        for from in (0..1_u64 << shift).step_by(frames as usize) {
            let part = Part {
                shift,
                from,
                frames,
                ..Part::default()
            };
            sum += self.kernel.runner(name)?.run(kind, part)?;
            self.drain();
        }
        Ok(sum)
    }

    /// Takes all records out. How many.
    pub(crate) fn drain(&mut self) -> u64 {
        let mut taken = 0;
        while self.ring.take().is_some() {
            taken += 1;
        }
        self.ring.settle_all();
        taken
    }

    pub(crate) fn counters(&self) -> Result<Counters> {
        Ok(self.loaded.counters()?)
    }

    /// Empties the table. Returns how long that took and how many slots were
    /// freed.
    pub(crate) fn clear(&self) -> Result<(Duration, u64)> {
        let all = sweep::everything(&self.loaded.table);
        let mut tally = Tally::default();
        let started = Instant::now();
        for batch in all.chunks(SWEEP_BATCH) {
            tally.add(sweep::batch(
                self.loaded.sweep(),
                0,
                Operation::Shutdown,
                Timers::DEFAULT,
                batch,
            )?);
        }
        Ok((started.elapsed(), tally.freed))
    }
}

/// What this thread has taken of a processor. Not the clock on the wall: on a
/// machine that others use too, that counts them as well.
pub(crate) fn cpu_time() -> Duration {
    time_of(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// What a clock says; zero where it is no more.
pub(crate) fn time_of(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live variable of the type asked for.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

pub(crate) fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// The middle one, the least and the greatest.
pub(crate) fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    (
        at(values.len() / 2),
        at(0),
        at(values.len().saturating_sub(1)),
    )
}

/// The same, to be written down.
pub(crate) fn spread_json(values: &[f64]) -> Value {
    let (median, least, greatest) = spread(values);
    json!({ "median": median, "min": least, "max": greatest, "samples": values.len() })
}

/// The median, and how far from it the farther end is.
pub(crate) fn with_spread(values: &[f64], digits: usize) -> String {
    let (median, least, greatest) = spread(values);
    let off = (median - least).max(greatest - median);
    if values.len() < 2 {
        return format!("{median:.digits$}");
    }
    format!("{median:.digits$} ±{off:.digits$}")
}

/// The last processor: the first one gets most of the interrupts.
pub(crate) fn last_cpu() -> usize {
    // Asked once, at the beginning: who stays on one processor is told of that one,
    // and so are the threads that it starts.
    static LAST: OnceLock<usize> = OnceLock::new();
    *LAST.get_or_init(|| thread::available_parallelism().map_or(0, |count| count.get() - 1))
}

/// Keeps the calling thread on one processor.
pub(crate) fn stay_on(cpu: usize) -> Result<()> {
    // SAFETY: all zeroes are an empty set; `CPU_SET` writes within it, since the
    // number is one of a processor that is there.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: as above.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the set is as long as is said.
    if unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) } != 0 {
        return Err(io::Error::last_os_error().into());
    }
    Ok(())
}

/// Writes the figures down.
pub(crate) fn write(path: Option<&Path>, figures: &Value) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let text = format!("{figures:#}\n");
    fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(())
}

/// What is still to come takes a while: whoever waits sees how far it is.
pub(crate) fn progress(text: &str) {
    // Nobody has to see it.
    let _ = writeln!(io::stderr(), "bench: {text}");
}
