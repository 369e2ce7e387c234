//! One controller at a time: a pid file with a lock beside the socket.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process,
};

use super::paths;

/// Why this process may not be the controller.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Another one holds the lock.
    #[error(
        "termination is already running{} with the socket {}: \
         stop it with `termination detach`, or give this one another --socket",
        .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default(),
        .socket.display()
    )]
    Running {
        /// Its process id, if its file says so.
        pid: Option<u32>,
        /// The socket both asked for.
        socket: PathBuf,
    },
    /// The file could not be made or locked.
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

/// The right to be the controller of one socket, until dropped.
#[derive(Debug)]
pub struct Instance {
    // The lock lives as long as the open file; the kernel drops it with the
    // process, so that no death leaves it behind.
    _lock: File,
    path: PathBuf,
}

impl Instance {
    /// Takes the lock beside `socket`, making its directory if need be, and
    /// writes this process's id.
    ///
    /// # Errors
    ///
    /// [`InstanceError::Running`] when another process holds the lock.
    pub fn claim(socket: &Path) -> Result<Self, InstanceError> {
        let path = paths::pid_file(socket);
        let fail = |action, path: &Path| {
            let path = path.to_path_buf();
            move |source| InstanceError::Io {
                action,
                path,
                source,
            }
        };
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(fail("make the directory", directory))?;
        }
        loop {
            let mut file = fs::OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o644)
                .open(&path)
                .map_err(fail("open", &path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut text = String::new();
                    // Nothing readable only means that the pid is not told.
                    let _ = file.read_to_string(&mut text);
                    let (pid, socket) = (text.trim().parse().ok(), socket.to_path_buf());
                    return Err(InstanceError::Running { pid, socket });
                }
                Err(TryLockError::Error(source)) => return Err(fail("lock", &path)(source)),
            }
            // The last holder may have removed the file between our open and
            // our lock; then we hold the lock of a file that nobody can find.
            let held = file.metadata().map_err(fail("look at", &path))?;
            match fs::metadata(&path) {
                Ok(found) if (found.dev(), found.ino()) == (held.dev(), held.ino()) => {}
                _ => continue,
            }
            file.set_len(0)
                .and_then(|()| file.rewind())
                .and_then(|()| writeln!(file, "{}", process::id()))
                .map_err(fail("write", &path))?;
            return Ok(Self { _lock: file, path });
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Still under the lock: whoever opens it later finds another file.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_with_the_pid_of_the_first() {
        let directory =
            std::env::temp_dir().join(format!("termination-instance-{}", process::id()));
        let socket = directory.join("control.sock");
        let first = Instance::claim(&socket).unwrap();
        let refusal = Instance::claim(&socket).unwrap_err();
        assert!(
            matches!(refusal, InstanceError::Running { pid: Some(pid), .. } if pid == process::id())
        );
        drop(first);
        assert!(!paths::pid_file(&socket).exists());
        drop(Instance::claim(&socket).unwrap());
        fs::remove_dir_all(directory).unwrap();
    }
}
