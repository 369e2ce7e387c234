//! Waiting for who holds a lock and does not run.

use core::{ffi::c_void, ptr::read_volatile};

use aya_ebpf::helpers::bpf_loop;
use termination_common::table::{HotRef as _, LOCKS, Memory as _};

use crate::{maps::LOCKED, memory::Maps};

/// Looks at a taken lock before it is tried, or tried again: a millisecond at
/// most. As a spin lock of the kernel, but not for ever.
///
/// The driver's tries are for a holder that runs, which is done in a
/// microsecond. One that reports wakes the reader, and takes that interrupt
/// itself; or its CPU is the hypervisor's, and has been taken away. Here and not
/// among the tries, since a call from there would need more stack than there is.
const LOOKS: u32 = 1 << 17;

#[inline(always)]
fn is_slot_locked(index: u32) -> bool {
    Maps.hot(index).is_some_and(|hot| hot.load().is_locked())
}

#[inline(always)]
fn is_line_locked(line: u32) -> bool {
    // SAFETY: a map value; an aligned 64-bit read is atomic.
    LOCKED
        .get_ptr_mut(line & (LOCKS - 1))
        .is_some_and(|word| unsafe { read_volatile(word) } != 0)
}

/// Lets the holder of a slot's lock finish, if there is one.
#[inline(always)]
pub(crate) fn wait_for_slot(index: u32) {
    if is_slot_locked(index) {
        lock_wait(index, 0);
    }
}

/// The same of a line's.
#[inline(always)]
pub(crate) fn wait_for_line(line: u32) {
    if is_line_locked(line) {
        lock_wait(line, 1);
    }
}

/// What [`lock_wait`] waits for.
#[repr(C)]
struct Awaited {
    index: u32,
    /// 0: a slot, otherwise a line.
    line: u32,
}

/// bpf_loop's callback: whether to stop.
extern "C" fn is_given_back(_look: u32, awaited: *const Awaited) -> i64 {
    // SAFETY: `lock_wait` passes the address of its own.
    let Awaited { index, line } = unsafe { awaited.read() };
    let locked = if line == 0 {
        is_slot_locked(index)
    } else {
        is_line_locked(index)
    };
    i64::from(!locked)
}

/// Waits until a slot's lock, or a line's, is given back, or for long enough.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn lock_wait(index: u32, line: u32) -> u32 {
    let mut awaited = Awaited { index, line };
    // SAFETY: the callback has the type that bpf_loop wants, and what it is
    // given lives as long as the call.
    unsafe {
        bpf_loop(
            LOOKS,
            is_given_back as *mut c_void,
            (&raw mut awaited).cast(),
            0,
        );
    }
    0
}
