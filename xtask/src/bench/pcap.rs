//! `cargo xtask bench pcap`: how many packets a second each program reads from
//! a capture of small packets with 64,000 connections, on one processor, from
//! the page cache. The programs take turns, so that whatever else the machine
//! does meets all of them.

use std::{
    fs::{self, File},
    io,
    path::Path,
    thread,
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{
    DIRECTORY, capture, contestant,
    measure::{Sample, run as measure, spread},
};
use crate::command::{announce, cargo};

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
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Packets of the long capture; the comparison is over a twentieth
    #[arg(long, default_value_t = 20_000_000)]
    packets: u64,
    /// Runs of each program
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

/// A program over a capture.
struct Contestant {
    name: &'static str,
    line: String,
    packets: u64,
    samples: Vec<Sample>,
}

/// Measures and says.
///
/// # Errors
///
/// When something is missing, fails, or no room is left for the captures.
pub(crate) fn run(options: &Options) -> Result<()> {
    contestant::install(&OTHERS)?;
    announce(cargo().args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "termination-user",
    ]))?;
    fs::create_dir_all(DIRECTORY)?;
    let long = Path::new(DIRECTORY).join("long.pcap");
    let short = Path::new(DIRECTORY).join("short.pcap");
    for (path, packets) in [(&long, options.packets), (&short, options.packets / SHARE)] {
        println!("writing {} with {packets} packets", path.display());
        capture::write(path, packets)?;
        warm(path)?;
    }
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| String::from("target"));
    let ours = format!("{target}/release/termination pcap --quiet");
    let (all, some) = (options.packets, options.packets / SHARE);
    let (whole, part) = (long.display(), short.display());
    let mut contestants = [
        ("termination, long", format!("{ours} {whole}"), all),
        ("termination", format!("{ours} {part}"), some),
        (
            "tshark -T fields",
            format!("tshark -n -r {part} -T fields -e tcp.stream -e tcp.flags -e tcp.completeness"),
            some,
        ),
        ("tcptrace", format!("tcptrace -n {part}"), some),
        (
            "argus | ra",
            format!("argus -X -F /dev/null -r {part} -w - | ra -F /dev/null -n -r -"),
            some,
        ),
    ]
    .map(|(name, line, packets)| Contestant {
        name,
        line,
        packets,
        samples: Vec::new(),
    });
    // The last processor: the first one gets most of the interrupts.
    let cpu = thread::available_parallelism()?.get() - 1;
    for round in 1..=options.rounds {
        println!("round {round} of {}", options.rounds);
        for contestant in &mut contestants {
            contestant.samples.push(measure(&contestant.line, cpu)?);
        }
    }
    for path in [&long, &short] {
        fs::remove_file(path)?;
    }
    table(&contestants);
    let path = Path::new(DIRECTORY).join("pcap.json");
    let results: Vec<_> = contestants.iter().map(Contestant::json).collect();
    let results = json!({ "connections": capture::CONNECTIONS, "programs": results });
    fs::write(&path, format!("{results:#}\n"))?;
    println!("\nall samples: {}", path.display());
    Ok(())
}

/// Reads a file, so that it is in the page cache.
fn warm(path: &Path) -> Result<()> {
    let mut file = File::open(path)?;
    io::copy(&mut file, &mut io::sink())
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(())
}

impl Contestant {
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

fn table(contestants: &[Contestant]) {
    println!(
        "\n{:18} {:>12} {:>14} {:>27} {:>16} {:>9}",
        "program", "packets", "packets/s", "least .. most", "of CPU time", "peak MB"
    );
    for contestant in contestants {
        let (median, least, most) = contestant.rate();
        println!(
            "{:18} {:>12} {median:>14.0} {:>27} {:>16.0} {:>9}",
            contestant.name,
            contestant.packets,
            format!("{least:.0} .. {most:.0}"),
            contestant.rate_of_cpu(),
            contestant.peak_bytes() / 1_000_000,
        );
    }
}
