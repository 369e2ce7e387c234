//! The memory of a BPF map, mapped into this process as words.

use std::{
    io,
    os::fd::{AsFd, AsRawFd as _},
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64},
};

/// A shared mapping; kernel programs, and other processes, write it meanwhile,
/// so nothing here is ever a reference to plain data.
#[derive(Debug)]
pub struct Mapping {
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: shared memory that is only accessed atomically, word by word; it can
// be used and unmapped from any thread.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps `bytes` of a map from `offset` on.
    ///
    /// # Errors
    ///
    /// What mmap(2) answered: EINVAL or EPERM for a map that cannot be mapped
    /// so, ENOMEM.
    pub fn new(map: impl AsFd, offset: usize, bytes: usize, write: bool) -> io::Result<Self> {
        let protection = if write {
            libc::PROT_READ | libc::PROT_WRITE
        } else {
            libc::PROT_READ
        };
        // SAFETY: a new mapping at a place of the kernel's choice; the result
        // is checked. The kernel refuses lengths beyond the map.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                protection,
                libc::MAP_SHARED,
                map.as_fd().as_raw_fd(),
                offset as libc::off_t,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { base, bytes })
    }

    /// The 64-bit word at a multiple of eight. To be stored to only where it
    /// was mapped for writing.
    pub fn word(&self, at: usize) -> &AtomicU64 {
        assert!(at.is_multiple_of(8) && at + 8 <= self.bytes, "word at {at}");
        // SAFETY: inside the mapping and aligned, as just checked (pages are
        // aligned); it lives as long as `self`.
        unsafe { self.base.add(at).cast().as_ref() }
    }

    /// The 32-bit word at a multiple of four.
    pub fn half(&self, at: usize) -> &AtomicU32 {
        assert!(at.is_multiple_of(4) && at + 4 <= self.bytes, "word at {at}");
        // SAFETY: as above.
        unsafe { self.base.add(at).cast().as_ref() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped with this length in `new`, unmapped only here.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.bytes) };
    }
}

/// Bytes of a page.
pub fn page() -> usize {
    // SAFETY: a plain question; it cannot fail.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).unwrap_or(4096)
}
