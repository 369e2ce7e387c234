//! Programs to compare with.

use crate::{apt::Apt, toolchain::program};

/// Installs those that are missing, (program, package) each. Returns those that
/// cannot be had, and says why: a comparison goes on without them.
pub(super) fn install(programs: &[(&'static str, &str)]) -> Vec<&'static str> {
    let mut apt = Apt::default();
    let mut absent = Vec::new();
    for &(name, package) in programs {
        if program(name).is_some() {
            continue;
        }
        println!("installing {package}: {name}, to compare with");
        if let Err(error) = apt.install(&[package]) {
            println!("{name} cannot be had: {error:#}");
            absent.push(name);
        }
    }
    absent
}
