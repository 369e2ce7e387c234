//! May this process do what it is about to do? Asked first, so that nothing is
//! left half done.

use std::fs;

/// What a controller needs of Linux capabilities (capabilities(7)). The kernel
/// lets CAP_SYS_ADMIN stand in for CAP_BPF and CAP_PERFMON, not for
/// CAP_NET_ADMIN.
const NEEDED: [(u32, &str, bool); 3] = [
    (12, "CAP_NET_ADMIN", false),
    (38, "CAP_PERFMON", true),
    (39, "CAP_BPF", true),
];
const SYS_ADMIN: u32 = 21;

/// The privileges are not there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this needs root, or the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; missing: {}. \
     Run it with sudo",
    .missing.join(", ")
)]
pub struct Unprivileged {
    /// Names of the missing capabilities.
    pub missing: Vec<&'static str>,
}

/// Checks the effective capabilities of this process.
///
/// # Errors
///
/// Says which are missing. When the kernel does not tell (no /proc), nothing
/// is missing and the first system call decides.
pub fn check() -> Result<(), Unprivileged> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    check_status(&status)
}

fn check_status(status: &str) -> Result<(), Unprivileged> {
    let Some(effective) = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|text| u64::from_str_radix(text.trim(), 16).ok())
    else {
        return Ok(());
    };
    let has = |capability: u32| effective >> capability & 1 == 1;
    let missing: Vec<_> = NEEDED
        .into_iter()
        .filter(|&(number, _, by_admin)| !(has(number) || by_admin && has(SYS_ADMIN)))
        .map(|(_, name, _)| name)
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Unprivileged { missing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(check_status("CapEff:\t000001ffffffffff\n"), Ok(()));
        let missing = check_status("CapEff:\t0000000000000000\n")
            .unwrap_err()
            .missing;
        assert_eq!(missing, ["CAP_NET_ADMIN", "CAP_PERFMON", "CAP_BPF"]);
        let admin = format!("CapEff:\t{:016x}\n", 1_u64 << 21);
        assert_eq!(check_status(&admin).unwrap_err().missing, ["CAP_NET_ADMIN"]);
        assert_eq!(check_status(""), Ok(()));
    }
}
