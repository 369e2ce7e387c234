//! The command line as it is typed.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixListener,
    thread,
};

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

use super::{Cli, client};
use crate::report::Ask;

#[test]
fn clap_finds_no_fault_with_the_declarations() {
    Cli::command().debug_assert();
}

#[test]
fn what_is_documented_is_accepted() {
    for line in [
        "run -i eth0",
        "run -i eth0 -i veth* --mode native --hooks ingress --connections 1000 --policy p.toml --netns blue --tunnels --quiet",
        "run -i any --persist --pin-dir /sys/fs/bpf/t --takeover fresh",
        "run --policy p.toml",
        "stats",
        "stats --watch",
        "stats --watch 0.5 --json",
        "connections --state close_wait --address 10.0.0.0/8 --port 443 --ended --limit 5",
        "connections --address 2001:db8::/32 --json",
        "time-wait --each --limit 10",
        "time-wait --window 30 --json",
        "events --follow --count 5 --json",
        "events --follow --recent",
        "detach --pin-dir /sys/fs/bpf/t --netns blue",
        "guards --count 5 --json",
        "check-policy p.toml",
        "check-policy p.toml --json",
        "reload",
        "detach --socket /tmp/s",
        "--socket /tmp/s detach",
        "pcap a.pcap b.pcapng.gz - --json --events --tunnels --policy p.toml --quiet",
        "pcap a.pcap --zeek",
    ] {
        let words = ["termination"].into_iter().chain(line.split(' '));
        if let Err(error) = Cli::try_parse_from(words) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    let kind = |line: &str| {
        let words = ["termination"].into_iter().chain(line.split(' '));
        Cli::try_parse_from(words).unwrap_err().kind()
    };
    assert_eq!(kind("run"), ErrorKind::MissingRequiredArgument);
    assert_eq!(kind("pcap"), ErrorKind::MissingRequiredArgument);
    assert_eq!(kind("pcap a --json --zeek"), ErrorKind::ArgumentConflict);
    assert_eq!(kind("connections --state open"), ErrorKind::ValueValidation);
    assert_eq!(
        kind("connections --address 1.2.3.4/99"),
        ErrorKind::ValueValidation
    );
    assert_eq!(kind("stats --watch 0"), ErrorKind::ValueValidation);
    assert_eq!(
        kind("run -i eth0 --connections 0"),
        ErrorKind::ValueValidation
    );
    assert_eq!(kind("frobnicate"), ErrorKind::InvalidSubcommand);
}

#[test]
fn nobody_there_is_one_sentence_that_says_how_to_start() {
    let error = client::ask("/nonexistent/control.sock".as_ref(), &Ask::Stats).unwrap_err();
    assert_eq!(
        error.to_string(),
        "termination is not running (nothing listens at /nonexistent/control.sock): \
         start it with `termination run -i IFACE`"
    );
}

/// Answers one question with `answer`; returns what was asked.
fn answer_once(answer: &'static str) -> (tempdir::Directory, thread::JoinHandle<String>) {
    let directory = tempdir::Directory::new();
    let listener = UnixListener::bind(directory.socket()).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(stream.try_clone().unwrap())
            .read_line(&mut line)
            .unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        line
    });
    (directory, server)
}

#[test]
fn an_answer_is_read_line_by_line() {
    let (directory, server) =
        answer_once("{\"schema\":1,\"type\":\"done\",\"message\":\"gone\"}\n");
    let mut answer = client::ask(&directory.socket(), &Ask::Detach).unwrap();
    assert_eq!(
        answer.line().unwrap().unwrap(),
        r#"{"schema":1,"type":"done","message":"gone"}"#
    );
    assert_eq!(answer.line().unwrap(), None);
    assert_eq!(server.join().unwrap(), "{\"ask\":\"detach\"}\n");
}

#[test]
fn an_error_in_the_answer_is_an_error_here() {
    let (directory, server) =
        answer_once("{\"schema\":1,\"type\":\"error\",\"message\":\"no room\"}\n");
    let mut answer = client::ask(&directory.socket(), &Ask::Stats).unwrap();
    assert_eq!(answer.line().unwrap_err().to_string(), "no room");
    server.join().unwrap();
}

#[test]
fn a_controller_that_says_nothing_is_an_error_where_something_is_due() {
    let (directory, server) = answer_once("");
    let mut answer = client::ask(&directory.socket(), &Ask::Stats).unwrap();
    assert!(answer.only().unwrap_err().to_string().contains("hung up"));
    server.join().unwrap();
}

/// A directory of its own for each test.
mod tempdir {
    use std::{
        fs,
        path::PathBuf,
        process,
        sync::atomic::{AtomicU32, Ordering},
    };

    pub(super) struct Directory(PathBuf);

    impl Directory {
        pub(super) fn new() -> Self {
            static NUMBER: AtomicU32 = AtomicU32::new(0);
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let name = format!("termination-cli-{}-{number}", process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        pub(super) fn socket(&self) -> PathBuf {
            self.0.join("control.sock")
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
