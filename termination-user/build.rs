//! Builds the BPF objects of `termination-ebpf` into `OUT_DIR`.
//!
//! One file for each binary of that crate, under the binary's name:
//! `OUT_DIR/termination` is the program that ships, `OUT_DIR/termination-test`
//! is the one the tests drive (it takes its time from the frame's metadata).

use std::{
    env,
    error::Error,
    ffi::OsString,
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::ExitCode,
};

#[path = "../xtask/src/toolchain.rs"]
mod toolchain;

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: cannot build the BPF programs: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    // aya-build adds the directory of termination-ebpf.
    for input in [
        "build.rs",
        "../xtask/src/toolchain.rs",
        "../termination-common",
        "../Cargo.toml",
        "../Cargo.lock",
    ] {
        println!("cargo:rerun-if-changed={input}");
    }
    println!("cargo:rerun-if-env-changed={}", toolchain::OVERRIDE);

    let toolchain = toolchain::find()?;
    let path = search_path(&toolchain::linker()?)?;
    // SAFETY: this is the only thread of the build script so far, so nobody reads
    // the environment while it changes.
    unsafe {
        env::set_var("PATH", path);
        if !toolchain.builds_std {
            env::set_var("RUSTC_BOOTSTRAP", toolchain::BOOTSTRAP);
        }
        // aya-build turns every line that cargo and rustup print into a warning of
        // this package: leave it those that are warnings.
        env::set_var("CARGO_TERM_QUIET", "true");
        env::set_var("RUSTUP_LOG", "warn");
    }
    let package = aya_build::Package {
        name: "termination-ebpf",
        root_dir: "../termination-ebpf",
        ..Default::default()
    };
    aya_build::build_ebpf([package], aya_build::Toolchain::Custom(&toolchain.name))?;
    Ok(())
}

/// `PATH` with the directories of the linker and of rustup at the end, for a
/// shell whose `PATH` lacks cargo's directory.
///
/// Without rustup, aya-build takes whatever `rustc` comes first: then that is the
/// distribution's, which can compile for BPF, and not the one cargo came with.
fn search_path(linker: &Path) -> Result<OsString, Box<dyn Error>> {
    let mut path: Vec<PathBuf> =
        env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    path.extend(linker.parent().map(PathBuf::from));
    if let Some(rustup) = toolchain::program("rustup") {
        path.extend(rustup.parent().map(PathBuf::from));
    } else {
        let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
        let directory = out.join("bpf-compiler");
        fs::create_dir_all(&directory)?;
        match symlink(toolchain::DISTRIBUTION, directory.join("rustc")) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => path.insert(0, directory),
        }
    }
    Ok(env::join_paths(path)?)
}
