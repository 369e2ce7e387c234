//! Others' verdicts: what Zeek's own test suite expects of real captures, and
//! what `tshark` says of them. The captures are not part of this repository;
//! `TERMINATION_CORPORA` names their directory.

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// A connection: originator and responder, or the two ends in order.
type Ends = (String, u64, String, u64);

/// Where Zeek's history is another than ours; docs/dialects.md has the reason
/// for each.
const DIFFERENT: [(&str, u64, &str, &str); 6] = [
    ("smtp.pcap", 49648, "Sh", "ShAdDa"),
    ("ssh_ssh.client-side-half-duplex.pcap", 41164, "DAF", "SADF"),
    ("ssh_ssh.client-side-half-duplex.pcap", 51880, "DAF", "SADF"),
    ("ssh_ssh.client-side-half-duplex.pcap", 56594, "DAF", "SADF"),
    ("ssh_ssh.client-side-half-duplex.pcap", 56875, "ADF", "SADF"),
    ("ssh_ssh.client-side-half-duplex.pcap", 57189, "DAF", "SADF"),
];

/// The captures, or `None` with a word about what is left out.
fn corpus(tests: &str) -> Option<PathBuf> {
    let root = env::var_os("TERMINATION_CORPORA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpora"),
        PathBuf::from,
    );
    let corpus = root.join("zeek");
    if corpus.join("expected.json").is_file() {
        return Some(corpus);
    }
    println!("skipped: {tests}: no captures; TERMINATION_CORPORA names their directory");
    None
}

/// What our program says of one capture, in the order of the endings.
fn ours(capture: &Path) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_termination"))
        .args(["pcap", "--json", "--quiet"])
        .arg(capture)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}: {}",
        capture.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The two ends of one of our endings.
fn ends(ending: &Value) -> Ends {
    let [originator, responder] = [&ending["originator"], &ending["responder"]];
    (
        text(&originator["ip"]),
        originator["port"].as_u64().unwrap(),
        text(&responder["ip"]),
        responder["port"].as_u64().unwrap(),
    )
}

/// The same for both directions.
fn unordered((a, m, b, n): Ends) -> Ends {
    if (&a, m) <= (&b, n) {
        (a, m, b, n)
    } else {
        (b, n, a, m)
    }
}

#[test]
fn zeek_agrees() {
    let Some(corpus) = corpus("1 test against Zeek's verdicts") else {
        return;
    };
    let expected = fs::read_to_string(corpus.join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    let mut states = 0;
    let mut different = BTreeSet::new();
    for capture in expected.as_array().unwrap() {
        let name = text(&capture["pcap"]);
        let found = ours(&corpus.join(&name));
        for wanted in capture["connections"].as_array().unwrap() {
            let key = (
                text(&wanted["originator_ip"]),
                wanted["originator_port"].as_u64().unwrap(),
                text(&wanted["responder_ip"]),
                wanted["responder_port"].as_u64().unwrap(),
            );
            let (state, history) = (text(&wanted["conn_state"]), text(&wanted["history"]));
            let said: Vec<_> = found
                .iter()
                .filter(|ending| ends(ending) == key)
                .map(|ending| {
                    let zeek = &ending["zeek"];
                    (text(&zeek["conn_state"]), text(&zeek["history"]))
                })
                .collect();
            assert!(
                said.iter().any(|(found, _)| *found == state),
                "{name} {key:?}: {state} {history}, ours {said:?}"
            );
            states += 1;
            if !said.contains(&(state.clone(), history.clone())) {
                let [(_, ours)] = &said[..] else {
                    panic!("{name} {key:?}: {history}, ours {said:?}");
                };
                different.insert((name.clone(), key.1, history, ours.clone()));
            }
        }
    }
    assert_eq!(states, 87);
    let listed: BTreeSet<_> = DIFFERENT
        .iter()
        .map(|&(name, port, theirs, ours)| (name.into(), port, theirs.into(), ours.into()))
        .collect();
    assert_eq!(different, listed);
}

/// `tcp.completeness` of each conversation, from its last segment, or `None`
/// without tshark.
fn tshark(capture: &Path) -> Option<BTreeMap<Ends, Vec<u64>>> {
    let output = Command::new("tshark")
        // One pass would leave out the last segment.
        .args(["-2", "-n", "-Y", "tcp && !icmp", "-T", "fields"])
        .args(["-e", "tcp.stream", "-e", "tcp.completeness"])
        .args(["-e", "ip.src", "-e", "ipv6.src", "-e", "tcp.srcport"])
        .args(["-e", "ip.dst", "-e", "ipv6.dst", "-e", "tcp.dstport"])
        .arg("-r")
        .arg(capture)
        .output()
        .ok()?;
    assert!(output.status.success(), "{}", capture.display());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut streams = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let &[
            stream,
            completeness,
            ip4,
            ip6,
            port,
            to_ip4,
            to_ip6,
            to_port,
        ] = &fields[..]
        else {
            panic!("{line}");
        };
        let ends = unordered((
            format!("{ip4}{ip6}"),
            port.parse().unwrap(),
            format!("{to_ip4}{to_ip6}"),
            to_port.parse().unwrap(),
        ));
        let stream: u64 = stream.parse().unwrap();
        streams.insert(stream, (ends, completeness.parse().unwrap_or(0)));
    }
    let mut conversations: BTreeMap<Ends, Vec<u64>> = BTreeMap::new();
    for (ends, completeness) in streams.into_values() {
        conversations.entry(ends).or_default().push(completeness);
    }
    Some(conversations)
}

#[test]
fn tshark_agrees() {
    let Some(corpus) = corpus("1 test against tshark's verdicts") else {
        return;
    };
    let mut captures: Vec<_> = fs::read_dir(&corpus)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind != "json"))
        .collect();
    captures.sort();
    let mut judged = 0;
    for capture in &captures {
        let Some(mut theirs) = tshark(capture) else {
            println!("skipped: 1 test against tshark's verdicts: no tshark");
            return;
        };
        let mut found: BTreeMap<Ends, Vec<u64>> = BTreeMap::new();
        for ending in ours(capture) {
            let completeness = ending["wireshark"]["completeness"].as_u64().unwrap();
            let key = unordered(ends(&ending));
            found.entry(key).or_default().push(completeness);
        }
        for list in theirs.values_mut().chain(found.values_mut()) {
            list.sort_unstable();
            judged += list.len();
        }
        assert_eq!(found, theirs, "{}: ours, tshark's", capture.display());
    }
    assert!(judged >= 2 * 92, "{judged} verdicts");
}
