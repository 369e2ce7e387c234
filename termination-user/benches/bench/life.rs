//! What a whole connection costs in the kernel: handshake, request, response,
//! close by FINs, and the end of its TIME_WAIT; with a reader, so that every
//! record finds room. Beside BPF's own hash maps, whose entry is removed at the
//! end.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use termination_common::{
    exchange::{Operation, SWEEP_BATCH},
    policy::Timers,
};
use termination_user::control::timers::{clock, sweep};

use crate::{
    frame::Kind,
    harness::{
        Programs, Result, cpu_time, last_cpu, nanoseconds, progress, spread_json, stay_on,
        with_spread,
    },
    packet::slots,
    segments::{close, exchange, handshake, reset},
};

const PROGRAMS: [&str; 4] = ["drawn", "full", "hash", "lru"];
const PHASES: [&str; 5] = ["handshake", "exchange", "close", "expiry", "all"];
/// Later than every TIME_WAIT, nanoseconds.
const LATER: u64 = 100_000_000_000;

/// How much, how often.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Lives of every connection
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Connections, as powers of two
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    shift: Vec<u32>,
}

/// Per phase, per program: nanoseconds a connection of each life.
type Figures = BTreeMap<(&'static str, &'static str), Vec<f64>>;

/// Measures and prints.
pub(crate) fn run(options: &Options, quick: bool) -> Result<Value> {
    let lives = options.rounds.unwrap_or(if quick { 2 } else { 3 });
    let shifts: &[u32] = match (&options.shift[..], quick) {
        ([], true) => &[16],
        ([], false) => &[16, 20],
        (shifts, _) => shifts,
    };
    stay_on(last_cpu())?;
    println!("nanoseconds a connection above its draw: handshake (3 segments), request and");
    println!("response with ACKs (4), close by FINs (3), end of TIME_WAIT; with a reader.");
    println!("The hash maps' entry is removed by a segment. Median of {lives} ± farther end\n");
    let mut all = Vec::new();
    for &shift in shifts {
        let mut programs = Programs::load(slots(shift), 16 << 20, &PROGRAMS)?;
        let mut figures = Figures::new();
        for life in 1..=lives {
            progress(&format!(
                "{} connections, life {life} of {lives}",
                1_u32 << shift
            ));
            live(&mut programs, shift, &mut figures)?;
        }
        print(shift, &figures);
        all.push(json!({ "connections": 1_u32 << shift, "phases": to_json(&figures) }));
    }
    Ok(json!({ "lives": lives, "tables": all }))
}

fn live(programs: &mut Programs, shift: u32, figures: &mut Figures) -> Result<()> {
    let connections = f64::from(1_u32 << shift);
    let mut sums = BTreeMap::new();
    let mut put = |phase, program, value: f64| {
        figures.entry((phase, program)).or_default().push(value);
        *sums.entry(program).or_insert(0.0) += value;
    };
    let phases: [(_, &[Kind]); 3] = [
        ("handshake", &handshake()),
        ("exchange", &exchange()),
        ("close", &close()),
    ];
    for (phase, kinds) in phases {
        let mut took = [0.0; PROGRAMS.len()];
        for kind in kinds {
            for (sum, program) in took.iter_mut().zip(PROGRAMS) {
                *sum += nanoseconds(programs.read_along(program, kind, shift)?) / connections;
            }
        }
        let [drawn, rest @ ..] = took;
        put(phase, "drawn", drawn);
        for (took, program) in rest.into_iter().zip(&PROGRAMS[1..]) {
            put(phase, program, took - drawn);
        }
    }
    put("expiry", "full", expire(programs, connections)?);
    let drawn = nanoseconds(programs.read_along("drawn", &reset(), shift)?);
    for program in ["hash", "lru"] {
        let took = nanoseconds(programs.read_along(program, &reset(), shift)?);
        put("expiry", program, (took - drawn) / connections);
    }
    for (program, sum) in sums {
        figures.entry(("all", program)).or_default().push(sum);
    }
    Ok(())
}

/// All TIME_WAITs end: the look that finds them, and the batches.
fn expire(programs: &mut Programs, connections: f64) -> Result<f64> {
    let now = clock::monotonic()? + LATER;
    let timers = Timers::DEFAULT;
    let before = cpu_time();
    let due = sweep::due(&programs.loaded.table, now, &timers);
    let mut took = cpu_time() - before;
    let mut freed = 0;
    for batches in due.chunks(SWEEP_BATCH * 128) {
        let before = cpu_time();
        for batch in batches.chunks(SWEEP_BATCH) {
            let sweep = programs.loaded.sweep();
            freed += sweep::batch(sweep, now, Operation::Visit, timers, batch)?.freed;
        }
        took += cpu_time() - before;
        programs.drain();
    }
    if freed as f64 != connections {
        return Err(format!("{freed} of {connections} connections have ended by FINs").into());
    }
    Ok(nanoseconds(took) / connections)
}

fn print(shift: u32, figures: &Figures) {
    print!("{:<20}", format!("{} conns", 1_u32 << shift));
    for program in PROGRAMS {
        print!(" {program:>13}");
    }
    println!();
    for phase in PHASES {
        print!("{phase:<20}");
        for program in PROGRAMS {
            let text = figures.get(&(phase, program));
            let text = text.map(|values| with_spread(values, 0));
            print!(" {:>13}", text.as_deref().unwrap_or("-"));
        }
        println!();
    }
    println!();
}

fn to_json(figures: &Figures) -> Value {
    let rows = figures.iter().map(|((phase, program), values)| {
        json!({ "phase": phase, "program": program, "nanoseconds": spread_json(values) })
    });
    rows.collect()
}
