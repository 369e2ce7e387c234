//! The memory of one connection, shared by kernel programs and user space.
//!
//! A slot is a [`Hot`] line of 64 bytes that an established segment needs, and
//! a [`Cold`] part of 136 bytes for everything else; with the fingerprint's 8
//! that makes 208 bytes. ARCHITECTURE.md has the table of every byte. Both
//! sides check sizes and offsets at compile time; change anything here and
//! [`ABI`] must move.

use crate::{
    state::Snapshot,
    time::{Span, Tick},
    tuple::Tuple,
};

/// Number of this layout; part of the pin path, so that a program never maps
/// memory it would misread.
pub const ABI: u32 = 2;

/// Bits of [`Half::bits`]. Set once a generation unless said otherwise.
pub mod bit {
    /// The end sent at least one segment that was seen.
    pub const SEEN: u16 = 1 << 0;
    /// Its SYN is known (seen, or inferred in a one-sided view).
    pub const SYN: u16 = 1 << 1;
    /// Its SYN was acked by the other end.
    pub const SYN_ACKED: u16 = 1 << 2;
    /// Its FIN was seen, at `fin`; unset if the other end acks beyond it.
    pub const FIN: u16 = 1 << 3;
    /// Its FIN was acked.
    pub const FIN_ACKED: u16 = 1 << 4;
    /// It has sent an ACK: `acked` is valid.
    pub const ACK: u16 = 1 << 5;
    /// It sent payload.
    pub const DATA: u16 = 1 << 6;
    /// It sent a segment with neither payload nor SYN, FIN, RST.
    pub const PURE_ACK: u16 = 1 << 7;
    /// Both SYNs carried a window scale, or one was refused: `shift` is known.
    pub const SCALE_KNOWN: u16 = 1 << 8;
    /// Its retransmission or probe got no answer yet; unset by any plausible
    /// segment of the other end.
    pub const UNANSWERED: u16 = 1 << 9;
    /// What is unanswered is a keepalive or window probe; unset with it.
    pub const PROBED: u16 = 1 << 10;
    /// New payload was sent while earlier payload was still unacked; unset by
    /// new payload that finds everything acked.
    pub const BACKLOG: u16 = 1 << 11;
    /// Four bits: shift of the window field, once `SCALE_KNOWN`.
    pub const SHIFT: u32 = 12;
}

/// What an established segment needs of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Half {
    /// S: highest sequence end sent; valid with [`bit::SEEN`] or once inferred.
    pub sent: u32,
    /// N: highest ack sent; valid with [`bit::ACK`].
    pub acked: u32,
    /// When its last plausible segment passed. Once ended: when the linger (or
    /// TIME_WAIT) was last started anew by this end.
    pub last: Tick,
    /// Segments on the wire, saturating.
    pub segments: u32,
    /// Where this direction was first seen ([`crate::segment::Segment::home`]).
    pub home: u32,
    /// Window last offered, >> shift. In TIME_WAIT: restarts, saturating;
    /// those by a retransmitted FIN on the side that sent it.
    pub window: u16,
    /// Largest window offered, >> shift.
    pub window_max: u16,
    /// Times `sent` passed 2^32.
    pub wraps: u16,
    /// [`bit`].
    pub bits: u16,
}

impl Half {
    /// All of `bits` are set.
    #[inline(always)]
    pub const fn is(&self, bits: u16) -> bool {
        self.bits & bits == bits
    }

    /// 1 if this one of its bits is set, else 0; without a branch.
    #[inline(always)]
    pub const fn flag(&self, bit: u16) -> u32 {
        (self.bits >> bit.trailing_zeros()) as u32 & 1
    }

    /// Shift count of the window field.
    #[inline(always)]
    pub const fn shift(&self) -> u32 {
        (self.bits >> bit::SHIFT) as u32
    }
}

/// The hot line: 64 bytes; the array that holds it is page aligned, so it is
/// one cache line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Hot {
    /// [`Snapshot`]; accessed atomically by drivers, never by the engine.
    pub word: u64,
    /// Endpoint 0's direction, then endpoint 1's.
    pub half: [Half; 2],
}

/// What is needed of one direction only for SYN, FIN, RST and exceptions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct ColdHalf {
    /// Initial sequence number; in a midstream connection, the first seen - 1.
    pub isn: u32,
    /// Sequence number of the FIN, valid with [`bit::FIN`].
    pub fin: u32,
    /// Until a FIN was seen: highest SACK edge this end reported (0: none).
    /// From then on: its last TSval (0: none).
    pub edge: u32,
    /// Segments with payload, SYN or FIN that were wholly sent before,
    /// saturating.
    pub retransmits: u32,
}

/// What [`Cold::pending`] holds while [`crate::state::fact::PENDING`] is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Pending {
    /// SYN: its ISN. RST: its sequence number. Gap: the disputed sequence end.
    pub value: u32,
    /// When. Once ended without TIME_WAIT: when the last segment passed.
    pub at: Tick,
    /// Kind (2 bits), side (1), then per kind; see `engine::pending`.
    pub detail: u32,
}

/// The rest of a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Cold {
    /// The connection.
    pub tuple: Tuple,
    /// Time of its first segment, nanoseconds.
    pub started_at: u64,
    /// Live: time of the first FIN. Ended: time of the ending. Nanoseconds.
    pub turned_at: u64,
    /// Order of first occurrences: [`crate::history`].
    pub history: u64,
    /// New payload of the end that did not close first, sent in reply to (with
    /// an ack beyond) the other's FIN.
    pub bytes_after_fin: u64,
    /// Per endpoint.
    pub half: [ColdHalf; 2],
    /// Segments on the wire after the first FIN, per endpoint, saturating.
    pub segments_after_fin: [u32; 2],
    /// First FIN to the ack that covers it.
    pub fin_to_ack: Span,
    /// First FIN to the other end's FIN.
    pub fin_to_fin: Span,
    /// A fact that awaits its confirmation.
    pub pending: Pending,
    /// [`crate::taxonomy::Outcome`], packed; once ended, or while an RST is
    /// pending what it would mean.
    pub outcome: u32,
}

/// Identity of a connection that user space can hand back to the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(C)]
pub struct SlotId {
    /// Index in the table.
    pub slot: u32,
    /// Generation of the slot ([`Snapshot::generation`]).
    pub generation: u32,
}

/// A consistent copy of a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Slot {
    /// The hot line.
    pub hot: Hot,
    /// The rest.
    pub cold: Cold,
}

impl Slot {
    /// The state word.
    #[inline(always)]
    pub const fn state(&self) -> Snapshot {
        Snapshot(self.hot.word)
    }
}

const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<Half>() == 28);
    assert!(size_of::<Hot>() == 64);
    assert!(size_of::<Cold>() == 136);
    assert!(size_of::<Slot>() == 200);
    assert!(offset_of!(Cold, started_at) == 40);
    assert!(offset_of!(Cold, half) == 72);
    assert!(offset_of!(Cold, segments_after_fin) == 104);
    assert!(offset_of!(Cold, fin_to_ack) == 112);
    assert!(offset_of!(Cold, pending) == 120);
    assert!(offset_of!(Cold, outcome) == 132);
};
