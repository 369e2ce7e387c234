//! Guards: RSTs that are dropped before this host sees them.
//!
//! `blind` drops what no receiver would act on and only a guess explains: RSTs
//! graded `old` or `future`. `time_wait` drops an RST that would end a TIME_WAIT
//! of this host (RFC 1337 3, fix F1). Both are off unless policy asks for them,
//! and in a dry run they only count.
//!
//! A guard judges what is certain and leaves the rest alone: connections whose
//! handshake was seen, both ways, nothing missed, all taken in that this host's
//! own end has said; an RST that comes in where its sender always came in, toward
//! that end.
//!
//! That end's kernel believes an RST in these places alone (net/ipv4/tcp_input.c
//! tcp_validate_incoming, tcp_minisocks.c tcp_timewait_state_process and
//! tcp_check_req): at RCV.NXT or, after a FIN, one before it; at a SACK edge; a
//! FIN_WAIT_2 without a socket, and a handshake whose last ACK it has thrown
//! away, anywhere in the window, as far as the RST's payload reaches into it;
//! in SYN_SENT by its ack. All of it lies between the highest ack that this end
//! has sent and the right edge of the largest window that it has offered. What a
//! guard drops lies outside.

use crate::{
    policy::{Settings, setting},
    segment::{Flags, Segment},
    serial::{after, is_before},
    slot::{Cold, Half, bit},
    state::{Snapshot, fact},
    taxonomy::{Verdict, vocabulary},
};

use super::{Flow, stream::window_max};

vocabulary! {
    /// What became of an RST where there are guards; each is one of these.
    Guarded {
        /// Not certain enough to be judged, and let through.
        NotJudged = 1, "not_judged";
        /// Judged, and let through.
        Passed = 2, "passed";
        /// `blind` would have dropped it: a dry run.
        BlindWouldDrop = 3, "blind_would_drop";
        /// `blind` dropped it.
        BlindDropped = 4, "blind_dropped";
        /// `time_wait` would have dropped it: a dry run.
        TimeWaitWouldDrop = 5, "time_wait_would_drop";
        /// `time_wait` dropped it.
        TimeWaitDropped = 6, "time_wait_dropped";
    }
}

impl Guarded {
    /// The segment goes no further.
    pub const fn drops(self) -> bool {
        matches!(self, Self::BlindDropped | Self::TimeWaitDropped)
    }

    /// The guard that has dropped it, or would have.
    pub const fn guard(self) -> Option<&'static str> {
        match self {
            Self::NotJudged | Self::Passed => None,
            Self::BlindWouldDrop | Self::BlindDropped => Some("blind"),
            Self::TimeWaitWouldDrop | Self::TimeWaitDropped => Some("time_wait"),
        }
    }
}

/// An RST that guards have to look at: there are some, and it comes in.
#[inline(always)]
pub const fn concerns(segment: &Segment, settings: &Settings) -> bool {
    segment.flags.rst() && segment.home & 1 == 0 && settings.flags & setting::GUARDS != 0
}

/// A segment was stepped; of one that this host sends: whether all of it was
/// taken in. If not, something was missed, or its end has begun anew and believes an RST
/// by its ack alone: guards then leave the connection alone. Nobody else can
/// bring that about, for nobody else sends from here.
#[inline(always)]
pub fn listen(state: Snapshot, half: &[Half; 2], cold: &Cold, segment: &Segment) -> Snapshot {
    let side = segment.side();
    let half = &half[side & 1];
    let isn = cold.half[side & 1].isn;
    let flags = segment.flags.0;
    let flag = |bit: u8| u32::from(flags) >> bit.trailing_zeros() & 1;
    let (syn, ack, rst) = (flag(Flags::SYN), flag(Flags::ACK), flag(Flags::RST));
    let acked = half.flag(bit::ACK);
    let anew =
        syn & (is_before(segment.seq, isn) | is_before(isn, segment.seq) | (ack ^ 1) & acked);
    // Far below is beyond: an end that lives acks nothing that old. And what was taken
    // in is known.
    let far = u32::from(half.acked.wrapping_sub(segment.ack) >> 30 != 0);
    let acks = ack & (far | acked ^ 1);
    let offers = (syn ^ 1) & is_before(half.window_max.into(), segment.window.into());
    let untaken = (anew | acks | offers) & (rst ^ 1) & segment.home;
    const { assert!(fact::UNTAKEN == 1 << 15) };
    Snapshot(state.0 | u64::from(untaken & 1) << 15)
}

/// Whether an RST may be judged at all.
#[inline(always)]
const fn is_certain(flow: &Flow<'_>, segment: &Segment) -> bool {
    const DOUBTS: u64 =
        fact::MIDSTREAM | fact::ONE_SIDED | fact::GAPS | fact::HOLES | fact::UNTAKEN;
    let x = segment.side();
    let (mine, other) = (&flow.half[x & 1], &flow.half[(x ^ 1) & 1]);
    let known = flow.state.0 & (DOUBTS | fact::ESTABLISHED) == fact::ESTABLISHED;
    // It comes in where its sender always did, and goes to who sends from here.
    let here = other.home & 1 != 0 && mine.home == segment.home;
    known && here && other.is(bit::ACK)
}

/// What becomes of an RST on a live connection that was graded so; 0 where
/// guards do not judge it.
#[inline(always)]
pub(super) fn live(
    flow: &Flow<'_>,
    segment: &Segment,
    settings: &Settings,
    verdict: Verdict,
) -> u32 {
    if !concerns(segment, settings) || !is_certain(flow, segment) {
        return 0;
    }
    let x = segment.side();
    let other = &flow.half[(x ^ 1) & 1];
    let end = segment.seq.wrapping_add(segment.payload);
    let outside = match verdict {
        Verdict::Old => {
            // Where a FIN may be, if there were two, or one that nobody could tell. One
            // guess in 2^32 hits this place.
            let at_fin = segment.seq == other.acked.wrapping_sub(1);
            !after(end, other.acked) && !at_fin
        }
        // The kernel's window may be larger than the field can say by what
        // the shift cuts off.
        Verdict::Future => {
            let window = window_max(other).wrapping_add(1 << other.shift());
            after(segment.seq, other.acked.wrapping_add(window))
        }
        _ => false,
    };
    if !outside {
        return Guarded::Passed as u32;
    }
    chosen(settings, setting::BLIND_SHIFT, Guarded::BlindWouldDrop)
}

/// What becomes of an RST into a TIME_WAIT; 0 where guards do not judge it.
/// `held`: its receiver holds the TIME_WAIT.
#[inline(always)]
pub(super) fn time_wait(
    flow: &Flow<'_>,
    segment: &Segment,
    settings: &Settings,
    held: bool,
) -> u32 {
    if !held || !concerns(segment, settings) || !is_certain(flow, segment) {
        return 0;
    }
    let x = segment.side();
    let acked = flow.half[(x ^ 1) & 1].acked;
    if acked != flow.cold.half[x & 1].fin.wrapping_add(1) {
        // A FIN below what was acked already: forged, and there is no wait.
        return 0;
    }
    // Any other one ends no wait. Whatever the timestamp: the kernel may have
    // missed what the observer has seen.
    if segment.seq != acked {
        return Guarded::Passed as u32;
    }
    chosen(
        settings,
        setting::TIME_WAIT_SHIFT,
        Guarded::TimeWaitWouldDrop,
    )
}

/// By whether a guard is off, on trial or armed. `would` is followed by what
/// it does when armed.
#[inline(always)]
const fn chosen(settings: &Settings, shift: u32, would: Guarded) -> u32 {
    match settings.flags >> shift & setting::GUARD {
        setting::OFF => Guarded::Passed as u32,
        setting::DRY_RUN => would as u32,
        _ => would as u32 + 1,
    }
}

/// An RST for which this is the answer goes no further.
#[inline(always)]
pub(super) const fn drops(guarded: u32) -> bool {
    guarded == Guarded::BlindDropped as u32 || guarded == Guarded::TimeWaitDropped as u32
}

const _: () = {
    assert!(Guarded::BlindWouldDrop as u32 + 1 == Guarded::BlindDropped as u32);
    assert!(Guarded::TimeWaitWouldDrop as u32 + 1 == Guarded::TimeWaitDropped as u32);
};

#[cfg(test)]
mod tests;
