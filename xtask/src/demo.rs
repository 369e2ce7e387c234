//! `cargo xtask demo`: real connections, ended in every common way, and what
//! `termination` says of them beside what the kernel says.

mod comparison;
mod ledger;
mod observer;
mod script;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use termination_lab::{Pair, kernel, signal};

use self::{comparison::Comparison, ledger::Ledger, observer::Observer};
use crate::{command::cargo, privileges, setup};

/// Connections of each kind over each IP version.
const EACH: usize = 105;

/// Sets up, builds, plays the script, compares.
///
/// # Errors
///
/// When anything fails on the way, a connection got another ending than it
/// should, or the counts of TIME_WAIT differ from the kernel's.
pub(crate) fn run() -> Result<()> {
    privileges::require("demo")?;
    setup::run()?;
    let program = build()?;
    // From here on something has to be cleaned up.
    signal::on_interrupt(|_| {
        eprintln!("\ndemo: interrupted, cleaning up");
        observer::stop();
        // Never returns: so nobody makes a new namespace any more.
        termination_lab::cleanup(|| std::process::exit(130));
    })?;
    play(&program)
}

fn play(program: &Path) -> Result<()> {
    let pair = Pair::new()?;
    println!(
        "\ndemo: network namespaces {} and {}, joined by a veth pair",
        pair.client.namespace.name(),
        pair.server.namespace.name()
    );
    let observer = Observer::start(program, &pair)?;
    let before = Comparison::counters(&pair)?;

    let total = script::SCENES.len() * script::FAMILIES.len() * EACH;
    println!("\ndemo: {total} connections between real kernel sockets; right endings:\n");
    let started = Instant::now();
    let ledger = script::play(&pair, &observer, EACH)?;
    let last_close = Instant::now();
    println!(
        "\ndemo: {total} connections in {:.1} s",
        (last_close - started).as_secs_f64()
    );

    // The last words of both kernels may still be on their way.
    let namespaces = [&pair.client.namespace, &pair.server.namespace];
    kernel::until_quiet(&namespaces)?;
    let comparison = Comparison::new(&pair, &before, &observer, &ledger)?;
    let counted = last_close.elapsed();

    println!("\n$ termination stats");
    observer.show(&["stats"])?;
    println!("\n$ termination time-wait");
    observer.show(&["time-wait"])?;
    println!(
        "\ndemo: beside the kernel's own view, {:.1} s after the last close\n",
        counted.as_secs_f64()
    );
    print!("{comparison}");
    println!();
    observer.finish()?;
    verdict(&ledger, &comparison)
}

fn verdict(ledger: &Ledger, comparison: &Comparison) -> Result<()> {
    println!();
    let wrong = ledger.wrong();
    for line in wrong.iter().take(20) {
        println!("  {line}");
    }
    if !wrong.is_empty() {
        bail!(
            "{} of {} connections are not as they should be",
            wrong.len(),
            ledger.len()
        );
    }
    if !comparison.time_waits_agree() {
        bail!(
            "our count of TIME_WAIT and the kernel's differ (each lasts a minute: if the \
             connections above took nearly as long, this machine was too busy; try again)"
        );
    }
    println!(
        "demo: all {} connections got their right ending, and both counts of TIME_WAIT are the \
         kernel's",
        ledger.len()
    );
    Ok(())
}

/// Builds the program as it is released. Its path.
fn build() -> Result<PathBuf> {
    const ARGUMENTS: [&str; 4] = ["build", "--release", "--package", "termination-user"];
    println!("$ cargo {}", ARGUMENTS.join(" "));
    let output = cargo()
        .args(ARGUMENTS)
        // Tells where the program is, wherever that was configured to be.
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start cargo")?;
    if !output.status.success() {
        bail!("`termination` could not be built; see above");
    }
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "termination")
        .find_map(|message| Some(PathBuf::from(message["executable"].as_str()?)))
        .context("cargo did not say where it put the program `termination`")
}

/// Starts `program` with nothing to read.
fn start(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}
