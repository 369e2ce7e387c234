//! What a refusal to load means.

use std::{fmt::Write as _, io, path::PathBuf};

use aya::{EbpfError, maps::MapError, programs::ProgramError};
use termination_common::policy::Level;

use super::{Part, Sizes, room::is_refusal};
use crate::control::persistence::pins::PinError;

/// Why the programs are not in the kernel.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The kernel lacks what the programs use.
    #[error("this kernel is too old: it takes 5.17 to run, and 6.1 is the oldest that is tested")]
    KernelTooOld,
    /// A table of this size did not fit; a smaller one may ([`super::fit`]).
    #[error(
        "the kernel refused the memory {} for {} connections ({:.1} MiB): ask for fewer with \
         --connections, free memory on the host, or raise the limit of the unit or container",
        .part.words(), .sizes.slots(), .sizes.mebibytes()
    )]
    Memory {
        /// What was refused.
        part: Part,
        /// The sizes that were tried.
        sizes: Sizes,
    },
    /// Nor did the smallest that is worth it.
    #[error(
        "the kernel refused the memory of a table for {} connections ({:.1} MiB), and of all \
         smaller ones down to {} ({:.1} MiB): free memory on the host, or raise the memory \
         limit of the unit or container",
        .asked.slots(), .asked.mebibytes(), .least.slots(), .least.mebibytes()
    )]
    NoRoom {
        /// What was asked for.
        asked: Sizes,
        /// What was tried last.
        least: Sizes,
    },
    /// The rules for traffic cannot be written.
    #[error("cannot put the policy into effect")]
    Policy(#[source] MapError),
    /// More than the layout can number.
    #[error("--connections {0} is too many: at most {max} fit", max = Sizes::MOST)]
    TooMany(u32),
    /// Privileges that look right are not enough.
    #[error(
        "the kernel does not let this process use BPF though it has the capabilities: \
         in a container it needs those of the host; \
         kernel lockdown also forbids it (/sys/kernel/security/lockdown)"
    )]
    Forbidden,
    /// The object has not the map or program.
    #[error(
        "the BPF object has no {0}: the program was built from another version; build it again"
    )]
    Missing(&'static str),
    /// What is pinned is known by another level: some of it means something else.
    #[error(
        "the table in {} is one of the level `{}`: go on with it by --level {found}, or forget \
         it and begin anew at the level `{}` with --takeover=fresh",
        .directory.display(), .found.name(), .wanted.name(), found = .found.name()
    )]
    OtherLevel {
        /// Where it is pinned.
        directory: PathBuf,
        /// Its level.
        found: Level,
        /// The level that was asked for.
        wanted: Level,
    },
    /// Another system call failed.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// What is pinned does not fit, or cannot be.
    #[error(transparent)]
    Pins(#[from] PinError),
    /// The verifier, the loader or a map said no.
    #[error("cannot load the BPF programs: {0}")]
    Refused(String),
}

/// What a failure to load means.
pub fn explain(error: EbpfError, sizes: Sizes) -> LoadError {
    if let EbpfError::MapError(MapError::CreateError { io_error, name }) = &error {
        if is_refusal(io_error) {
            let part = if name == "EVENTS" {
                Part::Ring
            } else {
                Part::Table
            };
            return LoadError::Memory { part, sizes };
        }
        if io_error.raw_os_error() == Some(libc::EPERM) {
            return LoadError::Forbidden;
        }
    }
    match &error {
        EbpfError::ProgramError(error) => LoadError::Refused(explain_program(error)),
        _ => {
            let mut text = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(error) = source {
                let _ = write!(text, ": {error}");
                source = error.source();
            }
            LoadError::Refused(text)
        }
    }
}

/// A program's refusal in a few lines: the end of the verifier's log is where
/// it says what it did not like.
pub fn explain_program(error: &ProgramError) -> String {
    const LINES: usize = 12;
    let ProgramError::LoadError {
        io_error,
        verifier_log,
    } = error
    else {
        return error.to_string();
    };
    let log = verifier_log.to_string();
    let lines: Vec<_> = log.lines().filter(|line| !line.trim().is_empty()).collect();
    let end = lines[lines.len().saturating_sub(LINES)..].join("\n  ");
    let hint = match io_error.raw_os_error() {
        Some(libc::EPERM) => " (not permitted: lockdown, or capabilities of a container only)",
        // kernel/bpf/verifier.c: a million instructions walked through.
        Some(libc::E2BIG) => " (its verifier gives up too early: Linux 6.1's does not)",
        _ => "",
    };
    if end.is_empty() {
        format!("the kernel refused the program: {io_error}{hint}")
    } else {
        format!("the kernel's verifier refused the program: {io_error}{hint}\n  {end}")
    }
}
