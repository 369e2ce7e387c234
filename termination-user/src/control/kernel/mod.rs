//! The BPF object: its programs, its maps, and their memory.
//!
//! | module | what |
//! |---|---|
//! | [`load`] | loads it, with as much memory as there is |
//! | [`programs`] | its programs, verified when they are needed |
//! | [`bpf`] | bpf(2) where aya has no call |
//! | [`table`], [`mapping`], [`plain`] | the slot table, read from its mapping |
//! | [`filter`], [`scale`] | rules for traffic in the kernel; what a sample stands for |

pub mod bpf;
pub mod filter;
pub mod load;
pub mod mapping;
pub mod plain;
pub mod programs;
pub mod scale;
pub mod table;
