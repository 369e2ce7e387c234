//! The directory of a bpffs in which everything has a name that outlives the
//! controller:
//!
//! ```text
//! /sys/fs/bpf/termination      locked by the controller (--pin-dir)
//! └── v2                       the ABI
//!     ├── maps/META, HOT, …    META last: with it the table is whole
//!     ├── policy               link to the policy file in force
//!     ├── programs/sweep, …    as they are attached
//!     └── links/3_ingress_native, 3_egress_tcx, …
//! ```
//!
//! A bpffs refuses names with a dot, so interfaces go by their index. Before
//! 6.6 there is no link for tc; a filter persists by itself, and a pin of its
//! program (`3_egress_clsact`) remembers it.

use std::{
    fmt,
    fs::{self, File, TryLockError},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use termination_common::slot::ABI;

mod error;
mod filesystem;

pub use error::PinError;

use self::{
    error::at,
    filesystem::{is_bpffs, require_bpffs},
};
use super::meta::{Meta, Word};
use crate::control::{hooks::hook::Via, kernel::bpf};

/// A hook by its name in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HookName {
    /// Index of the interface.
    pub index: u32,
    /// It sees outgoing packets, otherwise incoming ones.
    pub egress: bool,
    /// How it is held.
    pub via: Via,
}

impl HookName {
    fn parse(name: &str) -> Option<Self> {
        let mut parts = name.splitn(3, '_');
        let index = parts.next()?.parse().ok()?;
        let egress = match parts.next()? {
            "ingress" => false,
            "egress" => true,
            _ => return None,
        };
        let via = parts.next()?;
        let via = Via::ALL.into_iter().find(|known| known.name() == via)?;
        Some(Self { index, egress, via })
    }
}

impl fmt::Display for HookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.egress { "egress" } else { "ingress" };
        write!(f, "{}_{direction}_{}", self.index, self.via)
    }
}

/// The directory, locked until dropped.
#[derive(Debug)]
pub struct Pins {
    base: PathBuf,
    home: PathBuf,
    // The kernel drops the lock with the process, so that no death leaves it.
    _lock: File,
}

impl Pins {
    /// Takes the lock of `base`; makes it, and mounts a bpffs at its usual
    /// place, where they are not there. Returns whether it was mounted.
    ///
    /// # Errors
    ///
    /// [`PinError::Running`] when another process holds the lock.
    pub fn claim(base: &Path) -> Result<(Self, bool), PinError> {
        // Who only looks (`find`) holds the lock for a moment.
        const TRIES: u32 = 5;
        const PAUSE: Duration = Duration::from_millis(20);
        let mounted = require_bpffs(base)?;
        let mut tries = 0;
        loop {
            fs::create_dir_all(base).map_err(at("make the directory", base))?;
            match Self::lock(base) {
                Ok(Some(pins)) => return Ok((pins, mounted)),
                // Gone again: the last holder has detached just now.
                Ok(None) => {}
                Err(PinError::Running { .. }) if tries < TRIES => {
                    tries += 1;
                    thread::sleep(PAUSE);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes the lock of `base` if it is there.
    ///
    /// # Errors
    ///
    /// [`PinError::Running`] when another process holds the lock.
    pub fn find(base: &Path) -> Result<Option<Self>, PinError> {
        if base.is_dir() && is_bpffs(base) {
            Self::lock(base)
        } else {
            Ok(None)
        }
    }

    fn lock(base: &Path) -> Result<Option<Self>, PinError> {
        let lock = match File::open(base) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(at("open", base)(error)),
        };
        let home = base.join(format!("v{ABI}"));
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let meta = open_meta(&home).ok().flatten();
                let pid = meta.and_then(|meta| u32::try_from(meta.get(Word::Pid)).ok());
                return Err(PinError::Running {
                    pid: pid.filter(|&pid| pid != 0),
                    directory: base.to_path_buf(),
                });
            }
            Err(TryLockError::Error(error)) => return Err(at("lock", base)(error)),
        }
        let held = lock.metadata().map_err(at("look at", base))?;
        let same = fs::metadata(base)
            .is_ok_and(|found| (found.dev(), found.ino()) == (held.dev(), held.ino()));
        Ok(same.then(|| Self {
            base: base.to_path_buf(),
            home,
            _lock: lock,
        }))
    }

    /// What was asked for.
    pub fn directory(&self) -> &Path {
        &self.base
    }

    /// What the table that is pinned says of itself; `None` if there is none.
    /// What a start left that was killed half-way is removed.
    ///
    /// # Errors
    ///
    /// [`PinError::Layout`] for that of another version.
    pub fn table(&self) -> Result<Option<Meta>, PinError> {
        for name in versions(&self.base)? {
            let path = self.base.join(&name);
            if path != self.home && !entries(&path)?.is_empty() {
                return Err(self.other(format!("{name}, and this program knows v{ABI}")));
            }
        }
        match open_meta(&self.home).map_err(at("open the table in", &self.home))? {
            None => {
                self.clear()?;
                Ok(None)
            }
            Some(meta) if !meta.is_genuine() => Err(self.other("META is none".to_owned())),
            Some(meta) if meta.get(Word::Abi) != u64::from(ABI) => {
                let abi = meta.get(Word::Abi);
                Err(self.other(format!("v{abi}, and this program knows v{ABI}")))
            }
            Some(meta) => Ok(Some(meta)),
        }
    }

    /// The error that says how the table differs.
    pub fn other(&self, reason: String) -> PinError {
        PinError::Layout {
            directory: self.base.clone(),
            reason,
        }
    }

    /// Makes the directories of a new table.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn prepare(&self) -> Result<(), PinError> {
        for directory in ["maps", "programs", "links"] {
            let path = self.home.join(directory);
            fs::create_dir_all(&path).map_err(at("make the directory", &path))?;
        }
        Ok(())
    }

    /// Where a map is pinned.
    pub fn map(&self, name: &str) -> PathBuf {
        self.home.join("maps").join(name)
    }

    /// Where a program is pinned.
    pub fn program(&self, name: &str) -> PathBuf {
        self.home.join("programs").join(name)
    }

    /// Where a hook is pinned.
    pub fn hook(&self, name: HookName) -> PathBuf {
        self.home.join("links").join(name.to_string())
    }

    /// Remembers which policy file is in force; `None`: none.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn set_policy(&self, file: Option<&Path>) -> Result<(), PinError> {
        let path = self.home.join("policy");
        remove(&path)?;
        let Some(file) = file else {
            return Ok(());
        };
        let file = std::path::absolute(file).map_err(at("find", file))?;
        std::os::unix::fs::symlink(&file, &path).map_err(at("make the link", &path))
    }

    /// The policy file that was in force; `None`: none, or nobody knows.
    pub fn policy(&self) -> Option<PathBuf> {
        fs::read_link(self.home.join("policy")).ok()
    }

    /// Opens a map.
    ///
    /// # Errors
    ///
    /// [`PinError::Layout`] when it is not there.
    pub fn open_map(&self, name: &'static str) -> Result<OwnedFd, PinError> {
        let path = self.map(name);
        match bpf::open(&path) {
            Ok(map) => Ok(map),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(self.other(format!("it has no {name}")))
            }
            Err(error) => Err(at("open", &path)(error)),
        }
    }

    /// Gives something a name; what had it before loses it in the same moment.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn replace(&self, object: impl AsFd, path: &Path) -> Result<(), PinError> {
        let mut new = path.as_os_str().to_owned();
        new.push("_new");
        let new = PathBuf::from(new);
        let _ = fs::remove_file(&new);
        bpf::pin(object, &new).map_err(at("pin", &new))?;
        fs::rename(&new, path).map_err(at("rename", &new))
    }

    /// The hooks that are pinned.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn hooks(&self) -> Result<Vec<HookName>, PinError> {
        let names = entries(&self.home.join("links"))?;
        Ok(names
            .iter()
            .filter_map(|name| HookName::parse(name))
            .collect())
    }

    /// The hooks that are pinned, of whatever version.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn all_hooks(&self) -> Result<Vec<HookName>, PinError> {
        let mut all = Vec::new();
        for version in versions(&self.base)? {
            let names = entries(&self.base.join(version).join("links"))?;
            all.extend(names.iter().filter_map(|name| HookName::parse(name)));
        }
        Ok(all)
    }

    /// The network namespace of those hooks, if a table says so.
    pub fn namespace(&self) -> Option<[u64; 2]> {
        let versions = versions(&self.base).ok()?;
        let mut tables = versions
            .iter()
            .filter_map(|version| open_meta(&self.base.join(version)).ok().flatten());
        let meta = tables.find(Meta::is_genuine)?;
        Some([Word::NetnsDevice, Word::NetnsInode].map(|word| meta.get(word)))
    }

    /// Names of the programs that are pinned.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn programs(&self) -> Result<Vec<String>, PinError> {
        entries(&self.home.join("programs"))
    }

    /// Removes all names, of other versions too: hooks first, so that nothing
    /// is tracked any more that nobody will find, then META, without which the
    /// rest is no table. The directory itself stays.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn clear(&self) -> Result<(), PinError> {
        for version in versions(&self.base)? {
            let home = self.base.join(version);
            remove_all(&home.join("links"))?;
            remove(&home.join("maps/META"))?;
            for directory in ["programs", "maps"] {
                remove_all(&home.join(directory))?;
            }
            remove_all(&home)?;
            remove(&home)?;
        }
        Ok(())
    }

    /// Removes everything, the directory too.
    ///
    /// # Errors
    ///
    /// What the kernel answered.
    pub fn remove(&self) -> Result<(), PinError> {
        self.clear()?;
        // Still under the lock: whoever waits for it finds another directory.
        // If it holds what is not ours, it stays.
        let _ = fs::remove_dir(&self.base);
        Ok(())
    }
}

fn open_meta(home: &Path) -> io::Result<Option<Meta>> {
    match bpf::open(&home.join("maps/META")) {
        Ok(map) => Meta::open(map).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Names in a directory; none if it is not there, or is none.
fn entries(path: &Path) -> Result<Vec<String>, PinError> {
    let list = match fs::read_dir(path) {
        Ok(list) => list,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(at("list", path)(error)),
    };
    let mut names = Vec::new();
    for entry in list {
        let entry = entry.map_err(at("list", path))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Directories of tables: `v` and a number. All else is somebody else's.
fn versions(base: &Path) -> Result<Vec<String>, PinError> {
    let is_version = |name: &String| {
        name.strip_prefix('v')
            .is_some_and(|number| number.parse::<u32>().is_ok())
    };
    let mut names = entries(base)?;
    names.retain(is_version);
    Ok(names)
}

fn remove_all(directory: &Path) -> Result<(), PinError> {
    for name in entries(directory)? {
        remove(&directory.join(name))?;
    }
    Ok(())
}

/// Removes a file or an empty directory, if it is there.
fn remove(path: &Path) -> Result<(), PinError> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Takes a pin away.
///
/// # Errors
///
/// What the kernel answered.
pub fn unpin(path: &Path) -> Result<(), PinError> {
    remove(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hook_is_found_by_its_name() {
        for (index, egress, via) in [
            (3, false, Via::Native),
            (1 << 24, true, Via::Tcx),
            (7, true, Via::Clsact),
        ] {
            let hook = HookName { index, egress, via };
            let name = hook.to_string();
            assert!(!name.contains('.'), "{name}");
            assert_eq!(HookName::parse(&name), Some(hook));
        }
        for name in ["", "3", "3_ingress", "x_ingress_tcx", "3_ingress_tcx_new"] {
            assert_eq!(HookName::parse(name), None, "{name}");
        }
    }
}
