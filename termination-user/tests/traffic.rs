//! The rules for traffic: kernel and host decide alike, on whatever rules and
//! connections, and what is left out is counted and nothing else.

use std::net::{IpAddr, SocketAddr};

use aya::programs::{TestRun as _, TestRunOptions, Xdp};
use proptest::{
    prelude::*,
    sample::{select, subsequence},
    strategy::ValueTree as _,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};
use termination_common::{
    counters,
    exchange::Operation,
    policy::{Settings, Timers},
    segment::{Flags, Segment},
    state::fact,
    traffic::{LeftOut, left_out},
    wire::{self, Context, build::Frame},
};
use termination_user::{
    control::{
        kernel::{
            load::{self, Loaded, Sizes},
            programs::Programs,
        },
        records::ring::Ring,
        timers::sweep,
    },
    policy::{HostRules, Policy, Traffic},
};

/// Rules, and connections to ask them about.
const RULES: usize = 150;
const CONNECTIONS: usize = 40;
/// As the other programs: the verifier may not need more.
const INSTRUCTIONS: u32 = 600_000;
/// Bytes of metadata before an XDP frame: time, home, padding.
const METADATA: usize = 16;

/// Prefixes that lie in each other and beside each other.
const PREFIXES: [&str; 12] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "10.1.2.0/23",
    "10.1.3.7/32",
    "192.0.2.0/25",
    "::/0",
    "2001:db8::/32",
    "2001:db8:0:1::/64",
    "2001:db8:0:1::8000:0/97",
    "2001:db8:0:1::7/128",
    "::ffff:10.0.0.0/104",
];
const ADDRESSES: [&str; 14] = [
    "10.0.0.1",
    "10.1.0.1",
    "10.1.2.1",
    "10.1.3.7",
    "10.1.3.8",
    "10.2.0.1",
    "192.0.2.1",
    "192.0.2.129",
    "198.51.100.1",
    "2001:db8::1",
    "2001:db8:0:1::7",
    "2001:db8:0:1::8000:7",
    "2001:db9::1",
    "::ffff:10.0.0.1",
];
const PORTS: [u16; 9] = [1, 63, 64, 80, 443, 8000, 8063, 8064, 65_535];
const RANGES: [&str; 8] = [
    "1",
    "63-64",
    "80",
    "443",
    "8000-8063",
    "8064",
    "65535",
    "2-62",
];

/// A `[traffic]` table.
fn rules() -> impl Strategy<Value = Traffic> {
    let some = |list: &'static [&'static str]| {
        prop_oneof![
            2 => Just(Vec::new()),
            3 => subsequence(list.to_vec(), 1..=list.len()),
        ]
    };
    let sample = prop_oneof![3 => Just(1_u32), 1 => 2..5_u32];
    let split = any::<u16>();
    (some(&PREFIXES), some(&RANGES), split, sample).prop_map(|(prefixes, ranges, split, sample)| {
        // One of both lists, never both.
        let part = |list: Vec<&'static str>, split: u16| {
            let (a, b): (Vec<_>, Vec<_>) = list
                .into_iter()
                .enumerate()
                .partition(|(index, _)| split >> index & 1 == 0);
            let plain = |list: Vec<(usize, &'static str)>| {
                list.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
            };
            (plain(a), plain(b))
        };
        let (include, exclude) = part(prefixes, split);
        let (ports, exclude_ports) = part(ranges, split.rotate_left(5));
        let written = |list: Vec<&str>| {
            let each: Vec<_> = list
                .iter()
                .map(|text| match text.parse::<u16>() {
                    Ok(port) => port.to_string(),
                    Err(_) => format!("{text:?}"),
                })
                .collect();
            format!("[{}]", each.join(", "))
        };
        let text = format!(
            "[traffic]\ninclude = {include:?}\nexclude = {exclude:?}\nports = {}\n\
             exclude_ports = {}\nsample = {sample}\n",
            written(ports),
            written(exclude_ports)
        );
        Policy::parse(&text, "rules.toml".as_ref())
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .traffic
    })
}

/// Two ends of one family.
fn ends() -> impl Strategy<Value = (SocketAddr, SocketAddr)> {
    let end = || {
        let port =
            prop_oneof![2 => select(PORTS.to_vec()), 1 => any::<u16>().prop_map(|n| n.max(1))];
        (select(ADDRESSES.to_vec()), port)
    };
    (end(), end()).prop_filter_map("one family, two ends", |((a, p), (b, q))| {
        let (a, b): (IpAddr, IpAddr) = (a.parse().unwrap(), b.parse().unwrap());
        (a.is_ipv4() == b.is_ipv4() && (a, p) != (b, q))
            .then(|| (SocketAddr::new(a, p), SocketAddr::new(b, q)))
    })
}

/// The object with rules, and what is loaded of it.
fn loaded() -> (Loaded, Programs, Ring) {
    let sizes = Sizes::new(1024, 1 << 20).unwrap();
    let (loaded, mut programs, ring) = load::load(load::TEST_OBJECT, sizes, false)
        .unwrap_or_else(|error| panic!("this test needs root and BPF: {error}"));
    for name in ["ingress_xdp", "egress_tc"] {
        programs.get(name).unwrap_or_else(|error| panic!("{error}"));
        let program = programs.object().unwrap().program(name).unwrap();
        let count = program.info().unwrap().verified_instruction_count();
        let count = count.unwrap();
        println!("{name}: {count} instructions verified");
        assert!(count <= INSTRUCTIONS, "{name}: {count}");
    }
    (loaded, programs, ring)
}

fn see(programs: &Programs, bytes: &[u8], time: u64) {
    let program = programs.object().unwrap().program("ingress_xdp");
    let xdp: &Xdp = program.unwrap().try_into().unwrap();
    let mut data = Vec::with_capacity(METADATA + bytes.len());
    data.extend(time.to_ne_bytes());
    data.extend([2, 0, 0, 0, 0, 0, 0, 0]);
    data.extend(bytes);
    let mut context = [0; 24];
    context[..4].copy_from_slice(&(METADATA as u32).to_ne_bytes());
    context[4..8].copy_from_slice(&(data.len() as u32).to_ne_bytes());
    let result = xdp
        .test_run(TestRunOptions {
            data_in: Some(&data),
            ctx_in: Some(&context),
            ..TestRunOptions::new()
        })
        .unwrap();
    assert_eq!(result.return_value, 2, "XDP_PASS");
}

/// The host's decision, for either direction.
fn decide(rules: &HostRules, seed: [u64; 2], bytes: &[u8]) -> u32 {
    let mut segment = Segment::default();
    wire::ethernet(bytes, &Context::default(), &mut segment).unwrap();
    left_out(rules, &rules.settings, seed, &segment.tuple)
}

#[test]
fn kernel_and_host_leave_out_the_same() {
    let (loaded, programs, mut ring) = loaded();
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &[7; 16]);
    let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), rng);
    let mut seen = [0_usize; 4];
    for turn in 0..RULES {
        let traffic = rules().new_tree(&mut runner).unwrap().current();
        // Rules that hold while the next ones are written: the other bank.
        loaded.enforce(Settings::DEFAULT, &traffic).unwrap();
        let host = HostRules::new(&traffic);
        for number in 0..CONNECTIONS {
            let (a, b) = ends().new_tree(&mut runner).unwrap().current();
            let time = ((turn * CONNECTIONS + number + 1) as u64) << 22;
            let there = Frame::between(a, b).tcp(Flags::SYN).seq(1000).build();
            let back = Frame::between(b, a)
                .tcp(Flags::SYN | Flags::ACK)
                .seq(9)
                .ack(1001)
                .build();
            let expected = decide(&host, loaded.seed, &there);
            assert_eq!(
                expected,
                decide(&host, loaded.seed, &back),
                "both ways, {a} {b}"
            );
            seen[expected as usize] += 1;
            for bytes in [there, back] {
                let before = loaded.counters().unwrap();
                see(&programs, &bytes, time);
                let after = loaded.counters().unwrap();
                let counted = |index: usize| after.0[index] - before.0[index];
                for why in LeftOut::ALL {
                    let now = counted(counters::LEFT_OUT + *why as usize);
                    let wanted = u64::from(*why as u32 == expected);
                    assert_eq!(now, wanted, "{why} of {a} {b} by {traffic:?}");
                }
                let tracked = u64::from(expected == 0);
                assert_eq!(
                    counted(counters::SEGMENTS),
                    tracked,
                    "{a} {b} by {traffic:?}"
                );
            }
        }
        for index in loaded.table.occupied() {
            let slot = loaded.table.slot(index).unwrap();
            assert_eq!(
                slot.state().is(fact::SAMPLED),
                traffic.sample > 1,
                "{traffic:?}"
            );
            assert!(!host.leave_out(&slot.cold.tuple, loaded.seed));
        }
        let ids = sweep::everything(&loaded.table);
        for ids in ids.chunks(100) {
            let now = u64::MAX >> 8;
            sweep::batch(
                loaded.sweep(),
                now,
                Operation::Shutdown,
                Timers::DEFAULT,
                ids,
            )
            .unwrap();
        }
        while ring.take().is_some() {}
        ring.settle_all();
    }
    println!(
        "tracked {}, by prefix {}, port, sample {:?}",
        seen[0],
        seen[1],
        &seen[2..]
    );
    assert!(
        seen.iter().all(|&count| count > 100),
        "every reason was met: {seen:?}"
    );
}
