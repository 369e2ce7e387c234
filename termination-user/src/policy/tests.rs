//! What a policy file may say.

use std::net::{Ipv4Addr, Ipv6Addr};

use termination_common::{
    time::ticks_from_seconds,
    traffic::left_out,
    tuple::{Endpoint, Family, Tuple},
};

use super::*;
use crate::report::samples::{graceful, reset, v4, v6};

/// The reference.
const REFERENCE: &str = include_str!("../../../docs/policy.toml");

fn parse(text: &str) -> Result<Policy, String> {
    Policy::parse(text, Path::new("p.toml")).map_err(|error| error.to_string())
}

#[test]
fn nothing_said_is_the_default() {
    assert_eq!(parse(""), Ok(Policy::default()));
    assert_eq!(parse("[timers]\n[traffic]\n"), Ok(Policy::default()));
}

#[test]
fn the_reference_says_every_default() {
    assert_eq!(parse(REFERENCE), Ok(Policy::default()));
    // And it leaves no key out, nor one that it shows in a comment.
    let Err(message) = parse("[timers]\nx = 1\n") else {
        panic!("x is no timer");
    };
    let keys = message.split('`').skip(3).step_by(2).collect::<Vec<_>>();
    assert_eq!(keys.len(), 11, "{message}");
    for key in keys {
        let line = format!("\n{key} = ");
        assert!(REFERENCE.contains(&line), "{key} is not in the reference");
    }
    let shown: String = REFERENCE
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|line| {
            line.starts_with("[[")
                || line.contains(" = [")
                || line.contains(" = t")
                || line.starts_with("name = ")
                || line.starts_with("hooks = ")
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let policy = parse(&shown).unwrap_or_else(|error| panic!("{shown}\n{error}"));
    assert_eq!(policy.benign[0].name, "health checks");
    assert_eq!(policy.benign[0].without_data, Some(true));
    assert_eq!(policy.interfaces.rules.len(), 1);
    assert!(!policy.endings.has(7), "graceful is not among those shown");
}

#[test]
fn what_is_said_takes_effect() {
    let policy = parse(
        "events = ['implausible']\nendings = ['reset']\n[timers]\nmsl = 1\nsilent = 0.5\nreset_linger = 5\n\
         [interfaces]\ninclude = ['eth*']\nhooks = 'egress'\n[traffic]\nsample = 10\n\
         [guards]\nblind = 'on'\ntime_wait = 'dry_run'\n",
    )
    .unwrap();
    assert_eq!(policy.timers.time_wait, ticks_from_seconds(2.0));
    assert_eq!(policy.settings.silent, ticks_from_seconds(0.5));
    assert_eq!(policy.settings.timers, policy.timers);
    assert_eq!(policy.settings.events, 1 << 1 | 1 << 2 | 1 << 9);
    assert_eq!(policy.timers.syn_sent, Timers::DEFAULT.syn_sent);
    assert_eq!(policy.endings.names(), Some(vec!["reset"]));
    assert_eq!(policy.interfaces.include, ["eth*"]);
    assert_eq!(interfaces::word(policy.interfaces.hooks), "egress");
    assert_eq!(policy.traffic.sample, 10);
    let Guards { blind, time_wait } = policy.guards;
    assert_eq!((blind, time_wait), (Guard::On, Guard::DryRun));
    assert_eq!(policy.guards.flags(), 2 << 1 | 1 << 3);
    let summary = Summary::new(&policy, None);
    assert_eq!(summary.guards["blind"], "on");
    // That guards need both hooks, and that one of them drops.
    let of_guards = summary.notes.iter().filter(|note| note.contains("guard"));
    assert_eq!(of_guards.count(), 2, "{:?}", summary.notes);
    assert!(
        summary
            .text()
            .lines()
            .all(|line| line.chars().count() <= 80)
    );
}

#[test]
fn every_refusal_names_line_and_key() {
    for (text, line, word) in [
        ("[timers]\n\nmls = 3\n", "line 3", "mls"),
        (
            "[timers]\nmsl = '3s'\n",
            "line 2",
            "timers.msl: \"3s\" is not a number; timers are in seconds",
        ),
        ("[timers]\nmsl = 0\n", "line 2", "timers.msl"),
        ("[timers]\nmsl = 200\n", "line 2", "at most 150"),
        ("[timers]\nsyn_sent = nan\n", "line 2", "timers.syn_sent"),
        ("[timers]\nhalf_open = -1\n", "line 2", "timers.half_open"),
        ("[timer]\n", "line 1", "timer"),
        ("\nevents = [\n'sleepy']\n", "line 3", "sleepy"),
        ("[guards]\nblind = true\n", "line 2", "blind"),
        ("[guards]\nsyn = 'on'\n", "line 2", "syn"),
        (
            "[guards]\n\ntime_wait = 'dry'\n",
            "line 3",
            "guards.time_wait: \"dry\" is none of off, dry_run, on",
        ),
        (
            "endings = [\n'closed']\n",
            "line 2",
            "no ending is called \"closed\"",
        ),
        // The line is that of the key that was written, or the later one.
        (
            "[timers]\nreset_confirm = 10\n",
            "line 2: timers.reset_confirm",
            "has to be shorter than",
        ),
        (
            "[timers]\nreset_linger = 3\n",
            "line 2: timers.reset_linger",
            "has to be shorter than",
        ),
        (
            "[timers]\nreset_confirm = 5\nreset_linger = 4\n",
            "line 3: timers.reset_linger",
            "(4 s)",
        ),
        (
            "[traffic]\ninclude = ['10.0.0.1/8']\n",
            "line 2: traffic.include",
            "10.0.0.0/8 is the prefix",
        ),
        (
            "[traffic]\nexclude = ['ten']\n",
            "line 2: traffic.exclude",
            "no IP address",
        ),
        (
            "[traffic]\nexclude = ['::/129']\n",
            "line 2: traffic.exclude",
            "0 to 128",
        ),
        (
            "[traffic]\ninclude = ['::/0']\nexclude = ['10.0.0.0/8',\n'::/0']\n",
            "line 4: traffic.exclude",
            "included and excluded",
        ),
        (
            "[traffic]\nports = [80, 0]\n",
            "line 2: traffic.ports",
            "0 is no port",
        ),
        (
            "[traffic]\nports = ['9-8']\n",
            "line 2: traffic.ports",
            "\"9-8\" is no port",
        ),
        (
            "[traffic]\nports = ['1-99']\nexclude_ports = [80]\n",
            "line 3: traffic.exclude_ports",
            "port 80 is included and excluded",
        ),
        (
            "[traffic]\nsample = 0\n",
            "line 2: traffic.sample",
            "0 is not a whole number",
        ),
        (
            "[traffic]\nsample = 0.1\n",
            "line 2: traffic.sample",
            "0.1 is not",
        ),
        (
            "[interfaces]\nhooks = 'all'\n",
            "line 2: interfaces.hooks",
            "none of",
        ),
        (
            "[[interfaces.for]]\nnames = ['a']\nhooks = 'none'\n",
            "line 3: interfaces.for.hooks",
            "none of",
        ),
        (
            "\n[[interfaces.for]]\nnames = []\nhooks = 'both'\n",
            "line 2: interfaces.for",
            "names no interface",
        ),
        ("[[interfaces.for]]\nnames = ['a']\n", "line 1", "hooks"),
        (
            "[[benign]]\nname = 'x'\n",
            "line 1: benign \"x\"",
            "no condition",
        ),
        (
            "[[benign]]\nname = 'x'\nports = [1]\n[[benign]]\nname = 'x'\nports = [2]\n",
            "line 5: benign.name",
            "another rule",
        ),
    ] {
        let message = parse(text).unwrap_err();
        assert!(
            message.contains(line) && message.contains(word),
            "{text:?}: {message}"
        );
    }
}

#[test]
fn a_level_is_one_of_two_and_goes_with_no_guard() {
    let closing = parse("level = \"closing\"\n").unwrap();
    assert_eq!(closing.level, Some(Level::Closing));
    let refused = parse("level = \"half\"\n").unwrap_err();
    assert!(
        refused.contains("line 1: level: \"half\" is none of"),
        "{refused}"
    );
    let guards = "[guards]\nblind = \"dry_run\"\n";
    let refused = parse(&format!("level = \"closing\"\n{guards}")).unwrap_err();
    assert!(
        refused.contains("line 3: guards: guards cannot judge"),
        "{refused}"
    );
    // The command line comes before the file, and goes with no guard either.
    let guarded = parse(guards).unwrap();
    assert!(guarded.starting_level(Some(Level::Closing)).is_err());
    assert_eq!(guarded.starting_level(None).unwrap(), Level::Full);
    assert_eq!(closing.starting_level(None).unwrap(), Level::Closing);
    assert_eq!(
        closing.starting_level(Some(Level::Full)).unwrap(),
        Level::Full
    );
    // A reload changes no level.
    let default = Policy::default();
    assert!(default.fits_running(Level::Closing, true).is_ok());
    let refused = default.fits_running(Level::Closing, false).unwrap_err();
    assert!(refused.to_string().contains("started anew"), "{refused}");
    assert!(guarded.fits_running(Level::Closing, true).is_err());
    assert!(REFERENCE.contains("\n# level = \"full\"\n"));
}

#[test]
fn the_first_rule_that_names_an_interface_has_it() {
    let interfaces = parse(
        "[interfaces]\nhooks = 'both'\n[[interfaces.for]]\nnames = ['veth1', 'br?']\n\
         hooks = 'egress'\n[[interfaces.for]]\nnames = ['veth*']\nhooks = 'auto'\n",
    )
    .unwrap()
    .interfaces;
    for (name, hooks) in [
        ("eth0", "both"),
        ("br0", "egress"),
        ("veth1", "egress"),
        ("veth2", "auto"),
    ] {
        assert_eq!(interfaces::word(interfaces.hooks_of(name)), hooks, "{name}");
    }
}

#[test]
fn the_summary_fits_a_terminal_and_says_what_surprises() {
    let text = Summary::new(&Policy::default(), None).text();
    assert!(text.contains("  established_idle  7875  open, "), "{text}");
    assert!(!text.contains("note"), "{text}");
    let odd = parse(
        "[timers]\nmsl = 0.5\nestablished_idle = 20\nhalf_closed = 100\nsilent = 300\n[traffic]\nsample = 3\n\
         [[benign]]\nname = 'probe'\nports = [80, '90-91']\nendings = ['reset']\nwithout_data = true\n",
    )
    .unwrap();
    let summary = Summary::new(&odd, None);
    assert_eq!(summary.notes.len(), 5, "{:?}", summary.notes);
    assert_eq!(summary.timers_seconds["msl"], 0.5);
    let odd = summary.text();
    assert!(odd.contains("one connection in 3"), "{odd}");
    assert!(
        odd.contains("probe: ports 80, 90-91 endings reset without data"),
        "{odd}"
    );
    for line in text.lines().chain(odd.lines()) {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

fn v4_tuple(a: [u8; 4], b: [u8; 4], ports: (u16, u16)) -> Tuple {
    let end = |ip: [u8; 4], port| Endpoint::v4(Ipv4Addr::from(ip).to_bits(), port);
    Tuple::new(end(a, ports.0), end(b, ports.1), Family::V4, 0)
        .unwrap()
        .0
}

fn v6_tuple(a: &str, b: &str) -> Tuple {
    let end = |ip: &str, port| Endpoint::v6(ip.parse::<Ipv6Addr>().unwrap().octets(), port);
    Tuple::new(end(a, 40_000), end(b, 443), Family::V6, 0)
        .unwrap()
        .0
}

/// The reason why a tuple is left out, by a `[traffic]` table.
fn why(table: &str, tuple: &Tuple) -> u32 {
    let policy = parse(&format!("[traffic]\n{table}\n")).unwrap();
    let rules = HostRules::new(&policy.traffic);
    left_out(&rules, &rules.settings, [1, 2], tuple)
}

#[test]
fn the_longest_prefix_decides_and_one_end_is_enough() {
    let nested =
        "exclude = ['10.0.0.0/8', '2001:db8::/32']\ninclude = ['10.1.0.0/16', '192.0.2.0/24']";
    let here = [10, 1, 2, 3];
    let there = [10, 2, 0, 1];
    let other = [192, 0, 2, 7];
    let elsewhere = [198, 51, 100, 1];
    let of = |a, b| why(nested, &v4_tuple(a, b, (40_000, 80)));
    assert_eq!(of(here, other), 0);
    assert_eq!(of(here, elsewhere), 0, "one included end");
    assert_eq!(
        of(elsewhere, elsewhere.map(|n| n ^ 1)),
        1,
        "none is included"
    );
    assert_eq!(of(here, there), 1, "one excluded end");
    assert_eq!(why(nested, &v6_tuple("2001:db8::1", "2001:db9::1")), 1);
    let six = "include = ['::/0']";
    assert_eq!(why(six, &v6_tuple("2001:db8::1", "::1")), 0);
    // The families never mix, mapped or not.
    assert_eq!(why(six, &v4_tuple(here, there, (1, 2))), 1);
    assert_eq!(
        why(
            "include = ['0.0.0.0/0']",
            &v6_tuple("::ffff:1.2.3.4", "::1")
        ),
        1
    );
    assert_eq!(
        why("exclude = ['10.2.0.1']", &v4_tuple(here, there, (1, 2))),
        1
    );
}

#[test]
fn either_port_is_enough() {
    let of = |ports| v4_tuple([10, 0, 0, 1], [10, 0, 0, 2], ports);
    assert_eq!(why("ports = [443]", &of((40_000, 443))), 0);
    assert_eq!(why("ports = [443]", &of((443, 40_000))), 0);
    assert_eq!(why("ports = [443]", &of((40_000, 444))), 2);
    assert_eq!(why("exclude_ports = ['8000-8099']", &of((40_000, 8099))), 2);
    assert_eq!(why("exclude_ports = ['8000-8099']", &of((40_000, 8100))), 0);
    assert_eq!(why("exclude_ports = [65535, 1]", &of((65_535, 2))), 2);
}

#[test]
fn benign_endings_are_told_by_the_first_rule_that_fits() {
    let policy = parse(
        "endings = ['reset']\n\
         [[benign]]\nname = 'web'\nports = [443]\nfrom = ['10.0.0.2']\nendings = ['graceful']\n\
         [[benign]]\nname = 'silent'\nwithout_data = true\n\
         [[benign]]\nname = 'rest'\nwithout_data = false\n",
    )
    .unwrap();
    let record = graceful(v4());
    let opinion = policy.opinion(&record);
    assert_eq!(opinion.benign, Some("web"));
    assert!(!opinion.wanted, "only resets are");
    let other = reset(v6());
    let opinion = policy.opinion(&other);
    assert!(opinion.wanted);
    assert!(
        matches!(opinion.benign, Some("silent" | "rest")),
        "{opinion:?}"
    );
    assert_eq!(Policy::default().opinion(&record).benign, None);
    assert!(Policy::default().opinion(&record).wanted);
}
