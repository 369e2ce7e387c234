//! What this process may do, read from `/proc/self/status`.

use std::fs;

use anyhow::{Context as _, Result, bail};

/// What network namespaces, raw frames and BPF programs need: name and bit.
const CAPABILITIES: [(&str, u32); 4] = [
    ("CAP_NET_ADMIN", 12),
    ("CAP_NET_RAW", 13),
    ("CAP_SYS_ADMIN", 21),
    ("CAP_BPF", 39),
];

/// Fails with one sentence if this process may not load BPF programs or make
/// network namespaces; `verb` is the command that needs to.
pub(crate) fn require(verb: &str) -> Result<()> {
    let missing = missing(effective()?);
    if missing.is_empty() {
        return Ok(());
    }
    bail!(
        "`cargo xtask {verb}` makes network namespaces and loads BPF programs; run it as root \
         (missing here: {})",
        missing.join(", ")
    );
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> Result<bool> {
    let uids = field("Uid")?;
    // Real, effective, saved, file system.
    Ok(uids.split_whitespace().nth(1) == Some("0"))
}

fn missing(effective: u64) -> Vec<&'static str> {
    CAPABILITIES
        .iter()
        .filter(|(_, bit)| effective & (1 << bit) == 0)
        .map(|(name, _)| *name)
        .collect()
}

fn effective() -> Result<u64> {
    let mask = field("CapEff")?;
    u64::from_str_radix(&mask, 16).with_context(|| format!("CapEff is no hexadecimal mask: {mask}"))
}

fn field(name: &str) -> Result<String> {
    let status =
        fs::read_to_string("/proc/self/status").context("cannot read /proc/self/status")?;
    status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(|value| value.trim().to_owned())
        .with_context(|| format!("/proc/self/status has no line {name}"))
}

#[cfg(test)]
mod tests {
    use super::missing;

    #[test]
    fn names_what_is_missing() {
        assert_eq!(missing(u64::MAX), Vec::<&str>::new());
        assert_eq!(missing(!(1 << 39)), ["CAP_BPF"]);
        assert_eq!(missing(0).len(), 4);
    }
}
