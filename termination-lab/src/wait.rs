//! Waiting for a condition.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::{Error, Result};

/// How long anything here may take that normally takes microseconds. A loaded
/// machine with few CPUs may need a hundred thousand times as long.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The longest pause between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(10);

/// Looks until `condition` gives something, and returns that. Looks at least
/// once, and once more after `patience`.
///
/// # Errors
///
/// [`Error::Timeout`]; `what` names the condition.
pub fn try_wait_for<T>(
    what: &str,
    patience: Duration,
    mut condition: impl FnMut() -> Option<T>,
) -> Result<T> {
    let deadline = Instant::now() + patience;
    let mut pause = Duration::from_micros(50);
    loop {
        // Read before the look: a condition that came true in time is seen.
        let late = Instant::now() >= deadline;
        if let Some(value) = condition() {
            return Ok(value);
        }
        if late {
            return Err(Error::Timeout {
                what: what.to_owned(),
                patience,
            });
        }
        thread::sleep(pause);
        pause = (pause * 2).min(PAUSE);
    }
}

/// As [`try_wait_for`], for tests.
///
/// # Panics
///
/// When the condition does not come true; the message names it.
#[track_caller]
pub fn wait_for<T>(what: &str, patience: Duration, condition: impl FnMut() -> Option<T>) -> T {
    match try_wait_for(what, patience, condition) {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_is_looked_at_until_it_holds() {
        let mut looks = 0;
        let seen = wait_for("the third look", PATIENCE, || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(seen, 3);
    }

    #[test]
    #[should_panic(expected = "waited 0 s in vain for the moon")]
    fn in_vain_is_said() {
        wait_for::<()>("the moon", Duration::ZERO, || None);
    }
}
