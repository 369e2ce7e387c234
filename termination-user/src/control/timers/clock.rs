//! The engine's clock and the calendar.

use std::io;

/// A clock of the kernel in nanoseconds.
fn read(clock: libc::clockid_t) -> io::Result<i64> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `time` is a valid place for the one timespec that is written.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(time.tv_sec * 1_000_000_000 + time.tv_nsec)
}

/// Now on the engine's clock, nanoseconds: CLOCK_MONOTONIC, which is what
/// `bpf_ktime_get_ns` reads.
///
/// # Errors
///
/// None on a kernel that runs BPF.
pub fn monotonic() -> io::Result<u64> {
    read(libc::CLOCK_MONOTONIC).map(i64::cast_unsigned)
}

/// Nanoseconds to add to the engine's clock to get Unix time. Measured between
/// two readings of the monotonic clock, the tightest of five, so that being
/// descheduled in between does not count. Steps of the wall clock change it:
/// measure again now and then.
///
/// # Errors
///
/// None on a kernel that runs BPF.
pub fn offset() -> io::Result<i64> {
    let mut best = (i64::MAX, 0);
    for _ in 0..5 {
        let before = read(libc::CLOCK_MONOTONIC)?;
        let wall = read(libc::CLOCK_REALTIME)?;
        let after = read(libc::CLOCK_MONOTONIC)?;
        let width = after - before;
        if width < best.0 {
            best = (width, wall - (before + width / 2));
        }
    }
    Ok(best.1)
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn the_offset_leads_to_the_wall_clock() {
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos() as i128;
        let ours = i128::from(monotonic().unwrap()) + i128::from(offset().unwrap());
        assert!((ours - wall).abs() < 1_000_000_000, "{ours} {wall}");
    }
}
