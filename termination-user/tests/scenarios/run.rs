//! Runs each table: on the host, in the kernel by every route, and as a
//! capture.

use termination_common::{
    counters::{self, Counters, Event},
    engine::guard::Guarded,
    exchange::{Operation, Record},
    facts,
    policy::{Level, Settings, Timers},
    taxonomy::{Ending, Outcome, Sequel, Verdict},
};
use termination_user::{
    capture::{LinkType, Packet},
    offline::Offline,
    policy::Policy,
};

use crate::{
    judge,
    language::{self, Act, Route},
    machine::{Host, host::Way, kernel_at, since},
    table::{self, Scenario},
};

/// Every event is told.
const SETTINGS: Settings = Settings {
    events: u32::MAX,
    ..Settings::DEFAULT
};
const TIMERS: Timers = Timers::DEFAULT;
/// Later than anything in a scenario.
const LATER: u64 = 1_000_000_000_000_000;

/// Runs `one` on each scenario, and says all that failed.
fn each(scenarios: &[&Scenario], one: impl Fn(&Scenario, Route) -> Result<(), String>) {
    let mut failures = Vec::new();
    let mut runs = 0;
    for scenario in scenarios {
        for &route in scenario.routes() {
            runs += 1;
            let Scenario {
                name, description, ..
            } = scenario;
            if let Err(text) = one(scenario, route) {
                failures.push(format!("{name} by {route:?} ({description})\n{text}"));
            }
        }
    }
    println!("{} scenarios, {runs} runs", scenarios.len());
    assert!(runs > 0, "there are scenarios");
    let all = failures.join("\n\n");
    assert!(failures.is_empty(), "{} failed\n\n{all}", failures.len());
}

#[test]
fn on_the_host_each_has_its_answer() {
    on_the_host(Level::Full);
}

#[test]
fn at_closing_on_the_host_each_has_its_answer() {
    on_the_host(Level::Closing);
}

fn on_the_host(level: Level) {
    each(&table::at(level), |scenario, route| {
        let mut host = Host::at(level, SETTINGS, Way::Fast);
        for act in language::read(scenario.packets, route) {
            step(&mut host, &act);
        }
        let live = host.slots();
        let live: Vec<_> = live
            .into_iter()
            .filter(|slot| slot.state().is_live())
            .collect();
        let mut records = host.records();
        judge::compare(level, scenario.expected, &records, &live)?;
        host.sweep(LATER, Operation::Shutdown, &TIMERS);
        records.extend(host.records());
        counted_as_told(&records, &host.counters())
    });
}

/// The fast way is no other: slots, records and counters are those of the whole
/// step, after every act.
#[test]
fn on_the_host_the_fast_way_comes_to_the_same() {
    the_fast_way(Level::Full, &table::at(Level::Full));
}

/// Of the level `closing`, the filter: what it leaves out would have done nothing.
#[test]
fn at_closing_on_the_host_the_filter_leaves_out_nothing() {
    let others = table::at(Level::Full)
        .into_iter()
        .filter(|one| !guarded(one));
    let all: Vec<_> = table::at(Level::Closing)
        .into_iter()
        .chain(others)
        .collect();
    the_fast_way(Level::Closing, &all);
}

/// It asks for a guard, which there is none of at the level `closing`.
fn guarded(scenario: &Scenario) -> bool {
    scenario.packets.contains("guard ")
}

fn the_fast_way(level: Level, scenarios: &[&Scenario]) {
    each(scenarios, |scenario, route| {
        let mut whole = Host::at(level, SETTINGS, Way::Whole);
        let mut fast = Host::at(level, SETTINGS, Way::Fast);
        for (number, act) in language::read(scenario.packets, route).iter().enumerate() {
            let drops = step(&mut whole, act);
            same(&drops, &step(&mut fast, act), || {
                format!("drops act {number}")
            })?;
            same(&whole.slots(), &fast.slots(), || {
                format!("slots after act {number} {act:?}")
            })?;
        }
        same(&whole.records(), &fast.records(), || "records".into())?;
        same(&whole.counters(), &fast.counters(), || "counters".into())
    });
}

/// What counters and records both say is the same: judged RSTs that ended
/// something, restarts by a FIN.
fn counted_as_told(records: &[Record], counters: &Counters) -> Result<(), String> {
    let restarts = records
        .iter()
        .filter(|record| record.event == Event::TimeWait as u8)
        .map(|record| facts::restarts(&record.copy).by_fin.map(u64::from));
    // Where both ends wait, their accounts mix.
    if let Some(told) = restarts.sum::<Option<u64>>() {
        same(&told, &counters.0[counters::FIN_RESTARTS], || {
            "restarts by a FIN: told, counted".into()
        })?;
    }
    for &verdict in Verdict::ALL {
        let ended = |record: &&Record| {
            record.event == Event::Ending as u8
                && facts::outcome(&record.copy).and_then(|outcome| outcome.verdict) == Some(verdict)
        };
        let ended = records.iter().filter(ended).count() as u64;
        let judged = counters.0[counters::VERDICT + verdict as usize];
        if judged < ended {
            return Err(format!("{ended} endings by {verdict}, {judged} judged"));
        }
    }
    Ok(())
}

/// Whether a guard drops it.
fn step(host: &mut Host, act: &Act) -> bool {
    match act {
        Act::See(sight) => return host.see(sight, &sight.frame.build()),
        Act::Sweep(now) => host.sweep(*now, Operation::Visit, &TIMERS),
        Act::Missed(now) => host.sweep(*now, Operation::Mark, &TIMERS),
        Act::Flags(which, bits) => {
            host.settings.flags = host.settings.flags & !which | bits;
        }
    }
    false
}

#[test]
fn in_the_kernel_each_has_the_same_state_and_records_at_every_step() {
    in_the_kernel(Level::Full, &table::at(Level::Full), true);
}

#[test]
fn at_closing_in_the_kernel_each_has_the_same_state_and_records_at_every_step() {
    in_the_kernel(Level::Closing, &table::at(Level::Closing), true);
}

/// Those of the other level, whose answers are not theirs here; but no guard can
/// be there.
#[test]
fn at_closing_host_and_kernel_agree_on_all_others_as_well() {
    let others: Vec<_> = table::all().filter(|one| !guarded(one)).collect();
    in_the_kernel(Level::Closing, &others, false);
}

fn in_the_kernel(level: Level, scenarios: &[&Scenario], answers: bool) {
    each(scenarios, |scenario, route| {
        let mut host = Host::at(level, SETTINGS, Way::Whole);
        let mut kernel = kernel_at(level);
        kernel.set(SETTINGS);
        let before = kernel.counters();
        let mut records = Vec::new();
        for (number, act) in language::read(scenario.packets, route).iter().enumerate() {
            let drops = step(&mut host, act);
            match act {
                Act::See(sight) => {
                    let theirs = kernel.see(sight, &sight.frame.build());
                    same(&drops, &theirs, || format!("drops act {number} {act:?}"))?;
                }
                Act::Sweep(now) => kernel.sweep(*now, Operation::Visit, &TIMERS),
                Act::Missed(now) => kernel.sweep(*now, Operation::Mark, &TIMERS),
                Act::Flags(..) => kernel.set(host.settings),
            }
            let (ours, theirs) = (host.slots(), kernel.slots());
            same(&ours, &theirs, || {
                format!("slots after act {number} {act:?}")
            })?;
            let (ours, theirs) = (host.records(), kernel.records());
            let told = ours.iter().any(says_dropped);
            same(&drops, &told, || format!("told as dropped, act {number}"))?;
            same(&ours, &theirs, || {
                format!("records of act {number} {act:?}")
            })?;
            records.extend(theirs);
        }
        let live = kernel.slots();
        let live: Vec<_> = live
            .into_iter()
            .filter(|slot| slot.state().is_live())
            .collect();
        host.sweep(LATER, Operation::Shutdown, &TIMERS);
        kernel.sweep(LATER, Operation::Shutdown, &TIMERS);
        same(&host.records(), &kernel.records(), || "last records".into())?;
        let counted = since(&before, &kernel.counters());
        same(&host.counters(), &counted, || "counters".into())?;
        if !answers {
            return Ok(());
        }
        judge::compare(level, scenario.expected, &records, &live)
    });
}

/// It says that an RST was dropped.
fn says_dropped(record: &Record) -> bool {
    record.event == Event::RstGuarded as u8
        && Guarded::from_number(record.detail >> 4).is_some_and(Guarded::drops)
}

fn same<T: PartialEq + std::fmt::Debug>(
    host: &T,
    kernel: &T,
    what: impl FnOnce() -> String,
) -> Result<(), String> {
    if host == kernel {
        return Ok(());
    }
    Err(format!(
        "{}\nhost:   {host:x?}\nkernel: {kernel:x?}",
        what()
    ))
}

#[test]
fn as_a_capture_each_has_its_answer() {
    as_a_capture(Level::Full);
}

#[test]
fn at_closing_as_a_capture_each_has_its_answer() {
    as_a_capture(Level::Closing);
}

fn as_a_capture(level: Level) {
    each(&table::at(level), |scenario, route| {
        let acts = language::read(scenario.packets, route);
        if scenario.needs_hooks {
            return Ok(());
        }
        let mut offline = Offline::new(&policy(), false).at(level);
        let mut records = Vec::new();
        let mut out = |record: &_| records.push(*record);
        for act in &acts {
            match act {
                Act::See(sight) => {
                    offline.frame(&packet(sight.time, &sight.frame.build()), &mut out);
                }
                // Time passes in a capture when something is seen.
                Act::Sweep(now) => offline.frame(&packet(*now, &[0; 14]), &mut out),
                Act::Flags(..) | Act::Missed(_) => {}
            }
        }
        offline.finish(&mut out);
        let open = records.iter().filter(|record| was_open(record)).count();
        let live = scenario.expected.iter();
        let live = live.filter(|line| line.starts_with("live")).count();
        if open != live {
            return Err(format!("open at the end: {open}"));
        }
        records.retain(|record| !was_open(record) && !was_waiting(record));
        judge::compare_endings(level, scenario.expected, &records)
    });
}

/// It was open when the capture ended.
fn was_open(record: &Record) -> bool {
    let ending = Outcome::packed_ending(record.copy.cold.outcome);
    record.event == Event::Ending as u8 && ending == Ending::Shutdown as u8
}

/// It was in TIME_WAIT when the capture ended.
fn was_waiting(record: &Record) -> bool {
    record.event == Event::TimeWait as u8 && record.detail == Sequel::Shutdown as u8
}

fn policy() -> Policy {
    Policy {
        timers: TIMERS,
        settings: SETTINGS,
        ..Policy::default()
    }
}

fn packet(time: u64, data: &[u8]) -> Packet<'_> {
    Packet {
        time,
        link: LinkType::ETHERNET,
        data,
        length: data.len() as u32,
        number: 1,
    }
}
