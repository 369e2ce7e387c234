//! The controller: loads, attaches, owns the time, pumps events, answers.
//!
//! One thread, one event loop ([`run`]). Only kernel programs write the table:
//! what the controller decides it hands to the program `sweep` ([`sweep`]), so
//! that it may die at any instruction and leave nothing half done. What is
//! attached goes with the process, or stays if it is pinned (`--persist`,
//! docs/persistence.md).
//!
//! | module | what |
//! |---|---|
//! | [`run`] | `termination run` from start to exit |
//! | [`controller`] | what the event loop and those who answer share |
//! | [`serve`], [`status`], [`waits`], [`ephemeral`] | questions over the unix socket |
//! | [`load`], [`programs`], [`bpf`] | the BPF object, its maps and programs |
//! | [`table`], [`mapping`], [`plain`] | their memory |
//! | [`filter`], [`scale`] | rules for traffic in the kernel; what a sample stands for |
//! | [`pins`], [`meta`], [`takeover`] | what outlives the controller |
//! | [`attached`], [`attach`], [`hook`], [`holder`] | hooks, and who else holds them |
//! | [`guarding`] | what has to be said of guards |
//! | [`wanted`], [`interfaces`], [`watch`], [`netns`] | which interfaces, and where |
//! | [`schedule`], [`sweep`] | timers: where to look, and what is done |
//! | [`ring`], [`hub`] | records in, records out |
//! | [`instance`], [`privileges`], [`paths`], [`notify`], [`clock`], [`voice`] | what a daemon needs |

pub mod attach;
pub mod attached;
pub mod bpf;
pub mod clock;
mod clsact;
pub mod controller;
pub mod ephemeral;
pub mod filter;
pub mod guarding;
pub mod holder;
pub mod hook;
pub mod hub;
pub mod instance;
pub mod interfaces;
pub mod load;
pub mod mapping;
pub mod meta;
mod netlink;
pub mod netns;
pub mod notify;
pub mod options;
pub mod paths;
pub mod pins;
pub mod plain;
pub mod privileges;
pub mod programs;
pub mod ring;
pub mod run;
pub mod scale;
pub mod schedule;
pub mod serve;
pub mod status;
pub mod sweep;
pub mod table;
pub mod takeover;
pub mod voice;
pub mod waits;
pub mod wanted;
pub mod watch;

pub use options::{Hooks, Mode, RunOptions, Takeover};
pub use run::run;
pub use takeover::forget;
