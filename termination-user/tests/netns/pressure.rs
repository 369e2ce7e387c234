//! More than there is room for: counted, said, never fatal, and hiding nothing
//! that is real.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use termination_common::{segment::Flags, wire::build::Frame};
use termination_lab::{
    Family, PATIENCE, Pair, Service,
    endings::{self, Side},
    inject::{self, Wire},
    kernel, wait_for,
};

use crate::{ledger::SCRIPTS, observer::Observer};

const SIGINT: i32 = 2;

/// Bytes of an Ethernet frame with IPv4 and TCP, neither with options.
const IP_SUM: usize = 24;
const IP_SOURCE: usize = 26;
const TCP_PORT: usize = 34;
const TCP_SEQ: usize = 38;
const TCP_SUM: usize = 50;

/// Writes two bytes, and what becomes of the checksums at `sums` (RFC 1624).
fn exchange(frame: &mut [u8], at: usize, word: u16, sums: &[usize]) {
    let read = |frame: &[u8], at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
    let old = read(frame, at);
    for &sum in sums {
        let new = u32::from(!read(frame, sum)) + u32::from(!old) + u32::from(word);
        let new = (new & 0xffff) + (new >> 16);
        let new = !((new & 0xffff) + (new >> 16)) as u16;
        frame[sum..sum + 2].copy_from_slice(&new.to_be_bytes());
    }
    frame[at..at + 2].copy_from_slice(&word.to_be_bytes());
}

/// The SYN of this number: addresses and ports that are nobody's. Made from the one
/// before, for to make one takes longer than to send it.
fn spoof(frame: &mut [u8], number: u32) {
    const PORTS: u32 = 50_000;
    let halves = |value: u32| [(value >> 16) as u16, value as u16];
    let [high, low] = halves(0xac10_0000 + number / PORTS);
    exchange(frame, IP_SOURCE, high, &[IP_SUM, TCP_SUM]);
    exchange(frame, IP_SOURCE + 2, low, &[IP_SUM, TCP_SUM]);
    exchange(frame, TCP_PORT, 1024 + (number % PORTS) as u16, &[TCP_SUM]);
    let [high, low] = halves(number);
    exchange(frame, TCP_SEQ, high, &[TCP_SUM]);
    exchange(frame, TCP_SEQ + 2, low, &[TCP_SUM]);
}

#[test]
fn spoofed_syns_are_as_if_made_one_by_one() {
    let target = SocketAddr::from(([10, 1, 2, 3], 7));
    let made = |number: u32| {
        let address = Ipv4Addr::from(0xac10_0000 + number / 50_000);
        let source = SocketAddr::from((address, 1024 + (number % 50_000) as u16));
        let frame = Frame::between(source, target).tcp(Flags::SYN);
        frame.seq(number).build()
    };
    let mut frame = made(0);
    for number in [1, 49_999, 50_000, 3_276_800_000, 7, 0xffff_ffff] {
        spoof(&mut frame, number);
        assert_eq!(frame, made(number), "{number}");
    }
}

/// SYNs from addresses that are nobody's, to one that the server's stack throws
/// away (it is not addressed to its interface): as fast as they can be sent, until
/// told to stop, at most `most`. `sent` counts them.
fn flood(pair: &Pair, most: u32, stop: &AtomicBool, sent: &AtomicU64) {
    let wire = Wire::open(&pair.client).unwrap();
    let mac = pair.client.mac().unwrap();
    let target = SocketAddr::from((pair.server.v4, 7));
    let source = SocketAddr::from(([172, 16, 0, 0], 1024));
    let mut frame = Frame::between(source, target)
        .tcp(Flags::SYN)
        .seq(0)
        .build();
    inject::address(&mut frame, mac, [2, 0, 0, 0, 0, 1]);
    for number in 0..most {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        spoof(&mut frame, number);
        wire.send([&frame]).unwrap();
        sent.store(u64::from(number) + 1, Ordering::Relaxed);
    }
}

/// `count` real connections end while the flood goes on, into a table of so
/// many `slots`.
fn play(count: usize, slots: &str, most: u32) {
    let pair = Pair::new().unwrap();
    let server = &pair.server;
    let arguments = ["--connections", slots, "--hooks", "both"];
    let mut observer = Observer::new(&server.namespace, &server.interface, &arguments, false);
    observer.start_loud();
    observer.until_ready();
    let (stop, sent) = (AtomicBool::new(false), AtomicU64::new(0));
    let begin = Instant::now();
    let mut took = Duration::ZERO;
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    thread::scope(|scope| {
        let flood = scope.spawn(|| flood(&pair, most, &stop, &sent));
        // Twice as many as there is room for.
        let full = 2 * slots.parse::<u64>().unwrap();
        wait_for("a table full of attempts", PATIENCE * 30, || {
            (sent.load(Ordering::Relaxed) > full).then_some(())
        });
        let service = Service::open(&pair, Family::V4).unwrap();
        for (play, ending, _) in SCRIPTS.into_iter().cycle().take(count) {
            play(&service).unwrap();
            *expected.entry(ending).or_default() += 1;
        }
        assert!(!flood.is_finished(), "the flood was over too soon");
        stop.store(true, Ordering::Relaxed);
        took = begin.elapsed();
    });
    kernel::until_quiet(&[&pair.client.namespace, &server.namespace]).unwrap();
    let stats = observer.stats();
    let loss = |name: &str| stats["losses"][name].as_u64().unwrap();
    let ended = |name: &str| stats["endings"][name].as_u64().unwrap();
    // A segment is missed where a lock was given up, which happens when a
    // virtual CPU is taken away while it holds one. If it was a FIN, its
    // connection is half-closed still, or ended as another kind: not hidden,
    // and no more often than counted.
    let endings = stats["endings"].as_object().unwrap();
    let real = endings
        .iter()
        .filter(|(ending, _)| !["evicted", "unanswered"].contains(&ending.as_str()));
    let ended_at_all: u64 = real.map(|(_, count)| count.as_u64().unwrap()).sum();
    let open = ["syn_received", "established", "half_closed", "closing"];
    let open = open.map(|state| stats["live"][state].as_u64().unwrap());
    let open: u64 = open.iter().sum();
    assert_eq!(ended_at_all + open, count as u64, "{stats:#}");
    let other: u64 = expected
        .iter()
        .map(|(ending, count)| count.abs_diff(ended(ending)))
        .sum();
    assert!(other <= 2 * loss("contended"), "{stats:#}");
    assert!(loss("attempt_displaced") > 0, "{stats:#}");
    assert_eq!(ended("evicted"), loss("attempt_displaced"), "{stats:#}");
    assert_eq!(stats["difference"], 0, "{stats:#}");
    // Each SYN of the flood is accounted for: it lives, was displaced, was not
    // answered in time, or was never let in.
    let lives = stats["live"]["syn_sent"].as_u64().unwrap();
    let sent = sent.load(Ordering::Relaxed);
    let ended = ended("evicted") + ended("unanswered");
    let seen = lives + ended + loss("table_full") + loss("contended");
    assert!(seen >= sent, "{seen} of {sent}: {stats:#}");
    println!(
        "{count} connections beside {sent} SYNs, {:.0} a second, {open} still open: {}",
        sent as f64 / took.as_secs_f64(),
        stats["losses"]
    );

    // All that was lost is said in the end.
    let said = observer.last_words(SIGINT);
    let losses = said.lines().last().unwrap();
    for (name, count) in stats["losses"].as_object().unwrap() {
        // What is ended now may be too much for the ring: only more.
        if *count != 0 && name != "ring_full" && name != "record_lost" {
            let words = format!("{name} {count}");
            assert!(losses.contains(&words), "{words}: {said}");
        }
    }
}

#[test]
fn a_flood_hides_no_real_connection() {
    play(200, "1024", 2_000_000);
}

#[test]
#[ignore = "minutes: ten thousand connections"]
fn a_flood_hides_none_of_ten_thousand_connections() {
    play(10_000, "262144", 200_000_000);
}

#[test]
fn more_connections_than_room_are_counted() {
    const ROOM: usize = 64;
    let pair = Pair::new().unwrap();
    let observer = Observer::at(&pair.server, &["--connections", "64"]);
    let service = Service::open(&pair, Family::V4).unwrap();
    let held: Vec<_> = (0..2 * ROOM).map(|_| service.converse().unwrap()).collect();
    let stats = observer.stats();
    let opened = stats["opened"].as_u64().unwrap() + stats["midstream"].as_u64().unwrap();
    let live = stats["live"]["established"].as_u64().unwrap();
    assert!(live <= ROOM as u64, "{stats:#}");
    assert!(
        stats["losses"]["table_full"].as_u64().unwrap() > 0,
        "{stats:#}"
    );
    assert_eq!(stats["difference"], 0, "{stats:#}");
    drop(held);
    kernel::until_quiet(&[&pair.client.namespace, &pair.server.namespace]).unwrap();
    // It goes on: there is room again.
    let tuple = endings::closed_first_by(Side::Client, &service).unwrap();
    assert_eq!(observer.ending(tuple)["ending"], "graceful");
    let stats = observer.stats();
    assert_eq!(stats["difference"], 0, "{stats:#}");
    assert!(
        stats["opened"].as_u64().unwrap() > opened - live,
        "{stats:#}"
    );
}

#[test]
fn attempts_leave_room_in_the_ring() {
    const RING: u64 = 64 << 10;
    /// A record, its header, rounded up to eight bytes.
    const RECORD: u64 = 224;
    const ATTEMPTS: u64 = 400;
    const RESETS: u64 = 60;
    let pair = Pair::new().unwrap();
    let mut observer = Observer::persistent(&pair.server, &["--ring-bytes", "65536"]);
    let service = Service::open(&pair, Family::V4).unwrap();
    let nobody = SocketAddr::from((pair.server.v4, pair.next_port().unwrap()));
    observer.kill();
    pair.client
        .namespace
        .enter(|| (0..ATTEMPTS).for_each(|_| drop(TcpStream::connect(nobody).unwrap_err())))
        .unwrap();
    let resets: Vec<_> = (0..RESETS)
        .map(|_| endings::aborted_by(Side::Client, &service).unwrap())
        .collect();
    observer.start();
    observer.until_ready();
    // The ring took attempts up to three quarters of it, and then every reset;
    // what it did not take waited in the table.
    let fit = (RING * 3 / 4).div_ceil(RECORD);
    let stats = wait_for("all endings", PATIENCE, || {
        let told = observer.ask(&["events", "--json"]).len() as u64;
        (told >= ATTEMPTS + RESETS).then(|| observer.stats())
    });
    assert_eq!(stats["losses"]["ring_full"], ATTEMPTS - fit, "{stats:#}");
    assert_eq!(stats["losses"]["record_lost"], 0, "{stats:#}");
    assert_eq!(stats["endings"]["refused"], ATTEMPTS, "{stats:#}");
    assert_eq!(stats["endings"]["reset"], RESETS, "{stats:#}");
    for tuple in resets {
        observer.endings(tuple, 1);
    }
}

#[test]
fn more_than_can_be_numbered_is_one_sentence() {
    let pair = Pair::new().unwrap();
    let server = &pair.server;
    let arguments = ["--connections", "16777217"];
    let observer = Observer::new(&server.namespace, &server.interface, &arguments, false);
    let said = refused(observer.command());
    assert!(said.contains("16777216 fit"), "{said}");
}

/// What a start says that fails.
#[track_caller]
pub(crate) fn refused(mut command: Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}
