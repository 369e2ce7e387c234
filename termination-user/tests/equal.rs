//! Kernel and host agree on whatever may come: sequences of two TCP peers, a
//! wire that is unkind to them, and somebody who forges.

#[path = "equal/guards.rs"]
mod guards;
#[path = "scenarios/machine/mod.rs"]
mod machine;
#[path = "equal/peers.rs"]
mod peers;
#[path = "equal/script.rs"]
mod script;

use std::{
    cell::{Cell, RefCell},
    fmt::Debug,
};

use proptest::{
    prelude::{ProptestConfig, TestCaseError},
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use termination_common::{
    counters::{self, Event},
    exchange::{Operation, Record},
    policy::{Settings, Timers},
    taxonomy::Verdict,
};

use machine::{Host, host::Way, kernel, since};
use peers::{Act, play};
use script::{Setting, Step};

const SETTINGS: Settings = Settings {
    events: u32::MAX,
    ..Settings::DEFAULT
};
const TIMERS: Timers = Timers::DEFAULT;
const LATER: u64 = 1 << 53;

/// Runs `test` on so many sequences, always the same for a seed.
fn each(sequences: u32, seed: u8, test: impl Fn(&Setting, &[Step]) -> Result<(), TestCaseError>) {
    let config = ProptestConfig {
        cases: sequences,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &[seed; 16]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let done = Cell::new(0_u32);
    let result = runner.run(&script::sequence(), |(setting, steps)| {
        done.set(done.get() + 1);
        if done.get().is_multiple_of(20_000) {
            println!("{} sequences", done.get());
        }
        test(&setting, &steps)
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

fn same<T: PartialEq + Debug>(what: &str, host: &T, kernel: &T) -> Result<(), TestCaseError> {
    if host == kernel {
        return Ok(());
    }
    let text = format!("{what}\nhost:   {host:x?}\nkernel: {kernel:x?}");
    Err(TestCaseError::fail(text))
}

/// Plays each sequence to both; compares after every act, or at the end.
fn kernel_equals_host(sequences: u32, seed: u8, every_act: bool) {
    both(sequences, seed, SETTINGS, every_act, play);
}

/// The same of what `play` makes of the sequences, with these settings.
fn both(
    sequences: u32,
    seed: u8,
    settings: Settings,
    every_act: bool,
    play: impl Fn(&Setting, &[Step]) -> Vec<Act>,
) {
    let kernel = RefCell::new(kernel());
    kernel.borrow().set(settings);
    each(sequences, seed, |setting, steps| {
        let mut kernel = kernel.borrow_mut();
        // After a failure the last sequence is still there.
        kernel.clear();
        let host = Host::on(settings, Way::Whole);
        let short = Host::new(settings);
        let before = kernel.counters();
        for act in play(setting, steps) {
            match &act {
                Act::See(sight) => {
                    let bytes = sight.frame.build();
                    let drops = host.see(sight, &bytes);
                    short.see(sight, &bytes);
                    same("drops", &drops, &kernel.see(sight, &bytes))?;
                }
                Act::Sweep(now) => {
                    host.sweep(*now, Operation::Visit, &TIMERS);
                    short.sweep(*now, Operation::Visit, &TIMERS);
                    kernel.sweep(*now, Operation::Visit, &TIMERS);
                }
            }
            same(
                &format!("the fast way after {act:?}"),
                &host.slots(),
                &short.slots(),
            )?;
            if every_act {
                same(
                    &format!("slots after {act:?}"),
                    &host.slots(),
                    &kernel.slots(),
                )?;
            }
        }
        same("slots", &host.slots(), &kernel.slots())?;
        host.sweep(LATER, Operation::Shutdown, &TIMERS);
        kernel.sweep(LATER, Operation::Shutdown, &TIMERS);
        same("records", &host.records(), &kernel.records())?;
        let counted = since(&before, &kernel.counters());
        same("counters", &host.counters(), &counted)
    });
}

#[test]
fn kernel_and_host_agree_at_every_step() {
    kernel_equals_host(400, 1, true);
}

#[test]
#[ignore = "long: a million sequences"]
fn kernel_and_host_agree_on_a_million_sequences() {
    kernel_equals_host(1_000_000, 2, false);
}

/// What holds on the host for any sequence; conservation is checked by the
/// host itself, after every act.
fn holds(setting: &Setting, steps: &[Step]) -> Result<(), TestCaseError> {
    let host = Host::new(SETTINGS);
    let mut records = Vec::new();
    for act in play(setting, steps) {
        let before = host.counters();
        match &act {
            Act::See(sight) => {
                let drops = host.see(sight, &sight.frame.build());
                same("drops without a guard", &false, &drops)?;
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
    one_record_each(&host, &records)
}

/// Every connection yields exactly one ending, every TIME_WAIT one sequel.
fn one_record_each(host: &Host, records: &[Record]) -> Result<(), TestCaseError> {
    let told = |event: Event| {
        let same = |record: &&Record| record.event == event as u8;
        records.iter().filter(same).count() as u64
    };
    let count = host.counters().0;
    let begun = count[counters::OPENED] + count[counters::MIDSTREAM];
    same("endings", &begun, &told(Event::Ending))?;
    let waits = told(Event::TimeWait);
    same("TIME_WAITs", &count[counters::TIME_WAIT], &waits)?;
    same("slots left", &0, &host.slots().len())
}

#[test]
fn connections_are_conserved_and_blind_resets_end_nothing() {
    each(2_000, 3, holds);
}

#[test]
#[ignore = "long: a million sequences on the host"]
fn the_same_for_a_million_sequences() {
    each(1_000_000, 4, holds);
}
