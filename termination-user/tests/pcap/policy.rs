//! Policy files without a kernel: what `check-policy` says of them, and
//! captures judged by them.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

use crate::{
    command::{graceful, text},
    scratch::{SECOND, START, Scratch, endings, pcap, run},
};

/// The reference, as it is handed out.
const REFERENCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/policy.toml");

fn check(file: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_termination"))
        .arg("check-policy")
        .arg(file)
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn a_good_policy_is_summed_up() {
    let output = check(REFERENCE.as_ref(), &[]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = text(&output.stdout);
    for part in [
        "policy.toml is good",
        "  syn_sent            60  a SYN without an answer: unanswered",
        "  established_idle  7875  open",
        "every connection",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let output = check(REFERENCE.as_ref(), &["--json"]);
    let object: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(object["type"], "policy");
    assert_eq!(object["timers_seconds"]["half_open"], 300.0);
    assert_eq!(object["time_wait_seconds"], 60.0);
    assert_eq!(object["traffic"]["sample"], 1);
    assert_eq!(object["endings"], Value::Null);
    assert_eq!(object["notes"], serde_json::json!([]));
}

#[test]
fn a_bad_policy_is_refused_with_line_and_key() {
    let scratch = Scratch::new();
    let file = scratch.put("bad.toml", b"[timers]\nmsl = 30\nlast_ack = \"1m\"\n");
    let output = check(&file, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let said = text(&output.stderr);
    assert!(said.contains("line 3: timers.last_ack"), "{said}");
    assert!(said.contains("in seconds, without a unit"), "{said}");
    let gone = check(Path::new("/nonexistent/policy.toml"), &[]);
    assert_eq!(gone.status.code(), Some(1));
    let said = text(&gone.stderr);
    assert!(said.contains("No such file"), "{said}");
}

/// Two connections, the second to begin a second later.
fn two() -> Vec<u8> {
    let mut frames = graceful(40_000, START);
    frames.extend(graceful(40_001, START + SECOND));
    pcap(&frames)
}

#[test]
fn a_capture_is_judged_by_the_same_rules() {
    let scratch = Scratch::new();
    let policy = |name: &str, text: &str| {
        let file = scratch.put(name, text.as_bytes());
        file.to_str().unwrap().to_owned()
    };
    let file = policy("port.toml", "[traffic]\nexclude_ports = [40000]\n");
    let found = endings(&["--policy", &file], &two());
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["originator"]["port"], 40_001);
    assert_eq!(found[0]["seen"]["sampled"], false);

    let file = policy(
        "prefix.toml",
        "[traffic]\ninclude = ['10.0.0.2']\nexclude = ['10.0.0.0/31']\n",
    );
    assert!(endings(&["--policy", &file], &two()).is_empty());

    // Whole connections, marked, the same ones each time.
    let frames: Vec<_> = (0..200).flat_map(|n| graceful(20_000 + n, START)).collect();
    let file = policy("sample.toml", "[traffic]\nsample = 4\n");
    let found = endings(&["--policy", &file], &pcap(&frames));
    assert!((20..90).contains(&found.len()), "{}", found.len());
    for ending in &found {
        assert_eq!(ending["ending"], "graceful");
        assert_eq!(ending["seen"]["sampled"], true);
        assert_eq!(ending["segments"]["responder"], 3);
    }
    assert_eq!(found, endings(&["--policy", &file], &pcap(&frames)));

    let file = policy("endings.toml", "endings = ['reset']\n");
    assert!(endings(&["--policy", &file], &two()).is_empty());
    let file = policy(
        "benign.toml",
        "[[benign]]\nname = 'first'\nfrom = ['10.0.0.1']\nto = ['10.0.0.0/24']\nports = [443]\n",
    );
    let found = endings(&["--policy", &file], &two());
    assert!(
        found.iter().all(|ending| ending["benign"] == "first"),
        "{found:#?}"
    );
    let capture = scratch.put("two.pcap", &two());
    let summary = run(&["--policy", &file], &capture);
    let summary = text(&summary.stdout);
    assert!(summary.contains("first"), "{summary}");
}
