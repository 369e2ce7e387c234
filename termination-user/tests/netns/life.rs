//! An observer that is started, killed and asked to stop in particular ways.

use std::{
    io::Write as _,
    os::unix::net::UnixStream,
    path::PathBuf,
    process::{ExitStatus, Output, Stdio},
};

use serde_json::Value;
use termination_lab::{End, Namespace, PATIENCE, signal, try_wait_for};

use crate::observer::{Observer, as_to_a_card};

impl Observer {
    /// On an interface, not started yet. `persist`: with pins of its own.
    pub(crate) fn new(
        namespace: &Namespace,
        interface: &str,
        arguments: &[&str],
        persist: bool,
    ) -> Self {
        let all = [&["-i", interface], arguments].concat();
        Self::idle(namespace, &all, persist)
    }

    /// The same, and it may be killed and started again.
    pub(crate) fn persistent(end: &End, arguments: &[&str]) -> Self {
        let arguments = as_to_a_card(arguments);
        let mut observer = Self::new(&end.namespace, &end.interface, &arguments, true);
        observer.start();
        observer.until_ready();
        observer
    }

    /// A file beside its socket.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Starts it with more arguments.
    pub(crate) fn start_with(&mut self, arguments: &[&str]) {
        assert!(self.child.is_none(), "it runs already");
        self.child = Some(self.command().args(arguments).spawn().unwrap());
    }

    /// A start that fails; returns what it says.
    #[track_caller]
    pub(crate) fn refused(&self, arguments: &[&str]) -> String {
        let mut command = self.command();
        let child = command
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let Output { status, stderr, .. } = child.wait_with_output().unwrap();
        let said = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(1), "{said}");
        assert_eq!(said.lines().count(), 1, "one sentence: {said}");
        said
    }

    /// Starts it so that its words can be read when it has stopped
    /// ([`Observer::last_words`]).
    pub(crate) fn start_loud(&mut self) {
        self.start_loud_with(&[]);
    }

    /// The same, with more arguments.
    pub(crate) fn start_loud_with(&mut self, arguments: &[&str]) {
        assert!(self.child.is_none(), "it runs already");
        let mut command = self.loud();
        let command = command.args(arguments).stderr(Stdio::piped());
        self.child = Some(command.spawn().unwrap());
    }

    /// Stops it, and returns all that it has said.
    #[track_caller]
    pub(crate) fn last_words(&mut self, number: i32) -> String {
        let mut child = self.child.take().expect("it runs");
        signal::send(&child, number);
        // Less than a pipe holds, so it does not wait for us.
        let said = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
        assert!(child.wait().unwrap().success(), "{said}");
        said
    }

    /// Kills it at whatever instruction it is.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to stop by a signal, and waits until it has.
    #[track_caller]
    pub(crate) fn stop(&mut self, number: i32) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        signal::send(&child, number);
        let stopped = try_wait_for("`termination run` to stop", PATIENCE, || {
            child.try_wait().ok().flatten()
        });
        stopped.unwrap_or_else(|error| {
            let _ = child.kill().and_then(|()| child.wait());
            panic!("{error}");
        })
    }

    /// What it says of itself: the one question that has no verb.
    pub(crate) fn status(&self) -> Value {
        let mut stream = UnixStream::connect(self.directory.join("control.sock")).unwrap();
        stream.write_all(b"{\"ask\":\"status\"}\n").unwrap();
        serde_json::from_reader(stream).unwrap()
    }
}
