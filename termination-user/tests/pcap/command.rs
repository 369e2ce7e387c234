//! Files as they come: piped, compressed, in pieces, broken, out of order.

use std::{
    io::Write as _,
    process::{Output, Stdio},
    thread,
};

use flate2::{Compression, write::GzEncoder};
use termination_common::{
    counters::Event, exchange::Record, facts, segment::Flags, taxonomy::Ending, wire::build::Frame,
};
use termination_user::{
    capture::{LinkType, Packet},
    offline::Offline,
    policy::Policy,
};

use crate::scratch::{SECOND, START, Scratch, endings, objects, pcap, program, run};

const YEAR: u64 = 365 * 24 * 3600 * SECOND;

pub(crate) type Frames = Vec<(u64, Vec<u8>)>;

/// A connection from handshake to FINs, from `start` on, a millisecond each.
pub(crate) fn graceful(port: u16, start: u64) -> Frames {
    const ACK: u8 = Flags::ACK;
    const FIN: u8 = Flags::FIN | ACK;
    [
        (0, Flags::SYN, 1_000, 0, 0),
        (1, Flags::SYN | ACK, 5_000, 1_001, 0),
        (0, ACK, 1_001, 5_001, 0),
        (0, ACK, 1_001, 5_001, 10),
        (1, ACK, 5_001, 1_011, 20),
        (0, FIN, 1_011, 5_021, 0),
        (1, FIN, 5_021, 1_012, 0),
        (0, ACK, 1_012, 5_022, 0),
    ]
    .into_iter()
    .zip(0..)
    .map(|((side, flags, seq, ack, payload), number)| {
        let mut ends = [format!("10.0.0.1:{port}"), String::from("10.0.0.2:443")];
        ends.rotate_left(side);
        let [from, to] = ends;
        let frame = Frame::v4(&from, &to)
            .tcp(flags)
            .seq(seq)
            .ack(ack)
            .payload(payload);
        (start + number * SECOND / 1_000, frame.build())
    })
    .collect()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn piped(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = program()
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        // A program that stops early closes the pipe.
        scope.spawn(move || stdin.write_all(input).unwrap_or_default());
        child.wait_with_output().unwrap()
    })
}

#[test]
fn a_pipe_and_compression_change_nothing() {
    let file = pcap(&graceful(40_000, START));
    let scratch = Scratch::new();
    let plain = run(&["--json"], &scratch.put("a.pcap", &file));
    assert_eq!(objects(&plain).len(), 1);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&file).unwrap();
    let gzip = encoder.finish().unwrap();
    let zstd = zstd::encode_all(&file[..], 1).unwrap();
    // The name does not matter.
    for (name, bytes) in [("a.gz", &gzip), ("a.zst", &zstd), ("a", &gzip)] {
        let output = run(&["--json"], &scratch.put(name, bytes));
        assert_eq!(text(&output.stdout), text(&plain.stdout), "{name}");
    }
    for bytes in [&file, &gzip, &zstd] {
        let output = piped(&["--json"], bytes);
        assert!(output.status.success());
        assert_eq!(text(&output.stdout), text(&plain.stdout));
    }
}

#[test]
fn several_files_are_one_capture_in_pieces() {
    let frames = graceful(40_000, START);
    let (first, second) = frames.split_at(4);
    let scratch = Scratch::new();
    let output = program()
        .arg("--json")
        .arg(scratch.put("1.pcap", &pcap(first)))
        .arg(scratch.put("2.pcap", &pcap(second)))
        .output()
        .unwrap();
    let found = objects(&output);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["ending"], "graceful");
}

#[test]
fn a_broken_file_counts_up_to_the_break() {
    let file = pcap(&[graceful(40_000, START), graceful(40_001, START + SECOND)].concat());
    let scratch = Scratch::new();
    // Inside the last packet, which ends the second connection.
    let cut = scratch.put("cut.pcap", &file[..file.len() - 9]);
    let whole = scratch.put("whole.pcap", &pcap(&graceful(40_002, START + 2 * SECOND)));
    let missing = whole.with_file_name("missing.pcap");
    let output = program()
        .arg("--json")
        .args([&cut, &missing, &whole])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let mut endings: Vec<_> = objects(&output)
        .iter()
        .map(|ending| ending["ending"].as_str().unwrap().to_owned())
        .collect();
    endings.sort();
    assert_eq!(endings, ["graceful", "graceful", "shutdown"]);
    let error = text(&output.stderr);
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 2, "{error}");
    // The last record: 16 bytes of header, 54 of frame.
    let offset = file.len() - 54 - 16;
    for word in [
        cut.to_str().unwrap(),
        &offset.to_string(),
        "cut off",
        "61 of 70",
    ] {
        assert!(lines[0].contains(word), "{word}: {error}");
    }
    assert!(
        lines[1].contains("missing.pcap: there is no such file"),
        "{error}"
    );
}

#[test]
fn nonsense_is_refused_by_name() {
    let scratch = Scratch::new();
    let path = scratch.put("notes.txt", b"these are my notes, and no packets\n");
    let output = run(&["--json"], &path);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    let error = text(&output.stderr);
    assert!(
        error.contains("notes.txt") && error.contains("is text"),
        "{error}"
    );
}

#[test]
fn of_nothing_readable_there_is_only_the_error() {
    let scratch = Scratch::new();
    let header = &pcap(&[])[..];
    let broken = scratch.put("broken.pcap", &[header, &[0xff; 16]].concat());
    let missing = broken.with_file_name("missing.pcap");
    for mode in [&[][..], &["--json"], &["--zeek"], &["--events"]] {
        let both = program()
            .args(mode)
            .args([&missing, &broken])
            .output()
            .unwrap();
        assert_eq!(both.status.code(), Some(1), "{mode:?}");
        assert_eq!(text(&both.stdout), "", "{mode:?}");
        assert_eq!(text(&both.stderr).lines().count(), 2, "{mode:?}");
    }
    // No packets are no mistake: heads and sums are there.
    let empty = scratch.put("empty.pcap", header);
    for (mode, word) in [("--zeek", "#fields"), ("--events", "ORIGINATOR")] {
        let output = run(&[mode], &empty);
        assert!(output.status.success() && output.stderr.is_empty());
        assert!(text(&output.stdout).contains(word));
    }
    let output = run(&[], &empty);
    assert!(output.status.success() && output.stderr.is_empty());
    assert!(text(&output.stdout).contains("0 packets"));
}

#[test]
fn a_link_layer_that_is_not_read_is_said() {
    let scratch = Scratch::new();
    let mut file = pcap(&graceful(40_000, START));
    // IEEE 802.11.
    file[20..24].copy_from_slice(&105_u32.to_le_bytes());
    let output = run(&[], &scratch.put("air.pcap", &file));
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    let reason = "air.pcap: 8 packets left out: the link layer, IEEE 802.11, is not read\n";
    assert!(error.ends_with(reason), "{error}");
    assert!(text(&output.stdout).contains("8 packets"));
}

#[test]
fn files_in_the_wrong_order_are_said() {
    let scratch = Scratch::new();
    let late = scratch.put("late.pcap", &pcap(&graceful(40_000, START)));
    let early = scratch.put("early.pcap", &pcap(&graceful(40_001, START - 90 * SECOND)));
    let output = program().arg("--json").args([&late, &early]).output();
    let output = output.unwrap();
    assert!(output.status.success());
    assert_eq!(objects(&output).len(), 2);
    let error = text(&output.stderr);
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(
        error.contains("early.pcap: begins 1m30 before the end of"),
        "{error}"
    );
    let output = program().args([&early, &late]).output().unwrap();
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn times_out_of_order_do_no_harm() {
    let mut frames = graceful(40_000, START);
    // Two capture threads, one a second behind, in every second packet.
    for (time, _) in frames.iter_mut().skip(1).step_by(2) {
        *time -= SECOND;
    }
    frames.extend(graceful(40_001, START - 3_600 * SECOND));
    let found = endings(&[], &pcap(&frames));
    let kinds: Vec<_> = found.iter().map(|ending| &ending["ending"]).collect();
    assert_eq!(kinds, ["graceful", "graceful"]);
}

/// A capture's clock may say anything. Found by the fuzzer of captures: an RST in
/// doubt three seconds before 2^64 nanoseconds.
#[test]
fn the_end_of_time_does_no_harm() {
    const CLIENT: &str = "192.0.2.1:40000";
    const SERVER: &str = "192.0.2.2:443";
    let there = || Frame::v4(CLIENT, SERVER).window(500);
    let back = || Frame::v4(SERVER, CLIENT).window(500);
    let mut offline = Offline::new(&Policy::default(), false);
    let mut endings = Vec::new();
    let mut out = |record: &Record| {
        if record.event == Event::Ending as u8 {
            endings.extend(facts::outcome(&record.copy).map(|outcome| outcome.ending));
        }
    };
    for frame in [
        there().tcp(Flags::SYN).seq(100),
        back().tcp(Flags::SYN | Flags::ACK).seq(900).ack(101),
        there().tcp(Flags::ACK).seq(101).ack(901),
        back().tcp(Flags::ACK).seq(901).ack(101).payload(10),
        back().tcp(Flags::RST).seq(1_000),
    ] {
        let data = frame.build();
        let packet = Packet {
            time: u64::MAX,
            link: LinkType::ETHERNET,
            data: &data,
            length: data.len() as u32,
            number: 1,
        };
        offline.frame(&packet, &mut out);
    }
    offline.finish(&mut out);
    assert_eq!(endings, [Ending::Reset]);
}

#[test]
fn years_of_silence_pass_one_deadline_after_the_other() {
    let mut frames = graceful(40_000, START);
    // Another stays open: its timer runs out long before the next packet.
    frames.extend(graceful(40_001, START).into_iter().take(5));
    frames.extend(graceful(40_000, START + 20 * YEAR));
    let found = endings(&[], &pcap(&frames));
    let said: Vec<_> = found
        .iter()
        .map(|ending| {
            let at = ending["ended_at"].as_str().unwrap();
            (ending["ending"].as_str().unwrap(), &at[..4])
        })
        .collect();
    assert_eq!(
        said,
        [
            ("graceful", "2024"),
            ("idle_expired", "2024"),
            ("graceful", "2043")
        ]
    );
    assert_eq!(found[0]["time_wait"]["sequel"], "expired");
    assert!(
        found[0]["time_wait"]["left_at"]
            .as_str()
            .unwrap()
            .starts_with("2024-01-01T00:01:00")
    );
}

#[test]
fn nobody_reading_is_no_failure() {
    let frames: Frames = (0..5_000)
        .flat_map(|port| graceful(10_000 + port, START + u64::from(port) * SECOND))
        .collect();
    let scratch = Scratch::new();
    let path = scratch.put("long.pcap", &pcap(&frames));
    for mode in ["--json", "--zeek", "--events"] {
        let mut child = program()
            .arg(mode)
            .arg(&path)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{mode}");
        assert_eq!(text(&output.stderr), "", "{mode}");
    }
}
