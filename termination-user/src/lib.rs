//! The library behind the `termination` program.
//!
//! | room | what |
//! |---|---|
//! | [`cli`] | the verbs, one file each |
//! | [`control`] | the controller: load, attach, time, sweep, answer |
//! | [`offline`] | the engine over a capture |
//! | [`capture`] | capture files to frames |
//! | [`report`] | what is said: JSON and tables |
//! | [`policy`] | timers and choices, from a file |

pub mod capture;
pub mod cli;
pub mod control;
pub mod offline;
pub mod policy;
mod prefetch;
pub mod report;
