//! Programs to compare with.

use anyhow::Result;

use crate::{apt::Apt, toolchain::program};

/// Installs those that are missing, (program, package) each, and says so.
///
/// # Errors
///
/// When a package cannot be had.
pub(super) fn install(programs: &[(&str, &str)]) -> Result<()> {
    let packages: Vec<_> = programs
        .iter()
        .filter(|(name, _)| program(name).is_none())
        .map(|&(_, package)| package)
        .collect();
    if packages.is_empty() {
        return Ok(());
    }
    println!(
        "installing {}: programs to compare with",
        packages.join(", ")
    );
    Apt::default().install(&packages)
}
