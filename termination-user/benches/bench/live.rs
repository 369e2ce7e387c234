//! What a frame costs on its way: through a veth pair between two namespaces,
//! with nothing at the receiver's hook, with a program that does nothing, and
//! with `termination`'s, in turns.
//!
//! One thread sends. The other end takes each frame, runs the program and hands
//! it on within the sender's call, in the softirq at its end; so the thread's
//! processor time holds all of it, and where that was too much at once, that of
//! ksoftirqd. Nobody receives: the frames are addressed to another station, and
//! the kernel drops them right behind the hook.

mod sender;

use std::{
    collections::BTreeMap,
    fs,
    ops::Range,
    os::fd::{AsFd as _, OwnedFd},
    time::Duration,
};

use serde_json::{Value, json};
use termination_common::{counters, policy::Settings};
use termination_lab::{End, Pair};
use termination_user::control::{
    RunOptions,
    kernel::{
        bpf::{self, Place},
        load::{self, Loaded, Sizes},
        programs,
    },
    records::ring::Ring,
};

use self::sender::Sender;
use crate::{
    frame::Kind,
    harness::{
        Result, cpu_time, last_cpu, nanoseconds, progress, spread, spread_json, stay_on,
        with_spread,
    },
    packet::slots,
    segments::{EARLY, established, handshake},
};

/// In the order of the columns.
const ATTACHED: [&str; 3] = ["nothing", "empty", "full"];
/// Frames of a turn, at least.
const FRAMES: u32 = 1 << 18;
/// Handshakes at once.
const AT_ONCE: u64 = 1024;

/// How often, over how many connections.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Turns of each
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Connections, as powers of two
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    shift: Vec<u32>,
}

/// Per program: nanoseconds a frame of each turn.
type Columns = BTreeMap<&'static str, Vec<f64>>;

/// Measures and prints.
pub(crate) fn run(options: &Options, quick: bool) -> Result<Value> {
    let turns = options.rounds.unwrap_or(if quick { 3 } else { 11 });
    let shifts: &[u32] = match &options.shift[..] {
        [] => &[0, 16],
        shifts => shifts,
    };
    stay_on(last_cpu())?;
    println!("live frames over veth, data and pure ACKs: nanoseconds of processor time a");
    println!("frame, from the sender's call until it is dropped behind the hook, with");
    println!("nothing there, an empty XDP program, all of ours. Median of {turns} turns ± the");
    println!("farther end; `ours` is full less empty, turn by turn\n");
    println!(
        "{:>11} {:>14} {:>14} {:>14} {:>14} {:>7}",
        "connections", "nothing", "empty", "full", "ours", "lost %"
    );
    let mut rows = Vec::new();
    for &shift in shifts {
        rows.push(measure(shift, turns)?);
    }
    println!();
    Ok(json!({ "turns": turns, "rows": rows }))
}

/// The pair and what may be attached to it.
struct Cable {
    pair: Pair,
    sender: Sender,
    empty: OwnedFd,
    full: OwnedFd,
    loaded: Loaded,
    /// Of the loaded programs' maps.
    _kept: (programs::Programs, programs::Programs, Ring),
}

impl Cable {
    fn new(shift: u32) -> Result<Self> {
        let pair = Pair::new()?;
        let sender = Sender::open(&pair.client)?;
        let small = Sizes::new(64, 1 << 16)?;
        let (_, mut idle, _) = load::load(load::BENCH_OBJECT, small, false)?;
        let sizes = Sizes::new(slots(shift), RunOptions::RING_BYTES)?;
        let (loaded, mut live, ring) = load::load(load::OBJECT, sizes, false)?;
        loaded.set(Settings::DEFAULT)?;
        Ok(Self {
            empty: idle.get("empty")?,
            full: live.get("ingress_xdp")?,
            pair,
            sender,
            loaded,
            _kept: (idle, live, ring),
        })
    }

    /// Attaches one of [`ATTACHED`] where the frames arrive, until the link is
    /// dropped.
    fn attach(&self, name: &str) -> Result<Option<OwnedFd>> {
        let program = match name {
            "empty" => &self.empty,
            "full" => &self.full,
            _ => return Ok(None),
        };
        let End { namespace, .. } = &self.pair.server;
        let index = self.pair.server.index()?;
        let attach = || bpf::attach(program.as_fd(), index, Place::XdpNative);
        Ok(Some(namespace.enter(attach)??))
    }

    /// A frame of each kind, of all these numbers.
    fn send(&mut self, kinds: &[Kind], shift: u32, numbers: Range<u64>) -> Result<()> {
        for kind in kinds {
            for number in numbers.clone() {
                self.sender.put(kind, shift, number)?;
            }
        }
        Ok(())
    }

    /// A frame of each kind, of every connection.
    fn round(&mut self, kinds: &[Kind], shift: u32, round: u32) -> Result<()> {
        let first = u64::from(round) << shift;
        self.send(kinds, shift, first..first + (1 << shift))
    }

    /// Frames that have arrived so far.
    fn arrived(&self) -> Result<u64> {
        let read = || fs::read_to_string("/proc/thread-self/net/dev");
        let text = self.pair.server.namespace.enter(read)??;
        let name = format!("{}:", self.pair.server.interface);
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(&name));
        // Bytes, packets.
        let packets = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        packets.ok_or_else(|| "no such interface in /proc/net/dev".into())
    }
}

fn measure(shift: u32, turns: u32) -> Result<Value> {
    let mut cable = Cable::new(shift)?;
    let connections = 1_u64 << shift;
    let rounds = (FRAMES >> (shift + 1)).max(1);
    let kinds = established();
    let clock = softirq_clock();
    let link = cable.attach("full")?;
    // A few at a time: so many attempts at once would be a flood, in which some
    // give way.
    let few = AT_ONCE.min(connections);
    for first in (0..connections).step_by(few as usize) {
        cable.send(&handshake(), shift, first..first + few)?;
    }
    for round in 0..EARLY {
        cable.round(&kinds, shift, round)?;
    }
    cable.sender.flush()?;
    drop(link);
    let opened = cable.loaded.counters()?.0[counters::OPENED];
    if opened != connections {
        return Err(format!("{opened} of {connections} handshakes were seen").into());
    }
    let mut columns = Columns::new();
    let (mut sent, mut arrived) = (0_u64, 0);
    for turn in 0..turns {
        progress(&format!(
            "{connections} connections over veth, turn {} of {turns}",
            turn + 1
        ));
        for name in ATTACHED {
            let link = cable.attach(name)?;
            let (there, before) = (cable.arrived()?, cpu_time() + clock());
            for round in 0..rounds {
                cable.round(&kinds, shift, EARLY + turn * rounds + round)?;
            }
            cable.sender.flush()?;
            let took = cpu_time() + clock() - before;
            let frames = u64::from(2 * rounds) << shift;
            sent += frames;
            arrived += cable.arrived()? - there;
            drop(link);
            let each = nanoseconds(took) / frames as f64;
            columns.entry(name).or_default().push(each);
        }
    }
    let lost = 100.0 * sent.saturating_sub(arrived) as f64 / sent as f64;
    Ok(print(connections, &columns, lost))
}

fn print(connections: u64, columns: &Columns, lost: f64) -> Value {
    let [nothing, empty, full] = ATTACHED.map(|name| columns.get(name).map_or(&[][..], |c| c));
    let ours: Vec<_> = full
        .iter()
        .zip(empty)
        .map(|(full, empty)| full - empty)
        .collect();
    println!(
        "{connections:>11} {:>14} {:>14} {:>14} {:>14} {lost:>7.2}",
        with_spread(nothing, 0),
        with_spread(empty, 0),
        with_spread(full, 0),
        with_spread(&ours, 0),
    );
    json!({
        "connections": connections,
        "nanoseconds": {
            "nothing": spread_json(nothing),
            "empty": spread_json(empty),
            "full": spread_json(full),
            "full_less_empty": spread_json(&ours),
        },
        "hook_itself": spread(empty).0 - spread(nothing).0,
        "lost_percent": lost,
    })
}

/// The clock of what this processor does in softirqs on a thread of its own;
/// one that stands still where there is none to be seen.
fn softirq_clock() -> impl Fn() -> Duration {
    let name = format!("ksoftirqd/{}", last_cpu());
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pid = pids
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .find(|pid| {
            let comm = fs::read_to_string(format!("/proc/{pid}/comm"));
            comm.is_ok_and(|comm| comm.trim() == name)
        });
    let clock = pid.and_then(|pid| {
        let mut clock = 0;
        // SAFETY: the pointer is to a live variable of the type asked for.
        let result = unsafe { libc::clock_getcpuclockid(pid, &raw mut clock) };
        (result == 0).then_some(clock)
    });
    move || clock.map_or(Duration::ZERO, crate::harness::time_of)
}
