//! What a daemon needs.
//!
//! | module | what |
//! |---|---|
//! | [`instance`] | one controller for a namespace |
//! | [`privileges`] | what is missing |
//! | [`paths`] | where its socket and pins are |
//! | [`notify`] | sd_notify(3) |
//! | [`voice`] | what it says to standard error |

pub mod instance;
pub mod notify;
pub mod paths;
pub mod privileges;
pub mod voice;
