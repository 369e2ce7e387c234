//! One run of a program: its time and memory.

use std::{
    mem::MaybeUninit,
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// From start to end.
    pub(super) seconds: f64,
    /// User and system, with children.
    pub(super) cpu_seconds: f64,
    /// Largest resident size of one process.
    pub(super) peak_bytes: u64,
}

impl Sample {
    /// As it is written down.
    pub(super) fn json(&self) -> Value {
        json!({
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "peak_bytes": self.peak_bytes,
        })
    }
}

/// Runs a line of shell on processor `cpu`, its output thrown away.
///
/// # Errors
///
/// When it cannot be started, or fails.
pub(super) fn run(line: &str, cpu: usize) -> Result<Sample> {
    let started = Instant::now();
    let child = Command::new("taskset")
        .args(["-c", &cpu.to_string(), "sh", "-c", line])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start taskset (package util-linux)")?;
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    let id = libc::pid_t::try_from(child.id())?;
    // SAFETY: both pointers are to live variables of the types asked for. The
    // child is waited for here alone: `child` is dropped without a wait.
    let waited = unsafe { libc::wait4(id, &raw mut status, 0, usage.as_mut_ptr()) };
    let seconds = started.elapsed().as_secs_f64();
    if waited != id || status != 0 {
        bail!("`{line}` failed");
    }
    // SAFETY: all zero is a value of this plain struct, and wait4 filled it.
    let usage = unsafe { usage.assume_init() };
    let time = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(Sample {
        seconds,
        cpu_seconds: time(usage.ru_utime) + time(usage.ru_stime),
        peak_bytes: u64::try_from(usage.ru_maxrss)? * 1024,
    })
}

/// The middle one, the least and the greatest.
pub(super) fn spread(values: impl Iterator<Item = f64>) -> (f64, f64, f64) {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    (
        at(values.len() / 2),
        at(0),
        at(values.len().saturating_sub(1)),
    )
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn the_middle_of_an_unsorted_row() {
        assert_eq!(spread([3.0, 1.0, 2.0].into_iter()), (2.0, 1.0, 3.0));
    }
}
