//! Where packets are seen: which interfaces, and what is attached to them.
//!
//! | module | what |
//! |---|---|
//! | [`attached`] | all hooks of this process, as interfaces and policy come and go |
//! | [`attach`] | one interface: by which way |
//! | [`hook`] | one hook: taken, held, taken over, freed |
//! | `clsact` | the filters of kernels before TCX |
//! | [`holder`] | who else holds an XDP hook |
//! | [`wanted`], [`interfaces`], [`watch`] | which are asked for, are there, change |
//! | [`netns`] | another network namespace |
//! | `netlink` | questions to rtnetlink |
//! | [`guarding`] | where guards judge nothing |

pub mod attach;
pub mod attached;
mod clsact;
pub mod guarding;
pub mod holder;
pub mod hook;
pub mod interfaces;
mod netlink;
pub mod netns;
pub mod wanted;
pub mod watch;
