//! Where it was measured: figures mean little without.

use std::{
    fmt, fs, thread,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// The machine and the moment.
pub(super) struct Machine {
    cpu: String,
    cores: usize,
    hypervisor: bool,
    memory_bytes: u64,
    kernel: String,
    load: String,
    /// Unix time.
    pub(super) began: u64,
}

/// Asks the kernel.
///
/// # Errors
///
/// When `/proc` does not say.
pub(super) fn describe() -> Result<Machine> {
    let read = |path: &str| fs::read_to_string(path).with_context(|| format!("cannot read {path}"));
    let info = read("/proc/cpuinfo")?;
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.split_once(':'));
        value.map_or("", |(_, value)| value.trim()).to_owned()
    };
    let memory = read("/proc/meminfo")?;
    let kilobytes = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
    Ok(Machine {
        cpu: field("model name"),
        cores: thread::available_parallelism()?.get(),
        hypervisor: field("flags").split(' ').any(|flag| flag == "hypervisor"),
        memory_bytes: kilobytes.context("no MemTotal")?.parse::<u64>()? * 1024,
        kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
        load: read("/proc/loadavg")?
            .split(' ')
            .next()
            .unwrap_or("")
            .to_owned(),
        began: SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs(),
    })
}

impl Machine {
    /// To be written down.
    pub(super) fn json(&self) -> Value {
        json!({
            "cpu": self.cpu,
            "cores": self.cores,
            "hypervisor": self.hypervisor,
            "memory_bytes": self.memory_bytes,
            "kernel": self.kernel,
            "load_before": self.load,
            "began_unix": self.began,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.hypervisor { "virtual " } else { "" };
        write!(
            f,
            "{}, {} {kind}cores, {:.1} GB, Linux {}; load before: {}",
            self.cpu,
            self.cores,
            self.memory_bytes as f64 / 1e9,
            self.kernel,
            self.load,
        )
    }
}
