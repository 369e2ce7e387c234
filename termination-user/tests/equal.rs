//! Kernel and host agree on whatever may come: sequences of two TCP peers, a
//! wire that is unkind to them, and somebody who forges.

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
    segment::Flags,
    taxonomy::Verdict,
    wire::build::Frame,
};

use machine::{Hook, Host, Sight, Way, kernel, since};
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
    let kernel = RefCell::new(kernel());
    kernel.borrow().set(SETTINGS);
    each(sequences, seed, |setting, steps| {
        let mut kernel = kernel.borrow_mut();
        // After a failure the last sequence is still there.
        kernel.clear();
        let host = Host::on(SETTINGS, Way::Whole);
        let short = Host::new(SETTINGS);
        let before = kernel.counters();
        for act in play(setting, steps) {
            match &act {
                Act::See(sight) => {
                    let bytes = sight.frame.build();
                    host.see(sight, &bytes);
                    short.see(sight, &bytes);
                    kernel.see(sight, &bytes);
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

const CLIENT: &str = "10.0.0.1:40000";
const SERVER: &str = "10.0.0.2:80";

fn see(host: &Host, frame: Frame) {
    let sight = Sight {
        frame,
        time: 1 << 40,
        hook: Hook::Xdp,
        home: 2,
        gso: 0,
    };
    host.see(&sight, &sight.frame.build());
}

/// So many rounds of ten bytes there and an ACK back, after a handshake.
fn talk(host: &Host, client: &str, rounds: u32) {
    let there = || Frame::v4(client, SERVER).window(500);
    let back = || Frame::v4(SERVER, client).window(500);
    see(host, there().tcp(Flags::SYN).seq(100));
    see(host, back().tcp(Flags::SYN | Flags::ACK).seq(900).ack(101));
    see(host, there().tcp(Flags::ACK).seq(101).ack(901));
    for round in 0..rounds {
        let sent = 101 + round * 10;
        see(host, there().tcp(Flags::ACK).seq(sent).ack(901).payload(10));
        see(host, back().tcp(Flags::ACK).seq(901).ack(sent + 10));
    }
}

/// A connection as most are goes the fast way, once both ends have spoken.
#[test]
fn data_and_acks_go_the_fast_way() {
    let host = Host::new(SETTINGS);
    talk(&host, CLIENT, 20);
    // The first segments of an end may be its SYN's payload.
    assert_eq!(host.fast(), 37);
}

/// The slot changes hands between the look for it and the look at it: the
/// tuple is not compared there, so the entry must be.
#[test]
fn the_fast_way_does_not_lead_into_another_connection() {
    /// Of the same two lines of the table, so that it gets the same place.
    const OTHERS: std::ops::Range<u16> = 1000..60_000;
    let host = Host::new(SETTINGS);
    talk(&host, CLIENT, 8);
    let old = host.places()[0];
    host.meanwhile(move |host| {
        host.sweep(LATER, Operation::Shutdown, &TIMERS);
        for port in OTHERS {
            talk(host, &format!("10.0.0.1:{port}"), 8);
            if host.places() == [old] {
                return;
            }
            host.sweep(LATER, Operation::Shutdown, &TIMERS);
        }
        unreachable!("one of so many gets the same place");
    });
    let late = Frame::v4(CLIENT, SERVER).window(500).tcp(Flags::ACK);
    see(&host, late.seq(181).ack(901).payload(10));
    let slots = host.slots();
    assert_eq!(slots.len(), 2, "the late segment opened one of its own");
    assert!(slots.iter().any(|slot| slot.hot.half[0].segments == 10));
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
            Act::See(sight) => host.see(sight, &sight.frame.build()),
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
