//! Mutates what decides (engine, timers, what a slot means), and asks the tests
//! that need no kernel whether they notice.
//!
//! All mutants are built at once into a copy of the project (src/rewrite.rs);
//! then the tests run once for each, until one fails. Of each that survives and
//! has no reason in docs/mutation.md it says what difference it makes, if any
//! (src/witness.rs).

mod rewrite;
mod tree;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use rewrite::Mutant;

const USAGE: &str = "arguments, all optional: `list`; part of a file's name; N, to try every N-th mutant; \
     @FILE, to try those again that an earlier run has printed into that file; -jN, so many at once";

/// A test binary, what of it, and the seconds of processor time after which it
/// runs for ever.
type Tests = [(&'static str, &'static [&'static str], u32)];
/// For every mutant.
const QUICK: &Tests = &[
    ("termination_common", &[], 5),
    (
        "scenarios",
        &["host", "capture", "fast", "touches", "--skip", "kernel"],
        10,
    ),
    ("termination_user", &["report::"], 10),
    ("corpora", &["zeek"], 10),
    ("pcap", &["each_state_of_zeek"], 10),
];
/// For those that are left: of the engine, random traffic.
const TRAFFIC: &Tests = &[("equal", &["--skip", "kernel", "--skip", "counts"], 60)];
/// And of what comes after it, other programs' words.
const WORDS: &Tests = &[("corpora", &["tshark"], 60)];
const WORDS_FILES: [&str; 4] = ["facts.rs", "history.rs", "taxonomy.rs", "zeek.rs"];

/// Survivors, with reasons: lines of `FILE:LINE WHAT` under each.
const REASONS: &str = "docs/mutation.md";

/// Which mutants, and how.
#[derive(Default)]
struct Wanted {
    file: String,
    every: usize,
    again: Option<BTreeSet<String>>,
    jobs: usize,
}

impl Wanted {
    fn from_arguments() -> Result<Self> {
        let mut wanted = Self {
            every: 1,
            jobs: 1,
            ..Self::default()
        };
        for word in env::args().skip(1) {
            if let Some(path) = word.strip_prefix('@') {
                let text =
                    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
                wanted.again = Some(text.lines().filter_map(named).collect());
            } else if let Some(jobs) = word.strip_prefix("-j") {
                wanted.jobs = jobs.parse().context(USAGE)?;
            } else if let Ok(every) = word.parse() {
                wanted.every = every;
            } else {
                ensure!(!word.starts_with('-'), "{USAGE}");
                wanted.file = word;
            }
        }
        ensure!(wanted.every > 0 && wanted.jobs > 0, "{USAGE}");
        Ok(wanted)
    }

    fn has(&self, number: usize, file: &str, mutant: &Mutant) -> bool {
        let again = |again: &BTreeSet<String>| again.contains(&format!("{file} {}", mutant.what));
        file.contains(&self.file)
            && number.is_multiple_of(self.every)
            && self.again.as_ref().is_none_or(again)
    }
}

fn line(number: usize, file: &str, mutant: &Mutant) -> String {
    let Mutant { line, column, what } = mutant;
    format!("{number} {file}:{line}:{column} {what}")
}

/// The file and the change that a printed line names, but for where it was:
/// lines move.
fn named(line: &str) -> Option<String> {
    let (_, rest) = line.split_once(' ')?;
    explained(rest)
}

/// The same of a line of [`REASONS`], which has no number.
fn explained(line: &str) -> Option<String> {
    let (place, what) = line.split_once(' ')?;
    let (file, _) = place.split_once(':')?;
    file.ends_with(".rs").then(|| format!("{file} {what}"))
}

fn main() -> Result<()> {
    let wanted = Wanted::from_arguments()?;
    ensure!(
        Path::new("termination-common/src/engine").is_dir(),
        "call this from the project's directory"
    );
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let target = std::path::absolute(target)?.join("mutation");
    let mutants = tree::write_tree(&target.join("tree"))?;
    if wanted.file == "list" {
        for (number, (file, mutant)) in mutants.iter().enumerate() {
            println!("{}", line(number, file, mutant));
        }
        return Ok(());
    }
    let ask = Ask {
        binaries: tree::build(&target.join("tree"), &target)?,
        directory: target.join("tree/termination-user"),
    };
    for set in [QUICK, TRAFFIC, WORDS] {
        if let Some(test) = ask.first_failure(None, set)? {
            bail!("{test} fails without a mutant");
        }
    }
    let start = Instant::now();
    let numbers: Vec<_> = mutants
        .iter()
        .enumerate()
        .filter(|&(number, (file, mutant))| wanted.has(number, file, mutant))
        .map(|(number, _)| number)
        .collect();
    let asked = numbers.len();
    let left = ask.unnoticed(&numbers, wanted.jobs)?;
    let time = start.elapsed();
    println!(
        "{} left by the scenarios on the host; {time:.0?}",
        left.len()
    );
    let left = ask.all(left, wanted.jobs, |_| QUICK)?;
    let time = start.elapsed();
    println!(
        "{asked} mutants, {} left by the quick tests; {time:.0?}",
        left.len()
    );
    for &number in &left {
        let (file, mutant) = &mutants[number];
        println!("left {}", line(number, file, mutant));
    }
    let reasons = fs::read_to_string(REASONS).with_context(|| format!("cannot read {REASONS}"))?;
    let reasons: BTreeSet<_> = reasons.lines().filter_map(explained).collect();
    let (with_reason, without): (Vec<_>, Vec<_>) = left.into_iter().partition(|&number| {
        let (file, Mutant { what, .. }) = &mutants[number];
        reasons.contains(&format!("{file} {what}"))
    });
    println!("{} of them have a reason in {REASONS}", with_reason.len());
    let survivors = ask.all(without, wanted.jobs, |number| {
        if WORDS_FILES.contains(&mutants[number].0) {
            WORDS
        } else {
            TRAFFIC
        }
    })?;
    let time = start.elapsed();
    println!("{} of the others survive; {time:.0?}", survivors.len());
    ask.witness(&survivors, |number, found| {
        let (file, mutant) = &mutants[number];
        println!("{}\n    {found}", line(number, file, mutant));
    })
}

/// The copy's tests.
struct Ask {
    binaries: BTreeMap<String, PathBuf>,
    directory: PathBuf,
}

impl Ask {
    fn binary(&self, name: &str) -> Result<&PathBuf> {
        let path = self.binaries.get(name);
        path.with_context(|| format!("the tests have no {name}"))
    }

    /// The first test binary that fails if this mutant lives, or runs for ever.
    fn first_failure(&self, mutant: Option<usize>, set: &Tests) -> Result<Option<&'static str>> {
        for &(name, arguments, seconds) in set {
            let mut command = Command::new("sh");
            command
                .args([
                    "-c",
                    r#"ulimit -t "$1"; ulimit -v 8000000; shift; exec "$@""#,
                    "sh",
                ])
                .arg(seconds.to_string())
                .arg(self.binary(name)?)
                .args(arguments)
                .current_dir(&self.directory)
                .env("RUST_BACKTRACE", "0")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            if let Some(mutant) = mutant {
                command.env("MUTANT", mutant.to_string());
            }
            if !command.status()?.success() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    /// Those of the mutants that the scenarios on the host do not notice.
    fn unnoticed(&self, mutants: &[usize], jobs: usize) -> Result<Vec<usize>> {
        let share = mutants.len().div_ceil(jobs).max(1);
        let all = thread::scope(|scope| {
            let workers: Vec<_> = mutants
                .chunks(share)
                .map(|share| scope.spawn(|| self.unnoticed_of(share)))
                .collect();
            let results = workers.into_iter().map(|worker| worker.join().unwrap());
            results.collect::<Result<Vec<_>>>()
        })?;
        Ok(all.concat())
    }

    /// The same in one process at a time. One that ends before its time has met
    /// a mutant that crashes it or runs for ever; the next goes on behind that.
    fn unnoticed_of(&self, mut mutants: &[usize]) -> Result<Vec<usize>> {
        /// So many share a process, and its time.
        const MOST: usize = 25;
        let mut left = Vec::new();
        while !mutants.is_empty() {
            let (some, _) = mutants.split_at(mutants.len().min(MOST));
            let numbers: Vec<_> = some.iter().map(ToString::to_string).collect();
            let output = Command::new("sh")
                .args(["-c", r#"ulimit -t 10; ulimit -v 8000000; exec "$@""#, "sh"])
                .arg(self.binary("equal")?)
                .args(["in_one_process", "--ignored", "--nocapture"])
                .current_dir(&self.directory)
                .env("MUTANTS", numbers.join(" "))
                .stderr(Stdio::null())
                .output()?;
            let text = String::from_utf8_lossy(&output.stdout);
            let told = |word: &str| {
                let lines = text.lines().filter_map(|line| line.strip_prefix(word));
                lines.map(str::parse).collect::<Result<Vec<usize>, _>>()
            };
            left.extend(told("UNNOTICED ")?);
            let tried = told("TRIED ")?.len();
            ensure!(tried > 0, "the scenarios do not run");
            mutants = &mutants[tried..];
        }
        Ok(left)
    }

    /// Those of the mutants that these tests do not notice.
    fn all(
        &self,
        mutants: Vec<usize>,
        jobs: usize,
        set: impl Fn(usize) -> &'static Tests + Sync,
    ) -> Result<Vec<usize>> {
        let next = AtomicUsize::new(0);
        let left: Mutex<Vec<usize>> = Mutex::default();
        let worker = || -> Result<()> {
            while let Some(&number) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.first_failure(Some(number), set(number))?.is_none() {
                    left.lock().unwrap().push(number);
                }
            }
            Ok(())
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
            let mut results = workers.into_iter().map(|worker| worker.join().unwrap());
            results.try_for_each(|result| result)
        })?;
        let mut left = left.into_inner().unwrap_or_else(PoisonError::into_inner);
        left.sort_unstable();
        Ok(left)
    }

    /// What difference each of these makes.
    fn witness(&self, mutants: &[usize], found: impl Fn(usize, &str)) -> Result<()> {
        let numbers: Vec<_> = mutants.iter().map(ToString::to_string).collect();
        let output = Command::new(self.binary("equal")?)
            .args(["of_mutants", "--ignored", "--nocapture"])
            .current_dir(&self.directory)
            .env("MUTANTS", numbers.join(" "))
            .stderr(Stdio::null())
            .output()?;
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            if let Some((_, answer)) = line.split_once("WITNESS ")
                && let Some((number, text)) = answer.split_once(' ')
            {
                found(number.parse()?, text);
            }
        }
        ensure!(output.status.success(), "the differences could not be told");
        Ok(())
    }
}
