//! What a packet costs in the kernel: the programs on frames of drawn
//! connections by BPF_PROG_TEST_RUN, beside BPF's own hash maps.

use std::{collections::BTreeMap, ops::Range};

use serde_json::{Value, json};

use crate::{
    frame::Kind,
    harness::{
        Programs, Result, last_cpu, nanoseconds, progress, spread_json, stay_on, with_spread,
    },
    segments::{EARLY, established, finish, handshake, reset},
};

/// Programs in the order of the columns; the second is taken off those after it.
const PROGRAMS: [&str; 6] = ["empty", "drawn", "parse", "full", "hash", "lru"];

/// Slots for so many connections, as one would choose them: four times as many,
/// so that every connection finds room, and those that linger too. The hash maps
/// have as many entries.
pub(crate) const fn slots(shift: u32) -> u32 {
    4 << shift
}

/// Frames a run at least, so that the clock does not matter.
const FRAMES: u32 = 1 << 21;

/// How much, how often.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Lives of every connection
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Connections, as powers of two: 0 is one, 20 a million
    #[arg(long, value_name = "N,…", value_delimiter = ',')]
    shift: Vec<u32>,
}

/// Measures and prints.
pub(crate) fn run(options: &Options, quick: bool) -> Result<Value> {
    let lives = options.rounds.unwrap_or(if quick { 1 } else { 3 });
    let shifts: &[u32] = match (&options.shift[..], quick) {
        ([], true) => &[0, 16],
        ([], false) => &[0, 16, 20],
        (shifts, _) => shifts,
    };
    stay_on(last_cpu())?;
    let mut figures = Vec::new();
    println!("nanoseconds a packet; `empty` is the harness, `drawn` what the others are above:");
    println!("it draws the connection. Median of {lives} lives ± the farther end\n");
    for &shift in shifts {
        // Nobody reads the ring: endings are counted, and reported when swept.
        let programs = Programs::load(slots(shift), 8 << 20, &PROGRAMS)?;
        let rows = measure(&programs, shift, lives)?;
        print(shift, &rows);
        figures.push(json!({ "connections": 1_u32 << shift,
            "slots": programs.loaded.table.slots(), "rows": rows_json(&rows) }));
    }
    Ok(json!({ "lives": lives, "tables": figures }))
}

/// Per kind of packet, per program: nanoseconds of each life.
type Rows = Vec<(&'static str, BTreeMap<&'static str, Vec<f64>>)>;

fn measure(programs: &Programs, shift: u32, lives: u32) -> Result<Rows> {
    let mut rows: Rows = Vec::new();
    for life in 1..=lives {
        progress(&format!(
            "{} connections, life {life} of {lives}",
            1_u32 << shift
        ));
        let rounds = (FRAMES >> shift).max(2);
        for kind in handshake() {
            run_all(programs, &mut rows, &kind, shift, 0..1)?;
        }
        for (mut kind, name) in established().into_iter().zip(["early data", "early ACK"]) {
            kind.name = name;
            run_all(programs, &mut rows, &kind, shift, 0..EARLY)?;
        }
        for kind in established() {
            run_all(programs, &mut rows, &kind, shift, EARLY..EARLY + rounds)?;
        }
        for kind in finish(EARLY + rounds) {
            run_all(programs, &mut rows, &kind, shift, 0..1)?;
        }
        let (time, freed) = programs.clear()?;
        if freed > 0 {
            push(&mut rows, "sweep", "full", nanoseconds(time) / freed as f64);
        }
        // To the hash maps, these are not new.
        for kind in handshake() {
            for program in ["full", "hash", "lru"] {
                programs.run(program, &kind, shift, 0..1)?;
            }
        }
        run_all(programs, &mut rows, &reset(), shift, 0..1)?;
        programs.clear()?;
    }
    if shift == 0 {
        // A single packet is no measurement.
        rows.retain(|(name, _)| matches!(*name, "pure ACK" | "data"));
    }
    Ok(rows)
}

fn run_all(
    programs: &Programs,
    rows: &mut Rows,
    kind: &Kind,
    shift: u32,
    rounds: Range<u32>,
) -> Result<()> {
    let mut floor = 0.0;
    for program in PROGRAMS {
        let took = programs.run(program, kind, shift, rounds.clone())?;
        push(rows, kind.name, program, took - floor);
        if program == "drawn" {
            floor = took;
        }
    }
    Ok(())
}

fn push(rows: &mut Rows, name: &'static str, program: &'static str, value: f64) {
    let at = rows.iter().position(|(row, _)| *row == name);
    let at = at.unwrap_or_else(|| {
        rows.push((name, BTreeMap::new()));
        rows.len() - 1
    });
    rows[at].1.entry(program).or_default().push(value);
}

fn print(shift: u32, rows: &Rows) {
    print!("{:<14}", format!("{} conns", 1_u32 << shift));
    for program in PROGRAMS {
        print!(" {program:>10}");
    }
    println!();
    for (name, programs) in rows {
        print!("{name:<14}");
        for program in PROGRAMS {
            let text = programs.get(program).map(|values| with_spread(values, 0));
            print!(" {:>10}", text.as_deref().unwrap_or("-"));
        }
        println!();
    }
    println!();
}

fn rows_json(rows: &Rows) -> Value {
    let rows = rows.iter().map(|(name, programs)| {
        let programs: serde_json::Map<_, _> = programs
            .iter()
            .map(|(program, values)| ((*program).to_owned(), spread_json(values)))
            .collect();
        json!({ "packet": name, "nanoseconds": programs })
    });
    rows.collect()
}
