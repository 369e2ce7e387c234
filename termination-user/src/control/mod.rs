//! The controller: loads, attaches, owns the time, pumps events, answers.
//!
//! One thread, one event loop ([`run`]). Only kernel programs write the table:
//! what the controller decides it hands to the program `sweep` ([`sweep`]), so
//! that it may die at any instruction and leave nothing half done. What is
//! attached belongs to the process and goes with it.
//!
//! | module | what |
//! |---|---|
//! | [`run`] | `termination run` from start to exit |
//! | [`controller`] | what the event loop and those who answer share |
//! | [`serve`], [`status`] | questions over the unix socket |
//! | [`load`], [`table`], [`plain`] | the BPF object, its maps and their memory |
//! | [`attach`], [`link`], [`holder`] | hooks, and who else holds them |
//! | [`interfaces`], [`netns`] | which interfaces, and where |
//! | [`sweep`], [`ring`], [`hub`] | timers; records in, records out |
//! | [`instance`], [`privileges`], [`paths`], [`notify`], [`clock`] | what a daemon needs |

pub mod attach;
pub mod clock;
pub mod controller;
pub mod holder;
pub mod hub;
pub mod instance;
pub mod interfaces;
pub mod link;
pub mod load;
pub mod netns;
pub mod notify;
pub mod options;
pub mod paths;
pub mod plain;
pub mod privileges;
pub mod ring;
pub mod run;
pub mod serve;
pub mod status;
pub mod sweep;
pub mod table;

pub use options::{Hooks, Mode, RunOptions};
pub use run::run;
