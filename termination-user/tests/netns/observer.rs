//! `termination run` in the background, and questions to it.

use std::{
    env, fs,
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;
use termination_lab::{End, Namespace, PATIENCE, Tuple, signal, try_wait_for, wait_for};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_termination");

/// A `termination run`, most of the time running. Stopped and detached when
/// dropped.
pub(crate) struct Observer {
    pub(crate) child: Option<Child>,
    pub(crate) directory: PathBuf,
    /// Where it is pinned, if it persists.
    pub(crate) pins: Option<PathBuf>,
    netns: String,
    arguments: Vec<String>,
}

/// By native XDP, unless they say otherwise: on a veth that is not the default.
pub(crate) fn as_to_a_card<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let said = arguments.contains(&"--mode");
    let mode: &[&str] = if said { &[] } else { &["--mode", "native"] };
    [mode, arguments].concat()
}

impl Observer {
    /// Attached to one end of the cable, [as to a card](as_to_a_card).
    pub(crate) fn at(end: &End, arguments: &[&str]) -> Self {
        Self::on(&end.namespace, &end.interface, &as_to_a_card(arguments))
    }

    /// Attached to an interface of a namespace. Ready when this returns.
    pub(crate) fn on(namespace: &Namespace, interface: &str, arguments: &[&str]) -> Self {
        Self::with(namespace, &[&["-i", interface], arguments].concat())
    }

    /// In a namespace, with these arguments. Ready when this returns.
    pub(crate) fn with(namespace: &Namespace, arguments: &[&str]) -> Self {
        let mut observer = Self::idle(namespace, arguments, false);
        observer.start();
        observer.until_ready();
        observer
    }

    /// Not started yet. `persist`: with pins of its own.
    pub(crate) fn idle(namespace: &Namespace, arguments: &[&str], persist: bool) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("termination-netns-{}-{number}", process::id());
        let directory = env::temp_dir().join(&name);
        fs::create_dir(&directory).unwrap();
        let pins = persist.then(|| PathBuf::from("/sys/fs/bpf").join(name));
        let own = ["--connections", "4096"];
        let netns = ["--netns", namespace.name()];
        let mut all: Vec<_> = own.into_iter().chain(netns).map(str::to_owned).collect();
        // What is said twice counts the second time.
        if arguments.contains(&"--connections") {
            all.drain(..2);
        }
        all.extend(arguments.iter().map(|&argument| argument.to_owned()));
        if let Some(pins) = &pins {
            all.extend(["--persist".to_owned(), "--pin-dir".to_owned()]);
            all.push(pins.display().to_string());
        }
        Self {
            child: None,
            directory,
            pins,
            netns: namespace.name().to_owned(),
            arguments: all,
        }
    }

    /// As it is started; its words go where those of the test go.
    pub(crate) fn command(&self) -> Command {
        let mut command = self.loud();
        command.arg("--quiet");
        command
    }

    /// The same, saying all that it has to say.
    pub(crate) fn loud(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .arg("run")
            .args(&self.arguments)
            .arg("--socket")
            .arg(self.directory.join("control.sock"))
            .stdin(Stdio::null());
        signal::tie(&mut command);
        command
    }

    /// Starts it, without waiting until it is ready.
    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        self.child = Some(self.command().spawn().unwrap());
    }

    /// Waits until it answers.
    #[track_caller]
    pub(crate) fn until_ready(&mut self) {
        wait_for("`termination run` to answer", PATIENCE * 12, || {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(ended.is_none(), "`termination run` has stopped: {ended:?}");
            let mut question = self.question(&["stats", "--json"]);
            let answers = question
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            answers.unwrap().success().then_some(())
        });
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

    /// A question to it, to be run.
    pub(crate) fn question(&self, arguments: &[&str]) -> Command {
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
        let stopped = self.child.take().map(|mut child| {
            signal::send(&child, 2 /* SIGINT */);
            let stopped = try_wait_for("`termination run` to stop", PATIENCE, || {
                child.try_wait().ok().flatten()
            });
            if stopped.is_err() {
                // What a dead process had attached, the kernel detaches.
                let _ = child.kill().and_then(|()| child.wait());
            }
            stopped
        });
        if let Some(pins) = &self.pins {
            let mut detach = self.question(&["detach"]);
            let _ = detach
                .arg("--pin-dir")
                .arg(pins)
                .args(["--netns", &self.netns])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
        }
        let _ = fs::remove_dir_all(&self.directory);
        if !std::thread::panicking() {
            if let Some(stopped) = stopped {
                let status = stopped.unwrap();
                assert!(status.success(), "`termination run` ended with {status}");
            }
            let left = self.pins.as_ref().is_some_and(|pins| pins.exists());
            assert!(!left, "pins are left: {:?}", self.pins);
        }
    }
}

fn is(end: &Value, address: std::net::SocketAddr) -> bool {
    end["ip"] == address.ip().to_string() && end["port"] == address.port()
}
