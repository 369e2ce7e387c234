//! What a refusal to load means.

use std::{fmt::Write as _, io};

use aya::{EbpfError, maps::MapError, programs::ProgramError};

use super::{super::pins::PinError, Sizes};

/// Why the programs are not in the kernel.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The kernel lacks what the programs use.
    #[error("this kernel is too old: it takes 5.17 to run, and 6.1 is the oldest that is tested")]
    KernelTooOld,
    /// The table did not fit.
    #[error(
        "the kernel refused the memory of the table: {} connections take {} MiB; \
         ask for fewer with --connections, or for more with the memory limit of the unit or container",
        .slots, .bytes >> 20
    )]
    Memory {
        /// Slots that were asked for.
        slots: u32,
        /// Bytes they take.
        bytes: u64,
    },
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
    if let EbpfError::MapError(MapError::CreateError { io_error, .. }) = &error {
        match io_error.raw_os_error() {
            Some(libc::ENOMEM | libc::E2BIG) => {
                return LoadError::Memory {
                    slots: sizes.slots(),
                    bytes: sizes.bytes(),
                };
            }
            Some(libc::EPERM) => return LoadError::Forbidden,
            _ => {}
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
        _ => "",
    };
    if end.is_empty() {
        format!("the kernel refused the program: {io_error}{hint}")
    } else {
        format!("the kernel's verifier refused the program: {io_error}{hint}\n  {end}")
    }
}
