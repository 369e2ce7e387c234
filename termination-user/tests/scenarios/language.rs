//! How a scenario writes segments down, one a line:
//!
//! ```text
//! SENDER FLAGS SEQ[+PAYLOAD] [ACK] [OPTION…]
//! ```
//!
//! The sender is `O` or `R`; flags are letters of `SFRPAU`, or `-`. Numbers are
//! relative to the ISN of their end, so a SYN is 0 and its ack 1; `=N` is
//! absolute. Options: `win=`, `ws=`, `ts=VALUE/ECHO`, `sack=FROM-TO`, `home=`,
//! `gso=`, `dscp=`, `vlan`, `qinq`, `extended`, `fragment`, `badsum`, `tfo`,
//! `mptcp`, `padded`. The window is 64 KiB after a scaled handshake.
//!
//! Other lines: `open` (a handshake with window scaling), `isn O N`,
//! `wait TIME` (`s` or `ms`; timers act), `pass TIME` (nobody looks at timers,
//! but the capture reader at the next segment), `missed` (segments may have been
//! missed: the controller marks what lives), `rfc1337`, `guard NAME
//! off|dry_run|on` (policy), `# comment`.
//! Segments are 1 ms apart.

use std::net::SocketAddr;

use termination_common::{
    policy::setting,
    segment::Flags,
    wire::build::{Checksum, Frame},
};

use crate::machine::{Hook, Sight};

/// How the frames of a run travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// Both directions through XDP, IPv4, the originator's address lower.
    Xdp,
    /// The originator is this host: its segments leave by the egress program,
    /// the others come by XDP; IPv6, the originator's address higher.
    Host,
    /// The responder is this host, and ingress is TC's; IPv4 with the
    /// originator's address higher.
    Server,
}

pub(crate) const ROUTES: [Route; 3] = [Route::Xdp, Route::Host, Route::Server];

/// One line.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    See(Box<Sight>),
    /// Timers act at this moment.
    Sweep(u64),
    /// Segments may have been missed until then.
    Missed(u64),
    /// Policy: these bits of the flags become those.
    Flags(u32, u32),
}

/// The first moment.
const START: u64 = 1_000_000_000_000;
const STEP: u64 = 1_000_000;

const OPEN: &str = "O S 0 ws=7\nR SA 0 1 ws=7\nO A 1 1";

struct Writer {
    route: Route,
    time: u64,
    isn: [u32; 2],
    acts: Vec<Act>,
}

/// The acts of a scenario's packets.
pub(crate) fn read(packets: &str, route: Route) -> Vec<Act> {
    let mut writer = Writer {
        route,
        time: START,
        isn: [1_000_000, 3_000_000_000],
        acts: Vec::new(),
    };
    for line in packets.lines() {
        writer.line(line.trim());
    }
    writer.acts
}

impl Writer {
    fn line(&mut self, line: &str) {
        let words: Vec<_> = line.split_whitespace().collect();
        match words[..] {
            [] | ["#", ..] => {}
            ["open"] => OPEN.lines().for_each(|line| self.line(line)),
            ["isn", end, isn] => self.isn[usize::from(end == "R")] = isn.parse().unwrap(),
            ["wait", time] => {
                self.time += duration(time);
                self.acts.push(Act::Sweep(self.time));
            }
            ["pass", time] => self.time += duration(time),
            ["missed"] => self.acts.push(Act::Missed(self.time)),
            ["rfc1337"] => {
                let bit = setting::RFC1337;
                self.acts.push(Act::Flags(bit, bit));
            }
            ["guard", name, how] => self.acts.push(guard(name, how)),
            [end @ ("O" | "R"), flags, seq, ref rest @ ..] => {
                self.time += STEP;
                let sight = self.segment(usize::from(end == "R"), flags, seq, rest);
                self.acts.push(Act::See(Box::new(sight)));
            }
            _ => panic!("not a line of a scenario: {line}"),
        }
    }

    fn number(&self, side: usize, text: &str) -> u32 {
        match text.strip_prefix('=') {
            Some(absolute) => absolute.parse().unwrap(),
            None => {
                let relative: i64 = text.parse().unwrap_or_else(|_| panic!("number {text}"));
                self.isn[side].wrapping_add(relative as u32)
            }
        }
    }

    fn segment(&self, side: usize, flags: &str, seq: &str, rest: &[&str]) -> Sight {
        let (source, destination) = addresses(self.route, side);
        let (hook, home) = place(self.route, side);
        let (seq, payload) = seq.split_once('+').unwrap_or((seq, "0"));
        let payload: usize = payload.parse().unwrap();
        let mut frame = Frame::between(source, destination)
            .tcp(flag_bits(flags))
            .window(if flags.contains('S') { 0xffff } else { 512 })
            .seq(self.number(side, seq));
        let mut sight = Sight {
            frame: frame.clone(),
            time: self.time,
            hook,
            home,
            gso: 0,
        };
        let mut options = Vec::new();
        for word in rest {
            match word.split_once('=').unwrap_or((word, "")) {
                ("", _) | (_, "")
                    if word.starts_with(['=', '-']) || word.parse::<u32>().is_ok() =>
                {
                    frame = frame.ack(self.number(side ^ 1, word));
                }
                ("win", value) => frame = frame.window(value.parse().unwrap()),
                ("home", value) => sight.home = value.parse().unwrap(),
                ("gso", value) => sight.gso = value.parse().unwrap(),
                ("dscp", value) => frame = frame.traffic_class(value.parse().unwrap()),
                ("vlan", _) => frame = frame.vlan(5),
                ("qinq", _) => frame = frame.tag(0x88a8, 7).vlan(5),
                ("extended", _) => frame = extended(frame, self.route),
                ("fragment", _) => frame = frame.fragment(0, true),
                ("badsum", _) => frame = frame.checksum(Checksum::Bad),
                ("padded", _) => frame = frame.padding(6),
                (name, value) => options.extend(self.option(side, name, value)),
            }
        }
        frame = frame.options(&options);
        if payload > MOST {
            // What a super-segment says, without its bytes.
            let version4 = source.is_ipv4();
            let headers = 20 + options.len().next_multiple_of(4) + if version4 { 20 } else { 0 };
            frame = frame.ip_length((headers + payload) as u16);
        }
        sight.frame = frame.payload(payload.min(MOST));
        sight
    }

    fn option(&self, side: usize, name: &str, value: &str) -> Vec<u8> {
        let pair = |separator| {
            let (a, b) = value.split_once(separator).unwrap();
            (a, b)
        };
        match name {
            "ws" => vec![1, 3, 3, value.parse().unwrap()],
            "ts" => {
                let (a, b) = pair('/');
                let words = [a, b].map(|word| word.parse::<u32>().unwrap().to_be_bytes());
                [vec![1, 1, 8, 10], words.concat()].concat()
            }
            "sack" => {
                let (a, b) = pair('-');
                let words = [a, b].map(|word| self.number(side ^ 1, word).to_be_bytes());
                [vec![1, 1, 5, 10], words.concat()].concat()
            }
            "tfo" => vec![34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1],
            "mptcp" => vec![30, 4, 0x80, 1],
            _ => panic!("option {name}"),
        }
    }
}

/// How far a guard goes.
fn guard(name: &str, how: &str) -> Act {
    let shift = match name {
        "blind" => setting::BLIND_SHIFT,
        "time_wait" => setting::TIME_WAIT_SHIFT,
        _ => panic!("guard {name}"),
    };
    let bits = match how {
        "off" => setting::OFF,
        "dry_run" => setting::DRY_RUN,
        "on" => setting::ARMED,
        _ => panic!("a guard {how}"),
    };
    Act::Flags(setting::GUARD << shift, bits << shift)
}

/// Longer payload is claimed, not carried.
const MOST: usize = 1400;

fn duration(text: &str) -> u64 {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1_000_000),
        None => (text.trim_end_matches('s'), 1_000_000_000),
    };
    number.parse::<u64>().unwrap() * unit
}

fn flag_bits(letters: &str) -> u8 {
    letters
        .chars()
        .map(|letter| match letter {
            'S' => Flags::SYN,
            'F' => Flags::FIN,
            'R' => Flags::RST,
            'P' => Flags::PSH,
            'A' => Flags::ACK,
            'U' => Flags::URG,
            '-' => 0,
            _ => panic!("flags {letters}"),
        })
        .fold(0, |bits, bit| bits | bit)
}

/// Source and destination of a segment by O (0) or R (1).
fn addresses(route: Route, side: usize) -> (SocketAddr, SocketAddr) {
    let (originator, responder) = match route {
        Route::Xdp => ("10.0.0.1:40000", "10.0.0.2:443"),
        Route::Host => ("[2001:db8::9]:40000", "[2001:db8::2]:443"),
        Route::Server => ("10.0.0.9:40000", "10.0.0.2:443"),
    };
    let (originator, responder) = (originator.parse().unwrap(), responder.parse().unwrap());
    if side == 0 {
        (originator, responder)
    } else {
        (responder, originator)
    }
}

/// Where a segment by O (0) or R (1) is seen.
const fn place(route: Route, side: usize) -> (Hook, u32) {
    match (route, side) {
        (Route::Xdp, _) => (Hook::Xdp, 2 << 1),
        (Route::Host, 0) => (Hook::Egress, 3 << 1 | 1),
        (Route::Host, _) => (Hook::Xdp, 3 << 1),
        (Route::Server, 0) => (Hook::Ingress, 4 << 1),
        (Route::Server, _) => (Hook::Egress, 4 << 1 | 1),
    }
}

/// What IPv6 has extension headers for, and IPv4 options.
fn extended(frame: Frame, route: Route) -> Frame {
    match route {
        Route::Host => frame.extension_of(0, 8).extension_of(60, 16),
        Route::Xdp | Route::Server => frame.ip_options(&[7; 12]),
    }
}
