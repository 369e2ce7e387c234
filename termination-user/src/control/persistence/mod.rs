//! What outlives the controller (docs/persistence.md).
//!
//! | module | what |
//! |---|---|
//! | [`pins`] | links, maps and programs under a directory |
//! | [`meta`] | what one controller leaves for the next |
//! | [`takeover`] | going on with it, or not |

pub mod meta;
pub mod pins;
pub mod takeover;
