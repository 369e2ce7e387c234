//! Records in, records out.
//!
//! | module | what |
//! |---|---|
//! | [`ring`] | from the kernel |
//! | [`hub`] | to those who follow |

pub mod hub;
pub mod ring;
