//! What a packet costs in the kernel: the programs on frames of drawn
//! connections by BPF_PROG_TEST_RUN, beside BPF's own hash maps.

use std::{collections::BTreeMap, ops::Range};

use serde_json::{Value, json};
use termination_common::policy::Level;

use crate::{
    frame::Kind,
    harness::{
        Part, Programs, Result, last_cpu, nanoseconds, progress, spread_json, stay_on, with_spread,
    },
    segments::{EARLY, established, finish, handshake, reset},
};

/// What is run, in this order; the second is taken off those after it, which are
/// the columns. `closing` is `full`, loaded at the level `closing`, and `glance` is
/// `floor` there.
const PROGRAMS: [&str; 9] = [
    "empty", "drawn", "parse", GLANCE, CLOSING, FLOOR, "full", "hash", "lru",
];
const CLOSING: &str = "closing";
const GLANCE: &str = "glance";
const FLOOR: &str = "floor";

/// While established segments are measured at the level `closing`, so many other
/// connections are half closed: one in this power of two (0.8 %).
const CLOSING_SHIFT: u32 = 7;

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
    let elsewhere = [CLOSING, GLANCE, FLOOR];
    let loaded: Vec<_> = PROGRAMS
        .into_iter()
        .filter(|name| !elsewhere.contains(name))
        .collect();
    let mut figures = Vec::new();
    println!("nanoseconds a packet above a program that only draws the connection; median of");
    println!("{lives} lives ± the farther end. closing: while 0.8 % of other connections are half");
    println!(
        "closed; glance, its floor: parse, and a word of the filter. floor, that of full: parse,"
    );
    println!("find, lock, write what this kind of segment changes (SYN: claim), and ask nothing\n");
    for &shift in shifts {
        // Nobody reads the ring: endings are counted, and reported when swept.
        let slots = slots(shift);
        let programs = Both {
            full: Programs::load(slots, 8 << 20, &loaded)?,
            closing: Programs::load_at(Level::Closing, slots, 8 << 20, &["full", FLOOR])?,
            floor: Programs::load(slots, 8 << 20, &[FLOOR])?,
        };
        let rows = measure(&programs, shift, lives)?;
        print(shift, &rows);
        figures.push(json!({ "connections": 1_u32 << shift,
            "slots": slots, "rows": rows_json(&rows) }));
    }
    Ok(json!({ "lives": lives, "tables": figures }))
}

/// The programs at both levels, and the floor, each with a table of its own.
struct Both {
    full: Programs,
    closing: Programs,
    floor: Programs,
}

impl Both {
    fn run(&self, name: &'static str, kind: &Kind, shift: u32, rounds: Range<u32>) -> Result<f64> {
        match name {
            CLOSING => self.closing.run("full", kind, shift, rounds),
            GLANCE => self.closing.run(FLOOR, kind, shift, rounds),
            FLOOR => self.floor.run(FLOOR, kind, shift, rounds),
            _ => self.full.run(name, kind, shift, rounds),
        }
    }

    /// Opens further connections at the level `closing`, and closes them half.
    fn half_close(&self, shift: u32) -> Result<()> {
        let others = shift.saturating_sub(CLOSING_SHIFT);
        let part = Part {
            first: 1 << shift,
            shift: others,
            frames: 1 << others,
            ..Part::default()
        };
        let [fin, ..] = finish(0);
        let mut runner = self.closing.kernel.runner("full")?;
        for kind in handshake().iter().chain([&fin]) {
            runner.run(kind, part)?;
        }
        Ok(())
    }
}

/// Per kind of packet, per program: nanoseconds of each life.
type Rows = Vec<(&'static str, BTreeMap<&'static str, Vec<f64>>)>;

fn measure(programs: &Both, shift: u32, lives: u32) -> Result<Rows> {
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
        programs.half_close(shift)?;
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
        let (time, freed) = programs.full.clear()?;
        programs.closing.clear()?;
        programs.floor.clear()?;
        if freed > 0 {
            push(&mut rows, "sweep", "full", nanoseconds(time) / freed as f64);
        }
        // To the hash maps, these are not new.
        for kind in handshake() {
            for program in [CLOSING, FLOOR, "full", "hash", "lru"] {
                programs.run(program, &kind, shift, 0..1)?;
            }
        }
        run_all(programs, &mut rows, &reset(), shift, 0..1)?;
        programs.full.clear()?;
        programs.closing.clear()?;
        programs.floor.clear()?;
    }
    if shift == 0 {
        // A single packet is no measurement.
        rows.retain(|(name, _)| matches!(*name, "pure ACK" | "data"));
    }
    Ok(rows)
}

fn run_all(
    programs: &Both,
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
    let columns = &PROGRAMS[2..];
    println!("{} connections", 1_u32 << shift);
    print!("{:10}", "");
    for program in columns {
        print!(" {program:>9}");
    }
    println!();
    for (name, programs) in rows {
        print!("{name:<10}");
        for program in columns {
            let text = match programs.get(program) {
                // What it knows of is established segments alone.
                Some(values) if *program != GLANCE || is_plain(name) => with_spread(values, 0),
                _ => "-".to_owned(),
            };
            print!(" {text:>9}");
        }
        println!();
    }
    let all = |program| {
        let rows = rows
            .iter()
            .filter_map(|(_, programs)| programs.get(program));
        rows.flatten().copied().collect::<Vec<_>>()
    };
    let (empty, drawn) = (all("empty"), all("drawn"));
    println!(
        "(an empty program {}, one that draws {})\n",
        with_spread(&empty, 0),
        with_spread(&drawn, 0)
    );
}

/// An established segment.
fn is_plain(name: &str) -> bool {
    established().iter().any(|kind| kind.name == name)
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
