//! The shared heart of `termination`: what a TCP segment is, what it does to a
//! connection, and what the memory that both sides see looks like.
//!
//! Nothing here reads a clock, a map or a file. The same code runs in the
//! kernel (`termination-ebpf`), over captures and in tests (`termination-user`).

#![cfg_attr(not(test), no_std)]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

pub mod attention;
pub mod counters;
pub mod driver;
pub mod engine;
pub mod exchange;
pub mod facts;
pub mod history;
pub mod policy;
pub mod segment;
pub mod serial;
pub mod slot;
pub mod state;
pub mod table;
pub mod taxonomy;
pub mod time;
pub mod timer;
pub mod traffic;
pub mod tuple;
pub mod verifier;
pub mod wire;
pub mod zeek;
