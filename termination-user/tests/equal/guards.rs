//! Guards that are on never drop what their host would have believed.
//!
//! What that is, is worked out a second time here, from what the host itself
//! has said on the wire and from nothing else: Linux acts on an RST at RCV.NXT,
//! at the SACK edge, in the window of a handshake or of a FIN_WAIT_2 without a
//! socket, at one before RCV.NXT after a FIN, by its ack in SYN_SENT. All of
//! that lies between the highest ack that the host has sent and the right edge
//! of what it has offered.

use std::{cell::Cell, mem};

use proptest::prelude::TestCaseError;
use termination_common::{
    counters::{self, Counters},
    engine::guard::Guarded,
    exchange::Operation,
    policy::{Level, Settings, setting},
    segment::{Segment, mark},
    serial::{after, before},
};

use crate::{
    SETTINGS, TIMERS, both, each,
    machine::{Hook, Host, Sight, host::parse, since},
    peers::{Act, play},
    same,
    script::{Setting, Step},
};

/// Both guards as far as this.
pub(crate) const fn guards(how: u32) -> Settings {
    Settings {
        flags: how << setting::BLIND_SHIFT | how << setting::TIME_WAIT_SHIFT,
        ..SETTINGS
    }
}

/// The second peer is this host: its segments are seen to leave, and nobody
/// forges those. Two in three sequences begin with a connection, and half of
/// these with its end: chance alone comes that far too seldom.
pub(crate) fn at_server(setting: &Setting, steps: &[Step]) -> Vec<Act> {
    let [first, _] = setting.hooks;
    let setting = Setting {
        hooks: [first, true],
        ..setting.clone()
    };
    let talk = [Step::Handshake(0), Step::Write(0, 100), Step::Flush];
    let close = [Step::Close(1), Step::Flush, Step::Close(0), Step::Flush];
    let begun = match steps.len() % 3 {
        0 => Vec::new(),
        1 => talk.to_vec(),
        _ => [&talk[..], &close].concat(),
    };
    let steps = steps.iter().map(|step| match step {
        Step::Forge(_, forgery) => Step::Forge(0, forgery.clone()),
        other => other.clone(),
    });
    let all: Vec<_> = begun.into_iter().chain(steps).collect();
    play(&setting, &all)
}

/// What this host has said, and what it has got.
#[derive(Clone, Debug, Default)]
struct Ear {
    /// It has sent an RST, and no SYN since.
    gone: bool,
    /// Its SYN waits for an answer.
    calls: bool,
    /// SYNs that it ever got.
    syns: Vec<u32>,
    /// It has a connection: highest ack, and right edge of the window.
    open: Option<(u32, u32)>,
    /// Window scale that each end offers; the other's, this host's.
    scale: [Option<u8>; 2],
    /// Where FINs were, the other's (and those forged in its name) and its own.
    fins: [Vec<u32>; 2],
    /// What the other end has acked (or was forged to).
    acked: Vec<u32>,
}

impl Ear {
    /// This host says something.
    fn says(&mut self, segment: &Segment) {
        if segment.flags.rst() {
            *self = Self {
                gone: true,
                syns: mem::take(&mut self.syns),
                ..Self::default()
            };
        }
        // The peers of the script talk on after their RST; no real one does.
        if self.gone && !segment.flags.syn() {
            return;
        }
        if segment.flags.syn() {
            let kept = if segment.flags.ack() {
                self.scale[0]
            } else {
                None
            };
            *self = Self {
                syns: mem::take(&mut self.syns),
                ..Self::default()
            };
            let offered = segment.has(mark::WINDOW_SCALE);
            self.scale = [kept, offered.then_some(segment.window_scale)];
            self.calls = !segment.flags.ack();
        }
        if segment.flags.fin() {
            self.fins[1].push(segment.end().wrapping_sub(1));
        }
        if !segment.flags.ack() {
            return;
        }
        let called = mem::take(&mut self.calls);
        if called && !self.syns.iter().any(|isn| after(segment.ack, *isn)) {
            // Nor does a real one ack anything before its SYN is answered.
            return;
        }
        let shift = match self.scale {
            [Some(_), Some(mine)] if !segment.flags.syn() => mine.min(14),
            _ => 0,
        };
        let edge = segment.ack.wrapping_add(u32::from(segment.window) << shift);
        let latest = |old: u32, new: u32| if after(new, old) { new } else { old };
        self.open = Some(match self.open {
            Some((ack, old)) => (latest(ack, segment.ack), latest(old, edge)),
            None => (segment.ack, edge),
        });
    }

    /// This host gets something; it may be forged.
    fn gets(&mut self, segment: &Segment) {
        if segment.flags.syn() && !segment.flags.rst() {
            let offered = segment.has(mark::WINDOW_SCALE);
            self.scale[0] = offered.then_some(segment.window_scale);
            self.syns.push(segment.seq);
        } else if segment.flags.fin() {
            self.fins[0].push(segment.end().wrapping_sub(1));
        }
        if segment.flags.ack() {
            self.acked.push(segment.ack);
        }
    }

    /// Why an RST must not be dropped as blind.
    fn believes(&self, segment: &Segment) -> Option<&'static str> {
        if self.calls {
            return Some("this host calls: it goes by the ack");
        }
        let (ack, edge) = self.open?;
        if segment.seq == ack {
            return Some("it is exact");
        }
        if self.fins[0].contains(&segment.seq) && segment.seq.wrapping_add(1) == ack {
            return Some("it is one before RCV.NXT, after the FIN");
        }
        let end = segment.seq.wrapping_add(segment.payload);
        let below = before(segment.seq, ack) && !after(end, ack);
        let beyond = after(segment.seq, edge);
        (!below && !beyond).then_some("it is within what this host has offered")
    }

    /// Why an RST must not be dropped as one into TIME_WAIT.
    fn is_elsewhere(&self, segment: &Segment) -> Option<&'static str> {
        if self.calls {
            return Some("this host calls anew");
        }
        // Without a connection there is nothing to lose.
        let (ack, _) = self.open?;
        let [theirs, mine] = &self.fins;
        if !theirs.contains(&ack.wrapping_sub(1)) {
            return Some("this host has acked no FIN");
        }
        let acked = |fin: &u32| self.acked.contains(&fin.wrapping_add(1));
        if !mine.iter().any(acked) {
            return Some("no FIN of this host was acked");
        }
        (segment.seq != ack).then_some("it ends no TIME_WAIT")
    }
}

/// RSTs by what became of them.
#[derive(Default)]
struct Seen([Cell<u64>; 8]);

impl Seen {
    fn add(&self, counted: &Counters) -> u64 {
        let mut sum = 0;
        for (seen, count) in self.0.iter().zip(&counted.0[counters::GUARDED..]) {
            seen.set(seen.get() + count);
            sum += count;
        }
        sum
    }

    fn get(&self, guarded: Guarded) -> u64 {
        self.0[guarded as usize].get()
    }
}

/// What the host counted of one frame, and whether it dropped it.
fn shown(host: &Host, sight: &Sight) -> (Counters, bool) {
    let before = host.counters();
    let drops = host.see(sight, &sight.frame.build());
    (since(&before, &host.counters()), drops)
}

fn drops_only_what_it_may(
    setting: &Setting,
    steps: &[Step],
    seen: &Seen,
) -> Result<(), TestCaseError> {
    let armed = Host::new(guards(setting::ARMED));
    let trial = Host::new(guards(setting::DRY_RUN));
    let mut ear = Ear::default();
    let mut apart = false;
    for act in at_server(setting, steps) {
        let sight = match &act {
            Act::See(sight) => sight,
            Act::Sweep(now) => {
                armed.sweep(*now, Operation::Visit, &TIMERS);
                trial.sweep(*now, Operation::Visit, &TIMERS);
                continue;
            }
        };
        let lives = armed.slots();
        let wrong = |why: &str| {
            Err(TestCaseError::fail(format!(
                "{why}: {act:?}\n{ear:x?}\n{lives:x?}"
            )))
        };
        let (counted, drops) = shown(&armed, sight);
        let (tried, would) = shown(&trial, sight);
        if would {
            return wrong("a dry run drops");
        }
        let Ok(segment) = parse(sight, &sight.frame.build()) else {
            if drops {
                return wrong("what cannot be read is dropped");
            }
            continue;
        };
        let incoming = sight.hook != Hook::Egress;
        let expected = u64::from(incoming && segment.flags.rst());
        if seen.add(&counted) != expected {
            return wrong("it is not counted as one thing");
        }
        let of = |counted: &Counters, guarded: Guarded| {
            counted.0[counters::GUARDED + guarded as usize] != 0
        };
        let (blind, waiting) = (
            of(&counted, Guarded::BlindDropped),
            of(&counted, Guarded::TimeWaitDropped),
        );
        if drops != (blind || waiting) {
            return wrong("it is counted as another thing than was done");
        }
        let why = match (blind, waiting) {
            (true, _) => ear.believes(&segment),
            (_, true) => ear.is_elsewhere(&segment),
            _ => None,
        };
        if let Some(why) = why {
            return wrong(why);
        }
        if drops {
            let life = |slots: &[termination_common::slot::Slot]| {
                let own = slots.iter().find(|slot| slot.cold.tuple == segment.tuple);
                own.map(|slot| slot.state().life())
            };
            if life(&lives) != life(&armed.slots()) {
                return wrong("what this host never got has ended something");
            }
        }
        if !apart {
            let same = of(&tried, Guarded::BlindWouldDrop) == blind
                && of(&tried, Guarded::TimeWaitWouldDrop) == waiting;
            if !same {
                return wrong("the dry run sees it differently");
            }
            // From here on one of them is in TIME_WAIT and the other is not.
            apart = waiting;
        }
        if incoming {
            if !drops {
                ear.gets(&segment);
            }
        } else {
            ear.says(&segment);
        }
    }
    Ok(())
}

fn never_drops_what_counts(sequences: u32, seed: u8) {
    let seen = Seen::default();
    each(sequences, seed, |setting, steps| {
        drops_only_what_it_may(setting, steps, &seen)?;
        Ok(steps.len())
    });
    for guarded in [
        Guarded::NotJudged,
        Guarded::Passed,
        Guarded::BlindDropped,
        Guarded::TimeWaitDropped,
    ] {
        println!("{guarded} {}", seen.get(guarded));
        assert!(
            seen.get(guarded) > 10,
            "too few to show anything: {guarded}"
        );
    }
}

#[test]
fn no_guard_drops_what_its_host_would_believe() {
    never_drops_what_counts(10_000, 5);
}

#[test]
#[ignore = "long: a million sequences on the host"]
fn the_same_for_a_million_sequences() {
    never_drops_what_counts(1_000_000, 6);
}

#[test]
fn the_kernel_drops_what_the_host_does() {
    both(Level::Full, 300, 7, guards(setting::ARMED), true, at_server);
}

#[test]
fn and_counts_what_it_would() {
    both(
        Level::Full,
        100,
        8,
        guards(setting::DRY_RUN),
        false,
        at_server,
    );
}

#[test]
fn each_guard_is_for_itself() {
    for shift in [setting::BLIND_SHIFT, setting::TIME_WAIT_SHIFT] {
        let one = Settings {
            flags: setting::ARMED << shift,
            ..SETTINGS
        };
        let other = if shift == setting::BLIND_SHIFT {
            [Guarded::TimeWaitDropped, Guarded::TimeWaitWouldDrop]
        } else {
            [Guarded::BlindDropped, Guarded::BlindWouldDrop]
        };
        each(500, 9, |setting, steps| {
            let host = Host::new(one);
            for act in at_server(setting, steps) {
                match &act {
                    Act::See(sight) => {
                        host.see(sight, &sight.frame.build());
                    }
                    Act::Sweep(now) => host.sweep(*now, Operation::Visit, &TIMERS),
                }
            }
            let counted =
                other.map(|guarded| host.counters().0[counters::GUARDED + guarded as usize]);
            same(|| "the other guard".into(), &[0, 0], &counted)?;
            Ok(steps.len())
        });
    }
}
