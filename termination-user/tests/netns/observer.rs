//! `termination run` in the background, questions to it, and what is expected
//! of the answers.

use std::{
    env, fs,
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;
use termination_lab::{End, Namespace, PATIENCE, Pair, Tuple, kernel, signal, wait_for};

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_termination");

/// A running `termination run`. Stopped and detached when dropped.
pub(crate) struct Observer {
    child: Child,
    directory: PathBuf,
}

impl Observer {
    /// Attached to one end of the cable.
    pub(crate) fn at(end: &End, arguments: &[&str]) -> Self {
        Self::on(&end.namespace, &end.interface, arguments)
    }

    /// Attached to an interface of a namespace. Ready when this returns.
    pub(crate) fn on(namespace: &Namespace, interface: &str, arguments: &[&str]) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let directory =
            env::temp_dir().join(format!("termination-netns-{}-{number}", process::id()));
        fs::create_dir(&directory).unwrap();
        let mut command = Command::new(PROGRAM);
        command
            .args(["run", "--quiet", "--connections", "4096", "-i", interface])
            .args(["--netns", namespace.name()])
            .args(arguments)
            .arg("--socket")
            .arg(directory.join("control.sock"))
            .stdin(Stdio::null());
        signal::tie(&mut command);
        let mut observer = Self {
            child: command.spawn().unwrap(),
            directory,
        };
        wait_for("`termination run` to answer", PATIENCE * 3, || {
            let ended = observer.child.try_wait().unwrap();
            assert!(ended.is_none(), "`termination run` has stopped: {ended:?}");
            let mut question = observer.question(&["stats", "--json"]);
            let answers = question
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            answers.unwrap().success().then_some(())
        });
        observer
    }

    /// The JSON objects that a verb prints.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Vec<Value> {
        let output = self
            .question(arguments)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", output.status);
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The statistics.
    pub(crate) fn stats(&self) -> Value {
        self.ask(&["stats", "--json"]).remove(0)
    }

    /// Waits for the ending of a connection.
    #[track_caller]
    pub(crate) fn ending(&self, tuple: Tuple) -> Value {
        self.endings(tuple, 1).remove(0)
    }

    /// Waits for so many endings on one tuple, oldest first.
    #[track_caller]
    pub(crate) fn endings(&self, tuple: Tuple, count: usize) -> Vec<Value> {
        let mut found = self.reports("ending", tuple, count);
        assert_eq!(found.len(), count, "{found:#?}");
        found.truncate(count);
        found
    }

    /// Waits for at least so many events of a type on one tuple.
    #[track_caller]
    pub(crate) fn reports(&self, kind: &str, tuple: Tuple, count: usize) -> Vec<Value> {
        wait_for(&format!("{count} `{kind}` of {tuple:?}"), PATIENCE, || {
            let mut found = self.ask(&["events", "--json"]);
            found.retain(|event| {
                event["type"] == kind
                    && is(&event["originator"], tuple.originator)
                    && is(&event["responder"], tuple.responder)
            });
            (found.len() >= count).then_some(found)
        })
    }

    /// Ours and the kernel's count of TIME_WAIT agree at both ends, nothing
    /// lives, nothing was lost.
    #[track_caller]
    pub(crate) fn agrees_with_kernel(&self, pair: &Pair) {
        let namespaces = [&pair.client.namespace, &pair.server.namespace];
        kernel::until_quiet(&namespaces).unwrap();
        let kernel = namespaces.map(|namespace| kernel::time_wait(namespace).unwrap() as u64);
        let stats = self.stats();
        let held = |holder: &str| stats["time_wait"][holder].as_u64().unwrap();
        let ours = ["originator", "responder"].map(|end| held(end) + held("both"));
        assert_eq!(ours, kernel, "ours and the kernel's TIME_WAITs: {stats:#}");
        assert_eq!(stats["difference"], 0, "{stats:#}");
        for (what, count) in ["live", "losses"]
            .iter()
            .flat_map(|what| stats[what].as_object().unwrap())
        {
            assert_eq!(*count, 0, "{what}: {stats:#}");
        }
    }

    fn question(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).stdin(Stdio::null());
        command
            .arg("--socket")
            .arg(self.directory.join("control.sock"));
        command
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        signal::send(&self.child, 2 /* SIGINT */);
        let stopped = termination_lab::try_wait_for("`termination run` to stop", PATIENCE, || {
            self.child.try_wait().ok().flatten()
        });
        if stopped.is_err() {
            // What a dead process had attached, the kernel detaches.
            let _ = self.child.kill().and_then(|()| self.child.wait());
        }
        let _ = fs::remove_dir_all(&self.directory);
        if !std::thread::panicking() {
            let status = stopped.unwrap();
            assert!(status.success(), "`termination run` ended with {status}");
        }
    }
}

/// What an ending should be: ending, by, cause, holder of TIME_WAIT.
pub(crate) type Expected = (
    &'static str,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
);

/// Compares an ending with what it should be.
#[track_caller]
pub(crate) fn check(what: &str, ending: &Value, expected: Expected) {
    let found = (
        ending["ending"].as_str().unwrap(),
        ending["by"].as_str().unwrap(),
        ending["cause"].as_str(),
        ending["time_wait"]["holder"].as_str(),
    );
    assert_eq!(found, expected, "{what}: {ending:#}");
    for flaw in ["midstream", "one_sided", "gaps"] {
        assert_eq!(ending["seen"][flaw], false, "{what}, {flaw}: {ending:#}");
    }
}

fn is(end: &Value, address: std::net::SocketAddr) -> bool {
    end["ip"] == address.ip().to_string() && end["port"] == address.port()
}
