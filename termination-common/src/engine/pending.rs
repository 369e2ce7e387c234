//! A fact that awaits its confirmation. A slot has one place for it.
//!
//! | kind | what | decided by |
//! |---|---|---|
//! | SYN | a SYN with another ISN on a known tuple | its SYN-ACK, or an RST of its sender |
//! | RST | an RST in doubt | its sender's next words, a challenge ACK, time |
//! | CHALLENGE | an ACK that repeats itself | an RST within a second |
//! | CHALLENGE as `MARK` | the timer's question, at the level `closing` | any segment, or time |
//! | GAP | an end that one side claims and the other has not shown | the other side |
//! | GAP with `GAP_HOLE` | a hole in what one side sent | its retransmission, or an ack beyond |
//!
//! An RST in doubt and a SYN are never pushed out by the lesser two; a hole, and what
//! was claimed with a FIN, not by a challenge. A SYN does not
//! push out an RST either, but waits behind it, in the same place: if it is
//! accepted, the RST was believed.

use crate::{
    slot::Pending,
    state::fact,
    taxonomy::{Answer, Sequel, Verdict},
    time::Tick,
    tuple::Side,
};

use super::Flow;

/// Kinds of [`Pending`], the low two bits of `detail`.
pub mod kind {
    /// A SYN with another ISN.
    pub const SYN: u32 = 0;
    /// An RST in doubt.
    pub const RST: u32 = 1;
    /// An ACK that repeats itself.
    pub const CHALLENGE: u32 = 2;
    /// A disputed sequence end.
    pub const GAP: u32 = 3;
}

const SIDE: u32 = 1 << 2;
/// CHALLENGE, at the level `closing` ([`super::closing`]): no challenge, but the
/// timer's question whether anybody is there.
pub const MARK: u32 = kind::CHALLENGE | 1 << 3;
/// GAP: the disputed segment carried a FIN, at `value` - 1.
pub const GAP_FIN: u32 = 1 << 3;
/// GAP: it was a first fragment, so its end is unknown; `value` is its start.
pub const GAP_FRAGMENT: u32 = 1 << 4;
/// GAP: claimed by an ack of the other end, not by a segment of this one.
pub const GAP_BY_ACK: u32 = 1 << 5;
/// GAP by a segment: 24 bits, the low ones of its ack. By an ack: those of the
/// sequence number where its sender stood.
const GAP_NUMBER_SHIFT: u32 = 8;
/// GAP: x sent beyond what follows on its last segment. `value` is where the
/// hole starts; its length is in the upper half, at most 65535.
pub const GAP_HOLE: u32 = 1 << 6;
/// GAP: its segment fits with nothing that was seen of either end.
pub const GAP_FAR: u32 = 1 << 7;
/// GAP by a segment: that began where its sender stood, so nothing is missing before
/// it. In the place of the two, which exclude each other.
pub const GAP_NEXT: u32 = GAP_FRAGMENT | GAP_FAR;
/// GAP with a hole: shift of its length.
const HOLE_SHIFT: u32 = 16;
/// RST and SYN: four bits, the verdict or the sequel.
const JUDGEMENT_SHIFT: u32 = 8;
/// SYN in TIME_WAIT: three bits, the [`Answer`] that came first.
const ANSWER_SHIFT: u32 = 3;
/// SYN: window scale (4 bits), valid with `SCALED`.
const SCALE_SHIFT: u32 = 12;
const SCALED: u32 = 1 << 7;
/// SYN: window field (16 bits).
const WINDOW_SHIFT: u32 = 16;
/// RST: a SYN waits behind it; `value` is its ISN, and its window and scale are
/// where those of a SYN are.
const BEHIND: u32 = 1 << 3;
/// RST with a SYN behind it: the side of that.
const BEHIND_SIDE: u32 = SIDE << 2;
/// What a SYN has besides its ISN and side.
const OF_SYN: u32 = SCALED | 0xf << SCALE_SHIFT | 0xffff << WINDOW_SHIFT;

/// The kind.
#[inline(always)]
pub const fn kind_of(pending: Pending) -> u32 {
    pending.detail & 3
}

/// It is the timer's mark.
#[inline(always)]
pub const fn is_mark(pending: Pending) -> bool {
    pending.detail == MARK
}

/// The side whose segment it is.
#[inline(always)]
pub const fn side(pending: Pending) -> Side {
    (pending.detail & SIDE != 0) as Side
}

/// The verdict on a pending RST.
#[inline(always)]
pub const fn verdict(pending: Pending) -> u8 {
    (pending.detail >> JUDGEMENT_SHIFT & 0xf) as u8
}

/// The sequel that acceptance of a pending SYN would be.
#[inline(always)]
pub const fn sequel(pending: Pending) -> Option<Sequel> {
    Sequel::from_number((pending.detail >> JUDGEMENT_SHIFT & 0xf) as u8)
}

/// What came back first to a pending SYN; `None` if nothing did yet.
#[inline(always)]
pub const fn answer(pending: Pending) -> Option<Answer> {
    Answer::from_number((pending.detail >> ANSWER_SHIFT & 0b111) as u8)
}

/// The detail of a SYN with what came back to it, unless something did before.
#[inline(always)]
pub const fn answered(detail: u32, answer: Answer) -> u32 {
    if detail >> ANSWER_SHIFT & 0b111 == 0 {
        detail | (answer as u32) << ANSWER_SHIFT
    } else {
        detail
    }
}

/// Window field and scale of a pending SYN.
#[inline(always)]
pub const fn window(pending: Pending) -> (u16, Option<u8>) {
    let scale = (pending.detail >> SCALE_SHIFT & 0xf) as u8;
    let window = (pending.detail >> WINDOW_SHIFT) as u16;
    (
        window,
        if pending.detail & SCALED != 0 {
            Some(scale)
        } else {
            None
        },
    )
}

/// The detail of a pending SYN.
#[inline(always)]
pub const fn syn(side: Side, sequel: u8, window: u16, scale: Option<u8>) -> u32 {
    let scale = match scale {
        Some(scale) => SCALED | (scale as u32 & 0xf) << SCALE_SHIFT,
        None => 0,
    };
    kind::SYN
        | (side as u32 & 1) << 2
        | (sequel as u32) << JUDGEMENT_SHIFT
        | scale
        | (window as u32) << WINDOW_SHIFT
}

/// The detail of a gap in what `side` sent; `marks` are of `GAP_*`, `number` is of the
/// segment that claims it: its ack if it is of `side`, otherwise its sequence number.
#[inline(always)]
pub const fn gap(side: Side, marks: u32, number: u32) -> u32 {
    kind::GAP | (side as u32 & 1) << 2 | marks | number << GAP_NUMBER_SHIFT
}

/// The gap is [`GAP_FRAGMENT`].
#[inline(always)]
pub const fn is_fragment(gap: u32) -> bool {
    gap & GAP_NEXT == GAP_FRAGMENT
}

/// The gap is [`GAP_FAR`].
#[inline(always)]
pub const fn is_far(gap: u32) -> bool {
    gap & GAP_NEXT == GAP_FAR
}

/// The gap is [`GAP_NEXT`].
#[inline(always)]
pub const fn is_next(gap: u32) -> bool {
    gap & GAP_NEXT == GAP_NEXT
}

/// The other number of the segment that claimed a gap: the one nearest to `about`.
#[inline(always)]
pub const fn gap_number(pending: Pending, about: u32) -> u32 {
    let low = pending.detail & !((1 << GAP_NUMBER_SHIFT) - 1);
    let ahead = low.wrapping_sub(about << GAP_NUMBER_SHIFT).cast_signed() >> GAP_NUMBER_SHIFT;
    about.wrapping_add(ahead.cast_unsigned())
}

/// What awaits its confirmation says that x's peer has acked up to exactly `seq`,
/// which nobody saw x send.
#[inline(always)]
pub fn is_where_acked(flow: &Flow<'_>, x: Side, seq: u32) -> bool {
    if !flow.is_pending(kind::GAP) {
        return false;
    }
    let gap = flow.cold.pending;
    let kind = gap.detail & (GAP_BY_ACK | GAP_HOLE);
    if side(gap) == x {
        kind == GAP_BY_ACK && gap.value == seq
    } else {
        kind == 0 && !is_fragment(gap.detail) && gap_number(gap, seq) == seq
    }
}

/// The length of a hole that is as long or longer.
pub const LONGEST_HOLE: u32 = 0xffff;

/// The detail of a hole.
#[inline(always)]
pub const fn hole(side: Side, length: u32) -> u32 {
    let length = if length > LONGEST_HOLE {
        LONGEST_HOLE
    } else {
        length
    };
    kind::GAP | (side as u32 & 1) << 2 | GAP_HOLE | length << HOLE_SHIFT
}

/// Length of a hole.
#[inline(always)]
pub const fn hole_length(pending: Pending) -> u32 {
    pending.detail >> HOLE_SHIFT
}

/// The detail of a pending RST.
#[inline(always)]
pub const fn rst(side: Side, verdict: Verdict) -> u32 {
    kind::RST | (side as u32 & 1) << 2 | (verdict as u32) << JUDGEMENT_SHIFT
}

/// A pending RST with a SYN behind it: its ISN and detail ([`syn`]).
#[inline(always)]
pub const fn with_syn(rst: Pending, isn: u32, syn: u32) -> Pending {
    let kept = rst.detail & (3 | SIDE | 0xf << JUDGEMENT_SHIFT);
    Pending {
        value: isn,
        at: rst.at,
        detail: kept | BEHIND | (syn & SIDE) << 2 | syn & OF_SYN,
    }
}

/// The SYN behind a pending RST, as a pending SYN.
#[inline(always)]
pub const fn syn_behind(rst: Pending) -> Option<Pending> {
    if kind_of(rst) != kind::RST || rst.detail & BEHIND == 0 {
        return None;
    }
    Some(Pending {
        value: rst.value,
        at: rst.at,
        detail: kind::SYN | (rst.detail & BEHIND_SIDE) >> 2 | rst.detail & OF_SYN,
    })
}

impl Flow<'_> {
    /// What is pending, if it is of this kind and side.
    #[inline(always)]
    pub fn pending_of(&self, kind: u32, side: Side) -> Option<Pending> {
        let pending = self.cold.pending;
        let wanted = kind | (side as u32 & 1) << 2;
        (self.state.is(fact::PENDING) && pending.detail & (3 | SIDE) == wanted).then_some(pending)
    }

    /// Something of this kind is pending.
    #[inline(always)]
    pub fn is_pending(&self, kind: u32) -> bool {
        self.state.is(fact::PENDING) && kind_of(self.cold.pending) == kind
    }

    /// Sets what is pending.
    #[inline(always)]
    pub fn pend(&mut self, value: u32, at: Tick, detail: u32) {
        self.cold.pending = Pending { value, at, detail };
        self.state = self.state.with(fact::PENDING);
    }

    /// Something waits that an ACK which repeats itself does not push out.
    #[inline(always)]
    pub fn is_waiting(&self) -> bool {
        let detail = self.cold.pending.detail;
        let kept = match detail & 3 {
            kind::SYN | kind::RST => true,
            kind::GAP => detail & (GAP_HOLE | GAP_FIN) != 0,
            _ => false,
        };
        self.state.is(fact::PENDING) && kept
    }

    /// Sets a lesser fact, unless a SYN or an RST waits.
    #[inline(always)]
    pub fn pend_lesser(&mut self, value: u32, at: Tick, detail: u32) {
        if self.is_pending(kind::SYN) || self.is_pending(kind::RST) {
            return;
        }
        self.pend(value, at, detail);
    }

    /// The RST that was pending is refuted: what waited behind it waits on.
    #[inline(always)]
    pub fn unpend_rst(&mut self) {
        match syn_behind(self.cold.pending) {
            Some(syn) => self.cold.pending = syn,
            None => self.unpend(),
        }
    }

    /// Decided.
    #[inline(always)]
    pub fn unpend(&mut self) {
        self.state = self.state.without(fact::PENDING);
    }
}
