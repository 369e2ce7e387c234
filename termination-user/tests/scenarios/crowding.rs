//! More connections than slots, and the end of observation.

use std::net::SocketAddr;

use termination_common::{
    counters::{self, Counters, Event, Loss},
    exchange::{Operation, Record},
    policy::{Level, Settings, Timers},
    segment::Flags,
    slot::Slot,
    table::{ATTEMPTS_MAX, LINE, Memory as _, Place, preferred},
    taxonomy::{Ending, Outcome},
    wire::build::Frame,
};
use termination_user::report::{Clock, Report};

use crate::machine::{
    Hook, Host, Sight,
    host::parse,
    kernel::{Kernel, kernel_at},
    since,
};

const SETTINGS: Settings = Settings {
    events: u32::MAX,
    ..Settings::DEFAULT
};
const START: u64 = 1_000_000_000_000;
/// Attempts: many times the 64 slots of the machines.
const FLOOD: u16 = 1000;

/// What both machines can do.
trait Machine {
    fn see(&self, sight: &Sight);
    fn stop(&self);
    fn taken(&mut self) -> Vec<Record>;
    fn held(&self) -> Vec<Slot>;
    fn counted(&self) -> Counters;
}

impl Machine for Host {
    fn see(&self, sight: &Sight) {
        self.see(sight, &sight.frame.build());
    }
    fn stop(&self) {
        self.sweep(START + 1_000_000_000, Operation::Shutdown, &Timers::DEFAULT);
    }
    fn taken(&mut self) -> Vec<Record> {
        self.records()
    }
    fn held(&self) -> Vec<Slot> {
        self.slots()
    }
    fn counted(&self) -> Counters {
        self.counters()
    }
}

impl Machine for Kernel {
    fn see(&self, sight: &Sight) {
        self.see(sight, &sight.frame.build());
    }
    fn stop(&self) {
        self.sweep(START + 1_000_000_000, Operation::Shutdown, &Timers::DEFAULT);
    }
    fn taken(&mut self) -> Vec<Record> {
        self.records()
    }
    fn held(&self) -> Vec<Slot> {
        self.slots()
    }
    fn counted(&self) -> Counters {
        self.counters()
    }
}

fn sight(number: u64, flags: u8, [seq, ack]: [u32; 2], ports: [u16; 2]) -> Sight {
    let [source, destination] = ports.map(|port| SocketAddr::from(([10, 0, 0, 1], port)));
    Sight {
        frame: Frame::between(source, destination)
            .tcp(flags)
            .seq(seq)
            .ack(ack),
        time: START + number * 10_000,
        hook: Hook::Xdp,
        home: 4,
        gso: 0,
    }
}

/// One handshake, then a flood of SYNs, then the end.
fn flood(machine: &mut impl Machine) {
    let before = machine.counted();
    machine.see(&sight(0, Flags::SYN, [100, 0], [40000, 443]));
    machine.see(&sight(1, Flags::SYN | Flags::ACK, [900, 101], [443, 40000]));
    machine.see(&sight(2, Flags::ACK, [101, 901], [40000, 443]));
    for attempt in 0..FLOOD {
        let number = 3 + u64::from(attempt);
        machine.see(&sight(number, Flags::SYN, [7, 0], [1000 + attempt, 80]));
    }

    let held = machine.held();
    let counted = since(&before, &machine.counted());
    let loss = |loss: Loss| counted.0[counters::LOSS + loss as usize];
    let live = held.iter().filter(|slot| slot.state().is_live()).count() as u64;
    assert_eq!(counted.0[counters::OPENED], live + counted.endings());
    let evicted = counted.0[counters::ENDING + Ending::Evicted as usize];
    assert_eq!(loss(Loss::AttemptDisplaced), evicted);
    let untracked = loss(Loss::TableFull);
    let begun = counted.0[counters::OPENED] + untracked;
    assert_eq!(begun, u64::from(FLOOD) + 1, "each was tracked or counted");
    assert!(evicted > 0, "newer attempts displace older ones");
    let established = |slot: &&Slot| slot.hot.half.iter().all(|half| half.segments > 0);
    assert_eq!(held.iter().filter(established).count(), 1, "it was kept");
    // At most half of each line are attempts.
    assert!(held.len() <= 33, "{} are held", held.len());

    machine.stop();
    assert!(machine.held().is_empty());
    let records = machine.taken();
    let ended = |ending: Ending| {
        let same = |record: &&Record| {
            record.event == Event::Ending as u8
                && Outcome::packed_ending(record.copy.cold.outcome) == ending as u8
        };
        records.iter().filter(same).count() as u64
    };
    assert_eq!(ended(Ending::Evicted), evicted);
    assert_eq!(ended(Ending::Shutdown), live);
    // As an IPFIX exporter has it: lack of resources, forced end (RFC 5102
    // 5.11.3).
    let clock = Clock { offset_ns: 0 };
    for record in &records {
        let Some(Report::Ending(told)) = Report::from_record(record, 0, &clock) else {
            continue;
        };
        let reason = if told.ending == Ending::Evicted { 5 } else { 4 };
        assert_eq!(told.ipfix.flow_end_reason, reason, "{}", told.ending);
    }
}

/// Attempts whose timer had run out, and then others that need their room.
fn overdue(machine: &mut impl Machine) {
    /// Nobody answers within 60 s.
    const LATE: u64 = 100_000_000_000;
    let before = machine.counted();
    for attempt in 0..2 * FLOOD {
        let mut sight = sight(0, Flags::SYN, [7, 0], [1000 + attempt, 80]);
        sight.time += u64::from(attempt) + if attempt < FLOOD { 0 } else { LATE };
        machine.see(&sight);
    }
    let counted = since(&before, &machine.counted());
    let ended = |ending: Ending| counted.0[counters::ENDING + ending as usize];
    let displaced = counted.0[counters::LOSS + Loss::AttemptDisplaced as usize];
    assert_eq!(ended(Ending::Evicted), displaced);
    // Of the first half, those that were there to the end: all of one line half.
    assert!(ended(Ending::Unanswered) > 8, "{counted:?}");
    for record in machine.taken() {
        let cold = &record.copy.cold;
        let expired = Outcome::packed_ending(cold.outcome) == Ending::Unanswered as u8;
        let lasted = (cold.turned_at - cold.started_at) / 1_000_000;
        if expired {
            // To a tick, which is a millisecond.
            assert!(lasted.abs_diff(60_000) <= 2, "its own time: {record:?}");
        } else {
            assert!(lasted < 10, "displaced at once, or not at all: {record:?}");
        }
    }
    machine.stop();
}

/// A slot is fetched before its line is known, so it must be where that expects it.
#[test]
fn a_connection_stands_where_it_is_foreseen() {
    let host = Host::new(SETTINGS);
    let mut foreseen = 0;
    for number in 0..40_u16 {
        let sight = sight(number.into(), Flags::SYN, [7, 0], [1000 + number, 80]);
        let frame = sight.frame.build();
        let segment = parse(&sight, &frame).expect("a segment");
        let before = host.places();
        host.see(&sight, &frame);
        let mut new = host.places();
        new.retain(|slot| !before.contains(slot));
        let place = Place::of(&segment.tuple, host.seed(), host.mask());
        let wanted = place.first * LINE + preferred(place.fingerprint);
        let beside = before.iter().filter(|slot| **slot / LINE == place.first);
        if beside.count() < ATTEMPTS_MAX as usize && !before.contains(&wanted) {
            assert_eq!(new, [wanted], "connection {number}");
            foreseen += 1;
        } else {
            // In one of its lines, or in the place of what it has displaced.
            let lines = [place.first, place.second];
            assert!(new.iter().all(|slot| lines.contains(&(slot / LINE))));
        }
    }
    assert!(foreseen > 10, "{foreseen}");
}

#[test]
fn what_had_ended_is_displaced_by_nobody() {
    overdue(&mut Host::new(SETTINGS));
    let mut kernel = kernel_at(Level::Full);
    kernel.set(SETTINGS);
    overdue(&mut *kernel);
}

#[test]
fn a_flood_crowds_out_only_attempts_and_loses_no_count_on_the_host() {
    flood(&mut Host::new(SETTINGS));
}

#[test]
fn the_same_in_the_kernel() {
    let mut kernel = kernel_at(Level::Full);
    kernel.set(SETTINGS);
    flood(&mut *kernel);
}
