//! Policy files in force: what they say happens, and a reload loses nothing.

use std::{
    env, fs,
    path::PathBuf,
    process::{self, Output},
};

use termination_lab::{
    Family, PATIENCE, Pair, Service,
    endings::{self, Side},
    signal, wait_for,
};

use crate::observer::Observer;

/// SIGHUP.
const HANGUP: i32 = 1;

/// A policy file, removed with this value.
pub(crate) struct File(PathBuf);

impl File {
    /// `name` is used once.
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let name = format!("termination-policy-{}-{name}.toml", process::id());
        let file = Self(env::temp_dir().join(name));
        file.write(text);
        file
    }

    pub(crate) fn write(&self, text: &str) {
        fs::write(&self.0, text).unwrap();
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Observer {
    /// Sends `termination run` a signal.
    fn signal(&self, number: i32) {
        signal::send(self.child.as_ref().expect("it runs"), number);
    }

    /// Runs a verb, whatever comes of it.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.question(arguments).output().unwrap()
    }
}

#[test]
fn a_broken_file_is_refused_and_a_shorter_timer_ends_what_exists() {
    let pair = Pair::new().unwrap();
    let file = File::new("reload", "[timers]\nestablished_idle = 7000\n");
    let observer = Observer::at(&pair.server, &["--policy", file.path()]);
    let service = Service::open(&pair, Family::V4).unwrap();
    let first = service.converse().unwrap();
    let established = || observer.stats()["live"]["established"].as_u64();
    wait_for("the connection", PATIENCE, || {
        (established() == Some(1)).then_some(())
    });

    file.write("[timers]\nestablished_idle = 0.2\nreset_linger = 1\n");
    let refused = observer.run(&["reload"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    for part in [
        "the old policy stays",
        "line 3",
        "timers.reset_linger",
        "has to be shorter than",
        file.path(),
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // As it was: a second connection, and neither has ended.
    let second = service.converse().unwrap();
    wait_for("the second", PATIENCE, || {
        (established() == Some(2)).then_some(())
    });

    file.write("[timers]\nestablished_idle = 0.2\n");
    let done = observer.run(&["reload"]);
    assert!(done.status.success(), "{done:?}");
    for tuple in [first.tuple, second.tuple] {
        let ending = observer.endings(tuple, 1).remove(0);
        assert_eq!(ending["ending"], "idle_expired", "{ending:#}");
    }

    // The other way to ask.
    file.write("endings = ['reset']\n");
    observer.signal(HANGUP);
    wait_for("SIGHUP to be heard", PATIENCE, || {
        let third = endings::closed_first_by(Side::Client, &service).unwrap();
        let told = observer
            .ask(&["events", "--json"])
            .into_iter()
            .any(|event| event["originator"]["port"] == third.originator.port());
        (!told).then_some(())
    });
    let stats = observer.stats();
    assert!(stats["endings"]["graceful"].as_u64() > Some(0), "{stats:#}");
    assert_eq!(stats["difference"], 0, "{stats:#}");
    let reset = endings::aborted_by(Side::Client, &service).unwrap();
    observer.endings(reset, 1);
}

#[test]
fn without_a_policy_there_is_none_to_read_again() {
    let pair = Pair::new().unwrap();
    let observer = Observer::at(&pair.server, &[]);
    let refused = observer.run(&["reload"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("--policy FILE"), "{said}");
}

#[test]
fn no_news_is_counted_apart_and_not_hidden() {
    let pair = Pair::new().unwrap();
    let file = File::new(
        "benign",
        "[[benign]]\nname = 'probe'\nendings = ['reset']\nwithout_data = true\n\
         [[benign]]\nname = 'reset with data'\nendings = ['reset']\nwithout_data = false\n",
    );
    let observer = Observer::at(&pair.server, &["--policy", file.path()]);
    let service = Service::open(&pair, Family::V6).unwrap();
    let talked = endings::aborted_by(Side::Client, &service).unwrap();
    let silent = service.connect().unwrap();
    let tuple = silent.tuple;
    endings::abort(silent.client).unwrap();
    let graceful = endings::closed_first_by(Side::Server, &service).unwrap();
    for (tuple, rule) in [
        (talked, Some("reset with data")),
        (tuple, Some("probe")),
        (graceful, None),
    ] {
        let ending = observer.endings(tuple, 1).remove(0);
        assert_eq!(ending["benign"].as_str(), rule, "{ending:#}");
    }
    let stats = observer.stats();
    assert_eq!(stats["benign"]["probe"], 1, "{stats:#}");
    assert_eq!(stats["benign"]["reset with data"], 1, "{stats:#}");
    assert_eq!(stats["endings"]["reset"], 2, "{stats:#}");
    let page = observer.run(&["stats"]);
    let page = String::from_utf8_lossy(&page.stdout);
    assert!(page.contains("no news by policy"), "{page}");
}

#[test]
fn a_policy_says_where_to_attach() {
    let pair = Pair::new().unwrap();
    let name = &pair.server.interface;
    let file = File::new(
        "interfaces",
        &format!(
            "[interfaces]\ninclude = ['any']\nexclude = ['l?']\nhooks = 'ingress'\n# {name}\n"
        ),
    );
    let observer = Observer::with(&pair.server.namespace, &["--policy", file.path()]);
    let service = Service::open(&pair, Family::V4).unwrap();
    let tuple = endings::aborted_by(Side::Client, &service).unwrap();
    // Ingress alone sees what the client sends.
    let ending = observer.endings(tuple, 1).remove(0);
    assert_eq!(ending["seen"]["one_sided"], true, "{ending:#}");
}
