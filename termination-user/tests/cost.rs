//! A slow-down that no benchmark has to be run for: what cannot be moved by
//! noise is compared. Of many short runs in turns, the best of each is one that
//! nobody disturbed. (Counts of retired instructions would be better still; a
//! virtual machine often has no counter for them.)

#[path = "../benches/bench/frame.rs"]
#[expect(dead_code, reason = "the measurements use more of it")]
mod frame;
#[path = "../benches/bench/harness.rs"]
#[expect(dead_code, reason = "the measurements use more of it")]
mod harness;
#[path = "../benches/bench/segments.rs"]
#[expect(dead_code, reason = "the measurements use more of it")]
mod segments;

use harness::{Part, Programs};
use termination_common::policy::Level;

/// Runs of each program.
const RUNS: u32 = 400;
/// Frames of a run: a fraction of a millisecond.
const FRAMES: u32 = 2000;

/// At the level `closing` it costs less than half of what it does at `full`, the
/// harness taken off both.
#[test]
fn at_closing_an_established_segment_costs_less_than_half() {
    const NEED: &str = "these tests need root and BPF";
    let full = Programs::load(1 << 10, 1 << 16, &["full", "drawn"]).expect(NEED);
    let closing = Programs::load_at(Level::Closing, 1 << 10, 1 << 16, &["full"]).expect(NEED);
    let mut runners = [
        full.kernel.runner("drawn").unwrap(),
        closing.kernel.runner("full").unwrap(),
        full.kernel.runner("full").unwrap(),
    ];
    let mut part = Part {
        frames: 1,
        ..Part::default()
    };
    let [data, ack] = segments::established();
    for runner in &mut runners {
        for kind in segments::handshake() {
            runner.run(&kind, part).unwrap();
        }
        for kind in [&data, &ack] {
            let early = Part {
                frames: segments::EARLY,
                ..part
            };
            runner.run(kind, early).unwrap();
        }
    }
    part.from = u64::from(segments::EARLY);
    part.frames = FRAMES;
    let mut best = [f64::MAX; 3];
    for _ in 0..RUNS {
        for (best, runner) in best.iter_mut().zip(&mut runners) {
            let took = runner.run(&data, part).unwrap().as_secs_f64();
            *best = best.min(took * 1e9 / f64::from(FRAMES));
        }
        for runner in &mut runners {
            runner.run(&ack, part).unwrap();
        }
        part.from += u64::from(FRAMES);
    }
    let [floor, closing, full] = best;
    let (closing, full) = (closing - floor, full - floor);
    println!("data above the draw: closing {closing:.1} ns, full {full:.1} ns");
    assert!(closing < full / 2.0, "{closing:.1} ns of {full:.1} ns");
}

/// An established segment that the caches hold costs less than the same in a BPF
/// hash map; of both, half a packet's parse and the harness are the same.
#[test]
fn an_established_segment_is_cheaper_than_in_a_hash_map() {
    let programs =
        Programs::load(1 << 10, 1 << 16, &["full", "hash"]).expect("these tests need root and BPF");
    let mut ours = programs.kernel.runner("full").unwrap();
    let mut theirs = programs.kernel.runner("hash").unwrap();
    let mut part = Part {
        frames: 1,
        ..Part::default()
    };
    for kind in segments::handshake() {
        ours.run(&kind, part).unwrap();
        theirs.run(&kind, part).unwrap();
    }
    let [data, ack] = segments::established();
    part.frames = segments::EARLY;
    for kind in [&data, &ack] {
        ours.run(kind, part).unwrap();
        theirs.run(kind, part).unwrap();
    }
    part.from += u64::from(segments::EARLY);
    part.frames = FRAMES;
    let mut best = [[f64::MAX; 2]; 2];
    for _ in 0..RUNS {
        for (best, kind) in best.iter_mut().zip([&data, &ack]) {
            for (best, program) in best.iter_mut().zip([&mut ours, &mut theirs]) {
                let took = program.run(kind, part).unwrap().as_secs_f64();
                *best = best.min(took * 1e9 / f64::from(FRAMES));
            }
        }
        part.from += u64::from(FRAMES);
    }
    for ([ours, theirs], name) in best.into_iter().zip(["data", "pure ACK"]) {
        println!("{name}: {ours:.0} ns, in a hash map {theirs:.0} ns, harness included");
        assert!(
            ours < theirs,
            "{name}: {ours:.0} ns, in a hash map {theirs:.0} ns"
        );
    }
}
