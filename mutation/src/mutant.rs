//! Which mutant lives: the number in the environment's `MUTANT`; none without.

extern crate std;

use std::{
    env,
    sync::atomic::{AtomicU32, Ordering},
};

/// None does; above any number of one.
pub const NONE: u32 = u32::MAX;
/// The environment was not read yet.
const UNREAD: u32 = NONE - 1;

static MUTANT: AtomicU32 = AtomicU32::new(UNREAD);

/// From now on this one does.
pub fn set(number: u32) {
    MUTANT.store(number, Ordering::Relaxed);
}

/// This one does.
pub(crate) fn lives(number: u32) -> bool {
    let which = MUTANT.load(Ordering::Relaxed);
    if which == UNREAD {
        return read() == number;
    }
    which == number
}

#[cold]
fn read() -> u32 {
    let text = env::var("MUTANT").unwrap_or_default();
    let number = text.parse().unwrap_or(NONE);
    set(number);
    number
}

/// A condition; always by mutant `first`, never by the next.
pub(crate) fn condition(first: u32, value: bool) -> bool {
    (value || lives(first)) && !lives(first + 1)
}

/// A condition; always by mutant `number`.
pub(crate) fn always(number: u32, value: bool) -> bool {
    value || lives(number)
}

/// `left && right`; `None` if `right` decides.
pub(crate) fn and(first: u32, left: bool) -> Option<bool> {
    if lives(first) {
        None
    } else if lives(first + 1) {
        Some(left)
    } else if lives(first + 2) {
        left.then_some(true)
    } else {
        (!left).then_some(false)
    }
}

/// `left || right`; `None` if `right` decides.
pub(crate) fn or(first: u32, left: bool) -> Option<bool> {
    if lives(first) {
        None
    } else if lives(first + 1) {
        Some(left)
    } else if lives(first + 2) {
        (!left).then_some(false)
    } else {
        left.then_some(true)
    }
}
