//! Why pins cannot be had.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::filesystem::MOUNT;

/// Why pins cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// Another controller has them.
    #[error(
        "termination is already running{} with the pins in {}: stop it with \
         `termination detach`, or give this one another --pin-dir and --socket",
        .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default(),
        .directory.display()
    )]
    Running {
        /// Its process id, if it says so.
        pid: Option<u32>,
        /// The directory both asked for.
        directory: PathBuf,
    },
    /// What is pinned there cannot be read.
    #[error(
        "{} holds a table of another layout ({reason}): go on with the version of \
         termination that made it, or start anew with --takeover=fresh, which \
         forgets the connections in it",
        .directory.display()
    )]
    Layout {
        /// Where.
        directory: PathBuf,
        /// How it differs.
        reason: String,
    },
    /// What is pinned there watches other interfaces.
    #[error(
        "the table in {} belongs to another network namespace: give its --netns, or \
         another --pin-dir, or start anew with --takeover=fresh",
        .0.display()
    )]
    Elsewhere(PathBuf),
    /// The directory is not where pins can be.
    #[error(
        "{} is not in a bpffs: choose a --pin-dir below {MOUNT}, or mount one there \
         (mount -t bpf bpf DIR)",
        .0.display()
    )]
    NoBpffs(PathBuf),
    /// A system call failed.
    #[error("cannot {action} {}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// Adds to an error what was tried on which file.
pub(super) fn at<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> PinError + use<'a> {
    move |source| PinError::Io {
        action,
        path: path.to_path_buf(),
        source,
    }
}
