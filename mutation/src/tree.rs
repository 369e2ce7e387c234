//! The copy of the project that holds the mutants, and its test binaries.

use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use quote::ToTokens as _;
use syn::visit_mut::VisitMut as _;

use crate::rewrite::{Mutant, Rewriter};

/// What is mutated, in `termination-common/src`.
const FILES: [&str; 20] = [
    "engine/cause.rs",
    "engine/decide.rs",
    "engine/handshake.rs",
    "engine/linger.rs",
    "engine/missed.rs",
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
    "attention.rs",
    "engine/closing.rs",
    "facts/closing.rs",
    "engine/fast.rs",
    "engine/guard.rs",
];
/// What has a `const fn` that calls a mutant, which is none: written without.
const CALLER: &str = "wire/light.rs";
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
    println!("cargo::rerun-if-changed=build.rs");
    let out = std::path::PathBuf::from(std::env::var_os("OUT_DIR").unwrap());
    for name in ["termination", "termination-test", "termination-bench"] {
        std::fs::write(out.join(name), []).unwrap();
    }
}
"#;
/// What `equal` has besides, in the copy.
const WITNESS: &str = r#"
#[path = "scenarios/judge.rs"]
mod judge;
#[path = "scenarios/language.rs"]
mod language;
#[path = "equal/notice.rs"]
mod notice;
#[path = "scenarios/table/mod.rs"]
mod table;
#[path = "equal/witness.rs"]
mod witness;
"#;
/// The packages that every test goes through: optimised, with a debug build's
/// checks, without what only a debugger reads.
const PROFILE: [&str; 6] = [
    "profile.dev.debug=false",
    "profile.dev.package.\"*\".opt-level=2",
    "profile.dev.package.termination-common.opt-level=2",
    "profile.dev.package.termination-user.opt-level=1",
    "profile.dev.package.termination-common.codegen-units=16",
    "profile.dev.package.termination-user.codegen-units=16",
];

/// Copies the project, mutants and all.
pub fn write_tree(tree: &Path) -> Result<Vec<(&'static str, Mutant)>> {
    fs::create_dir_all(tree)?;
    for part in PARTS {
        copy(Path::new(part), &tree.join(part))?;
    }
    write(&tree.join("termination-user/build.rs"), BUILD_SCRIPT)?;
    let tests = tree.join("termination-user/tests");
    write(&tests.join("equal/notice.rs"), include_str!("notice.rs"))?;
    write(&tests.join("equal/witness.rs"), include_str!("witness.rs"))?;
    let equal = fs::read_to_string("termination-user/tests/equal.rs")?;
    write(
        &tests.join("equal.rs"),
        &format!("#![allow(warnings)]\n{equal}\n{WITNESS}"),
    )?;
    let common = tree.join("termination-common/src");
    write(&common.join("mutant.rs"), include_str!("mutant.rs"))?;
    let root = fs::read_to_string("termination-common/src/lib.rs")?;
    write(
        &common.join("lib.rs"),
        &format!("#![allow(warnings)]\n{root}\npub mod mutant;\n"),
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
    let caller = fs::read_to_string(Path::new("termination-common/src").join(CALLER))?;
    write(&common.join(CALLER), &caller.replace("const fn ", "fn "))?;
    Ok(all)
}

/// Writes what is new, so that cargo builds no more than it must.
fn write(path: &Path, text: &str) -> Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Files that [`write_tree`] writes itself are left alone.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name))?;
        }
        return Ok(());
    }
    let common = from.strip_prefix("termination-common/src").ok();
    let written = from == Path::new("termination-user/build.rs")
        || from == Path::new("termination-user/tests/equal.rs")
        || common.is_some_and(|file| file == Path::new("lib.rs") || file == Path::new(CALLER))
        || common.is_some_and(|file| FILES.iter().any(|&name| file == Path::new(name)));
    if written {
        return Ok(());
    }
    let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    fs::write(to, bytes).with_context(|| format!("cannot write {}", to.display()))
}

/// Builds the tests: each name's binary.
pub fn build(tree: &Path, target: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args([
            "test",
            "--no-run",
            "--message-format=json-render-diagnostics",
            "--target-dir",
        ])
        .arg(target)
        .args(["-p", "termination-common", "-p", "termination-user"])
        .args(["--lib", "--bin", "termination"])
        .args(["--test", "scenarios", "--test", "equal"])
        .args(["--test", "pcap", "--test", "corpora"])
        .args(PROFILE.iter().flat_map(|value| ["--config", value]))
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
