//! What is counted, and where: one flat array of `u64` per CPU.
//!
//! Every counter moves in the same program run as the transition it counts,
//! under the slot's lock, so the sums are exact whatever happens to the ring
//! buffer or to user space.

use crate::taxonomy::{ENDINGS, vocabulary};

vocabulary! {
    /// What the engine says besides changing state. The first two are records
    /// of their own; the others are events.
    Event {
        /// A connection ended.
        Ending = 1, "ending";
        /// A TIME_WAIT ended.
        TimeWait = 2, "time_wait";
        /// The first FIN was acked and the other direction is still open.
        HalfClosed = 3, "half_closed";
        /// An RST was not believed, at once or once it was refuted; the
        /// connection is alive.
        RstRejected = 4, "rst_rejected";
        /// An ACK that answers an RST or SYN which it does not believe.
        ChallengeAck = 5, "challenge_ack";
        /// A segment on a tuple that has ended.
        StraySegment = 6, "stray_segment";
        /// TIME_WAIT started anew.
        TimeWaitRestarted = 7, "time_wait_restarted";
        /// Retransmissions or probes unanswered for a while.
        HalfOpenSuspected = 8, "half_open_suspected";
        /// A segment that its receiver would not accept.
        Implausible = 9, "implausible";
        /// A known direction seen from another interface or hook.
        SeenElsewhere = 10, "seen_elsewhere";
        /// A connection became established.
        Established = 11, "established";
        /// A guard dropped an RST, or would have.
        RstGuarded = 12, "rst_guarded";
    }
}

vocabulary! {
    /// What could not be done as it should.
    Loss {
        /// A new connection found no room and is not tracked.
        TableFull = 1, "table_full";
        /// A segment was not applied because a lock stayed taken.
        Contended = 2, "contended";
        /// A record found no room in the ring; the next sweep reports it.
        RingFull = 3, "ring_full";
        /// A record found no room and its slot was needed at once.
        RecordLost = 4, "record_lost";
        /// An event (not a record) found no room in the ring.
        EventLost = 5, "event_lost";
        /// An attempt was displaced by a newer one.
        AttemptDisplaced = 6, "attempt_displaced";
        /// A lingering tuple was displaced by a new connection.
        LingerDisplaced = 7, "linger_displaced";
    }
}

/// Base of the endings; add the number of an [`crate::taxonomy::Ending`].
pub const ENDING: usize = 0;
/// Base of the sequels of TIME_WAIT; add a [`crate::taxonomy::Sequel`].
pub const SEQUEL: usize = ENDING + ENDINGS;
/// Base of the verdicts on RSTs; add a [`crate::taxonomy::Verdict`].
pub const VERDICT: usize = SEQUEL + 10;
/// Base of the events; add an [`Event`].
pub const EVENT: usize = VERDICT + 10;
/// Base of the losses; add a [`Loss`].
pub const LOSS: usize = EVENT + 13;
/// Base of the reasons why a frame is passed untracked; add a `wire::Skip`.
pub const SKIP: usize = LOSS + 8;
/// Connections that opened with a SYN or SYN-ACK.
pub const OPENED: usize = SKIP + 24;
/// Connections met midstream.
pub const MIDSTREAM: usize = OPENED + 1;
/// TCP segments that reached the engine.
pub const SEGMENTS: usize = OPENED + 2;
/// TIME_WAITs entered.
pub const TIME_WAIT: usize = OPENED + 3;
/// TIME_WAIT restarts by a retransmitted FIN alone.
pub const FIN_RESTARTS: usize = OPENED + 4;
/// Segments with RST and SYN or FIN: RST won.
pub const ODD_FLAGS: usize = OPENED + 5;
/// Segments that found their tuple untracked and opened nothing.
pub const UNTRACKED: usize = OPENED + 6;
/// Base of the segments that policy leaves out, by reason; add a
/// [`crate::traffic::LeftOut`].
pub const LEFT_OUT: usize = OPENED + 8;
/// Base of the RSTs where there are guards; add a
/// [`crate::engine::guard::Guarded`].
pub const GUARDED: usize = LEFT_OUT + 4;
/// Size of the array.
pub const COUNT: usize = GUARDED + 8;

/// All counters of one CPU, or their sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Counters(pub [u64; COUNT]);

impl Default for Counters {
    fn default() -> Self {
        Self([0; COUNT])
    }
}

impl Counters {
    /// Adds another CPU's counters.
    pub fn add(&mut self, other: &Self) {
        for (sum, value) in self.0.iter_mut().zip(other.0) {
            *sum += value;
        }
    }

    /// Sum of all endings.
    pub fn endings(&self) -> u64 {
        self.0[ENDING..ENDING + ENDINGS].iter().sum()
    }
}
