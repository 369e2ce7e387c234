//! What a Linux kernel was seen to send when connections end, provoked again:
//! each way with real sockets, compared on the wire first, and then with what
//! `termination` says of it. docs/rst-truth.md tells which row is where.

#[path = "rst_truth/attempts.rs"]
mod attempts;
#[path = "rst_truth/bench.rs"]
mod bench;
#[path = "rst_truth/closed.rs"]
mod closed;
#[path = "rst_truth/forged.rs"]
mod forged;
#[path = "rst_truth/half_open.rs"]
mod half_open;
#[path = "netns/observer.rs"]
mod observer;
#[path = "rst_truth/open.rs"]
mod open;
#[path = "rst_truth/rows.rs"]
mod rows;
#[path = "rst_truth/silence.rs"]
mod silence;
#[path = "rst_truth/time_wait/mod.rs"]
mod time_wait;
