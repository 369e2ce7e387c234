//! Debian's and Ubuntu's packages.

use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::{command, privileges, toolchain};

/// The package manager; its lists are refreshed at most once.
#[derive(Default)]
pub(crate) struct Apt {
    refreshed: bool,
}

impl Apt {
    /// Whether this system has it at all.
    pub(crate) fn available() -> bool {
        toolchain::program("apt-get").is_some()
    }

    /// Those of `packages` that no configured repository offers.
    ///
    /// # Errors
    ///
    /// When this process may not refresh the lists.
    pub(crate) fn not_offered<'a>(&mut self, packages: &[&'a str]) -> Result<Vec<&'a str>> {
        self.refresh()?;
        Ok(packages
            .iter()
            .copied()
            .filter(|package| !offered(package))
            .collect())
    }

    /// Installs `packages`, or fails before anything is installed.
    ///
    /// # Errors
    ///
    /// Not root, a package nobody offers, or `apt-get` itself.
    pub(crate) fn install(&mut self, packages: &[&str]) -> Result<()> {
        if !Self::available() {
            bail!(
                "there is no apt-get here: install {} by hand, then run `cargo xtask setup` again",
                packages.join(", ")
            );
        }
        let absent = self.not_offered(packages)?;
        if !absent.is_empty() {
            bail!(
                "no repository of this system offers {}: install the equivalent by hand, then run \
                 `cargo xtask setup` again",
                absent.join(", ")
            );
        }
        command::announce(
            get()
                .args(["install", "--yes", "--no-install-recommends", "--no-remove"])
                .args(packages),
        )
        .with_context(|| {
            format!(
                "not installed: {0}; where other packages would have to be removed for that \
                 (apt says so above), decide by hand: `apt-get install {0}`",
                packages.join(" ")
            )
        })
    }

    /// Whether `package` is installed.
    pub(crate) fn has(package: &str) -> bool {
        command::output(Command::new("dpkg-query").args([
            "--show",
            "--showformat=${db:Status-Status}",
            package,
        ]))
        .is_some_and(|status| status == "installed")
    }

    fn refresh(&mut self) -> Result<()> {
        if self.refreshed {
            return Ok(());
        }
        if !privileges::is_root()? {
            bail!("installing packages takes root: run `cargo xtask setup` as root");
        }
        if let Err(error) = command::announce(get().args(["update", "--quiet"])) {
            // One broken third-party repository is no reason to give up.
            eprintln!("warning: {error:#}; going on with the lists that are there");
        }
        self.refreshed = true;
        Ok(())
    }
}

fn get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Another installation may be under way, as on a machine's first boot.
        .args(["-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0"]);
    command
}

fn offered(package: &str) -> bool {
    command::output(Command::new("apt-cache").args(["policy", package]))
        .and_then(|policy| candidate(&policy))
        .is_some()
}

/// The version in the `Candidate:` line of `apt-cache policy`, if there is one.
fn candidate(policy: &str) -> Option<String> {
    policy
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate: "))
        .filter(|version| *version != "(none)")
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::candidate;

    #[test]
    fn a_package_needs_a_candidate() {
        let known = "rustc-web:\n  Installed: (none)\n  Candidate: 1.96.0\n";
        assert_eq!(candidate(known).as_deref(), Some("1.96.0"));
        assert_eq!(
            candidate("x:\n  Installed: (none)\n  Candidate: (none)\n"),
            None
        );
        assert_eq!(candidate(""), None);
    }
}
