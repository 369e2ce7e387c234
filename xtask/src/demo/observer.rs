//! `termination run` in the background, and questions to it.

use std::{
    env, fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use termination_lab::{Pair, signal, try_wait_for};

use super::start;

/// What has to be stopped and removed, whoever ends the demonstration: the
/// program, and the directory of its socket.
static RUNNING: Mutex<Option<(Child, PathBuf)>> = Mutex::new(None);

/// How long the program may take to load and attach, and to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program, attached to the server's end of the cable.
pub(super) struct Observer {
    program: PathBuf,
    socket: PathBuf,
}

impl Observer {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    ///
    /// When it cannot be started or stops again; it has said why.
    pub(super) fn start(program: &Path, pair: &Pair) -> Result<Self> {
        let directory = env::temp_dir().join(format!("termination-demo-{}", process::id()));
        fs::create_dir(&directory)
            .with_context(|| format!("cannot make the directory {}", directory.display()))?;
        let socket = directory.join("control.sock");
        let (interface, netns) = (&pair.server.interface, pair.server.namespace.name());
        // As on a card: on a veth, native XDP is not the default.
        println!("\n$ termination run -i {interface} --mode native --netns {netns}");

        let mut command = start(program);
        command
            .args(["run", "-i", interface, "--mode", "native"])
            .args(["--netns", netns, "--socket"])
            .arg(&socket)
            // Ctrl-C is for us: then the order of things is ours.
            .process_group(0);
        signal::tie(&mut command);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        *running() = Some((child, directory));

        let observer = Self {
            program: program.to_owned(),
            socket,
        };
        try_wait_for("`termination run` to answer", PATIENCE, || {
            let gone = running()
                .as_mut()
                .is_none_or(|(child, _)| !matches!(child.try_wait(), Ok(None)));
            if gone {
                return Some(Err(anyhow::anyhow!(
                    "`termination run` has stopped; see above"
                )));
            }
            let mut question = observer.question(&["stats", "--json"]);
            let answers = question
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            answers
                .is_ok_and(|status| status.success())
                .then_some(Ok(()))
        })??;
        Ok(observer)
    }

    /// The JSON objects that a verb prints.
    ///
    /// # Errors
    ///
    /// When it fails; it has said why.
    pub(super) fn ask(&self, arguments: &[&str]) -> Result<Vec<Value>> {
        let output = self
            .question(arguments)
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        if !output.status.success() {
            bail!(
                "`termination {}` failed: {}",
                arguments.join(" "),
                output.status
            );
        }
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| {
                serde_json::from_str(line).with_context(|| {
                    format!(
                        "`termination {}` printed no JSON: {line}",
                        arguments.join(" ")
                    )
                })
            })
            .collect()
    }

    /// Lets a verb print for people.
    ///
    /// # Errors
    ///
    /// When it fails; it has said why.
    pub(super) fn show(&self, arguments: &[&str]) -> Result<()> {
        crate::command::run(&mut self.question(arguments))
    }

    /// Stops it, and hears its last words.
    ///
    /// # Errors
    ///
    /// When it does not end well.
    pub(super) fn finish(self) -> Result<()> {
        match stop() {
            Some(status) if !status.success() => bail!("`termination run` ended with {status}"),
            _ => Ok(()),
        }
    }

    fn question(&self, arguments: &[&str]) -> Command {
        let mut command = start(&self.program);
        command.args(arguments).arg("--socket").arg(&self.socket);
        command
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        stop();
    }
}

/// Stops the program, if it runs, and removes its directory. How it ended.
pub(super) fn stop() -> Option<process::ExitStatus> {
    // Held to the end: who comes second waits until all is done.
    let mut running = running();
    let (mut child, directory) = running.take()?;
    signal::send(&child, 2 /* SIGINT: detach and end */);
    let status = try_wait_for("`termination run` to stop", PATIENCE, || {
        match child.try_wait() {
            Ok(status) => status.map(Some),
            Err(_) => Some(None),
        }
    })
    .unwrap_or_else(|_| {
        // Detaching took too long; the kernel detaches what a dead process had.
        child.kill().and_then(|()| child.wait()).ok()
    });
    // Nothing else can be done about a directory that stays.
    let _ = fs::remove_dir_all(directory);
    status
}

fn running() -> std::sync::MutexGuard<'static, Option<(Child, PathBuf)>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}
