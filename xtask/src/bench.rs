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

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use crate::{privileges, setup};

/// Where figures and what is made on the way go.
const DIRECTORY: &str = "target/bench";

/// What to measure; without a word, all of it but `pcap`.
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

/// Measures, prints tables, writes JSON.
///
/// # Errors
///
/// When a privilege or a program is missing, or one fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    let quick = options.quick;
    let what = match &options.what {
        Some(What::Pcap(options)) => return pcap::run(options),
        Some(what) => vec![what],
        None => Vec::new(),
    };
    privileges::require("bench")?;
    setup::run()?;
    let programs = kernel::build()?;
    let mut figures = Figures::new()?;
    let all = [
        What::Packet(kernel::Drawn::default()),
        What::Life(kernel::Drawn::default()),
        What::Events(kernel::Repeated::default()),
        What::Scan(kernel::Repeated::default()),
        What::Memory,
        What::Server(server::Options::default()),
    ];
    let what = if what.is_empty() {
        all.iter().collect()
    } else {
        what
    };
    for what in what {
        let (name, value) = match what {
            What::Packet(options) => ("packet", programs.packet(options, quick)?),
            What::Life(options) => ("life", programs.life(options, quick)?),
            What::Events(options) => ("events", programs.events(options, quick)?),
            What::Scan(options) => ("scan", programs.scan(options, quick)?),
            What::Memory => ("memory", programs.memory()?),
            What::Server(options) => ("server", server::run(options, &programs, quick)?),
            What::Pcap(_) => continue,
        };
        figures.add(name, value)?;
    }
    println!("figures and samples: {}", figures.path.display());
    Ok(())
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
