//! What the measurements share: the object with its draw of connections, runs
//! of one program, medians, and how figures are written down.

use std::{
    env,
    error::Error,
    fs,
    time::{Duration, Instant},
};

use aya::{
    maps::{Array, MapData},
    programs::{TestRun as _, TestRunOptions, Xdp},
};
use serde_json::Value;
use termination_common::{
    exchange::{Operation, SWEEP_BATCH},
    policy::Timers,
    wire::build::Frame,
};
use termination_user::control::{
    load::{self, Loaded, Sizes},
    plain::{Plain, Raw},
    programs,
    ring::Ring,
    sweep::{self, Tally},
};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The server of every drawn connection; the client is drawn
/// (`termination-ebpf/src/draw.rs`).
const SERVER: &str = "10.0.0.1:0";

/// As in `termination-ebpf/src/draw.rs`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Draw {
    count: u64,
    mask: u32,
    shift: u32,
    back: u32,
    seq: u32,
    step: u32,
    ack: u32,
    ack_step: u32,
    reserved: u32,
}

// SAFETY: repr(C), 8 + 8 * 4 = 40 bytes, no padding.
unsafe impl Plain for Draw {}

/// The programs to measure, their table, and what they draw from.
pub(crate) struct Programs {
    pub(crate) loaded: Loaded,
    programs: programs::Programs,
    /// Nobody reads it: endings are counted, and reported when they are swept.
    _ring: Ring,
    draw: Array<MapData, Raw<Draw>>,
}

/// One kind of frame, and how it goes on from round to round.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    /// As it is called in the tables.
    pub(crate) name: &'static str,
    frame: Vec<u8>,
    draw: Draw,
}

/// What one kind of frame looks like.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// TCP flags.
    pub(crate) flags: u8,
    /// Sent by the server.
    pub(crate) back: bool,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) payload: usize,
    /// TCP options.
    pub(crate) options: &'static [u8],
}

impl Shape {
    /// The frame, with everything that is drawn left 0.
    pub(crate) fn kind(&self) -> Kind {
        let client = "0.0.0.0:0";
        let (source, destination) = if self.back {
            (SERVER, client)
        } else {
            (client, SERVER)
        };
        let frame = Frame::v4(source, destination)
            .tcp(self.flags)
            .window(u16::MAX)
            .options(self.options)
            .payload(self.payload)
            .build();
        Kind {
            name: self.name,
            frame,
            draw: Draw {
                back: self.back.into(),
                seq: self.seq,
                step: self.payload as u32,
                ack: self.ack,
                ..Draw::default()
            },
        }
    }
}

impl Kind {
    /// Each further round acks so many bytes more.
    pub(crate) const fn acks(&mut self, bytes: u32) {
        self.draw.ack_step = bytes;
    }
}

impl Programs {
    /// Loads the object with a table of `slots`, and the named programs.
    pub(crate) fn load(slots: u32, ring: u32, names: &[&'static str]) -> Result<Self> {
        let sizes = Sizes::new(slots, ring)?;
        let (loaded, mut programs, ring) = load::load(load::BENCH_OBJECT, sizes, false)?;
        for name in names {
            programs.get(name)?;
        }
        let object = programs.object_mut().ok_or("no object")?;
        let draw = object.take_map("DRAW").ok_or("no map DRAW")?;
        Ok(Self {
            loaded,
            programs,
            _ring: ring,
            draw: draw.try_into()?,
        })
    }

    /// Runs a program on `rounds` frames of each of `1 << shift` connections.
    /// Returns nanoseconds a frame.
    pub(crate) fn run(&mut self, name: &str, kind: &Kind, shift: u32, rounds: u32) -> Result<f64> {
        let draw = Draw {
            mask: (1 << shift) - 1,
            shift,
            ..kind.draw
        };
        self.draw.set(0, Raw(draw), 0)?;
        let program: &Xdp = self
            .programs
            .object()
            .and_then(|object| object.program(name))
            .ok_or("the program is loaded")?
            .try_into()?;
        let repeat = rounds << shift;
        let mut out = vec![0; kind.frame.len()];
        let before = cpu_time();
        let result = program.test_run(TestRunOptions {
            data_in: Some(&kind.frame),
            data_out: Some(&mut out),
            repeat,
            ..TestRunOptions::new()
        })?;
        if result.return_value != 2 {
            return Err(format!("{name} returned {}", result.return_value).into());
        }
        Ok(nanoseconds(cpu_time() - before) / f64::from(repeat))
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
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live variable of the type asked for.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
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

/// The value of `--name VALUE` among the arguments.
pub(crate) fn argument(name: &str) -> Option<String> {
    let mut arguments = env::args().skip_while(|argument| argument != name);
    arguments.next()?;
    arguments.next()
}

/// Writes the figures where `--json FILE` says.
pub(crate) fn write(figures: &Value) -> Result<()> {
    if let Some(path) = argument("--json") {
        let mut text = serde_json::to_string_pretty(figures)?;
        text.push('\n');
        fs::write(&path, text).map_err(|error| format!("cannot write {path}: {error}"))?;
    }
    Ok(())
}
