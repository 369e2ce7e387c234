//! `termination reload`.

use std::path::Path;

use super::{Halt, detach::told};
use crate::report::Ask;

/// Asks the controller to read its policy file again.
pub(super) fn main(socket: &Path) -> Result<(), Halt> {
    told(socket, &Ask::Reload)
}
