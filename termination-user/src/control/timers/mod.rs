//! Time: where to look, and what is done.
//!
//! | module | what |
//! |---|---|
//! | [`schedule`] | which lines of the table may hold something that is due |
//! | [`sweep`] | hands it to the kernel program, which checks again |
//! | [`clock`] | CLOCK_MONOTONIC and the time of day |

pub mod clock;
pub mod schedule;
pub mod sweep;
