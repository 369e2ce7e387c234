//! Does a mutant make any difference? Shows what no test has noticed, among the
//! scenarios and random sequences: to what a person is told, or to what slots
//! hold, or none.
//!
//! Part of the copy's `equal` test. `MUTANTS` are the numbers to try.

use std::{
    collections::BTreeSet,
    env,
    panic::{AssertUnwindSafe, catch_unwind},
};

use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use termination_common::{
    counters::Counters,
    exchange::{Operation, Record},
    mutant,
    policy::{Level, Settings, Timers, setting},
    segment::mark,
    slot::Slot,
};
use termination_user::report::{Report, connection::Connection, value::Clock};

use crate::{
    guards::{at_server, guards},
    judge, language,
    machine::{Host, Sight, host::Way},
    peers::{self, play},
    script, table,
};

/// Random sequences of each level, beside the scenarios.
const SEQUENCES: usize = 6_000;
const STEPS: usize = 60;
const TIMERS: Timers = Timers::DEFAULT;
const LATER: u64 = 1 << 53;

#[derive(Clone)]
enum Act {
    See(Box<Sight>),
    Sweep(u64),
    Missed(u64),
    Flags(u32, u32),
}

#[derive(Clone)]
struct Sequence {
    name: String,
    level: Level,
    /// Where the numbers of a random one begin.
    isn: Option<[u32; 2]>,
    settings: Settings,
    acts: Vec<Act>,
}

/// What came of a sequence.
struct Outcome {
    /// Told: reports, what lived at the end, how many frames were dropped.
    told: Vec<String>,
    counters: Counters,
    /// Kept: after every act.
    slots: Vec<Vec<Slot>>,
    records: Vec<Record>,
}

fn scenarios() -> impl Iterator<Item = Sequence> {
    let at = |level| table::at(level).into_iter().map(move |scenario| (level, scenario));
    at(Level::Full).chain(at(Level::Closing)).flat_map(|(level, scenario)| {
        scenario.routes().iter().map(move |&route| Sequence {
            name: format!("scenario {} by {route:?}", scenario.name),
            level,
            isn: None,
            settings: crate::SETTINGS,
            acts: language::read(scenario.packets, route)
                .into_iter()
                .map(|act| match act {
                    language::Act::See(sight) => Act::See(sight),
                    language::Act::Sweep(now) => Act::Sweep(now),
                    language::Act::Missed(now) => Act::Missed(now),
                    language::Act::Flags(which, bits) => Act::Flags(which, bits),
                })
                .collect(),
        })
    })
}

fn random() -> impl Iterator<Item = Sequence> {
    random_at(Level::Full).chain(random_at(Level::Closing))
}

fn random_at(level: Level) -> impl Iterator<Item = Sequence> {
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &[10; 16]);
    let mut runner = TestRunner::new_with_rng(Default::default(), rng);
    (0..SEQUENCES).map(move |number| {
        let tree = script::sequence(STEPS).new_tree(&mut runner).unwrap();
        let (setting, steps) = tree.current();
        let (settings, acts) = match number % 4 {
            // No guard is there at the level `closing`.
            0 if !level.is_closing() => (guards(setting::ARMED), at_server(&setting, &steps)),
            1 if !level.is_closing() => (guards(setting::DRY_RUN), at_server(&setting, &steps)),
            _ => (crate::SETTINGS, play(&setting, &steps)),
        };
        let acts = acts.into_iter().map(|act| match act {
            peers::Act::See(sight) => Act::See(sight),
            peers::Act::Sweep(now) => Act::Sweep(now),
        });
        Sequence {
            name: format!("sequence {number} at {level:?}"),
            level,
            // By port, as `segment` tells the ends apart.
            isn: Some([setting.isn[setting.lower], setting.isn[setting.lower ^ 1]]),
            settings,
            acts: acts.collect(),
        }
    })
}

fn run(sequence: &Sequence) -> Outcome {
    let mut host = Host::at(sequence.level, sequence.settings, Way::Fast);
    let (mut dropped, mut now) = (0, 0);
    let mut slots = Vec::new();
    for act in &sequence.acts {
        match act {
            Act::See(sight) => {
                now = sight.time;
                dropped += u32::from(host.see(sight, &sight.frame.build()));
            }
            Act::Sweep(time) => {
                now = *time;
                host.sweep(now, Operation::Visit, &TIMERS);
            }
            Act::Missed(time) => {
                now = *time;
                host.sweep(now, Operation::Mark, &TIMERS);
            }
            Act::Flags(which, bits) => {
                host.settings.flags = host.settings.flags & !which | bits;
            }
        }
        slots.push(host.slots());
    }
    let clock = Clock { offset_ns: 0 };
    let living: Vec<_> = host
        .slots()
        .iter()
        .filter_map(|slot| {
            let connection = Connection::from_slot(slot, 0, 0, &clock, now, &TIMERS)?;
            Some(match sequence.level {
                Level::Full => connection,
                Level::Closing => connection.at_closing(slot),
            })
        })
        .map(|connection| serde_json::to_string(&connection).unwrap())
        .collect();
    host.sweep(LATER, Operation::Shutdown, &TIMERS);
    let records = host.records();
    let told = records
        .iter()
        .map(|record| match Report::from_record(record, 0, &clock) {
            Some(Report::Ending(ending)) if sequence.level.is_closing() => {
                serde_json::to_string(&ending.at_closing(&record.copy)).unwrap()
            }
            Some(report) => serde_json::to_string(&report).unwrap(),
            None => "nonsense".into(),
        })
        .chain(living)
        .chain([format!("{{\"dropped\":{dropped}}}")])
        .collect();
    Outcome {
        told,
        counters: host.counters(),
        slots,
        records,
    }
}

/// The first difference between what is told.
fn difference(old: &Outcome, new: &Outcome) -> Option<String> {
    if old.counters != new.counters {
        let pairs = old.counters.0.iter().zip(&new.counters.0).enumerate();
        let all: Vec<_> = pairs
            .filter(|(_, (a, b))| a != b)
            .map(|(index, (a, b))| format!("{index}: {a} → {b}"))
            .collect();
        return Some(format!("counters {}", all.join(", ")));
    }
    if old.told.len() != new.told.len() {
        return Some(format!("{} → {} reports", old.told.len(), new.told.len()));
    }
    let (old, new) = old.told.iter().zip(&new.told).find(|(a, b)| a != b)?;
    let parsed = [old, new].map(|text| serde_json::from_str::<serde_json::Value>(text));
    let [Ok(a), Ok(b)] = parsed else {
        return Some(format!("{old} → {new}"));
    };
    let empty = serde_json::Map::new();
    let (a, b) = (a.as_object().unwrap_or(&empty), b.as_object().unwrap_or(&empty));
    let changed = a.iter().filter(|(key, value)| b.get(*key) != Some(value));
    let changed: Vec<_> = changed
        .map(|(key, value)| format!("{key} {value} → {}", b.get(key).unwrap_or(value)))
        .collect();
    let kind = ["event", "type"].map(|key| a.get(key).and_then(|value| value.as_str()));
    Some(format!("{kind:?} {}", changed.join(", ")))
}

/// What becomes of a sequence while this mutant lives; `None` if it panics.
fn under(number: u32, sequence: &Sequence) -> Option<Outcome> {
    mutant::set(number);
    let outcome = catch_unwind(AssertUnwindSafe(|| run(sequence)));
    mutant::set(mutant::NONE);
    outcome.ok()
}

/// How what is told differs.
fn told(number: u32, sequence: &Sequence, old: &Outcome) -> Option<String> {
    match under(number, sequence) {
        None => Some("panic".into()),
        Some(new) => difference(old, &new),
    }
}

/// The shortest that still shows it.
fn shrink(number: u32, sequence: &Sequence) -> Sequence {
    let mut shortest = sequence.clone();
    for size in [16, 4, 1, 1, 1] {
        let mut end = shortest.acts.len();
        while end > 0 {
            let start = end.saturating_sub(size);
            let mut shorter = shortest.clone();
            shorter.acts.drain(start..end);
            if told(number, &shorter, &run(&shorter)).is_some() {
                shortest = shorter;
            }
            end = start;
        }
    }
    shortest
}

/// In the words of the scenarios.
fn words(sequence: &Sequence) -> String {
    let isn = sequence.isn.unwrap_or_default();
    let mut lines = Vec::new();
    for (end, isn) in ["O", "R"].iter().zip(isn) {
        if isn > u32::MAX - 5000 || isn == 0 {
            lines.push(format!("isn {end} {isn}"));
        }
    }
    let mut time = None;
    for act in &sequence.acts {
        match act {
            Act::Sweep(now) => {
                let last = time.unwrap_or(now - 1_000_000);
                lines.push(format!("wait {}ms", (now - last) / 1_000_000));
                time = Some(*now);
            }
            Act::Missed(_) => lines.push("missed".into()),
            Act::Flags(which, bits) => lines.push(format!("flags {which:x} {bits:x}")),
            Act::See(sight) => {
                let last = time.unwrap_or(sight.time - 1_000_000);
                time = Some(sight.time);
                if sight.time - last > 2_000_000 {
                    lines.push(format!("pass {}ms", (sight.time - last) / 1_000_000 - 1));
                }
                lines.push(segment(sight, isn));
            }
        }
    }
    lines.join("\n")
}

fn segment(sight: &Sight, isn: [u32; 2]) -> String {
    let bytes = sight.frame.build();
    let unchecked = Sight {
        hook: crate::machine::Hook::Ingress,
        ..sight.clone()
    };
    let Ok(segment) = crate::machine::host::parse(&unchecked, &bytes) else {
        return "# unreadable".into();
    };
    let tail = segment.tuple.words[4];
    let ports = [tail as u16, (tail >> 16) as u16];
    let x = usize::from(ports[segment.side()] == 443);
    let relative = |number: u32, side: usize| number.wrapping_sub(isn[side]).cast_signed();
    let flags = segment.flags.0;
    let letters: String = "FSRPAU"
        .chars()
        .enumerate()
        .filter(|(bit, _)| flags >> bit & 1 != 0)
        .map(|(_, letter)| letter)
        .collect();
    let mut line = format!("{} {letters} {}", ["O", "R"][x], relative(segment.seq, x));
    if segment.payload > 0 {
        line += &format!("+{}", segment.payload);
    }
    if segment.flags.ack() {
        line += &format!(" {}", relative(segment.ack, x ^ 1));
    }
    let usual = if segment.flags.syn() { 0xffff } else { 512 };
    if segment.window != usual {
        line += &format!(" win={}", segment.window);
    }
    if segment.has(mark::WINDOW_SCALE) {
        line += &format!(" ws={}", segment.window_scale);
    }
    if segment.has(mark::TIMESTAMPS) {
        line += &format!(" ts={}/0", segment.tsval);
    }
    if segment.has(mark::SACK) {
        let edge = relative(segment.sack_edge, x ^ 1);
        line += &format!(" sack={}-{edge}", edge - 1);
    }
    if segment.has(mark::FRAGMENT) {
        line += " fragment";
    }
    if sight.home > 8 {
        line += &format!(" home={}", sight.home);
    }
    line
}

/// What the judge of the scenarios says came, and the parts of each line.
fn answer(number: u32, sequence: &Sequence) -> Vec<String> {
    mutant::set(number);
    let found = catch_unwind(AssertUnwindSafe(|| {
        let mut host = Host::at(sequence.level, sequence.settings, Way::Fast);
        for act in &sequence.acts {
            match act {
                Act::See(sight) => {
                    host.see(sight, &sight.frame.build());
                }
                Act::Sweep(now) => host.sweep(*now, Operation::Visit, &TIMERS),
                Act::Missed(now) => host.sweep(*now, Operation::Mark, &TIMERS),
                Act::Flags(which, bits) => {
                    host.settings.flags = host.settings.flags & !which | bits;
                }
            }
        }
        let live: Vec<_> = host
            .slots()
            .into_iter()
            .filter(|slot| slot.state().is_live())
            .collect();
        let all = [
            "established",
            "half_closed",
            "stray_segment",
            "time_wait_restarted",
            "nothing",
        ];
        judge::compare(sequence.level, &all, &host.records(), &live).unwrap_err()
    }));
    mutant::set(mutant::NONE);
    let Ok(text) = found else {
        return vec!["panic".into()];
    };
    let (_, came) = text.split_once("came:\n").unwrap();
    came.lines().map(|line| line.trim().to_owned()).collect()
}

/// Facts of each line by which two answers differ; `None` if the lines do.
fn facts(old: &[String], new: &[String]) -> Option<BTreeSet<(usize, String)>> {
    let kind = |line: &String| line.split(' ').take(2).find(|w| !w.contains('=')).map(str::to_owned);
    if old.len() != new.len() || old.iter().map(kind).ne(new.iter().map(kind)) {
        return None;
    }
    let mut all = BTreeSet::new();
    for (number, (old, new)) in old.iter().zip(new).enumerate() {
        let other: BTreeSet<_> = new.split(' ').collect();
        let mine: BTreeSet<_> = old.split(' ').collect();
        for part in mine.symmetric_difference(&other) {
            all.insert((number, part.split('=').next().unwrap_or_default().to_owned()));
        }
    }
    Some(all)
}

/// A sequence that shows what some mutants do.
struct Shown {
    sequence: Sequence,
    outcome: Outcome,
    answer: Vec<String>,
    facts: BTreeSet<(usize, String)>,
    lines: bool,
    mutants: Vec<u32>,
    /// Those that only other reports show.
    beside: Vec<(u32, String)>,
}

impl Shown {
    fn takes(&mut self, number: u32) -> bool {
        let Some(difference) = told(number, &self.sequence, &self.outcome) else {
            return false;
        };
        let new = answer(number, &self.sequence);
        if new == self.answer {
            self.beside.push((number, difference));
            return true;
        }
        match facts(&self.answer, &new) {
            Some(facts) => self.facts.extend(facts),
            None => self.lines = true,
        }
        self.mutants.push(number);
        true
    }

    fn print(&self) {
        const MUST: [&str; 8] = [
            "by", "phase", "verdict", "cause", "evidence", "holder", "answer", "guarded",
        ];
        const COMMONPLACE: [&str; 4] = [
            "established",
            "half_closed",
            "stray_segment",
            "time_wait_restarted",
        ];
        let name = &self.sequence.name;
        println!("SHOWN {name} {:?} {:?}", self.mutants, self.beside);
        println!("{}", words(&self.sequence));
        for (number, line) in self.answer.iter().enumerate() {
            let kept: Vec<_> = line
                .split(' ')
                .filter(|word| {
                    let key = word.split('=').next().unwrap_or_default();
                    !word.contains('=')
                        || MUST.contains(&key)
                        || self.facts.contains(&(number, key.to_owned()))
                })
                .collect();
            if self.lines || !COMMONPLACE.contains(&kept[0]) {
                println!("=> {}", kept.join(" "));
            }
        }
        println!();
    }
}

#[test]
#[ignore = "asked for by name"]
fn in_scenarios() {
    std::panic::set_hook(Box::new(|_| {}));
    mutant::set(mutant::NONE);
    let sequences: Vec<_> = scenarios()
        .chain(random())
        .map(|sequence| {
            let outcome = run(&sequence);
            (sequence, outcome)
        })
        .collect();
    let mut all: Vec<Shown> = Vec::new();
    for number in env::var("MUTANTS").unwrap_or_default().split_whitespace() {
        let number = number.parse().unwrap();
        if all.iter_mut().any(|shown| shown.takes(number)) {
            continue;
        }
        let found = sequences
            .iter()
            .find(|(sequence, old)| told(number, sequence, old).is_some());
        let Some((sequence, _)) = found else {
            println!("NONE {number}");
            continue;
        };
        let sequence = if sequence.isn.is_some() {
            shrink(number, sequence)
        } else {
            sequence.clone()
        };
        let mut shown = Shown {
            outcome: run(&sequence),
            answer: answer(mutant::NONE, &sequence),
            sequence,
            facts: BTreeSet::new(),
            lines: false,
            mutants: Vec::new(),
            beside: Vec::new(),
        };
        assert!(shown.takes(number));
        all.push(shown);
    }
    all.iter().for_each(Shown::print);
}

fn witness(sequences: &[(Sequence, Outcome)], number: u32) -> String {
    let mut kept = None;
    for (sequence, old) in sequences {
        let name = &sequence.name;
        let Some(new) = under(number, sequence) else {
            return format!("told in {name}: panic");
        };
        if let Some(difference) = difference(old, &new) {
            return format!("told in {name}: {difference}");
        }
        if kept.is_none() && (old.slots != new.slots || old.records != new.records) {
            kept = Some(format!("kept in {name}"));
        }
    }
    kept.unwrap_or_else(|| "no difference".into())
}

#[test]
#[ignore = "asked for by name"]
fn of_mutants() {
    std::panic::set_hook(Box::new(|_| {}));
    mutant::set(mutant::NONE);
    let sequences: Vec<_> = scenarios()
        .chain(random())
        .map(|sequence| {
            let outcome = run(&sequence);
            (sequence, outcome)
        })
        .collect();
    for number in env::var("MUTANTS").unwrap_or_default().split_whitespace() {
        println!("WITNESS {number} {}", witness(&sequences, number.parse().unwrap()));
    }
}
