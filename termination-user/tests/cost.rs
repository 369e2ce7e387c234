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

/// Runs of each program.
const RUNS: u32 = 400;
/// Frames of a run: a fraction of a millisecond.
const FRAMES: u32 = 2000;

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
