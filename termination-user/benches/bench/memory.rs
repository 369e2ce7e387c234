//! Memory of a million connections: what the kernel says that each map takes,
//! and how much this process grows by.

use std::fs;

use serde_json::{Value, json};
use termination_common::counters::{self, Loss};
use termination_user::control::timers::{clock, sweep};

use crate::{
    expiry::with_controller,
    harness::{Programs, Result, progress},
    segments::{close, exchange, handshake},
};

/// A million, as a power of two.
const SHIFT: u32 = 20;

/// BPF_MAP_TYPE_ARRAY.
const ARRAY: u64 = 2;

/// Measures and prints.
pub(crate) fn run() -> Result<Value> {
    println!("memory of 1,048,576 connections; kernel: what the maps of the table take by");
    println!("fdinfo; process: anonymous memory of its controller, after 1,000 records\n");
    println!(
        "{:>10} {:>10} {:>9} {:>12} {:>10} {:>11} {:>12}",
        "slots", "tracked", "no room", "kernel MiB", "B/slot", "B/tracked", "process kB"
    );
    let mut rows = Vec::new();
    for shift in [SHIFT, SHIFT + 1] {
        progress(&format!("memory of {} slots", 1_u32 << shift));
        rows.push(table(shift)?);
    }
    println!();
    Ok(rows.into())
}

fn table(shift: u32) -> Result<Value> {
    let mut programs = Programs::load(1 << shift, 16 << 20, &["full"])?;
    let kernel = kernel_bytes(&[(64, 1 << (shift - 3)), (64, 1 << shift), (136, 1 << shift)])?;
    let before = anonymous()?;
    programs.fill(&handshake(), SHIFT)?;
    let after = programs.counters()?;
    let tracked = after.0[counters::OPENED] + after.0[counters::MIDSTREAM];
    let refused = after.0[counters::LOSS + Loss::TableFull as usize];
    let rest: Vec<_> = exchange().into_iter().chain(close()).collect();
    programs.fill(&rest, 10)?;
    let grown = with_controller(programs.loaded, "none".as_ref(), async |controller| {
        let table = &controller.loaded().table;
        let timers = controller.policy().timers;
        drop(sweep::due(table, clock::monotonic()?, &timers));
        controller.stats().await?;
        Ok(anonymous()?.saturating_sub(before))
    })?;
    let slots = 1_u64 << shift;
    println!(
        "{slots:>10} {tracked:>10} {refused:>9} {:>12.1} {:>10.1} {:>11.1} {:>12}",
        kernel as f64 / f64::from(1 << 20),
        kernel as f64 / slots as f64,
        kernel as f64 / tracked as f64,
        grown / 1024,
    );
    Ok(json!({
        "slots": slots,
        "tracked": tracked,
        "no_room_segments": refused,
        "kernel_bytes": kernel,
        "controller_grown_bytes": grown,
    }))
}

/// Bytes of this process's arrays of these (value size, entries), as the kernel
/// accounts for them.
fn kernel_bytes(wanted: &[(u64, u64)]) -> Result<u64> {
    let mut bytes = std::collections::BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fdinfo")? {
        // The directory's own descriptor is gone by the time it is read.
        let Ok(text) = fs::read_to_string(entry?.path()) else {
            continue;
        };
        let field = |name: &str| -> Option<u64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line?.strip_prefix(':')?.trim().parse().ok()
        };
        if let (Some(id), Some(size), Some(entries), Some(memory)) = (
            field("map_id"),
            field("value_size"),
            field("max_entries"),
            field("memlock"),
        ) && wanted.contains(&(size, entries))
            && field("map_type") == Some(ARRAY)
        {
            bytes.insert(id, memory);
        }
    }
    if bytes.len() != wanted.len() {
        return Err(format!("{} of {} maps found", bytes.len(), wanted.len()).into());
    }
    Ok(bytes.values().sum())
}

/// Bytes of anonymous memory that this process has.
fn anonymous() -> Result<u64> {
    // What the allocator keeps of earlier tables is nobody's.
    #[cfg(target_env = "gnu")]
    // SAFETY: gives back what is unused, and nothing else.
    unsafe {
        libc::malloc_trim(0);
    }
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    let kilobytes: u64 = kilobytes
        .ok_or("no RssAnon in /proc/self/status")?
        .trim()
        .parse()?;
    Ok(kilobytes * 1024)
}
