//! `cargo xtask setup`: installs what is missing, and says what and why before it does.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{
    apt::Apt,
    command::{self, announce, cargo},
    llvm, privileges,
    toolchain::{self, Missing, Toolchain, program},
};

/// The linker's version: the newest that links what the supported compilers emit.
const LINKER: &str = "0.13.0";

/// The distribution's compiler with a `core` for BPF, and its linter.
const COMPILER: [&str; 2] = ["rustc-web", "libstd-rust-web-dev-bpf"];
const LINTER: &str = "rust-web-clippy";

/// Programs the tests and the demonstration call: name, package, why.
const TOOLS: [(&str, &str, &str); 2] = [
    ("ip", "iproute2", "network namespaces and their links"),
    ("tshark", "tshark", "a second judge of captured connections"),
];

/// What to do where no route leads to a compiler.
const BY_HAND: &str = "no Rust compiler for BPF can be had here: neither apt-get with rustc-web \
    nor a rustup that reaches its server. Install one by hand, either rustup's `nightly` with \
    the component `rust-src`, or Debian's rustc-web and libstd-rust-web-dev-bpf followed by \
    `rustup toolchain link bpf /usr`; then run `cargo xtask setup` again";

/// Installs what is missing; nothing, in well under a second, if nothing is.
///
/// # Errors
///
/// When something is missing and cannot be installed; says what to do.
pub(crate) fn run() -> Result<()> {
    let mut setup = Setup::default();
    setup.tools()?;
    let compiler = setup.compiler()?;
    setup.linker(&compiler)?;
    setup.linters(&compiler)?;
    if setup.installed {
        println!("setup: done");
    } else {
        println!("setup: everything is there");
    }
    Ok(())
}

#[derive(Default)]
struct Setup {
    apt: Apt,
    installed: bool,
}

impl Setup {
    /// Programs the tests and the demonstration call.
    fn tools(&mut self) -> Result<()> {
        let mut packages = Vec::new();
        for (name, package, why) in TOOLS {
            if program(name).is_none() {
                self.plan(package, why)?;
                packages.push(package);
            }
        }
        if packages.is_empty() {
            return Ok(());
        }
        self.apt.install(&packages)
    }

    /// A compiler for BPF: the one that is there, else the first that can be had.
    fn compiler(&mut self) -> Result<Toolchain> {
        match toolchain::find() {
            Ok(toolchain) => return Ok(toolchain),
            Err(error @ Missing::Override(_)) => return Err(error.into()),
            Err(_) => {}
        }
        if llvm::of_compiler("nightly").is_some_and(llvm::linkable) {
            self.plan(
                "rust-src for nightly",
                "the source of `core`, to build it for BPF",
            )?;
            rustup(&["component", "add", "rust-src", "--toolchain", "nightly"]);
        }
        if toolchain::find().is_err() && Apt::available() {
            self.distribution_compiler()?;
        }
        if toolchain::find().is_err() && program("rustup").is_some() {
            self.plan(
                "nightly with rust-src",
                "a compiler that builds `core` for BPF",
            )?;
            rustup(&["toolchain", "install", "nightly", "--component", "rust-src"]);
        }
        toolchain::find().ok().context(BY_HAND)
    }

    /// Debian's compiler, known to rustup as `bpf`; nothing where it is not offered.
    fn distribution_compiler(&mut self) -> Result<()> {
        self.plan(
            &COMPILER.join(", "),
            "a Rust compiler with a `core` for BPF",
        )?;
        if !self.apt.not_offered(&COMPILER)?.is_empty() {
            println!("setup: no repository of this system offers them");
            return Ok(());
        }
        self.apt.install(&COMPILER)?;
        if program("rustup").is_some() && toolchain::probe("bpf").is_none() {
            self.plan(
                "toolchain `bpf`",
                "rustup's name for the compiler under /usr",
            )?;
            rustup(&["toolchain", "link", "bpf", "/usr"]);
        }
        Ok(())
    }

    /// `bpf-linker`, built with an LLVM as new as the compiler's.
    fn linker(&mut self, compiler: &Toolchain) -> Result<()> {
        let wanted = llvm::of_compiler(&compiler.name).with_context(|| {
            format!("`rustc -vV` of toolchain `{}` names no LLVM", compiler.name)
        })?;
        if let Ok(linker) = toolchain::linker()
            // One that brings its LLVM along does not tell which: trust it.
            && llvm::of_linker(&linker).is_none_or(|llvm| llvm >= wanted)
        {
            return Ok(());
        }
        if !llvm::linkable(wanted) || !Apt::available() {
            bail!(
                "a bpf-linker for LLVM {wanted} is missing and cannot be built here: put a released \
                 bpf-linker into a directory of PATH, then run `cargo xtask setup` again"
            );
        }
        self.plan(
            &format!("bpf-linker {LINKER}"),
            &format!("links the BPF programs; built here with LLVM {wanted}, in about a minute"),
        )?;
        let llvm = [
            format!("llvm-{wanted}-dev"),
            format!("libpolly-{wanted}-dev"),
        ];
        let mut packages = vec![llvm[0].as_str(), &llvm[1], "zlib1g-dev", "libzstd-dev"];
        if program("c++").is_none() {
            packages.push("g++");
        }
        self.plan(&packages.join(", "), "what bpf-linker is built from")?;
        self.apt.install(&packages)?;
        announce(
            cargo()
                .env("LLVM_PREFIX", format!("/usr/lib/llvm-{wanted}"))
                .env_remove("CARGO_TARGET_DIR")
                .args([
                    "install",
                    "bpf-linker",
                    "--version",
                    LINKER,
                    "--locked",
                    "--force",
                ])
                .args(["--no-default-features", "--features"])
                .arg(format!("llvm-{wanted}")),
        )
    }

    /// Formatter and linters. Only the tests use them, and say so if they are missing.
    fn linters(&mut self, compiler: &Toolchain) -> Result<()> {
        if !privileges::is_root()? {
            return Ok(());
        }
        let mut packages = Vec::new();
        for (verb, component, package) in [
            ("fmt", "rustfmt", "rustfmt-web"),
            ("clippy", "clippy", LINTER),
        ] {
            if command::output(cargo().args([verb, "--version"])).is_some() {
                continue;
            }
            if program("rustup").is_some() {
                self.plan(component, "the tests check format and lints")?;
                rustup(&["component", "add", component]);
            } else {
                packages.push(package);
            }
        }
        // The linter of Debian's compiler is the one that knows its `core` for BPF. It
        // cannot be installed beside Debian's own package of rustup.
        if !compiler.builds_std && Apt::has(COMPILER[0]) && !Apt::has(LINTER) && !Apt::has("rustup")
        {
            packages.push(LINTER);
        }
        packages.dedup();
        if packages.is_empty() || !Apt::available() {
            return Ok(());
        }
        self.plan(
            &packages.join(", "),
            "the tests check format and lints, for BPF too",
        )?;
        if let Err(error) = self.apt.install(&packages) {
            eprintln!("warning: {error:#}; the tests go on without");
        }
        Ok(())
    }

    /// Says what is about to be installed and why; only root gets any further.
    fn plan(&mut self, what: &str, why: &str) -> Result<()> {
        if !privileges::is_root()? {
            bail!(
                "{what} is missing ({why}), and to install it takes root: run `cargo xtask setup` \
                 as root"
            );
        }
        println!("setup: installing {what}: {why}");
        self.installed = true;
        Ok(())
    }
}

/// Tries rustup; what it fails to get, another route may.
fn rustup(arguments: &[&str]) {
    let Some(program) = program("rustup") else {
        return;
    };
    if let Err(error) = announce(Command::new(program).args(arguments)) {
        eprintln!("warning: {error:#}");
    }
}
