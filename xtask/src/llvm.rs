//! Which LLVM a compiler and a linker have: the linker's must not be older.

use std::{path::Path, process::Command};

use crate::{command, toolchain};

/// Major version of the LLVM in a toolchain's compiler; `None` if there is no such toolchain.
pub(crate) fn of_compiler(toolchain: &str) -> Option<u32> {
    compilers(&toolchain::rustc(toolchain, &["-vV"])?)
}

/// Major version of the LLVM a `bpf-linker` is linked with; `None` if it brings its own.
pub(crate) fn of_linker(linker: &Path) -> Option<u32> {
    linkers(&command::output(Command::new("ldd").arg(linker))?)
}

/// Whether `bpf-linker` 0.13 can be built with this LLVM.
pub(crate) fn linkable(major: u32) -> bool {
    (21..=23).contains(&major)
}

/// `LLVM version: 22.1.8` in the output of `rustc -vV`.
fn compilers(version: &str) -> Option<u32> {
    major(
        version
            .lines()
            .find_map(|line| line.strip_prefix("LLVM version: "))?,
    )
}

/// `libLLVM.so.22.1` (or `libLLVM-22.so`, as it was called) in the output of `ldd`.
fn linkers(libraries: &str) -> Option<u32> {
    let name = libraries.split_once("libLLVM")?.1;
    major(name.trim_start_matches(|c: char| !c.is_ascii_digit()))
}

fn major(version: &str) -> Option<u32> {
    let end = version
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(version.len());
    version[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{compilers, linkers};

    #[test]
    fn reads_the_compilers_version() {
        assert_eq!(
            compilers("rustc 1.96.0\nrelease: 1.96.0\nLLVM version: 22.1.8\n"),
            Some(22)
        );
        assert_eq!(compilers("rustc 1.96.0\n"), None);
    }

    #[test]
    fn reads_the_linkers_version() {
        assert_eq!(
            linkers("\tlibLLVM.so.22.1 => /usr/lib/libLLVM.so.22.1 (0x1)\n"),
            Some(22)
        );
        assert_eq!(
            linkers("\tlibLLVM-19.so.1 => /usr/lib/libLLVM-19.so.1 (0x1)\n"),
            Some(19)
        );
        assert_eq!(linkers("\tlibc.so.6 => /lib/libc.so.6 (0x1)\n"), None);
    }
}
