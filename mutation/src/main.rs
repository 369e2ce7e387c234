//! Mutates what decides (engine, timers, what a slot means), and asks the tests
//! that need no kernel whether they notice.
//!
//! All mutants are built at once into a copy of the project (src/rewrite.rs);
//! then the tests run once for each, until one fails.
//!
//! Arguments: part of a file's name, and to try only every n-th mutant.

mod rewrite;

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use quote::ToTokens as _;
use rewrite::{Mutant, Rewriter};
use syn::visit_mut::VisitMut as _;

/// What is mutated, in `termination-common/src`.
const FILES: [&str; 14] = [
    "engine/cause.rs",
    "engine/decide.rs",
    "engine/handshake.rs",
    "engine/linger.rs",
    "engine/mod.rs",
    "engine/pending.rs",
    "engine/plausible.rs",
    "engine/reset.rs",
    "engine/stream.rs",
    "facts.rs",
    "history.rs",
    "taxonomy.rs",
    "timer.rs",
    "zeek.rs",
];
/// What of the project is copied.
const PARTS: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "docs",
    "termination-common",
    "termination-ebpf",
    "termination-lab",
    "termination-user",
    "xtask",
];
/// The copy's programs are never loaded.
const BUILD_SCRIPT: &str = r#"//! Writes programs that nobody loads.
fn main() {
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").unwrap());
    for name in ["termination", "termination-test", "termination-bench"] {
        std::fs::write(out.join(name), []).unwrap();
    }
}
"#;
/// A test binary and what of it.
type Tests = [(&'static str, &'static [&'static str])];
/// For every mutant, the quick ones first.
const TESTS: &Tests = &[
    ("termination_common", &[]),
    ("scenarios", &["host", "capture", "fast"]),
    ("corpora", &["zeek"]),
    ("equal", &["--skip", "kernel"]),
];
/// For what other programs' words come from as well.
const WORDS: &Tests = &[
    ("termination_common", &[]),
    ("scenarios", &["host", "capture", "fast"]),
    ("corpora", &["zeek"]),
    ("pcap", &[]),
    ("corpora", &["tshark"]),
];
const WORDS_FILES: [&str; 2] = ["history.rs", "zeek.rs"];
/// A test that takes longer runs for ever.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let wanted = env::args().nth(1).unwrap_or_default();
    let every: usize = env::args().nth(2).map_or(Ok(1), |text| text.parse())?;
    ensure!(
        Path::new("termination-common/src/engine").is_dir(),
        "call this from the project's directory"
    );
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let target = std::path::absolute(target)?;
    let tree = target.join("mutation/tree");
    let mutants = write_tree(&tree)?;
    let binaries = build(&tree, &target)?;
    let tests = tree.join("termination-user");
    if let Some(test) = first_failure(&binaries, &tests, None, TESTS)? {
        bail!("{test} fails without a mutant");
    }
    let start = Instant::now();
    let mut killed: BTreeMap<&str, u32> = BTreeMap::new();
    let mut asked = 0;
    let mut survivors = 0;
    for (number, (file, mutant)) in mutants.iter().enumerate() {
        if !file.contains(&wanted) || number % every != 0 {
            continue;
        }
        asked += 1;
        let set = if WORDS_FILES.contains(file) {
            WORDS
        } else {
            TESTS
        };
        if let Some(test) = first_failure(&binaries, &tests, Some(number), set)? {
            *killed.entry(test).or_default() += 1;
        } else {
            survivors += 1;
            let Mutant { line, column, what } = mutant;
            println!("{number} {file}:{line}:{column} {what}");
        }
    }
    let time = start.elapsed();
    println!("{asked} mutants, {survivors} survive; {time:.0?}; noticed first by {killed:?}");
    Ok(())
}

/// Copies the project, mutants and all.
fn write_tree(tree: &Path) -> Result<Vec<(&'static str, Mutant)>> {
    fs::create_dir_all(tree)?;
    for part in PARTS {
        copy(Path::new(part), &tree.join(part))?;
    }
    write(&tree.join("termination-user/build.rs"), BUILD_SCRIPT)?;
    let common = tree.join("termination-common/src");
    write(&common.join("mutant.rs"), include_str!("mutant.rs"))?;
    let root = fs::read_to_string("termination-common/src/lib.rs")?;
    write(
        &common.join("lib.rs"),
        &format!("#![allow(warnings)]\n{root}\nmod mutant;\n"),
    )?;
    let mut all = Vec::new();
    for file in FILES {
        let source = Path::new("termination-common/src").join(file);
        let text = fs::read_to_string(&source)
            .with_context(|| format!("cannot read {}", source.display()))?;
        let mut parsed = syn::parse_file(&text)?;
        let mut mutants = Vec::new();
        Rewriter {
            base: all.len() as u32,
            mutants: &mut mutants,
        }
        .visit_file_mut(&mut parsed);
        println!("{file}: {} mutants", mutants.len());
        all.extend(mutants.into_iter().map(|mutant| (file, mutant)));
        write(&common.join(file), &parsed.into_token_stream().to_string())?;
    }
    Ok(all)
}

/// Writes what is new, so that cargo builds no more than it must.
fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name))?;
        }
        return Ok(());
    }
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))
}

/// Builds the tests: each name's binary.
fn build(tree: &Path, target: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "test",
            "--no-run",
            "--message-format=json-render-diagnostics",
            "--target-dir",
        ])
        .arg(target)
        .args([
            "-p",
            "termination-common",
            "-p",
            "termination-user",
            "--lib",
        ])
        .args([
            "--bin",
            "termination",
            "--test",
            "scenarios",
            "--test",
            "equal",
        ])
        .args(["--test", "pcap", "--test", "corpora"])
        .args([
            "--config",
            "profile.dev.package.termination-common.opt-level=1",
            "--config",
            "profile.dev.package.termination-user.opt-level=1",
        ])
        .current_dir(tree)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the mutants cannot be built");
    let mut binaries = BTreeMap::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        if let Some(path) = message["executable"].as_str() {
            let name = message["target"]["name"].as_str().unwrap_or_default();
            binaries.insert(name.to_owned(), path.into());
        }
    }
    Ok(binaries)
}

/// The first test binary that fails if this mutant lives, or runs for ever.
fn first_failure(
    binaries: &BTreeMap<String, PathBuf>,
    directory: &Path,
    mutant: Option<usize>,
    set: &Tests,
) -> Result<Option<&'static str>> {
    for &(name, arguments) in set {
        let path = binaries.get(name).with_context(|| format!("no {name}"))?;
        let mut command = Command::new(path);
        command
            .args(arguments)
            .current_dir(directory)
            .env("RUST_BACKTRACE", "0")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some(mutant) = mutant {
            command.env("MUTANT", mutant.to_string());
        }
        let mut child = command.spawn()?;
        let begun = Instant::now();
        let passed = loop {
            if let Some(status) = child.try_wait()? {
                break status.success();
            }
            if begun.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                break false;
            }
            thread::sleep(Duration::from_millis(5));
        };
        if !passed {
            return Ok(Some(name));
        }
    }
    Ok(None)
}
