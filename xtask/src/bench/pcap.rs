//! `cargo xtask bench pcap`: how many packets a second each program reads from
//! a capture of small packets with 64,000 connections, on one processor, from
//! the page cache. The programs take turns, so that whatever else the machine
//! does meets all of them.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{
    DIRECTORY, capture, contestant,
    kernel::Programs,
    measure::{Sample, run as measure, spread},
};

/// Programs to compare with, and their packages.
const OTHERS: [(&str, &str); 4] = [
    ("tshark", "tshark"),
    ("tcptrace", "tcptrace"),
    ("argus", "argus-server"),
    ("ra", "argus-client"),
];
/// The others read the first packets of such a capture only: the slowest needs
/// a minute for a million, and keeps a kilobyte of each.
const SHARE: u64 = 20;

/// How much, how often.
#[derive(clap::Args, Default)]
pub(crate) struct Options {
    /// Packets of the long capture, 20 million if not said; the comparison is over
    /// a twentieth
    #[arg(long, value_name = "N")]
    packets: Option<u64>,
    /// Runs of each program
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
}

/// A program over a capture.
struct Contestant {
    name: &'static str,
    line: String,
    packets: u64,
    samples: Vec<Sample>,
}

/// Removed when dropped.
struct Written(PathBuf);

impl Written {
    /// A capture of so many packets, in the page cache.
    fn new(name: &str, packets: u64) -> Result<Self> {
        let written = Self(Path::new(DIRECTORY).join(name));
        let Self(path) = &written;
        println!("writing {} with {packets} packets", path.display());
        capture::write(path, packets)?;
        warm(path)?;
        Ok(written)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        // It may be there in part, or not at all.
        let _ = fs::remove_file(&self.0);
    }
}

/// Measures and prints.
///
/// # Errors
///
/// When a program fails, or no room is left for the captures.
pub(super) fn run(options: &Options, programs: &Programs, quick: bool) -> Result<Value> {
    let absent = contestant::install(&OTHERS);
    let rounds = options.rounds.unwrap_or(if quick { 1 } else { 3 });
    let all = options
        .packets
        .unwrap_or(if quick { 4_000_000 } else { 20_000_000 });
    let some = all / SHARE;
    let long = Written::new("long.pcap", all)?;
    let short = Written::new("short.pcap", some)?;
    let ours = format!("{} pcap --quiet", programs.termination.display());
    let (whole, part) = (long.0.display(), short.0.display());
    let mut contestants = vec![Contestant::new(
        "termination, long",
        format!("{ours} {whole}"),
        all,
    )];
    let lines: [(_, &[&str], _); 4] = [
        ("termination", &[], format!("{ours} {part}")),
        (
            "tshark -T fields",
            &["tshark"],
            format!("tshark -n -r {part} -T fields -e tcp.stream -e tcp.flags -e tcp.completeness"),
        ),
        ("tcptrace", &["tcptrace"], format!("tcptrace -n {part}")),
        (
            "argus | ra",
            &["argus", "ra"],
            format!("argus -X -F /dev/null -r {part} -w - | ra -F /dev/null -n -r -"),
        ),
    ];
    let mut left_out = Vec::new();
    for (name, needed, line) in lines {
        if needed.iter().any(|needed| absent.contains(needed)) {
            left_out.push(name);
        } else {
            contestants.push(Contestant::new(name, line, some));
        }
    }
    // The last processor: the first one gets most of the interrupts.
    let cpu = thread::available_parallelism()?.get() - 1;
    for round in 1..=rounds {
        eprintln!("bench: pcap, round {round} of {rounds}");
        for contestant in &mut contestants {
            contestant.samples.push(measure(&contestant.line, cpu)?);
        }
    }
    print(&contestants, rounds);
    for name in &left_out {
        println!("left out: {name}: cannot be had here, see above");
    }
    println!();
    let programs: Vec<_> = contestants.iter().map(Contestant::json).collect();
    Ok(json!({
        "connections": capture::CONNECTIONS,
        "rounds": rounds,
        "programs": programs,
        "left_out": left_out,
    }))
}

/// Reads a file, so that it is in the page cache.
fn warm(path: &Path) -> Result<()> {
    let mut file = File::open(path)?;
    io::copy(&mut file, &mut io::sink())
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(())
}

impl Contestant {
    const fn new(name: &'static str, line: String, packets: u64) -> Self {
        Self {
            name,
            line,
            packets,
            samples: Vec::new(),
        }
    }

    /// Packets a second: in the median, the slowest and the fastest run.
    fn rate(&self) -> (f64, f64, f64) {
        let packets = self.packets as f64;
        spread(self.samples.iter().map(|sample| packets / sample.seconds))
    }

    /// Packets a second of processor time, in the median.
    fn rate_of_cpu(&self) -> f64 {
        let packets = self.packets as f64;
        spread(
            self.samples
                .iter()
                .map(|sample| packets / sample.cpu_seconds),
        )
        .0
    }

    fn peak_bytes(&self) -> u64 {
        let peaks = self.samples.iter().map(|sample| sample.peak_bytes);
        peaks.max().unwrap_or(0)
    }

    fn json(&self) -> Value {
        let (median, least, most) = self.rate();
        json!({
            "name": self.name,
            "command": self.line,
            "packets": self.packets,
            "packets_per_second": { "median": median, "least": least, "most": most },
            "packets_per_cpu_second": self.rate_of_cpu(),
            "peak_bytes": self.peak_bytes(),
            "samples": self.samples.iter().map(Sample::json).collect::<Vec<_>>(),
        })
    }
}

fn print(contestants: &[Contestant], rounds: u32) {
    println!("thousands of packets a second from a capture of small packets, 64,000");
    println!("connections at a time, in the page cache, on one processor: by the clock on");
    println!("the wall, and by processor time; median of {rounds}\n");
    println!(
        "{:18} {:>10} {:>9} {:>15} {:>9} {:>9}",
        "program", "packets", "wall k/s", "least-most", "CPU k/s", "peak MB"
    );
    for contestant in contestants {
        let (median, least, most) = contestant.rate();
        println!(
            "{:18} {:>10} {:>9.0} {:>15} {:>9.0} {:>9}",
            contestant.name,
            contestant.packets,
            median / 1e3,
            format!("{:.0}-{:.0}", least / 1e3, most / 1e3),
            contestant.rate_of_cpu() / 1e3,
            contestant.peak_bytes() / 1_000_000,
        );
    }
}
