//! Another network namespace, entered by setns(2) on a thread of its own.
//!
//! `ip netns exec` also mounts a fresh /sys, which hides bpffs; a thread that
//! only changes its network namespace keeps the file system it had.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::PathBuf,
    thread,
};

/// A network namespace, held open.
#[derive(Debug)]
pub struct Netns {
    file: File,
    name: String,
}

/// It cannot be opened or entered.
#[derive(Debug, thiserror::Error)]
pub enum NetnsError {
    /// There is none at that place.
    #[error("cannot open the network namespace {name} at {}; `ip netns list` shows those that have a name", .path.display())]
    Open {
        /// As asked for.
        name: String,
        /// Where it was looked for.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The kernel did not let this process in.
    #[error("cannot enter the network namespace {name} (this needs CAP_SYS_ADMIN)")]
    Enter {
        /// As asked for.
        name: String,
        /// Why not.
        source: io::Error,
    },
}

impl Netns {
    /// Opens a namespace by its name under `/run/netns`, or by a path (one
    /// with a slash, such as `/proc/123/ns/net`).
    ///
    /// # Errors
    ///
    /// [`NetnsError::Open`].
    pub fn open(name: &str) -> Result<Self, NetnsError> {
        let path = if name.contains('/') {
            PathBuf::from(name)
        } else {
            PathBuf::from("/run/netns").join(name)
        };
        let name = name.to_owned();
        match File::open(&path) {
            Ok(file) => Ok(Self { file, name }),
            Err(source) => Err(NetnsError::Open { name, path, source }),
        }
    }

    /// As it was asked for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` in this namespace, on a thread that ends with it.
    ///
    /// # Errors
    ///
    /// [`NetnsError::Enter`]; then `work` was not run.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NetnsError> {
        let entered = thread::scope(|scope| {
            let thread = scope.spawn(|| {
                // SAFETY: a plain system call on an open descriptor; it moves
                // this thread alone.
                if unsafe { libc::setns(self.file.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
                    return Err(io::Error::last_os_error());
                }
                Ok(work())
            });
            match thread.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        });
        entered.map_err(|source| NetnsError::Enter {
            name: self.name.clone(),
            source,
        })
    }
}

/// Device and inode of the caller's network namespace, which tell it from all
/// others as long as it is there.
///
/// # Errors
///
/// No /proc.
pub fn identity() -> io::Result<[u64; 2]> {
    let found = fs::metadata("/proc/thread-self/ns/net")?;
    Ok([found.dev(), found.ino()])
}

/// Runs `work` in `netns`, or where the caller is.
///
/// # Errors
///
/// [`NetnsError::Enter`]; then `work` was not run.
pub fn within<T: Send>(
    netns: Option<&Netns>,
    work: impl FnOnce() -> T + Send,
) -> Result<T, NetnsError> {
    match netns {
        Some(netns) => netns.run(work),
        None => Ok(work()),
    }
}
