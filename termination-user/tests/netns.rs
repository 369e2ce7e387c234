//! Real sockets in network namespaces, real programs attached to real
//! interfaces, and what `termination` says of them. Each test has namespaces,
//! interfaces, programs and a control socket of its own.

#[path = "netns/check.rs"]
mod check;
#[path = "netns/closing.rs"]
mod closing;
#[path = "netns/crossing.rs"]
mod crossing;
#[path = "netns/endings.rs"]
mod endings;
#[path = "netns/filters.rs"]
mod filters;
#[path = "netns/guards.rs"]
mod guards;
#[path = "netns/hooks.rs"]
mod hooks;
#[path = "netns/interfaces.rs"]
mod interfaces;
#[path = "netns/ledger.rs"]
mod ledger;
#[path = "netns/life.rs"]
mod life;
#[path = "netns/memory.rs"]
mod memory;
#[path = "netns/observer.rs"]
mod observer;
#[path = "netns/persistence.rs"]
mod persistence;
#[path = "netns/policy.rs"]
mod policy;
#[path = "netns/pressure.rs"]
mod pressure;
#[path = "netns/reboot.rs"]
mod reboot;
#[path = "netns/reload.rs"]
mod reload;
#[path = "netns/traffic.rs"]
mod traffic;
#[path = "netns/waits.rs"]
mod waits;
