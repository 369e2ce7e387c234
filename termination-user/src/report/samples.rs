//! Slots and records for tests.

use termination_common::{
    counters::Event,
    exchange::Record,
    slot::{Half, Slot, bit},
    state::{Snapshot, fact},
    taxonomy::{By, Cause, Ending, Evidence, Holder, Outcome, Phase, Sequel, Verdict},
    time::{Span, TICK_SHIFT, tick},
    tuple::{Endpoint, Family, Tuple},
};

use super::{Clock, Connection};

pub(crate) const SECOND: u64 = 1_000_000_000;
/// The engine's time zero is 2026-01-02T12:34:00Z.
pub(crate) const CLOCK: Clock = Clock {
    offset_ns: 1_767_357_240 * SECOND as i64,
};
pub(crate) const EPOCH: u16 = 0x5f3a;
/// A moment with nothing below the tick, so that ages come out even.
pub(crate) const START: u64 = (10 * SECOND) >> TICK_SHIFT << TICK_SHIFT;

/// An open connection from `source` to `destination`, 150 bytes there and
/// 12,345 back.
pub(crate) fn open(source: Endpoint, destination: Endpoint, family: Family) -> Slot {
    let (tuple, side) = Tuple::new(source, destination, family, 0).unwrap();
    let facts = if side == 1 { fact::ORIGINATOR } else { 0 };
    let mut word = Snapshot::default();
    for _ in 0..7 {
        word = word.transition_to_live(facts | fact::ESTABLISHED);
    }
    let mut slot = Slot::default();
    slot.hot.word = word.0;
    slot.cold.tuple = tuple;
    slot.cold.started_at = START;
    for (this, isn, bytes, segments) in [(side, 100, 150, 6), (side ^ 1, 9_000, 12_345, 12)] {
        slot.cold.half[this].isn = isn;
        slot.hot.half[this] = Half {
            sent: isn + 1 + bytes,
            last: tick(START + 2 * SECOND),
            segments,
            bits: bit::SEEN | bit::SYN | bit::SYN_ACKED | bit::ACK | bit::DATA,
            ..Half::default()
        };
        slot.hot.half[this ^ 1].acked = 0;
    }
    let [a, b] = &mut slot.hot.half;
    a.acked = b.sent;
    b.acked = a.sent;
    slot
}

pub(crate) fn v4() -> Slot {
    open(
        Endpoint::v4(0x0a00_0002, 40_000),
        Endpoint::v4(0x0a00_0001, 443),
        Family::V4,
    )
}

pub(crate) fn v6() -> Slot {
    open(
        Endpoint::v6(
            [
                0x20, 1, 0xd, 0xb8, 0x85, 0xa3, 0xcd, 0xef, 0x12, 0x34, 0x8a, 0x2e, 3, 0x70, 0x73,
                0x34,
            ],
            52_174,
        ),
        Endpoint::v6(
            [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            443,
        ),
        Family::V6,
    )
}

/// Closed by both, the originator first, 12 ms after the start.
pub(crate) fn graceful(mut slot: Slot) -> Record {
    let first = slot.state().originator();
    for side in [first, first ^ 1] {
        slot.hot.half[side].sent += 1;
        slot.hot.half[side ^ 1].acked += 1;
        slot.hot.half[side].bits |= bit::FIN | bit::FIN_ACKED;
    }
    let mut word = slot.state().with(fact::FIN);
    if first == 1 {
        word = word.with(fact::FIRST_FIN);
    }
    slot.hot.word = word.0;
    slot.cold.fin_to_ack = Span::new(81_000);
    slot.cold.fin_to_fin = Span::new(200_000);
    slot.cold.segments_after_fin = [1, 2];
    let outcome = Outcome {
        ending: Ending::Graceful,
        by: By::Originator,
        phase: Phase::Closing,
        verdict: None,
        cause: None,
        evidence: Evidence::None,
        holder: Holder::Originator,
    };
    end(slot, outcome, START + 12_000_000)
}

/// Reset by the responder.
pub(crate) fn reset(slot: Slot) -> Record {
    let outcome = Outcome {
        ending: Ending::Reset,
        by: By::Responder,
        phase: Phase::Transfer,
        verdict: Some(Verdict::Exact),
        cause: Some(Cause::ActiveAbort),
        evidence: Evidence::WireStrong,
        holder: Holder::None,
    };
    end(slot, outcome, START + 75 * SECOND)
}

pub(crate) fn end(mut slot: Slot, outcome: Outcome, time: u64) -> Record {
    slot.cold.pending.at = slot.hot.half[0].last;
    slot.cold.outcome = outcome.pack();
    slot.cold.turned_at = time;
    slot.hot.word = slot
        .state()
        .transition_to_ended(outcome.holder != Holder::None)
        .0;
    for half in &mut slot.hot.half {
        half.last = tick(time);
    }
    Record {
        event: Event::Ending as u8,
        slot: 0x123,
        time,
        copy: slot,
        ..Record::default()
    }
}

/// The end of the TIME_WAIT after `ending`, which was restarted twice.
pub(crate) fn left(ending: &Record) -> Record {
    let mut record = *ending;
    record.event = Event::TimeWait as u8;
    record.detail = Sequel::Expired as u8;
    record.time += 60 * SECOND;
    let holder = record.copy.state().originator();
    record.copy.hot.half[holder].window = 2;
    record.copy.hot.half[holder ^ 1].window = 1;
    record
}

/// What the controller would show `age` nanoseconds after [`START`].
pub(crate) fn shown(slot: &Slot, age: u64) -> Connection {
    let timers = termination_common::policy::Timers::DEFAULT;
    Connection::from_slot(slot, 0x123, EPOCH, &CLOCK, START + age, &timers).unwrap()
}
