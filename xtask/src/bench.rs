//! `cargo xtask bench [what]`: measurements that anyone can repeat. Each compares
//! in one run, in turns; prints tables; and all of a run is written into one
//! file under `target/bench`, with the machine that it was on.

mod capture;
mod contestant;
mod kernel;
mod machine;
mod measure;
mod pcap;
mod server;

use std::{fs, path::PathBuf, process};

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use termination_lab::{cleanup, signal};

use self::kernel::Programs;
use crate::{privileges, setup};

/// Where figures and what is made on the way go.
const DIRECTORY: &str = "target/bench";

/// What to measure; without a word, all of it.
#[derive(Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: Option<What>,
    /// A first impression: fewer rounds, no million
    #[arg(long, global = true)]
    quick: bool,
}

#[derive(Subcommand)]
enum What {
    /// Nanoseconds a packet in the kernel, beside BPF's own hash maps
    Packet(kernel::Drawn),
    /// Nanoseconds a frame on its way over veth, with and without programs
    Live(kernel::Drawn),
    /// Nanoseconds a whole connection, from SYN to the end of its TIME_WAIT
    Life(kernel::Drawn),
    /// Endings a second from the kernel to a reader, beside the bare ring buffer
    Events(kernel::Repeated),
    /// What the table costs user space: looks, expiry, questions beside ss
    Scan(kernel::Repeated),
    /// Memory of a million connections
    Memory,
    /// nginx, bare and observed, beside tcplife, conntrack and tcpdump
    Server(server::Options),
    /// Packets a second from a capture, beside tshark, tcptrace and argus
    Pcap(pcap::Options),
}

/// Measures, prints tables, writes JSON. What fails does not keep the rest from
/// being measured.
///
/// # Errors
///
/// When a privilege is missing, or something failed.
pub(crate) fn run(options: &Options) -> Result<()> {
    let all = [
        What::Packet(kernel::Drawn::default()),
        What::Live(kernel::Drawn::default()),
        What::Life(kernel::Drawn::default()),
        What::Events(kernel::Repeated::default()),
        What::Scan(kernel::Repeated::default()),
        What::Memory,
        What::Server(server::Options::default()),
        What::Pcap(pcap::Options::default()),
    ];
    let what: Vec<_> = match &options.what {
        Some(what) => vec![what],
        None => all.iter().collect(),
    };
    // Captures are read without.
    if !matches!(what[..], [What::Pcap(_)]) {
        privileges::require("bench")?;
    }
    setup::run()?;
    let programs = kernel::build()?;
    let mut figures = Figures::new()?;
    // Namespaces are no children of this process: somebody has to remove them.
    signal::on_interrupt(|signal| cleanup(|| process::exit(128 + signal)))?;
    let mut failed = Vec::new();
    for what in what {
        let (name, value) = what.measure(&programs, options.quick);
        let value = value.unwrap_or_else(|error| {
            eprintln!("error: {name}: {error:#}\n");
            failed.push(name);
            json!({ "error": format!("{error:#}") })
        });
        figures.add(name, value)?;
    }
    println!("figures and samples: {}", figures.path.display());
    if !failed.is_empty() {
        bail!("{} could not be measured; see above", failed.join(", "));
    }
    Ok(())
}

impl What {
    /// Its name, and its figures.
    fn measure(&self, programs: &Programs, quick: bool) -> (&'static str, Result<Value>) {
        match self {
            Self::Packet(options) => ("packet", programs.packet(options, quick)),
            Self::Live(options) => ("live", programs.live(options, quick)),
            Self::Life(options) => ("life", programs.life(options, quick)),
            Self::Events(options) => ("events", programs.events(options, quick)),
            Self::Scan(options) => ("scan", programs.scan(options, quick)),
            Self::Memory => ("memory", programs.memory()),
            Self::Server(options) => ("server", server::run(options, programs, quick)),
            Self::Pcap(options) => ("pcap", pcap::run(options, programs, quick)),
        }
    }
}

/// The file of one run; whole after each part.
struct Figures {
    path: PathBuf,
    all: Map<String, Value>,
}

impl Figures {
    fn new() -> Result<Self> {
        fs::create_dir_all(DIRECTORY).with_context(|| format!("cannot make {DIRECTORY}"))?;
        let machine = machine::describe()?;
        let name = format!("{}.json", machine.began);
        println!("\n{machine}\n");
        let mut all = Map::new();
        all.insert("machine".to_owned(), machine.json());
        Ok(Self {
            path: PathBuf::from(DIRECTORY).join(name),
            all,
        })
    }

    fn add(&mut self, name: &str, value: Value) -> Result<()> {
        self.all.insert(name.to_owned(), value);
        let text = format!("{:#}\n", Value::Object(self.all.clone()));
        fs::write(&self.path, text).with_context(|| format!("cannot write {}", self.path.display()))
    }
}
