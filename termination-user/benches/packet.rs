//! What a packet costs in the kernel: the programs on frames of drawn
//! connections by BPF_PROG_TEST_RUN, beside BPF's own hash maps.
//!
//! `--rounds N` lives of every connection, `--json FILE`.

mod bench;

use bench::{Kind, Programs, Result, Shape, argument, nanoseconds, spread, write};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const ACK: u8 = 16;

/// Programs in the order of the columns; the first is taken off the others.
const PROGRAMS: [&str; 5] = ["drawn", "parse", "full", "hash", "lru"];

/// Slots: half of them are used by a million connections.
const SLOTS: u32 = 1 << 21;

/// Frames a run at least, so that the clock does not matter.
const FRAMES: u32 = 20;

/// MSS, SACK permitted, timestamps, no-op, window scale 14.
const SYN_OPTIONS: &[u8] = &[
    2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 14,
];
/// No-op, no-op, timestamps.
const STAMPS: &[u8] = &[1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1];

const CLIENT: u32 = 1_000_000;
const ANSWER: u32 = 5_000_000;
const PAYLOAD: usize = 100;

fn shape(name: &'static str, flags: u8, back: bool, seq: u32, ack: u32) -> Shape {
    let options = if flags & SYN != 0 {
        SYN_OPTIONS
    } else if flags & RST != 0 {
        &[]
    } else {
        STAMPS
    };
    Shape {
        name,
        flags,
        back,
        seq,
        ack,
        payload: 0,
        options,
    }
}

/// A life until both ends know how much the other takes.
fn opening() -> [Kind; 4] {
    [
        shape("SYN", SYN, false, CLIENT, 0),
        shape("SYN-ACK", SYN | ACK, true, ANSWER, CLIENT + 1),
        shape("ACK of SYN", ACK, false, CLIENT + 1, ANSWER + 1),
        // The window of a SYN-ACK is not scaled (RFC 7323 2.2).
        shape("window update", ACK, true, ANSWER + 1, CLIENT + 1),
    ]
    .map(|shape| shape.kind())
}

fn established() -> [Kind; 2] {
    let data = Shape {
        payload: PAYLOAD,
        ..shape("data", ACK, false, CLIENT + 1, ANSWER + 1)
    };
    let mut ack = shape(
        "pure ACK",
        ACK,
        true,
        ANSWER + 1,
        CLIENT + 1 + PAYLOAD as u32,
    )
    .kind();
    ack.acks(PAYLOAD as u32);
    [data.kind(), ack]
}

fn finish(sent: u32) -> [Kind; 4] {
    [
        shape("FIN", FIN | ACK, false, sent, ANSWER + 1),
        shape("ACK of FIN", ACK, true, ANSWER + 1, sent + 1),
        shape("second FIN", FIN | ACK, true, ANSWER + 1, sent + 1),
        shape("last ACK", ACK, false, sent + 1, ANSWER + 2),
    ]
    .map(|shape| shape.kind())
}

fn main() -> Result<()> {
    let lives: u32 = argument("--rounds").map_or(Ok(5), |text| text.parse())?;
    let mut programs = Programs::load(SLOTS, 8 << 20, &PROGRAMS[..])?;
    let mut figures = Vec::new();
    println!("nanoseconds a packet above a program that only draws the connection,");
    println!("median of {lives} lives (least to greatest)\n");
    let shifts = argument("--shift").map_or(Ok(vec![0, 16, 20]), |text| {
        text.split(',').map(str::parse).collect()
    })?;
    for shift in shifts {
        let rows = measure(&mut programs, shift, lives)?;
        print(shift, &rows);
        figures.push(json!({ "connections": 1_u32 << shift, "rows": rows_json(&rows) }));
    }
    write(&json!({ "packet": figures }))
}

/// Per kind of packet, per program: nanoseconds of each life.
type Rows = Vec<(&'static str, BTreeMap<&'static str, Vec<f64>>)>;

fn measure(programs: &mut Programs, shift: u32, lives: u32) -> Result<Rows> {
    let mut rows: Rows = Vec::new();
    for _ in 0..lives {
        let rounds = (FRAMES << 20 >> shift).clamp(2, 1 << 20);
        let sent = CLIENT + 1 + rounds * PAYLOAD as u32;
        for kind in opening() {
            run(programs, &mut rows, &kind, shift, 1)?;
        }
        for kind in established() {
            run(programs, &mut rows, &kind, shift, rounds)?;
        }
        for kind in finish(sent) {
            run(programs, &mut rows, &kind, shift, 1)?;
        }
        cleared(programs, &mut rows)?;

        for kind in opening() {
            for program in PROGRAMS {
                programs.run(program, &kind, shift, 1)?;
            }
        }
        let reset = shape("RST", RST, false, CLIENT + 1, 0).kind();
        run(programs, &mut rows, &reset, shift, 1)?;
        programs.clear()?;
    }
    if shift == 0 {
        // A single packet is no measurement.
        rows.retain(|(name, _)| matches!(*name, "pure ACK" | "data"));
    }
    Ok(rows)
}

fn cleared(programs: &Programs, rows: &mut Rows) -> Result<()> {
    let (time, freed) = programs.clear()?;
    if freed > 0 {
        push(rows, "sweep", "full", nanoseconds(time) / freed as f64);
    }
    Ok(())
}

fn run(
    programs: &mut Programs,
    rows: &mut Rows,
    kind: &Kind,
    shift: u32,
    rounds: u32,
) -> Result<()> {
    let mut floor = 0.0;
    for program in PROGRAMS {
        let took = programs.run(program, kind, shift, rounds)?;
        if program == "drawn" {
            floor = took;
            push(rows, kind.name, program, took);
        } else {
            push(rows, kind.name, program, took - floor);
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
    print!("{:>9} connections", 1_u32 << shift);
    for program in PROGRAMS {
        print!(" {program:>10}");
    }
    println!();
    for (name, programs) in rows {
        print!("{name:>21}");
        for program in PROGRAMS {
            match programs.get(program) {
                Some(values) => print!(" {:>10.1}", spread(values).0),
                None => print!(" {:>10}", "-"),
            }
        }
        println!();
    }
    println!();
}

fn rows_json(rows: &Rows) -> Value {
    let rows = rows.iter().map(|(name, programs)| {
        let programs: serde_json::Map<_, _> = programs
            .iter()
            .map(|(program, values)| {
                let (median, least, greatest) = spread(values);
                let value = json!({ "median": median, "min": least, "max": greatest });
                ((*program).to_owned(), value)
            })
            .collect();
        json!({ "packet": name, "nanoseconds": programs })
    });
    rows.collect()
}
