//! Acting on slots: the scan that finds what is due, and the batches that the
//! kernel program `sweep` acts on.
//!
//! The scan only suggests. `sweep` takes each slot's lock, compares the
//! generation and judges again, so that newer life defeats an expiry, and a
//! controller that dies half-way leaves nothing half done.

use std::{io, os::fd::AsFd};

use termination_common::{
    exchange::{Operation, SWEEP_BATCH, SweepHeader, SweepRequest, swept},
    policy::Timers,
    slot::SlotId,
    time::{Tick, tick},
    timer,
};

use crate::control::kernel::{
    bpf,
    plain::{bytes_of, read},
    table::{Table, id},
};

/// What became of the slots that were handed over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Connections that were ended.
    pub ended: u64,
    /// Records that went to the ring.
    pub reported: u64,
    /// Slots that are free again.
    pub freed: u64,
    /// Connections that have gaps now.
    pub marked: u64,
    /// Slots that were newer or not due after all.
    pub left: u64,
    /// Slots whose lock stayed taken; the next scan finds them again.
    pub contended: u64,
    /// Slots whose record found no room: ask again when the ring was read.
    pub unreported: Vec<SlotId>,
}

impl Tally {
    fn count(&mut self, request: &SweepRequest) {
        let did = |bit| u64::from(request.status & bit != 0);
        self.ended += did(swept::ENDED);
        self.reported += did(swept::REPORTED);
        self.freed += did(swept::FREED);
        self.marked += did(swept::MARKED);
        self.left += did(swept::LEFT);
        self.contended += did(swept::CONTENDED);
        if request.status & swept::RING_FULL != 0 {
            self.unreported.push(request.id);
        }
    }

    /// Adds another batch.
    pub fn add(&mut self, other: Self) {
        let Self {
            ended,
            reported,
            freed,
            marked,
            left,
            contended,
            unreported,
        } = other;
        self.ended += ended;
        self.reported += reported;
        self.freed += freed;
        self.marked += marked;
        self.left += left;
        self.contended += contended;
        self.unreported.extend(unreported);
    }
}

/// Ids of the slots that have something to do at `now` (nanoseconds on the
/// engine's clock), in the order of the table.
///
/// A slot that a program is working on is passed over: it is not idle, and the
/// next scan comes soon.
pub fn due(table: &Table, now: u64, timers: &Timers) -> Vec<SlotId> {
    let now = tick(now);
    let due = |&slot: &u32| slot_is_due(table, slot, now, timers);
    table
        .occupied()
        .filter(due)
        .map(|slot| id(slot, table.state(slot)))
        .collect()
}

/// Has an unreported ending or a timer that ran out.
fn slot_is_due(table: &Table, slot: u32, now: Tick, timers: &Timers) -> bool {
    let Some(hot) = table.hot(slot) else {
        return false;
    };
    let state = termination_common::state::Snapshot(hot.word);
    let unreported = state.is_ended() && !state.is_reported();
    unreported || timer::due(&hot, || table.pending(slot), now, timers)
}

/// Ids of all slots that are not free.
pub fn everything(table: &Table) -> Vec<SlotId> {
    table
        .occupied()
        .map(|slot| (slot, table.state(slot)))
        .filter(|(_, state)| !state.is_free())
        .map(|(slot, state)| id(slot, state))
        .collect()
}

/// Hands at most [`SWEEP_BATCH`] slots to the kernel; more are ignored.
///
/// # Errors
///
/// What BPF_PROG_TEST_RUN answered; then nothing was done, or all of it and
/// only the answer is missing.
pub fn batch(
    sweep: impl AsFd,
    now: u64,
    operation: Operation,
    timers: Timers,
    ids: &[SlotId],
) -> io::Result<Tally> {
    let ids = &ids[..ids.len().min(SWEEP_BATCH)];
    let header = SweepHeader {
        now,
        operation: operation as u32,
        count: ids.len() as u32,
        timers,
    };
    let mut packet = Vec::with_capacity(size_of::<SweepHeader>() + size_of_val(ids) * 2);
    packet.extend_from_slice(bytes_of(&header));
    for &id in ids {
        packet.extend_from_slice(bytes_of(&SweepRequest {
            id,
            status: 0,
            reserved: 0,
        }));
    }
    bpf::run(sweep, &mut packet)?;
    let mut tally = Tally::default();
    for request in packet[size_of::<SweepHeader>()..].chunks_exact(size_of::<SweepRequest>()) {
        if let Some(request) = read(request) {
            tally.count(&request);
        }
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_keeps_what_has_to_be_asked_again() {
        let request = |slot, status| SweepRequest {
            id: SlotId {
                slot,
                generation: 1,
            },
            status,
            reserved: 0,
        };
        let mut tally = Tally::default();
        tally.count(&request(1, swept::ENDED | swept::REPORTED));
        tally.count(&request(2, swept::ENDED | swept::RING_FULL));
        let mut sum = Tally::default();
        sum.add(tally);
        sum.add(Tally {
            freed: 3,
            ..Tally::default()
        });
        assert_eq!((sum.ended, sum.reported, sum.freed), (2, 1, 3));
        assert_eq!(
            sum.unreported,
            [SlotId {
                slot: 2,
                generation: 1
            }]
        );
    }
}
