//! Kernel and host agree on whatever may come: sequences of two TCP peers, a
//! wire that is unkind to them, and somebody who forges. Where nobody does,
//! tshark agrees as well.

#[path = "equal/guards.rs"]
mod guards;
#[path = "scenarios/machine/mod.rs"]
mod machine;
#[path = "equal/peers.rs"]
mod peers;
#[expect(dead_code, reason = "what the other tests of captures need")]
#[path = "pcap/scratch.rs"]
mod scratch;
#[path = "equal/script.rs"]
mod script;
#[path = "equal/tshark.rs"]
mod tshark;

use std::{
    cell::{Cell, RefCell},
    fmt::Debug,
    time::Instant,
};

use proptest::{
    prelude::{ProptestConfig, TestCaseError},
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use termination_common::{
    counters::{self, Event},
    exchange::{Operation, Record},
    facts,
    policy::{Level, Settings, Timers},
    taxonomy::{Ending, Verdict},
};

use machine::{Host, host::Way, kernel_at, since};
use peers::{Act, play};
use script::{Setting, Step};

const SETTINGS: Settings = Settings {
    events: u32::MAX,
    ..Settings::DEFAULT
};
const TIMERS: Timers = Timers::DEFAULT;
const LATER: u64 = 1 << 53;

/// Runs `test` on so many sequences, always the same for a seed; it says how
/// many acts or steps each of them was.
fn each(
    sequences: u32,
    seed: u8,
    test: impl Fn(&Setting, &[Step]) -> Result<usize, TestCaseError>,
) {
    let config = ProptestConfig {
        cases: sequences,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &[seed; 16]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let (done, acts) = (Cell::new(0_u32), Cell::new(0_usize));
    let start = Instant::now();
    let report = || {
        let (done, acts, time) = (done.get(), acts.get(), start.elapsed());
        println!("seed {seed}: {done} sequences, {acts} acts or steps, {time:.0?}");
    };
    // The long runs have longer sequences as well.
    let most = if sequences < 1_000_000 { 40 } else { 100 };
    let result = runner.run(&script::sequence(most), |(setting, steps)| {
        acts.set(acts.get() + test(&setting, &steps)?);
        done.set(done.get() + 1);
        if done.get().is_multiple_of(100_000) {
            report();
        }
        Ok(())
    });
    report();
    if let Err(error) = result {
        panic!("{error}");
    }
    assert_eq!(done.get(), sequences, "none was left out");
}

/// What is compared is put into words only if it differs.
fn same<T: PartialEq + Debug>(
    what: impl FnOnce() -> String,
    one: &T,
    other: &T,
) -> Result<(), TestCaseError> {
    if one == other {
        return Ok(());
    }
    let what = what();
    let text = format!("{what}\nhost:  {one:x?}\nother: {other:x?}");
    Err(TestCaseError::fail(text))
}

/// Plays each sequence to all three: the kernel, the host by the whole step
/// alone, the host as it is. The two on the host are compared after every act,
/// the kernel's slots at the end, or after every act as well.
fn kernel_equals_host(sequences: u32, seed: u8, every_act: bool) {
    both(Level::Full, sequences, seed, SETTINGS, every_act, play);
}

/// The same of what `play` makes of the sequences, with these settings.
fn both(
    level: Level,
    sequences: u32,
    seed: u8,
    settings: Settings,
    every_act: bool,
    play: impl Fn(&Setting, &[Step]) -> Vec<Act>,
) {
    let kernel = RefCell::new(kernel_at(level));
    kernel.borrow().set(settings);
    each(sequences, seed, |setting, steps| {
        let mut kernel = kernel.borrow_mut();
        // After a failure the last sequence is still there.
        kernel.clear();
        let host = Host::at(level, settings, Way::Whole);
        let short = Host::at(level, settings, Way::Fast);
        let before = kernel.counters();
        let acts = play(setting, steps);
        for act in &acts {
            match act {
                Act::See(sight) => {
                    let bytes = sight.frame.build();
                    let drops = host.see(sight, &bytes);
                    same(|| "fast, drops".into(), &drops, &short.see(sight, &bytes))?;
                    same(
                        || "kernel, drops".into(),
                        &drops,
                        &kernel.see(sight, &bytes),
                    )?;
                }
                Act::Sweep(now) => {
                    host.sweep(*now, Operation::Visit, &TIMERS);
                    short.sweep(*now, Operation::Visit, &TIMERS);
                    kernel.sweep(*now, Operation::Visit, &TIMERS);
                }
            }
            let slots = host.slots();
            same(|| format!("fast, {act:?}"), &slots, &short.slots())?;
            if every_act {
                same(|| format!("kernel, {act:?}"), &slots, &kernel.slots())?;
            }
        }
        let slots = host.slots();
        same(|| "slots in the kernel".into(), &slots, &kernel.slots())?;
        host.sweep(LATER, Operation::Shutdown, &TIMERS);
        short.sweep(LATER, Operation::Shutdown, &TIMERS);
        kernel.sweep(LATER, Operation::Shutdown, &TIMERS);
        let records = host.records();
        same(|| "fast, records".into(), &records, &short.records())?;
        same(|| "kernel, records".into(), &records, &kernel.records())?;
        let counters = host.counters();
        same(|| "fast, counters".into(), &counters, &short.counters())?;
        let counted = since(&before, &kernel.counters());
        same(|| "kernel, counters".into(), &counters, &counted)?;
        Ok(acts.len())
    });
}

#[test]
fn kernel_and_host_agree_at_every_step() {
    kernel_equals_host(400, 1, true);
}

/// The same of the level `closing`; the one host looks every segment up, the
/// other asks the filter.
#[test]
fn at_closing_kernel_and_host_agree_at_every_step() {
    both(Level::Closing, 400, 5, SETTINGS, true, play);
}

#[test]
#[ignore = "long: a million sequences"]
fn at_closing_kernel_and_host_agree_on_a_million_sequences() {
    both(Level::Closing, 1_000_000, 6, SETTINGS, false, play);
}

#[test]
#[ignore = "long: a million sequences"]
fn kernel_and_host_agree_on_a_million_sequences() {
    kernel_equals_host(1_000_000, 2, false);
}

/// What holds on the host for any sequence; conservation is checked by the
/// host itself, after every act.
fn holds(level: Level, setting: &Setting, steps: &[Step]) -> Result<usize, TestCaseError> {
    let host = Host::at(level, SETTINGS, Way::Fast);
    let mut records = Vec::new();
    let acts = play(setting, steps);
    for act in &acts {
        let before = host.counters();
        match act {
            Act::See(sight) => {
                let drops = host.see(sight, &sight.frame.build());
                same(|| "drops without a guard".into(), &false, &drops)?;
            }
            Act::Sweep(now) => host.sweep(*now, Operation::Visit, &TIMERS),
        }
        let counted = since(&before, &host.counters());
        for verdict in [Verdict::Old, Verdict::Future, Verdict::SynSentBad] {
            let judged = counted.0[counters::VERDICT + verdict as usize] > 0;
            if judged && counted.endings() > 0 {
                let text = format!("a reset graded {verdict} ended it: {act:?}");
                return Err(TestCaseError::fail(text));
            }
        }
        records.extend(host.records());
    }
    host.sweep(LATER, Operation::Shutdown, &TIMERS);
    records.extend(host.records());
    one_record_each(&host, &records)?;
    if level.is_closing() {
        claims_no_silence(&records)?;
    }
    Ok(acts.len())
}

/// What nobody listened for is not said.
fn claims_no_silence(records: &[Record]) -> Result<(), TestCaseError> {
    for record in records {
        let ending = facts::outcome(&record.copy).map(|outcome| outcome.ending);
        let suspects = record.event == Event::HalfOpenSuspected as u8;
        if suspects || ending == Some(Ending::HalfOpenSilent) {
            return Err(TestCaseError::fail(format!("claims silence: {record:?}")));
        }
    }
    Ok(())
}

/// Every connection yields exactly one ending, every TIME_WAIT one sequel.
fn one_record_each(host: &Host, records: &[Record]) -> Result<(), TestCaseError> {
    let told = |event: Event| {
        let same = |record: &&Record| record.event == event as u8;
        records.iter().filter(same).count() as u64
    };
    let count = host.counters().0;
    let begun = count[counters::OPENED] + count[counters::MIDSTREAM];
    same(|| "endings".into(), &begun, &told(Event::Ending))?;
    // What ended them was judged, and counted.
    for &verdict in Verdict::ALL {
        let ended = |record: &&Record| {
            let outcome = facts::outcome(&record.copy);
            let by = outcome.and_then(|outcome| outcome.verdict);
            record.event == Event::Ending as u8 && by == Some(verdict)
        };
        let ended = records.iter().filter(ended).count() as u64;
        let judged = count[counters::VERDICT + verdict as usize];
        same(|| format!("{verdict}"), &true, &(judged >= ended))?;
    }
    let waits = told(Event::TimeWait);
    same(|| "TIME_WAITs".into(), &count[counters::TIME_WAIT], &waits)?;
    same(|| "slots left".into(), &0, &host.slots().len())
}

/// The fast way against the whole step (at the level `closing`, the filter against
/// a look at every slot), on the host alone: for those who cannot load programs,
/// and for the mutation check.
fn fast_equals_whole(
    level: Level,
    setting: &Setting,
    steps: &[Step],
) -> Result<usize, TestCaseError> {
    let whole = Host::at(level, SETTINGS, Way::Whole);
    let fast = Host::at(level, SETTINGS, Way::Fast);
    let acts = play(setting, steps);
    for act in &acts {
        match act {
            Act::See(sight) => {
                let bytes = sight.frame.build();
                same(
                    || "drops".into(),
                    &whole.see(sight, &bytes),
                    &fast.see(sight, &bytes),
                )?;
            }
            Act::Sweep(now) => {
                whole.sweep(*now, Operation::Visit, &TIMERS);
                fast.sweep(*now, Operation::Visit, &TIMERS);
            }
        }
        same(|| format!("{act:?}"), &whole.slots(), &fast.slots())?;
    }
    same(|| "records".into(), &whole.records(), &fast.records())?;
    same(|| "counters".into(), &whole.counters(), &fast.counters())?;
    Ok(acts.len())
}

#[test]
fn the_fast_way_comes_to_the_same() {
    each(500, 11, |setting, steps| {
        fast_equals_whole(Level::Full, setting, steps)
    });
}

#[test]
fn at_closing_the_filter_leaves_out_nothing() {
    each(500, 12, |setting, steps| {
        fast_equals_whole(Level::Closing, setting, steps)
    });
}

#[test]
fn connections_are_conserved_and_blind_resets_end_nothing() {
    each(2_000, 3, |setting, steps| {
        holds(Level::Full, setting, steps)
    });
}

#[test]
fn at_closing_connections_are_conserved_and_nobody_is_called_silent() {
    each(2_000, 7, |setting, steps| {
        holds(Level::Closing, setting, steps)
    });
}

#[test]
#[ignore = "long: a million sequences on the host"]
fn the_same_for_a_million_sequences() {
    each(1_000_000, 4, |setting, steps| {
        holds(Level::Full, setting, steps)
    });
}
