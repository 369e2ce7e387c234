//! Real kernel sockets in network namespaces of their own, for the tests and
//! the demonstration.
//!
//! Nothing here touches the network of the host: every packet stays in
//! namespaces that are made here and removed again, by `Drop`, also after a
//! panic, and by [`cleanup`] where a signal ends the process. Nothing waits by
//! sleeping for a while: all waits are for a condition ([`wait_for`]).
//!
//! | module | what |
//! |---|---|
//! | [`namespace`] | a network namespace, and work inside it |
//! | [`pair`] | client and server, joined by a veth pair |
//! | [`gate`] | the same with a relay in between that can hold, lose, repeat and reorder segments |
//! | [`conversation`] | a listener, connections to it, and what their sockets say |
//! | [`endings`] | connections that end in a known way |
//! | [`crafted`] | a peer without a kernel, that says what it is told to |
//! | [`kernel`] | the kernel's own view: sockets by state, SNMP counters |
//! | [`options`] | what Linux alone lets one do to a socket |
//! | [`inject`] | raw frames, sent and received |
//! | [`signal`] | clean up also when a signal ends the process |
//!
//! It takes root, or `CAP_NET_ADMIN`, `CAP_NET_RAW` and `CAP_SYS_ADMIN`, and
//! the program `ip` of iproute2.

pub mod conversation;
pub mod crafted;
pub mod endings;
mod error;
pub mod gate;
pub mod inject;
pub mod kernel;
pub mod namespace;
mod offload;
pub mod options;
pub mod packet;
pub mod pair;
pub mod signal;
mod wait;

pub use conversation::{Conversation, Family, Service, Tuple};
pub use error::{Error, Result};
pub use gate::{Action, Direction, Gate, Gated};
pub use namespace::{Namespace, cleanup};
pub use pair::{End, Pair};
pub use wait::{PATIENCE, try_wait_for, wait_for};
