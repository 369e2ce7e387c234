//! Memory that the kernel refuses, for a table, a ring and prefixes: what there
//! is is used, what was refused is counted and said, and nothing dies of it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
};

use serde_json::{Value, json};
use termination_lab::{
    Family, PATIENCE, Pair, Service,
    endings::{self, Side},
    signal, try_wait_for,
};

use crate::{
    check::{Expected, check},
    observer::Observer,
    policy::File,
    pressure::refused,
};

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;
const CLIENT_FIRST: Expected = ("graceful", "originator", None, Some("originator"));

/// A memory limit of its own, removed with this value.
struct Limit {
    directory: PathBuf,
    knob: &'static str,
    usage: &'static str,
}

impl Limit {
    /// Where cgroups limit memory here, of version 1 or 2; `None`: nowhere that
    /// this process may write.
    fn new(name: &str, bytes: u64) -> Option<Self> {
        const V1: [&str; 2] = ["memory.limit_in_bytes", "memory.usage_in_bytes"];
        const V2: [&str; 2] = ["memory.max", "memory.current"];
        let name = format!("termination-test-{}-{name}", process::id());
        let places = [
            ("/sys/fs/cgroup/memory", V1),
            ("/sys/fs/cgroup", V2),
            ("/sys/fs/cgroup/unified", V2),
        ];
        let found = places.into_iter().find_map(|(place, [knob, usage])| {
            let directory = Path::new(place).join(&name);
            fs::create_dir(&directory).ok()?;
            let limit = Self {
                directory,
                knob,
                usage,
            };
            limit.set(bytes).ok()?;
            Some(limit)
        });
        if found.is_none() {
            eprintln!("skipped: no memory cgroup can be made here");
        }
        found
    }

    fn set(&self, bytes: u64) -> std::io::Result<()> {
        fs::write(self.directory.join(self.knob), bytes.to_string())
    }

    /// What is taken now.
    fn usage(&self) -> u64 {
        let text = fs::read_to_string(self.directory.join(self.usage)).unwrap();
        text.trim().parse().unwrap()
    }

    /// The same command, which enters the limit before it begins.
    fn around(&self, command: &Command) -> Command {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "echo $$ >\"$0\" && exec \"$@\""])
            .arg(self.directory.join("cgroup.procs"))
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        signal::tie(&mut shell);
        shell
    }

    /// Takes a process out again. What the kernel has given it for maps stays
    /// counted here, and so does what those maps take from now on.
    fn release(&self, child: &Child) {
        let outside = self.directory.parent().unwrap().join("cgroup.procs");
        fs::write(outside, child.id().to_string()).unwrap();
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        // What has just ended may still be counted for a moment.
        let removed = try_wait_for("the cgroup to be empty", PATIENCE, || {
            fs::remove_dir(&self.directory).ok()
        });
        if !std::thread::panicking() {
            removed.unwrap();
        }
    }
}

/// Starts within a limit; what it says can be read when it has stopped.
fn start(observer: &mut Observer, limit: &Limit) {
    let mut command = limit.around(&observer.loud());
    observer.child = Some(command.spawn().unwrap());
    observer.until_ready();
}

/// By how many halves less than asked for was given.
fn halves(extent: &Value) -> u64 {
    let [asked, given] = ["asked", "given"].map(|key| extent[key].as_u64().unwrap());
    assert!(given.is_power_of_two() && given <= asked, "{extent}");
    u64::from((asked / given).ilog2())
}

#[test]
fn a_table_that_is_refused_is_made_smaller_and_says_so_across_restarts() {
    const ASKED: u64 = 1 << 20;
    let pair = Pair::new().unwrap();
    let arguments = ["--connections", "1048576", "--ring-bytes", "65536"];
    let server = &pair.server;
    let mut observer = Observer::new(&server.namespace, &server.interface, &arguments, true);
    // A quarter of it would fit, and hardly more.
    let Some(limit) = Limit::new("table", 110 << 20) else {
        return;
    };
    start(&mut observer, &limit);
    let service = Service::open(&pair, Family::V4).unwrap();
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    check("it observes", &observer.ending(tuple), CLIENT_FIRST);

    let stats = observer.stats();
    let room = stats["room"].clone();
    let given = room["connections"]["given"].as_u64().unwrap();
    assert_eq!(room["connections"]["asked"], ASKED, "{room:#}");
    assert!((4096..ASKED / 2).contains(&given), "{room:#}");
    assert_eq!(room["ring_bytes"], json!({"asked": 65536, "given": 65536}));
    // Each size that was refused counts once.
    let refusals = halves(&room["connections"]);
    assert_eq!(stats["losses"]["memory_refused"], refusals, "{stats:#}");
    assert_eq!(observer.status()["connections"], given);
    let shown = String::from_utf8(observer.run(&["stats"]).stdout).unwrap();
    assert!(shown.contains("memory_refused"), "{shown}");
    assert!(
        shown.contains(" of 1,048,576 asked for: memory was refused\n"),
        "{shown}"
    );
    let wide = shown.lines().find(|line| line.chars().count() > 80);
    assert_eq!(wide, None);

    let at_start = format!("room for {given} connections");
    let warning = "less than the 1048576 asked for (208.1 MiB): the kernel refused the memory";
    let counted = format!("memory_refused {refusals}");
    let said = observer.last_words(SIGTERM);
    for part in [
        &at_start,
        warning,
        "--connections",
        "asked for: memory was refused",
        &counted,
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }

    // The next one has all the memory it likes: the table is what it is.
    observer.start_loud();
    observer.until_ready();
    let stats = observer.stats();
    assert_eq!(stats["room"], room, "{stats:#}");
    assert_eq!(stats["losses"]["memory_refused"], refusals, "{stats:#}");
    assert_eq!(stats["endings"]["graceful"], 1, "{stats:#}");
    let said = observer.last_words(SIGINT);
    for part in [warning, "--takeover=fresh", &counted] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // And a new one is as large as it was to be.
    observer.start();
    observer.until_ready();
    let stats = observer.stats();
    assert_eq!(
        stats["room"]["connections"],
        json!({"asked": ASKED, "given": ASKED})
    );
    assert_eq!(stats["losses"]["memory_refused"], 0, "{stats:#}");
}

#[test]
fn a_ring_that_is_refused_is_made_smaller() {
    let pair = Pair::new().unwrap();
    let server = &pair.server;
    let arguments = ["--ring-bytes", "268435456"];
    let mut observer = Observer::new(&server.namespace, &server.interface, &arguments, false);
    let Some(limit) = Limit::new("ring", 80 << 20) else {
        return;
    };
    start(&mut observer, &limit);
    let service = Service::open(&pair, Family::V4).unwrap();
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    check("it observes", &observer.ending(tuple), CLIENT_FIRST);
    let stats = observer.stats();
    let room = &stats["room"];
    assert_eq!(room["connections"], json!({"asked": 4096, "given": 4096}));
    let refusals = halves(&room["ring_bytes"]);
    assert!(refusals > 1, "{room:#}");
    assert_eq!(stats["losses"]["memory_refused"], refusals, "{stats:#}");
    let said = observer.last_words(SIGINT);
    for part in [
        "not the 268435456 asked for",
        "--ring-bytes",
        "bytes of records of 268,435,456",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn where_nothing_fits_it_is_one_sentence() {
    let pair = Pair::new().unwrap();
    let server = &pair.server;
    let arguments = ["--connections", "524288"];
    for persist in [false, true] {
        let observer = Observer::new(&server.namespace, &server.interface, &arguments, persist);
        let Some(limit) = Limit::new(&format!("nothing-{persist}"), 24 << 20) else {
            return;
        };
        let said = refused(limit.around(&observer.loud()));
        for part in [
            "524288 connections (120.0 MiB)",
            "down to 4096",
            "memory limit",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[test]
fn prefixes_that_are_refused_leave_the_old_policy() {
    let pair = Pair::new().unwrap();
    let here = format!("{}/32", pair.client.v4);
    let text = format!("[traffic]\ninclude = ['{here}']\n");
    let file = File::new("refused", &text);
    let server = &pair.server;
    let arguments = ["--policy", file.path()];
    let mut observer = Observer::new(&server.namespace, &server.interface, &arguments, true);
    let Some(limit) = Limit::new("prefixes", 200 << 20) else {
        return;
    };
    start(&mut observer, &limit);
    // From here on its maps alone are limited, to what they have.
    limit.release(observer.child.as_ref().unwrap());
    limit.set(limit.usage()).unwrap();
    let many: Vec<_> = (0..4000_u32)
        .map(|number| format!("'10.{}.{}.0/24'", number >> 8, number & 0xff))
        .collect();
    file.write(&format!("[traffic]\ninclude = [{}]\n", many.join(", ")));
    let output = observer.run(&["reload"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "the old policy stays",
        "memory of its 4000 prefixes",
        "raise the limit",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(observer.stats()["losses"]["memory_refused"], 1);
    // By the old rules the client's connections are tracked, by the new not.
    let service = Service::open(&pair, Family::V4).unwrap();
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    check("the old rules", &observer.ending(tuple), CLIENT_FIRST);
    // What was counted is not forgotten with the one that was told; and the rules
    // that are in force need no memory.
    observer.kill();
    file.write(&text);
    observer.start();
    observer.until_ready();
    assert_eq!(observer.stats()["losses"]["memory_refused"], 1);
    // A start that cannot have the policy's rules goes on with those in force, and
    // with all else of the policy.
    observer.kill();
    let text = format!(
        "[timers]\nmsl = 7\n[traffic]\ninclude = [{}]\n",
        many.join(", ")
    );
    file.write(&text);
    // What the first process took is back.
    limit.set(limit.usage()).unwrap();
    observer.start_loud();
    observer.until_ready();
    assert_eq!(observer.stats()["losses"]["memory_refused"], 2);
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    check("the rules in force", &observer.ending(tuple), CLIENT_FIRST);
    let waits = observer.ask(&["time-wait", "--json"]).remove(0);
    let held = waits["time_wait_seconds"].as_f64().unwrap();
    assert!((held - 14.0).abs() < 0.01, "{waits:#}");
    let said = observer.last_words(SIGTERM);
    for part in [
        "memory of the policy's 4000 prefixes",
        "[traffic] stays",
        "raise the limit",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    limit.set(limit.usage()).unwrap();
    observer.start();
    observer.until_ready();
    assert_eq!(observer.stats()["losses"]["memory_refused"], 3);
    limit.set(200 << 20).unwrap();
    file.write(&format!(
        "[traffic]\ninclude = ['{here}', {}]\n",
        many.join(", ")
    ));
    assert!(observer.run(&["reload"]).status.success());
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    check("the new rules", &observer.ending(tuple), CLIENT_FIRST);
    assert_eq!(observer.stats()["losses"]["memory_refused"], 3);
}
