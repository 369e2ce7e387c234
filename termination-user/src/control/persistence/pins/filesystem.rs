//! The file system that pins live in.

use std::{ffi::CString, fs::File, io, os::unix::ffi::OsStrExt as _, path::Path};

use super::{PinError, error::at};

/// Where it is mounted by convention.
pub(super) const MOUNT: &str = "/sys/fs/bpf";

/// BPF_FS_MAGIC (include/uapi/linux/magic.h).
const BPF_FS: u32 = 0xcafe_4a11;

/// It is there.
pub(super) fn is_bpffs(path: &Path) -> bool {
    let Ok(path) = CString::new(path.as_os_str().as_bytes()) else {
        return false;
    };
    // SAFETY: all zeroes are a valid statfs.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: a C string, and a place for the answer.
    let asked = unsafe { libc::statfs(path.as_ptr(), &raw mut found) };
    asked == 0 && found.f_type as u32 == BPF_FS
}

/// Makes sure that `base` is, or will be, in a bpffs. Returns whether one had
/// to be mounted for that.
pub(super) fn require_bpffs(base: &Path) -> Result<bool, PinError> {
    let found = base.ancestors().find(|path| path.is_dir());
    if found.is_some_and(is_bpffs) {
        return Ok(false);
    }
    let mount = Path::new(MOUNT);
    if !base.starts_with(mount) {
        return Err(PinError::NoBpffs(base.to_path_buf()));
    }
    // One at a time, or the second mount would hide what is in the first.
    let parent = mount.parent().unwrap_or(mount);
    let lock = File::open(parent).map_err(at("open", parent))?;
    lock.lock().map_err(at("lock", parent))?;
    if is_bpffs(mount) {
        return Ok(false);
    }
    let to = CString::new(MOUNT).unwrap_or_default();
    let options = c"mode=0700";
    // SAFETY: C strings.
    let result = unsafe {
        libc::mount(
            c"bpf".as_ptr(),
            to.as_ptr(),
            c"bpf".as_ptr(),
            libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC | libc::MS_RELATIME,
            options.as_ptr().cast(),
        )
    };
    if result == 0 {
        Ok(true)
    } else {
        Err(at("mount a bpffs at", mount)(io::Error::last_os_error()))
    }
}
