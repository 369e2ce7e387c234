//! What developers and new users type: `cargo xtask <verb>`, one module a verb.

mod apt;
mod bench;
mod command;
mod demo;
mod kernels;
mod llvm;
mod privileges;
mod setup;
mod test;
mod toolchain;

use std::{env, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// Set up, test and try out `termination`.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Options {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Install what is needed to build, test and demonstrate; nothing if it is all there
    Setup,
    /// Set up, then watch 2,000 real connections end, and compare with the kernel
    Demo,
    /// Set up, then run every check: format, lints, tests, loom
    Test(test::Options),
    /// Boot other kernels in an emulator, and test there that the programs load and
    /// decide as here; takes minutes
    Kernels(kernels::Options),
    /// Measure, side by side with other programs
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let options = Options::parse();
    match root().and_then(|()| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    match &options.verb {
        Verb::Setup => setup::run(),
        Verb::Demo => demo::run(),
        Verb::Test(options) => test::run(options),
        Verb::Kernels(options) => kernels::run(options),
        Verb::Bench(options) => bench::run(options),
    }
}

/// Makes the workspace's root the current directory, wherever cargo was called from.
fn root() -> anyhow::Result<()> {
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = package.parent().unwrap_or(&package);
    env::set_current_dir(root).with_context(|| format!("cannot enter {}", root.display()))
}
