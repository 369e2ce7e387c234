//! `termination run` in the background, and questions to it.

use std::{
    env, fs,
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;
use termination_lab::{End, Namespace, PATIENCE, Tuple, signal, wait_for};

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
        wait_for("`termination run` to answer", PATIENCE * 12, || {
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

fn is(end: &Value, address: std::net::SocketAddr) -> bool {
    end["ip"] == address.ip().to_string() && end["port"] == address.port()
}
