//! What the table costs user space: the look that finds what has to be done
//! (here), the expiry of a million TIME_WAITs (`expiry.rs`), and questions about
//! them beside those who are asked otherwise (`ask.rs`).

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use termination_common::policy::Timers;
use termination_user::control::timers::{clock, sweep};

use crate::{
    ask, expiry,
    harness::{Programs, Result, cpu_time, last_cpu, progress, spread_json, stay_on, with_spread},
    segments::{close, exchange, handshake},
};

/// How much, how often.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Looks at each table
    #[arg(long, default_value_t = 21, value_name = "N")]
    rounds: u32,
    /// Only this part: looks, expiry or ask
    #[arg(long, value_name = "PART")]
    only: Option<String>,
}

/// Measures and prints.
pub(crate) fn run(options: &Options, quick: bool) -> Result<Value> {
    let wanted = |part| options.only.as_deref().is_none_or(|only| only == part);
    let mut figures = serde_json::Map::new();
    if wanted("looks") {
        figures.insert("looks".to_owned(), looks(options.rounds, quick)?);
    }
    if wanted("expiry") {
        figures.insert("expiry".to_owned(), expiry::run(quick)?);
    }
    if wanted("ask") {
        figures.insert("ask".to_owned(), ask::run(quick)?);
    }
    Ok(figures.into())
}

fn looks(rounds: u32, quick: bool) -> Result<Value> {
    let shifts: &[u32] = if quick { &[20] } else { &[20, 21, 22] };
    println!("one look at every slot for what is due (nothing is), ms of one processor,");
    println!("median of {rounds} ± the farther end. floor: the same loads, and no question: every");
    println!("fingerprint, and one word of each slot in use\n");
    println!(
        "{:>10} {:>10} {:<14} {:>13} {:>13} {:>14}",
        "slots", "in use", "as", "ms", "floor", "ns/slot in use"
    );
    let mut rows = Vec::new();
    for &shift in shifts {
        progress(&format!("looks at {} slots", 1_u32 << shift));
        stay_on(last_cpu())?;
        let mut programs = Programs::load(1 << shift, 16 << 20, &["full"])?;
        look(&programs, 0, "free", rounds, &mut rows)?;
        programs.fill(&handshake(), shift - 1)?;
        look(
            &programs,
            1 << (shift - 1),
            "established",
            rounds,
            &mut rows,
        )?;
        let rest: Vec<_> = exchange().into_iter().chain(close()).collect();
        programs.fill(&rest, shift - 1)?;
        look(&programs, 1 << (shift - 1), "TIME_WAIT", rounds, &mut rows)?;
    }
    println!();
    Ok(rows.into())
}

fn look(
    programs: &Programs,
    used: u32,
    what: &str,
    rounds: u32,
    rows: &mut Vec<Value>,
) -> Result<()> {
    let table = &programs.loaded.table;
    let (mut samples, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let before = cpu_time();
        let words = table.occupied().map(|slot| table.state(slot).0);
        black_box(words.fold(0, |all, word| all ^ word));
        floor.push(milliseconds(cpu_time() - before));
        let now = clock::monotonic()?;
        let before = cpu_time();
        let due = sweep::due(table, now, &Timers::DEFAULT);
        samples.push(milliseconds(cpu_time() - before));
        if !due.is_empty() {
            return Err(format!("{} of {used} slots are due already", due.len()).into());
        }
    }
    let each: Vec<_> = samples
        .iter()
        .map(|ms| ms * 1e6 / f64::from(used))
        .collect();
    println!(
        "{:>10} {used:>10} {what:<14} {:>13} {:>13} {:>14}",
        table.slots(),
        with_spread(&samples, 1),
        with_spread(&floor, 1),
        if used == 0 {
            "-".to_owned()
        } else {
            with_spread(&each, 1)
        },
    );
    rows.push(json!({
        "slots": table.slots(),
        "in_use": used,
        "as": what,
        "milliseconds": spread_json(&samples),
        "floor_milliseconds": spread_json(&floor),
    }));
    Ok(())
}

/// For figures.
pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Since then.
pub(crate) fn seconds_since(then: Instant) -> f64 {
    then.elapsed().as_secs_f64()
}
