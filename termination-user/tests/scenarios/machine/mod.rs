//! Two machines that must agree: the programs in the kernel, and the same
//! driver and engine over a table on the heap.

mod fast;
pub(crate) mod host;
pub(crate) mod kernel;

pub(crate) use host::Host;
pub(crate) use kernel::{kernel_at, since};

use termination_common::{
    exchange::Record,
    slot::{Hot, Slot},
    state::fact,
    wire::build::Frame,
};

/// Where a frame is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    /// The XDP program.
    Xdp,
    /// The ingress program of TC.
    Ingress,
    /// The egress program of TC.
    Egress,
}

/// A frame, and when and where it is seen.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    pub(crate) frame: Frame,
    pub(crate) time: u64,
    pub(crate) hook: Hook,
    pub(crate) home: u32,
    /// Segments that a super-segment stands for; 0 if it is none.
    pub(crate) gso: u32,
}

/// What of a slot does not depend on its place: all but the lock, the sequence
/// and the generation in its word.
pub(crate) const fn placeless(slot: Slot) -> Slot {
    const KEPT: u64 = fact::ALL | 0xe;
    Slot {
        hot: Hot {
            word: slot.hot.word & KEPT,
            half: slot.hot.half,
        },
        cold: slot.cold,
    }
}

/// The same of a record.
pub(crate) const fn placeless_record(record: Record) -> Record {
    Record {
        slot: 0,
        copy: placeless(record.copy),
        ..record
    }
}
