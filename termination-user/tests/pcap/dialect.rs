//! Each `conn_state` of Zeek from segments that Zeek's source would give it
//! for (TCPSessionAdapter, base/protocols/conn/main.zeek), with `history`, and
//! with tshark as the judge of `tcp.completeness`.

use std::{collections::BTreeMap, ffi::OsStr};

use termination_common::{segment::Flags, wire::build::Frame};

use crate::scratch::{SECOND, START, Scratch, endings, pcap, tshark};

/// Segments, `conn_state`, `history`, and `tcp.completeness`.
///
/// | | upper case: originator, lower case: responder |
/// |---|---|
/// | S H A D F | SYN, SYN-ACK, ACK, 10 bytes of payload, FIN |
/// | R K | RST without ACK, with ACK |
/// | P X N | SYN with payload, FIN with payload, FIN without ACK |
/// | T W Z | the last payload again, zero window, payload with a zero window |
/// | G L Y | 10 bytes that the capture missed; they come after all; with the FIN behind them again |
/// | 1 6 | seconds pass |
const ROWS: &[(&str, &str, &str, u64)] = &[
    // Attempts.
    ("S", "S0", "S", 1),
    ("S S", "S0", "S", 1),
    ("S a", "S0", "Sa", 5),
    ("S k", "REJ", "Sr", 37),
    ("S a k", "REJ", "Sar", 37),
    ("S h R r", "REJ", "ShRr", 35),
    ("S R", "RSTOS0", "SR", 33),
    ("S S R", "RSTOS0", "SR", 33),
    ("S A R", "OTH", "SAR", 37),
    ("S D R", "RSTOS0", "SDR", 41),
    ("S a R", "RSTOS0", "SaR", 37),
    ("S h R", "RSTO", "ShR", 35),
    // Established.
    ("S h", "S1", "Sh", 3),
    ("S h A", "S1", "ShA", 7),
    ("S s", "S1", "Ss", 1),
    ("S h A D a", "S1", "ShADa", 15),
    ("S h A D a F a", "S2", "ShADaF", 31),
    ("S h A f A", "S3", "ShAf", 23),
    ("S h A F a f A", "SF", "ShAFaf", 23),
    ("S h A X a f A", "SF", "ShAFaf", 31),
    ("S h A x A F a", "SF", "ShAfFa", 31),
    // Resets.
    ("S h A r", "RSTR", "ShAr", 39),
    ("S h A D r", "RSTR", "ShADr", 47),
    ("S h A D K", "RSTO", "ShADR", 47),
    ("S h A D a F a R", "RSTO", "ShADaFR", 63),
    ("S h A D a F a R f", "SF", "ShADaFRf", 63),
    ("S h A D a f A F R", "SF", "ShADafFR", 63),
    ("S h A D k R", "RSTR", "ShADrR", 47),
    ("S h A d k R", "RSTR", "ShAdrR", 47),
    ("S h A F a f A R", "SF", "ShAFafR", 55),
    ("S h A F a f A 6 R", "SF", "ShAFaf", 55),
    // One side only.
    ("S F", "SH", "SF", 21),
    ("S A D F", "SH", "SADF", 29),
    ("S d", "OTH", "Sd", 9),
    ("S d f", "S3", "Sdf", 29),
    ("h", "OTH", "^h", 0),
    ("h f", "SHR", "^hf", 22),
    ("h r", "RSTRH", "^hr", 34),
    ("h R", "RSTO", "^hR", 34),
    // Its SYN was missed.
    ("h A", "S1", "^hA", 6),
    ("h A D a", "S1", "^hADa", 14),
    ("h D", "S1", "^hD", 10),
    // Midstream.
    ("D", "OTH", "D", 0),
    ("D D", "OTH", "D", 8),
    ("Z", "OTH", "DW", 0),
    ("r A", "RSTRH", "^rA", 36),
    ("D a", "OTH", "Da", 12),
    ("d A", "OTH", "^dA", 12),
    ("D F", "SH", "DF", 28),
    ("D f", "SHR", "Df", 28),
    ("D a F f A", "SF", "DaFfA", 28),
    ("D r", "RSTRH", "Dr", 40),
    ("D R", "OTH", "DR", 40),
    ("r", "RSTRH", "^r", 0),
    ("R", "OTH", "R", 0),
    ("r r", "RSTRH", "^r", 32),
    ("k 6 k", "RSTRH", "^r", 36),
    // The finer letters.
    ("S h A D T a", "S1", "ShADTa", 15),
    ("S S h A D T a", "S1", "ShADTa", 15),
    ("S h A D w", "S1", "ShADaw", 15),
    ("S h A G D a", "S1", "ShADaG", 15),
    ("S h A G D L a", "S1", "ShADTa", 15),
    ("S h A G F Y a", "S2", "ShAFTa", 31),
    ("P h D a", "S1", "ShDa", 15),
    ("P h A", "S1", "ShA", 15),
    ("P", "S0", "S", 9),
];

/// Two ends and what they have sent.
struct Wire {
    names: [String; 2],
    next: [u32; 2],
    lost: [u32; 2],
}

impl Wire {
    fn frame(&mut self, letter: char) -> Frame {
        const ACK: u8 = Flags::ACK;
        let (x, y) = if letter.is_ascii_uppercase() {
            (0, 1)
        } else {
            (1, 0)
        };
        let at = self.next[x];
        let (flags, seq, payload, taken) = match letter.to_ascii_uppercase() {
            'S' => (Flags::SYN, at.wrapping_sub(1), 0, 0),
            'P' => (Flags::SYN, at.wrapping_sub(1), 10, 10),
            'H' => (Flags::SYN | ACK, at.wrapping_sub(1), 0, 0),
            'A' | 'W' => (ACK, at, 0, 0),
            'D' | 'Z' => (ACK, at, 10, 10),
            'T' => (ACK, at - 10, 10, 0),
            'L' => (ACK, self.lost[x], 10, 0),
            'Y' => (Flags::FIN | ACK, self.lost[x], 10, 0),
            'F' => (Flags::FIN | ACK, at, 0, 1),
            'X' => (Flags::FIN | ACK, at, 10, 11),
            'R' => (Flags::RST, at, 0, 0),
            'K' => (Flags::RST | ACK, at, 0, 0),
            other => panic!("no such segment: {other}"),
        };
        self.next[x] = at + taken;
        let window = if matches!(letter, 'W' | 'w' | 'Z' | 'z') {
            0
        } else {
            0xffff
        };
        let ack = if flags & ACK == 0 { 0 } else { self.next[y] };
        Frame::v4(&self.names[x], &self.names[y])
            .tcp(flags)
            .seq(seq)
            .ack(ack)
            .window(window)
            .payload(payload)
    }
}

/// The rows as one capture, each with a client of its own.
fn capture() -> Vec<u8> {
    let mut frames = Vec::new();
    for (number, (segments, ..)) in ROWS.iter().enumerate() {
        let mut wire = Wire {
            names: [
                format!("10.0.0.1:{}", 10_000 + number),
                "10.0.0.2:443".into(),
            ],
            next: [1_001, 5_001],
            lost: [0; 2],
        };
        let mut time = START;
        for letter in segments.split(' ').flat_map(str::chars) {
            time += SECOND / 1_000;
            match letter {
                'G' => {
                    wire.lost[0] = wire.next[0];
                    wire.next[0] += 10;
                }
                '1' | '6' => time += u64::from(letter as u8 - b'0') * SECOND,
                _ => frames.push((time, wire.frame(letter).build())),
            }
        }
    }
    // As a capture is: by time. The sort is stable.
    frames.sort_by_key(|&(time, _)| time);
    pcap(&frames)
}

#[test]
fn each_state_of_zeek_has_its_segments() {
    let mut found = BTreeMap::new();
    for ending in endings(&[], &capture()) {
        let port = ending["originator"]["port"].as_u64().unwrap();
        let zeek = &ending["zeek"];
        let said = format!("{} {}", zeek["conn_state"], zeek["history"]).replace('"', "");
        let completeness = ending["wireshark"]["completeness"].as_u64();
        let before = found.insert(port, (said, completeness));
        assert_eq!(before, None, "one connection each: {ending}");
    }
    let mut wrong = Vec::new();
    for (port, (segments, state, history, completeness)) in (10_000..).zip(ROWS) {
        let wanted = (format!("{state} {history}"), Some(*completeness));
        let said = found.remove(&port);
        if said.as_ref() != Some(&wanted) {
            wrong.push(format!("{segments}: {wanted:?}, found {said:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tshark_sees_the_same_completeness() {
    let scratch = Scratch::new();
    let path = scratch.put("rows.pcap", &capture());
    let mut arguments: Vec<&OsStr> = ["-2", "-n", "-T", "fields", "-e", "tcp.srcport"]
        .map(OsStr::new)
        .to_vec();
    arguments.extend(["-e", "tcp.dstport", "-e", "tcp.completeness", "-r"].map(OsStr::new));
    arguments.push(path.as_os_str());
    let Some(text) = tshark(&arguments) else {
        println!("skipped: 1 test of tcp.completeness: no tshark");
        return;
    };
    let mut theirs = BTreeMap::new();
    for line in text.lines() {
        let fields: Vec<u64> = line
            .split('\t')
            .map(|field| field.parse().unwrap_or(0))
            .collect();
        theirs.insert(fields[0].max(fields[1]), fields[2]);
    }
    let ours: BTreeMap<_, _> = (10_000..).zip(ROWS.iter().map(|row| row.3)).collect();
    assert_eq!(theirs, ours);
}
