//! Which CPU a thread is on.

use std::io;

/// Keeps the calling thread where it is.
pub(super) fn stay() -> io::Result<()> {
    // SAFETY: all zeroes are an empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: a plain system call.
    let cpu =
        usize::try_from(unsafe { libc::sched_getcpu() }).map_err(|_| io::Error::last_os_error())?;
    // SAFETY: a set to write to; a CPU beyond it would panic.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: a valid set of the size that is given; 0 is the calling thread.
    match unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
