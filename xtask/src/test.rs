//! `cargo xtask test`: every check, and at the end what ran and what did not.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    command::{self, cargo},
    privileges, setup,
    toolchain::{self, Toolchain},
};

/// The crate for the BPF target: linted and built apart from the others.
const EBPF: &str = "termination-ebpf";

#[derive(Args)]
pub(crate) struct Options {
    /// Also run the tests that take minutes (those marked `#[ignore]`)
    #[arg(long)]
    long: bool,
    /// Run only the tests whose name contains this, and no other check
    filter: Option<String>,
}

/// Sets up, runs every check whatever the others say, and sums up.
///
/// # Errors
///
/// When a privilege is missing, set-up fails, or a check does.
pub(crate) fn run(options: &Options) -> Result<()> {
    privileges::require("test")?;
    setup::run()?;

    let mut report = Report::default();
    if options.filter.is_none() {
        report.check("format", format());
        report.check("lints", lints());
        report.check("lints for BPF", lints_for_bpf());
    }
    report.check("tests", tests(options));
    report.check("loom", loom(options));
    report.check("long tests", long(options));

    print!("\n{report}");
    let failed = report.failed();
    if failed > 0 {
        bail!("{failed} of {} checks failed", report.checks.len());
    }
    Ok(())
}

/// A command to run, or why it is not run.
type Check = Result<Command, String>;

fn format() -> Check {
    available("fmt")?;
    let mut command = cargo();
    command.args(["fmt", "--all", "--check"]);
    Ok(command)
}

fn lints() -> Check {
    available("clippy")?;
    let mut command = cargo();
    command
        .args(["clippy", "--workspace", "--exclude", EBPF, "--all-targets"])
        .args(["--", "--deny", "warnings"]);
    Ok(command)
}

/// Lints the BPF programs for their own target: for the host's there is nothing of
/// them to see.
fn lints_for_bpf() -> Check {
    let toolchain = toolchain::find().map_err(|error| error.to_string())?;
    if command::output(for_bpf(&toolchain).args(["clippy", "--version"])).is_none() {
        return Err(format!("toolchain `{}` has no clippy", toolchain.name));
    }
    let mut command = for_bpf(&toolchain);
    command.args(["clippy", "--package", EBPF, "--lib", "--bins", "--release"]);
    command.args(["--target", toolchain::TARGET]);
    if toolchain.builds_std {
        command.args(["-Z", "build-std=core"]);
    }
    command
        .arg("--target-dir")
        .arg(target_directory("clippy-bpf"))
        .args(["--", "--deny", "warnings"]);
    // What aya-build passes too.
    let architecture = format!("--cfg=bpf_target_arch=\"{}\"", env::consts::ARCH);
    command.env("CARGO_ENCODED_RUSTFLAGS", architecture);
    Ok(command)
}

/// Cargo with the compiler that builds the BPF programs.
fn for_bpf(toolchain: &Toolchain) -> Command {
    let mut command = if let Some(rustup) = toolchain::program("rustup") {
        let mut command = Command::new(rustup);
        command.env("RUSTUP_LOG", "warn");
        command.args(["run", &toolchain.name, "cargo"]);
        command
    } else {
        // The distribution's linter, too, has to come before any other.
        let path = env::var("PATH").unwrap_or_default();
        let mut command = cargo();
        command.env("RUSTC", toolchain::DISTRIBUTION);
        command.env("PATH", format!("/usr/bin:{path}"));
        command
    };
    if !toolchain.builds_std {
        command.env("RUSTC_BOOTSTRAP", toolchain::BOOTSTRAP);
    }
    command
}

fn tests(options: &Options) -> Check {
    let mut command = cargo();
    command.args(["test", "--workspace", "--exclude", EBPF, "--no-fail-fast"]);
    command.args(&options.filter);
    Ok(command)
}

/// What takes minutes, with a compiler that takes its time as well: a million
/// sequences take four minutes then, and hours without.
fn long(options: &Options) -> Check {
    if !options.long {
        return Err("asked for with --long".into());
    }
    let mut command = cargo();
    command
        .args(["test", "--profile", "long", "--workspace", "--exclude"])
        .args([EBPF, "--tests", "--no-fail-fast"])
        .args(&options.filter)
        .args(["--", "--ignored"]);
    Ok(command)
}

/// The protocols on shared memory, under every interleaving within loom's bound.
fn loom(options: &Options) -> Check {
    if !Path::new("termination-common/tests/loom.rs").exists() {
        return Err("termination-common has no tests/loom.rs".into());
    }
    let flags = env::var("RUSTFLAGS").unwrap_or_default();
    let mut command = cargo();
    command
        .env("RUSTFLAGS", format!("{flags} --cfg loom").trim_start())
        .args([
            "test",
            "--package",
            "termination-common",
            "--release",
            "--test",
            "loom",
        ])
        // Its own, for other flags rebuild everything.
        .arg("--target-dir")
        .arg(target_directory("loom"))
        .args(&options.filter);
    Ok(command)
}

/// A directory for a build whose flags differ from those of the others.
fn target_directory(name: &str) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from("target"), PathBuf::from)
        .join(name)
}

/// Whether cargo has this verb: formatter and linter are components of their own.
fn available(verb: &str) -> Result<(), String> {
    command::output(cargo().args([verb, "--version"]))
        .map(drop)
        .ok_or_else(|| format!("`cargo {verb}` is not installed"))
}

#[derive(Default)]
struct Report {
    checks: Vec<(&'static str, Outcome)>,
}

enum Outcome {
    Passed(Duration),
    Failed(Duration),
    /// With the reason.
    Skipped(String),
}

impl Report {
    fn check(&mut self, name: &'static str, check: Check) {
        let outcome = match check {
            Err(reason) => Outcome::Skipped(reason),
            Ok(mut command) => {
                println!("\n── {name}");
                let start = Instant::now();
                match command::announce(&mut command) {
                    Ok(()) => Outcome::Passed(start.elapsed()),
                    Err(error) => {
                        eprintln!("error: {error:#}");
                        Outcome::Failed(start.elapsed())
                    }
                }
            }
        };
        self.checks.push((name, outcome));
    }

    fn failed(&self) -> usize {
        let failed = |(_, outcome): &&(_, Outcome)| matches!(outcome, Outcome::Failed(_));
        self.checks.iter().filter(failed).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, outcome) in &self.checks {
            match outcome {
                Outcome::Passed(time) => {
                    writeln!(f, "{name:<14} passed   {:6.1} s", time.as_secs_f64())
                }
                Outcome::Failed(time) => {
                    writeln!(f, "{name:<14} FAILED   {:6.1} s", time.as_secs_f64())
                }
                Outcome::Skipped(reason) => writeln!(f, "{name:<14} skipped  {reason}"),
            }?;
        }
        Ok(())
    }
}
