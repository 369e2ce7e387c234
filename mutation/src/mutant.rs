//! Which mutant lives: the number in the environment's `MUTANT`; none without.

extern crate std;

use std::{env, sync::OnceLock};

/// This one does.
pub(crate) fn lives(number: u32) -> bool {
    static MUTANT: OnceLock<u32> = OnceLock::new();
    let which = MUTANT.get_or_init(|| {
        let text = env::var("MUTANT").unwrap_or_default();
        text.parse().unwrap_or(u32::MAX)
    });
    *which == number
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
