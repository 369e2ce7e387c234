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
        let installed = apt.install(&[package]);
        if let Err(error) = &installed {
            println!("{name} cannot be had: {error:#}");
        } else if program(name).is_none() {
            println!("{name} cannot be had: {package} has put it where PATH does not lead");
        } else {
            continue;
        }
        absent.push(name);
    }
    absent
}
