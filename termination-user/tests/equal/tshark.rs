//! tshark as a second judge of the same traffic, as a capture: of each connection
//! `tcp.completeness`, and what its rows say of segments, bytes, retransmissions,
//! closes and who closed first, worked out here a second time.
//!
//! Each connection has a tuple of its own and TCP's manners, for tshark believes
//! whatever it sees. Where it still must judge differently there is a rule, here
//! and in docs/dialects.md, and none is about a single connection.

use std::{collections::BTreeMap, ffi::OsStr, fmt};

use proptest::{
    strategy::{Strategy as _, ValueTree as _},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::Value;
use termination_common::{
    segment::Flags,
    serial::{after, before},
    time::TICK_SHIFT,
};

use crate::{
    TIMERS,
    peers::{Act, play},
    scratch::{Scratch, objects, program, snapped, tshark},
    script::{self, Step},
};

const CONNECTIONS: u16 = 4_000;
const SERVER: u16 = 443;
/// The bit of `tcp.completeness` for payload.
const DATA: u64 = 8;
/// Of the first connection.
const PORT: u16 = 10_000;
/// What is not believed is said, connection by connection.
const POLICY: &[u8] = b"events = [\"implausible\", \"rst_rejected\"]\n";

/// What peers with manners make of the steps: one connection, opened first; no
/// payload after a FIN, nothing but what is under way after an RST; nobody
/// forges, and no timer runs out.
fn manners(steps: &[Step]) -> Vec<Step> {
    let x = steps.len() / 8 % 2;
    let mut told = match steps.len() % 8 {
        0 => vec![Step::Open(0, 0), Step::Open(1, 0), Step::Flush],
        1 => vec![Step::Open(x, 100), Step::Flush],
        2 => {
            let again = [Step::Lose(x, true), Step::Retransmit(x), Step::Flush];
            [&[Step::Open(x, 0)], &again[..]].concat()
        }
        3 => return vec![Step::Open(x, 0), Step::Refuse(x ^ 1)],
        _ => vec![Step::Handshake(x)],
    };
    let mut closed = [false; 2];
    for step in steps {
        match *step {
            Step::Open(..) | Step::Handshake(_) | Step::Forge(..) => continue,
            Step::Write(x, _) if closed[x] => continue,
            Step::Close(x) if std::mem::replace(&mut closed[x], true) => continue,
            Step::Wait(time, sweep) => told.push(Step::Wait(time % 1_000, sweep)),
            _ => told.push(step.clone()),
        }
        if matches!(step, Step::Abort(_) | Step::Refuse(_)) {
            let under_way = [Step::Lose(0, true), Step::Lose(1, true)];
            told.extend(under_way.into_iter().cycle().take(32));
            break;
        }
    }
    told
}

/// A capture of all connections at once; `cut`: the first frames of each are
/// missing, up to seven.
fn capture(seed: u8, cut: bool) -> Vec<u8> {
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &[seed; 16]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let sequence = script::sequence(40);
    let mut frames = Vec::new();
    for number in 0..CONNECTIONS {
        let (mut setting, steps) = sequence.new_tree(&mut runner).unwrap().current();
        setting.port = PORT + number;
        let missing = if cut { usize::from(number % 7) + 1 } else { 0 };
        for act in play(&setting, &manners(&steps)).iter().skip(missing) {
            if let Act::See(sight) = act {
                frames.push((sight.time, sight.frame.build()));
            }
        }
    }
    frames.sort_by_key(|&(time, _)| time);
    snapped(frames.iter().map(|(time, frame)| {
        // Longer payload is claimed, not carried.
        let word = |at| usize::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
        let claimed = 14
            + if word(12) == 0x0800 {
                word(16)
            } else {
                40 + word(18)
            };
        (*time, &frame[..], claimed.max(frame.len()))
    }))
}

/// A segment as tshark has it.
struct Row {
    stream: u32,
    completeness: u64,
    /// Nanoseconds.
    time: u64,
    /// 1: the server's.
    side: usize,
    flags: Flags,
    seq: u32,
    payload: u32,
    ack: u32,
    /// Not scaled.
    window: u32,
    /// A retransmission, or out of order: not new.
    again: bool,
    /// Keepalive or window probe.
    probe: bool,
}

impl Row {
    const FIELDS: [&str; 16] = [
        "tcp.stream",
        "tcp.completeness",
        "frame.time_epoch",
        "tcp.srcport",
        "tcp.dstport",
        "tcp.flags",
        "tcp.seq_raw",
        "tcp.len",
        "tcp.ack_raw",
        "tcp.window_size_value",
        "tcp.analysis.retransmission",
        "tcp.analysis.fast_retransmission",
        "tcp.analysis.spurious_retransmission",
        "tcp.analysis.out_of_order",
        "tcp.analysis.keep_alive",
        "tcp.analysis.zero_window_probe",
    ];

    /// Of the client with this port.
    fn parse(line: &str) -> (u16, Self) {
        let fields: Vec<_> = line.split('\t').collect();
        assert_eq!(fields.len(), Self::FIELDS.len(), "{line}");
        let number = |at: usize| fields[at].parse::<u32>().unwrap_or(0);
        let (seconds, rest) = fields[2].split_once('.').unwrap();
        let [seconds, rest]: [u64; 2] = [seconds, rest].map(|text| text.parse().unwrap());
        let flags = fields[5].trim_start_matches("0x");
        let flags = u16::from_str_radix(flags, 16).unwrap();
        let (from, to) = (number(3) as u16, number(4) as u16);
        let row = Self {
            stream: number(0),
            completeness: number(1).into(),
            time: seconds * 1_000_000_000 + rest,
            side: usize::from(from == SERVER),
            flags: Flags(flags as u8),
            seq: number(6),
            payload: number(7),
            ack: number(8),
            window: number(9),
            again: fields[10..14].iter().any(|field| !field.is_empty()),
            probe: fields[14..].iter().any(|field| !field.is_empty()),
        };
        (from.max(to), row)
    }

    /// Where its payload begins, and ends.
    const fn begin(&self) -> u32 {
        self.seq.wrapping_add(self.flags.syn() as u32)
    }

    const fn fin(&self) -> u32 {
        self.begin().wrapping_add(self.payload)
    }

    const fn end(&self) -> u32 {
        self.fin().wrapping_add(self.flags.fin() as u32)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = ["client", "server"][self.side];
        let Self {
            flags: Flags(flags),
            stream,
            seq,
            payload,
            ack,
            ..
        } = self;
        write!(f, "{stream} {from} {flags:02x} {seq} +{payload} ack {ack}")?;
        let marks = [(self.again, " again"), (self.probe, " probe")];
        marks
            .iter()
            .filter(|(set, _)| *set)
            .try_for_each(|(_, mark)| f.write_str(mark))
    }
}

/// A connection, as both see it.
#[derive(Default)]
struct Connection {
    rows: Vec<Row>,
    endings: Vec<Value>,
    /// We have said that we did not believe one of its segments.
    doubt: bool,
}

/// How many verdicts were compared, by what is judged.
type Judged = BTreeMap<&'static str, u64>;

impl Connection {
    /// Of each conversation, from its last segment.
    fn completeness(&self) -> Vec<u64> {
        let last = self.rows.iter().map(|row| (row.stream, row.completeness));
        let mut list: Vec<_> = last.collect::<BTreeMap<_, _>>().into_values().collect();
        list.sort_unstable();
        list
    }

    /// What differs, in words.
    fn judge(&self, judged: &mut Judged) -> Vec<String> {
        let of = |ending: &Value| ending["wireshark"]["completeness"].as_u64().unwrap();
        let theirs = self.completeness();
        let mut ours: Vec<_> = self.endings.iter().map(of).collect();
        ours.sort_unstable();
        if self.doubt {
            // tshark believes every segment: we have no more than it.
            *judged.entry("in doubt").or_default() += 1;
            let all = |list: &[u64]| list.iter().fold(0, |all, one| all | one);
            let more = all(&ours) & !all(&theirs) != 0;
            return more
                .then(|| format!("{theirs:?}, ours, in doubt, {ours:?}"))
                .into_iter()
                .collect();
        }
        *judged.entry("completeness").or_default() += 1;
        let hidden = if self.probes_behind_a_fin() { DATA } else { 0 };
        let told = |list: &[u64]| list.iter().map(|bits| bits & !hidden).collect::<Vec<_>>();
        if told(&ours) != told(&theirs) {
            return vec![format!("completeness {theirs:?}, ours {ours:?}")];
        }
        let [ending] = &self.endings[..] else {
            return Vec::new();
        };
        let mut wrong = Vec::new();
        let mut retransmitted = 0;
        let mut compare = |what: &'static str, theirs: Value, ours: &Value| {
            *judged.entry(what).or_default() += 1;
            if theirs != *ours {
                wrong.push(format!("{what} {theirs}, ours {ours}"));
            }
        };
        let rows = self.counted(ending);
        for role in ["originator", "responder"] {
            let side = usize::from(ending[role]["port"] == SERVER);
            let sent: Vec<_> = rows.iter().filter(|row| row.side == side).collect();
            // One in doubt that the FINs were faster than is in no count.
            let counts = |row: &&&&Row| !row.flags.rst() || !ending["verdict"].is_null();
            let segments = sent.iter().filter(counts).count();
            compare("segments", segments.into(), &ending["segments"][role]);
            let Some(syn) = sent.iter().find(|row| row.flags.syn()) else {
                // Where it began was not seen.
                continue;
            };
            let bytes = bytes(syn.begin(), &sent);
            compare("bytes", bytes.into(), &ending["bytes"][role]);
            if hidden == 0 && !sent.iter().any(|row| row.end() == 0) {
                // To tshark 0 is the sequence number of what was not sent yet.
                let again = retransmits(side, &rows);
                retransmitted += again;
                compare("retransmits", again.into(), &ending["retransmits"][role]);
            }
        }
        let midstream = ending["seen"]["midstream"] == true;
        if !midstream && let Some(close) = self.close() {
            let said = ending["ending"].as_str().unwrap();
            let graceful = said.starts_with("graceful") && said != "graceful_unconfirmed";
            compare("graceful", true.into(), &graceful.into());
            let by = match close {
                None => "both",
                Some(side) if ending["originator"]["port"] == SERVER => {
                    ["responder", "originator"][side]
                }
                Some(side) => ["originator", "responder"][side],
            };
            compare("by", by.into(), &ending["by"]);
        }
        *judged.entry("retransmitted").or_default() += retransmitted;
        wrong
    }

    /// The byte of a probe lies where its sender's FIN is: it is no payload, and if it
    /// came before that FIN, that is new to tshark.
    fn probes_behind_a_fin(&self) -> bool {
        let fins = self.rows.iter().filter(|row| row.flags.fin());
        let places: Vec<_> = fins.map(|row| (row.side, row.fin())).collect();
        let probe = |row: &Row| row.payload == 1 && places.contains(&(row.side, row.seq));
        self.rows.iter().any(probe)
    }

    /// What came before the ending was decided: an RST in doubt waits.
    fn counted(&self, ending: &Value) -> Vec<&Row> {
        let ended = ending["ended_at"].as_str().unwrap();
        let ended = humantime::parse_rfc3339(ended).unwrap();
        let ended = ended
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_nanos();
        let verdict = ending["verdict"].as_str();
        // That of an RST which opened it is at once.
        let waits = ending["ended_at"] != ending["started_at"]
            && matches!(verdict, Some("in_window" | "unverifiable"));
        let wait = if waits {
            u128::from(TIMERS.reset_confirm) << TICK_SHIFT
        } else {
            0
        };
        let counts = |row: &&Row| u128::from(row.time) <= ended + wait;
        self.rows.iter().filter(counts).collect()
    }

    fn fin(&self, side: usize) -> Option<&Row> {
        self.rows
            .iter()
            .find(|row| row.side == side && row.flags.fin())
    }

    /// Who closed first, `None` if both; nothing unless both FINs were acked, and no
    /// RST came before.
    fn close(&self) -> Option<Option<usize>> {
        let fins = [self.fin(0)?, self.fin(1)?];
        let acks = |row: &Row, fin: &Row| {
            row.side != fin.side
                && row.flags.ack()
                && !row.flags.rst()
                && !before(row.ack, fin.end())
        };
        let until = self.rows.iter().take_while(|row| !row.flags.rst());
        let seen: Vec<_> = until.collect();
        if !fins.iter().all(|fin| seen.iter().any(|row| acks(row, fin))) {
            return None;
        }
        Some((0..2).find(|&side| acks(fins[side ^ 1], fins[side])))
    }
}

/// Payload bytes from `begin` to the highest end of what an end sent, the FIN not
/// among them.
fn bytes(begin: u32, sent: &[&&Row]) -> u32 {
    let ends = sent.iter().filter(|row| !row.flags.rst());
    let ends = ends.map(|row| row.fin().wrapping_sub(begin));
    let most = ends.filter(|&bytes| bytes < 1 << 31).max().unwrap_or(0);
    // An ACK behind a FIN has its place counted in.
    let fin = sent.iter().find(|row| row.flags.fin());
    fin.map_or(most, |fin| most.min(fin.fin().wrapping_sub(begin)))
}

/// Retransmissions of one side, as tshark flags them, but for these: what ends
/// behind all that was sent is new; and whether a byte again is a probe depends on
/// the other end: that has acked all, or its window is closed.
fn retransmits(side: usize, rows: &[&Row]) -> u64 {
    let (mut sent, mut acked, mut closed) = (None, None::<u32>, false);
    let mut count = 0;
    for row in rows.iter().filter(|row| !row.flags.rst()) {
        if row.side != side {
            closed = row.window == 0;
            if row.flags.ack() && acked.is_none_or(|acked| after(row.ack, acked)) {
                acked = Some(row.ack);
            }
            continue;
        }
        let old = sent.is_some_and(|sent| !after(row.end(), sent));
        let last = sent == Some(row.end()) && acked == sent;
        let probe = row.payload == 1 && !row.flags.fin() && (last || closed);
        let again = row.again || row.probe && row.payload == 1;
        count += u64::from(old && again && !probe);
        if !old {
            sent = Some(row.end());
        }
    }
    count
}

/// Both verdicts on all connections, or `None` without tshark.
fn verdicts(file: &[u8]) -> Option<BTreeMap<u16, Connection>> {
    let scratch = Scratch::new();
    let capture = scratch.put("traffic.pcap", file);
    let policy = scratch.put("policy.toml", POLICY);
    let mut arguments = vec!["-2", "-n", "-Y", "tcp", "-T", "fields"];
    arguments.extend(Row::FIELDS.iter().flat_map(|field| ["-e", field]));
    arguments.push("-r");
    let mut arguments: Vec<_> = arguments.into_iter().map(OsStr::new).collect();
    arguments.push(capture.as_os_str());
    let text = tshark(&arguments)?;
    let mut connections: BTreeMap<u16, Connection> = BTreeMap::new();
    for (port, row) in text.lines().map(Row::parse) {
        connections.entry(port).or_default().rows.push(row);
    }
    let mut command = program();
    command
        .args(["--json", "--events", "--policy"])
        .args([&policy, &capture]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    for object in objects(&output) {
        let port = |role: &str| object[role]["port"].as_u64().unwrap() as u16;
        let port = port("originator").max(port("responder"));
        let connection = connections.get_mut(&port).unwrap();
        if object["type"] == "ending" {
            connection.endings.push(object);
        } else {
            connection.doubt = true;
        }
    }
    Some(connections)
}

/// Judges a capture; at least so many verdicts of each kind there must be.
fn judge(seed: u8, cut: bool, least: &[(&'static str, u64)]) {
    let Some(connections) = verdicts(&capture(seed, cut)) else {
        println!("skipped: 1 test against tshark's verdicts on random traffic: no tshark");
        return;
    };
    let mut judged = Judged::new();
    let mut wrong = Vec::new();
    let mut first = Vec::new();
    for (port, connection) in &connections {
        let found = connection.judge(&mut judged);
        if !found.is_empty() {
            let rows = connection.rows.iter().map(Row::to_string);
            let endings = connection.endings.iter().map(Value::to_string);
            first.push(found.join(", "));
            first.extend(rows.chain(endings));
        }
        wrong.extend(found.iter().map(|text| format!("{port}: {text}")));
    }
    println!("seed {seed}: {judged:?}");
    let count = wrong.len();
    wrong.truncate(20);
    first.truncate(100);
    let (wrong, first) = (wrong.join("\n"), first.join("\n"));
    assert_eq!(count, 0, "{wrong}\nby tshark and by us:\n{first}");
    for (what, least) in least {
        let found = judged.get(what).copied().unwrap_or(0);
        assert!(found >= *least, "{what}: {found} verdicts");
    }
}

#[test]
fn tshark_agrees_on_whole_connections() {
    let least = [
        ("completeness", 3_500),
        ("segments", 7_000),
        ("bytes", 6_500),
        ("retransmits", 5_000),
        ("retransmitted", 1_000),
        ("graceful", 200),
        ("by", 200),
    ];
    judge(21, false, &least);
}

#[test]
fn tshark_agrees_where_the_start_is_missing() {
    let least = [("completeness", 2_300), ("segments", 4_600), ("bytes", 450)];
    judge(22, true, &least);
}
