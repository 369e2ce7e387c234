//! Real captures, where they are at hand: counted, compressed, damaged.

use std::path::PathBuf;
use std::{env, fs, io};

use super::super::{Entry, Packet};
use super::{Capture, gzip, read_all, zstd};

/// Packets of each capture as `capinfos -c` counts them.
const COUNTS: [(&str, usize); 23] = [
    ("ftp_cwd-navigation.pcap", 8317),
    ("ftp_fake-server-delays-all.pcap", 41),
    ("ftp_ftp-auth-tls.pcap", 84),
    ("globus-url-copy.pcap", 61),
    ("http_concurrent-range-requests.pcap", 57),
    ("http_connect-with-smtp.pcap", 30),
    ("http_get.pcap", 14),
    ("http_http-single-conn-22.pcap", 28),
    ("irc-dcc-send.pcapng", 1184),
    ("ldap_ctu-sme-11-win7ad-1-ldap-tcp-50041.pcap", 18),
    ("ldap_ldap-who-am-i.pcap", 13),
    ("ldap_missing_krbtgt_ldap_request.pcapng", 82),
    ("ldap_sasl-srp-who-am-i.pcap", 15),
    ("mixed-vlan-mpls.pcap", 47),
    ("pop3_pop3.pcap", 125),
    ("smtp.pcap", 125),
    ("ssh_ssh.client-side-half-duplex.pcap", 838),
    ("ssh_ssh.pcap", 1797),
    ("tcp-http-with-padding.pcap", 25),
    ("tcp_missing-syn.pcap", 21),
    ("tls_pop3-starttls.pcap", 33),
    ("tls_xmpp-starttls.pcap", 34),
    ("wikipedia.pcap", 136),
];

/// The directory of captures; says that the test is skipped where it is not.
fn corpus(test: &str) -> Option<PathBuf> {
    let corpora = env::var_os("TERMINATION_CORPORA").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/corpora")),
        PathBuf::from,
    );
    let corpus = corpora.join("zeek");
    if corpus.is_dir() {
        return Some(corpus);
    }
    let place = corpus.display();
    eprintln!("skipped: {test}: no captures in {place} (TERMINATION_CORPORA)");
    None
}

#[test]
fn counts() {
    let Some(corpus) = corpus("counts") else {
        return;
    };
    for (name, expected) in COUNTS {
        let mut capture = Capture::open(&corpus.join(name)).unwrap();
        let mut count = 0;
        while let Some(packet) = capture.next().unwrap() {
            count += 1;
            assert!(plausible(&packet), "{name}: {packet:?}");
        }
        assert_eq!(count, expected, "{name}");
    }
}

/// Between 1985 and 2040, not longer than the wire, a link type that is read.
fn plausible(packet: &Packet<'_>) -> bool {
    let years = packet.time / 1_000_000_000 / (365 * 86_400);
    (15..70).contains(&years)
        && packet.data.len() <= packet.length as usize
        && !matches!(packet.entry(), Entry::NotIp | Entry::Unsupported)
}

#[test]
fn compression_changes_nothing() {
    let Some(corpus) = corpus("compression_changes_nothing") else {
        return;
    };
    for (name, expected) in COUNTS {
        let plain = fs::read(corpus.join(name)).unwrap();
        let (packets, _) = read_all(io::Cursor::new(plain.clone()));
        assert_eq!(packets.len(), expected, "{name}");
        for packed in [gzip(&plain), zstd(&plain)] {
            let (unpacked, error) = read_all(io::Cursor::new(packed));
            assert!(error.is_none() && unpacked == packets, "{name}");
        }
    }
}

/// Whatever is in a file, reading it ends without a panic.
#[test]
fn mutations() {
    let Some(corpus) = corpus("mutations") else {
        return;
    };
    let rounds = env::var("TERMINATION_MUTATIONS")
        .ok()
        .and_then(|rounds| rounds.parse().ok())
        .unwrap_or(300);
    // Small files, so that the changes hit headers often.
    let names = [
        "http_get.pcap",
        "ldap_missing_krbtgt_ldap_request.pcapng",
        "tls_pop3-starttls.pcap",
    ];
    let mut files = Vec::new();
    for name in names {
        let plain = fs::read(corpus.join(name)).unwrap();
        files.extend([gzip(&plain), zstd(&plain), plain]);
    }
    // xorshift64: the same changes in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for _ in 0..rounds {
        let mut file = files[random(files.len())].clone();
        for _ in 0..=random(8) {
            let place = random(file.len());
            file[place] = [0, 0xff, 1, 0x80, random(256) as u8][random(5)];
        }
        file.truncate(file.len() - random(2) * random(file.len()));
        let (packets, error) = read_all(io::Cursor::new(file));
        assert!(packets.len() < 100_000);
        drop(error.map(|error| error.to_string()));
    }
}
