//! Questions over the unix socket.
//!
//! | module | what |
//! |---|---|
//! | [`serve`] | who asks what |
//! | [`status`] | what is attached, and with what |
//! | [`waits`] | TIME_WAIT |
//! | [`ephemeral`] | the ports of the namespace |

pub mod ephemeral;
pub mod serve;
pub mod status;
pub mod waits;
