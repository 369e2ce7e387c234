//! Which compiler builds for BPF, and where its linker is.
//!
//! Shared by `xtask` and by the build script of `termination-user`, so that what
//! `cargo xtask setup` calls ready is what the build then uses. Only `std` here.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    process::Command,
};

/// Environment variable that names the rustup toolchain to build the BPF programs with.
pub(crate) const OVERRIDE: &str = "TERMINATION_BPF_TOOLCHAIN";

/// Value of `RUSTC_BOOTSTRAP` for a compiler that is not nightly: the crates that
/// may use unstable features.
///
/// Not `1`: aya-build would take that as a wish to build the standard library.
pub(crate) const BOOTSTRAP: &str =
    "aya_ebpf,termination_ebpf,termination_common,termination,termination_test,termination_bench";

/// The target whose `core` library the compiler needs.
pub(crate) const TARGET: &str = "bpfel-unknown-none";

/// Where a distribution's compiler is, for a machine without rustup.
pub(crate) const DISTRIBUTION: &str = "/usr/bin/rustc";

/// A Rust toolchain that can compile for BPF.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Toolchain {
    /// Its name for `rustup run`; `bpf` also where there is no rustup.
    pub(crate) name: String,
    /// Whether it compiles `core` itself (`-Z build-std`) or comes with one for BPF.
    pub(crate) builds_std: bool,
}

/// Why the BPF programs cannot be built, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Missing {
    /// No toolchain can compile for BPF.
    Compiler,
    /// The toolchain named by [`OVERRIDE`] cannot compile for BPF.
    Override(String),
    /// `bpf-linker` is neither in `PATH` nor in cargo's directory.
    Linker,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compiler => {
                f.write_str("no Rust toolchain here compiles for BPF: run `cargo xtask setup`")
            }
            Self::Override(name) => write!(
                f,
                "{OVERRIDE} names the toolchain `{name}`, which does not compile for BPF (it has \
                 neither a `core` for {TARGET} nor is it a nightly with rust-src): unset it and \
                 run `cargo xtask setup`"
            ),
            Self::Linker => f.write_str("bpf-linker is missing: run `cargo xtask setup`"),
        }
    }
}

impl std::error::Error for Missing {}

/// The toolchain to build with: the one [`OVERRIDE`] names, else `bpf` (a
/// distribution's compiler with a `core` for BPF), else `nightly` with `rust-src`.
///
/// # Errors
///
/// When none of them can compile for BPF.
pub(crate) fn find() -> Result<Toolchain, Missing> {
    if let Some(name) = env::var(OVERRIDE).ok().filter(|name| !name.is_empty()) {
        return probe(&name).ok_or(Missing::Override(name));
    }
    ["bpf", "nightly"]
        .into_iter()
        .find_map(probe)
        .ok_or(Missing::Compiler)
}

/// What a toolchain can do; `None` if it is not there or cannot compile for BPF.
pub(crate) fn probe(name: &str) -> Option<Toolchain> {
    let libraries = rustc(name, &["--print", "target-libdir", "--target", TARGET])?;
    let own_core = Path::new(libraries.trim())
        .read_dir()
        .is_ok_and(|mut entries| entries.next().is_some());
    let builds_std = !own_core && rustc(name, &["-V"])?.contains("nightly") && has_source(name);
    (own_core || builds_std).then(|| Toolchain {
        name: name.to_owned(),
        builds_std,
    })
}

/// Path of `bpf-linker`.
///
/// # Errors
///
/// When it is neither in `PATH` nor where `cargo install` puts it.
pub(crate) fn linker() -> Result<PathBuf, Missing> {
    program("bpf-linker").ok_or(Missing::Linker)
}

/// Looks for a program in `PATH`, then where `cargo install` puts programs.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let cargo_home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    env::split_paths(&path)
        .chain(cargo_home.map(|home| home.join("bin")))
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

/// Output of a toolchain's `rustc`; `None` if there is no such toolchain.
pub(crate) fn rustc(toolchain: &str, arguments: &[&str]) -> Option<String> {
    let mut command = match program("rustup") {
        Some(rustup) => {
            let mut command = Command::new(rustup);
            command.args(["run", toolchain, "rustc"]);
            command
        }
        None if toolchain == "bpf" => Command::new(DISTRIBUTION),
        None => return None,
    };
    let output = command.args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether the source of `core` is there for `-Z build-std`.
fn has_source(name: &str) -> bool {
    rustc(name, &["--print", "sysroot"]).is_some_and(|sysroot| {
        Path::new(sysroot.trim())
            .join("lib/rustlib/src/rust/library/core/src/lib.rs")
            .is_file()
    })
}
