//! What is measured in `termination-user/benches/bench`: its process, built here.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde_json::Value;
use termination_lab::signal;

use super::{DIRECTORY, contestant};
use crate::command::{announce, cargo};

/// How often, over how many connections.
#[derive(Args, Default)]
pub(crate) struct Drawn {
    /// Lives of every connection; of live frames: turns
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Connections, as powers of two: 0 is one, 20 a million
    #[arg(long, value_name = "N,…")]
    shift: Option<String>,
}

/// How often.
#[derive(Args, Default)]
pub(crate) struct Repeated {
    /// Runs of each
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
}

/// What is measured.
pub(super) struct Programs {
    /// `termination` as it is released.
    pub(super) termination: PathBuf,
    /// The measurements.
    pub(super) bench: PathBuf,
}

/// Builds both as they are released.
///
/// # Errors
///
/// When cargo fails; it has said why.
pub(super) fn build() -> Result<Programs> {
    let package = ["--release", "--package", "termination-user"];
    let targets = ["--bin", "termination", "--bench", "bench"];
    println!("$ cargo build {} {}", package.join(" "), targets.join(" "));
    let output = cargo()
        .arg("build")
        .args(package)
        .args(targets)
        // Tells where they are, wherever that was configured to be.
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("what is to be measured could not be built; see above");
    }
    let mut found: BTreeMap<String, PathBuf> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| {
            let name = message["target"]["name"].as_str()?.to_owned();
            Some((name, PathBuf::from(message["executable"].as_str()?)))
        })
        .collect();
    let mut take = |name: &str| {
        let path = found.remove(name);
        path.with_context(|| format!("cargo did not say where it put `{name}`"))
    };
    Ok(Programs {
        termination: take("termination")?,
        bench: take("bench")?,
    })
}

impl Programs {
    pub(super) fn packet(&self, options: &Drawn, quick: bool) -> Result<Value> {
        self.drawn("packet", options, quick)
    }

    pub(super) fn live(&self, options: &Drawn, quick: bool) -> Result<Value> {
        self.drawn("live", options, quick)
    }

    pub(super) fn life(&self, options: &Drawn, quick: bool) -> Result<Value> {
        self.drawn("life", options, quick)
    }

    pub(super) fn events(&self, options: &Repeated, quick: bool) -> Result<Value> {
        self.run("events", &rounds(options.rounds), quick)
    }

    /// Installs whom it asks besides.
    pub(super) fn scan(&self, options: &Repeated, quick: bool) -> Result<Value> {
        // Who is missing is left out there, too.
        contestant::install(&[
            ("ss", "iproute2"),
            ("nft", "nftables"),
            ("conntrack", "conntrack"),
        ]);
        self.run("scan", &rounds(options.rounds), quick)
    }

    pub(super) fn memory(&self) -> Result<Value> {
        self.run("memory", &[], false)
    }

    fn drawn(&self, verb: &str, options: &Drawn, quick: bool) -> Result<Value> {
        let mut arguments = rounds(options.rounds);
        if let Some(shift) = &options.shift {
            arguments.extend(["--shift".to_owned(), shift.clone()]);
        }
        self.run(verb, &arguments, quick)
    }

    /// Runs one measurement, which prints its tables. Its figures.
    fn run(&self, verb: &str, arguments: &[String], quick: bool) -> Result<Value> {
        let file = Path::new(DIRECTORY).join(format!("{verb}.part"));
        let mut command = Command::new(&self.bench);
        command.arg(verb).args(arguments).arg("--json").arg(&file);
        if quick {
            command.arg("--quick");
        }
        // Who ends this, ends that; it cleans up behind itself.
        signal::tie(&mut command);
        announce(&mut command)?;
        println!();
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        fs::remove_file(&file)?;
        Ok(serde_json::from_str(&text)?)
    }
}

fn rounds(rounds: Option<u32>) -> Vec<String> {
    let rounds = rounds.map(|rounds| ["--rounds".to_owned(), rounds.to_string()]);
    rounds.into_iter().flatten().collect()
}
