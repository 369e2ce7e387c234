//! The rows that need no policy of their own, under one observer.

use termination_lab::Family;

use crate::{attempts, bench, closed, forged, open};

#[test]
fn each_is_as_it_was() {
    let rows = [attempts::ROWS, open::ROWS, closed::ROWS, forged::ROWS];
    bench::play(&[Family::V4, Family::V6], None, &rows);
}
