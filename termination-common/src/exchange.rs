//! What kernel programs and user space hand each other besides the table: the
//! record in the ring buffer, and the request to `sweep`.

use crate::{
    counters::Event,
    policy::Timers,
    slot::{Slot, SlotId},
    taxonomy::Ending,
};

/// One element of the ring buffer: what happened, and the slot as it was then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Record {
    /// [`crate::counters::Event`] as a number.
    pub event: u8,
    /// Side (0, 1) whose segment it was; of a rejected RST, that RST.
    pub side: u8,
    /// TIME_WAIT: the [`crate::taxonomy::Sequel`] (what came back to a SYN in
    /// it: [`crate::facts::answer`] of the copy). RST rejected or guarded: the
    /// [`crate::taxonomy::Verdict`], and from bit 4 on the
    /// [`crate::engine::guard::Guarded`].
    pub detail: u8,
    /// 1 if the record may have been handed over before.
    pub repeated: u8,
    /// Index of the slot; with the generation in its word, the id.
    pub slot: u32,
    /// When, nanoseconds.
    pub time: u64,
    /// The slot.
    pub copy: Slot,
}

/// The whole ring, in the parts in which [`share`] counts.
pub const WHOLE: u64 = 8;

/// How much of the ring may be filled when a record is added, in parts of
/// [`WHOLE`]: what matters less gives way first.
///
/// An ending of a connection that was established, and the end of a TIME_WAIT,
/// may fill it. An attempt's ending leaves a quarter to those: a flood brings
/// hundreds of thousands of them, which stay in the table until there is room,
/// or are counted. Events, such as one for each blind RST of a storm, leave half:
/// they are counted in any case.
#[inline(always)]
pub const fn share(event: u8, ending: u8) -> u64 {
    if event == Event::TimeWait as u8 {
        WHOLE
    } else if event != Event::Ending as u8 {
        WHOLE / 2
    } else if ending <= Ending::HandshakeAborted as u8 || ending == Ending::Evicted as u8 {
        WHOLE - WHOLE / 4
    } else {
        WHOLE
    }
}

/// What a `sweep` batch does with each slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Operation {
    /// Whatever is due: end what ran out, report what is unreported, free
    /// what has lingered.
    Visit = 0,
    /// Observation stops: end what lives, as `shutdown` unless a timer had run
    /// out before, free the rest.
    Shutdown = 1,
    /// Segments may have been missed: what lives has gaps.
    Mark = 2,
}

impl Operation {
    /// From its number; of one that is none, what does least harm.
    #[inline(always)]
    pub const fn from_number(number: u32) -> Self {
        if number == Self::Shutdown as u32 {
            Self::Shutdown
        } else if number == Self::Mark as u32 {
            Self::Mark
        } else {
            Self::Visit
        }
    }
}

/// Head of a batch: the "packet" that `sweep` is run on.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct SweepHeader {
    /// Now, nanoseconds, on the engine's clock.
    pub now: u64,
    /// [`Operation`] as a number.
    pub operation: u32,
    /// Number of requests that follow, at most [`SWEEP_BATCH`].
    pub count: u32,
    /// The timers to judge by.
    pub timers: Timers,
}

/// One slot of a batch; `status` is written back by the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SweepRequest {
    /// Which connection; another generation is left alone.
    pub id: SlotId,
    /// In: 0. Out: [`swept`] as a number.
    pub status: u32,
    /// Always 0.
    pub reserved: u32,
}

/// What became of one request; several may hold.
pub mod swept {
    /// A connection was ended.
    pub const ENDED: u32 = 1 << 0;
    /// Its record went to the ring.
    pub const REPORTED: u32 = 1 << 1;
    /// The slot is free again.
    pub const FREED: u32 = 1 << 2;
    /// The slot was newer or not due: nothing was done.
    pub const LEFT: u32 = 1 << 3;
    /// A lock stayed taken; ask again.
    pub const CONTENDED: u32 = 1 << 4;
    /// No room in the ring; ask again when it was read.
    pub const RING_FULL: u32 = 1 << 5;
    /// It has gaps now.
    pub const MARKED: u32 = 1 << 6;
}

/// Requests in one batch: what fits into one page with the XDP head and tail
/// room that BPF_PROG_TEST_RUN adds (net/bpf/test_run.c).
pub const SWEEP_BATCH: usize = 192;

const _: () = {
    assert!(size_of::<Record>() == 216);
    assert!(size_of::<SweepHeader>() == 56);
    assert!(size_of::<SweepRequest>() == 16);
    assert!(size_of::<SweepHeader>() + SWEEP_BATCH * size_of::<SweepRequest>() <= 3520);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matters_less_gives_way_first() {
        let ending = |ending| share(Event::Ending as u8, ending as u8);
        assert_eq!(ending(Ending::Reset), WHOLE);
        assert_eq!(ending(Ending::Graceful), WHOLE);
        assert_eq!(ending(Ending::Shutdown), WHOLE);
        for attempt in [
            Ending::Unanswered,
            Ending::Refused,
            Ending::HandshakeAborted,
            Ending::Evicted,
        ] {
            assert_eq!(ending(attempt), WHOLE * 3 / 4, "{attempt}");
        }
        // A TIME_WAIT that a flood has displaced had been a connection.
        let evicted = Ending::Evicted as u8;
        assert_eq!(share(Event::TimeWait as u8, evicted), WHOLE);
        let storm = share(Event::RstRejected as u8, 0);
        assert_eq!(storm, WHOLE / 2);
    }
}
