//! The table's protocol under loom: every interleaving, within a bound of
//! preemptions, of the code that the kernel runs.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p termination-common --release --test
//! loom`; `LOOM_MAX_PREEMPTIONS` widens the bound.

#![cfg(loom)]

#[path = "loom/memory.rs"]
mod memory;
#[path = "loom/model.rs"]
mod model;
#[path = "loom/script.rs"]
mod script;

#[path = "loom/attention.rs"]
mod attention;
#[path = "loom/claims.rs"]
mod claims;
#[path = "loom/displacement.rs"]
mod displacement;
#[path = "loom/endings.rs"]
mod endings;
#[path = "loom/fast.rs"]
mod fast;
#[path = "loom/reader.rs"]
mod reader;
#[path = "loom/sweeps.rs"]
mod sweeps;
