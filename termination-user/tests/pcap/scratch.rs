//! Captures on disk, and the program run over them.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{self, Command, Output},
    sync::atomic::{AtomicU32, Ordering},
};

use serde_json::Value;

/// 2024-01-01, nanoseconds.
pub(crate) const START: u64 = 1_704_067_200_000_000_000;
/// Nanoseconds.
pub(crate) const SECOND: u64 = 1_000_000_000;

/// A directory of its own, gone when dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("termination-pcap-{}-{number}", process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file, and says where it is.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left of it harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A capture of Ethernet frames, each with its time in nanoseconds.
pub(crate) fn pcap(frames: &[(u64, Vec<u8>)]) -> Vec<u8> {
    snapped(
        frames
            .iter()
            .map(|(time, frame)| (*time, &frame[..], frame.len())),
    )
}

/// The same, each with the bytes that it had on the wire.
pub(crate) fn snapped<'a>(frames: impl Iterator<Item = (u64, &'a [u8], usize)>) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_3c4d_u32, 2 | 4 << 16, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    for (time, frame, length) in frames {
        let (seconds, rest) = ((time / SECOND) as u32, (time % SECOND) as u32);
        for word in [seconds, rest, frame.len() as u32, length as u32] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

/// `termination pcap`, quietly.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_termination"));
    command.args(["pcap", "--quiet"]);
    command
}

/// Runs it over one file.
pub(crate) fn run(arguments: &[&str], file: &Path) -> Output {
    program().args(arguments).arg(file).output().unwrap()
}

/// The objects it printed.
pub(crate) fn objects(output: &Output) -> Vec<Value> {
    let text = str::from_utf8(&output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The objects it prints for a capture that is in order.
pub(crate) fn endings(arguments: &[&str], file: &[u8]) -> Vec<Value> {
    let scratch = Scratch::new();
    let path = scratch.put("capture.pcap", file);
    let output = run(&[&["--json"], arguments].concat(), &path);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    objects(&output)
}

/// A program that may be missing on this machine; `None` if so.
pub(crate) fn tshark(arguments: &[&OsStr]) -> Option<String> {
    let output = Command::new("tshark").args(arguments).output().ok()?;
    assert!(output.status.success());
    Some(String::from_utf8(output.stdout).unwrap())
}
