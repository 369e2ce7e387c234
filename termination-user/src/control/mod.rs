//! The controller: loads, attaches, owns the time, pumps events, answers.
//!
//! One thread, one event loop ([`mod@run`]). Only kernel programs write the table:
//! what the controller decides it hands to the program `sweep` ([`timers`]), so
//! that it may die at any instruction and leave nothing half done. What is
//! attached goes with the process, or stays if it is pinned (`--persist`,
//! docs/persistence.md).
//!
//! | room | what |
//! |---|---|
//! | [`mod@run`] | `termination run` from start to exit |
//! | [`controller`] | what the event loop and those who answer share |
//! | [`hooks`] | where packets are seen: interfaces, and what is attached |
//! | [`kernel`] | the BPF object, its maps and programs, and their memory |
//! | [`records`] | records in, records out |
//! | [`timers`] | where to look, and what is done |
//! | [`answers`] | questions over the unix socket |
//! | [`persistence`] | what outlives the controller |
//! | [`process`] | what a daemon needs |

pub mod answers;
pub mod controller;
pub mod hooks;
pub mod kernel;
pub mod options;
pub mod persistence;
pub mod process;
pub mod records;
pub mod run;
pub mod timers;

pub use options::{Hooks, Mode, RunOptions, Takeover};
pub use persistence::takeover::forget;
pub use run::run;
