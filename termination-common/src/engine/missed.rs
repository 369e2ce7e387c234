//! What is plausible after all when it is considered what the observer has missed
//! before: the scale of a window, an end's number when it was met midstream.

use crate::{
    segment::{Flags, Segment},
    serial::is_zero,
    slot::bit,
    tuple::Side,
    verifier::blur,
};

use super::{
    Flow,
    plausible::{fault, resynchronise},
    stream::move_sent,
};

/// The largest shift of a window (RFC 7323 2.3).
const LARGEST: u32 = 14;

/// [`forgiven`]: the segment's sequence number is what the other end has acked last.
const EXPECTED: u32 = 1 << 8;
/// [`forgiven`]: it acks all that the other end has sent.
const ACKS_ALL: u32 = 1 << 9;
/// [`forgiven`]: it may be a keepalive probe in its FIN's place.
const PROBE: u32 = 1 << 10;

/// What is left of the faults.
///
/// Of windows whose scale was missed, more is believed where one number is exactly
/// what the other end has said, which nobody guesses, or of the first word of an end
/// met midstream, beside which there is nothing. Which scale that takes is remembered.
/// Such a first word, exactly where it was expected, may ack what was missed.
#[inline(never)]
pub(super) fn reconsidered(flow: &mut Flow<'_>, segment: &Segment, faults: u32) -> u32 {
    let x = segment.side();
    let y = x ^ 1;
    let (mine, other) = (flow.half[x & 1], flow.half[y & 1]);
    let end = segment.seq.wrapping_add(segment.payload);
    let ends = u64::from(mine.bits)
        | u64::from(other.bits) << 16
        | u64::from(mine.window_max) << 32
        | u64::from(other.window_max) << 48;
    let numbers = u64::from(end.wrapping_sub(other.acked))
        | u64::from(other.sent.wrapping_sub(segment.ack)) << 32;
    let acks = u32::from(segment.flags.0 >> Flags::ACK.trailing_zeros() & 1);
    let fin = flow.cold_half(x).fin;
    // A keepalive probe may carry a byte (RFC 9293 3.8.4).
    let probe = (fin ^ segment.seq)
        | (segment.payload ^ 1)
        | (other.acked ^ fin.wrapping_add(1))
        | u32::from(segment.flags.0 & Flags::FIN);
    let facts = faults
        | (is_zero(segment.seq ^ other.acked) * EXPECTED)
        | (is_zero(segment.ack ^ other.sent) * acks * ACKS_ALL)
        | (is_zero(probe) * PROBE);
    let facts = u64::from(facts) | u64::from(segment.window) << 32;
    let found = forgiven(ends, numbers, blur(facts, segment.seq));
    let left = found & 0xff;
    if left == 0 {
        for (side, shift) in [(x, found >> 8), (y, found >> 12)] {
            let half = flow.half(side);
            half.bits = half.bits & !(0xf << bit::SHIFT) | (shift as u16 & 0xf) << bit::SHIFT;
        }
        if faults & fault::UNSEEN != 0 {
            acked_at_first(flow, y, segment.ack);
        }
    }
    left
}

/// Both ends' bits and largest windows; how far ahead of N the segment ends and how far
/// behind S it acks; faults, facts and its own window: the faults that are left, and
/// from bits 8 and 12 on the shift of each end. With external linkage the verifier walks
/// it once, whatever its callers have done before.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle), inline(never))]
extern "C" fn forgiven(ends: u64, numbers: u64, facts: u64) -> u32 {
    let (mine, other) = (ends as u16, (ends >> 16) as u16);
    let (ahead, behind) = (numbers as u32, (numbers >> 32) as u32);
    let (facts, window) = (facts as u32, (facts >> 32) as u16);
    let my_field = u32::from(((ends >> 32) as u16).max(window));
    let other_field = u32::from((ends >> 48) as u16);
    let first = mine & (bit::SEEN | bit::SYN) == 0;
    let expected = other & bit::ACK != 0 && facts & EXPECTED != 0;
    let acks_all = other & bit::SEEN != 0 && facts & ACKS_ALL != 0;
    let mut left = facts & 0xff;
    let mut shifts = [mine, other].map(|bits| u32::from(bits >> bit::SHIFT & 0xf));
    if left & fault::BEYOND != 0
        && (first || acks_all)
        && other & bit::SCALE_KNOWN == 0
        && ahead <= other_field << LARGEST
    {
        left &= !fault::BEYOND;
        shifts[1] = shift(other_field, ahead, shifts[1]);
    }
    if left & fault::FAR_BEHIND != 0
        && (first || expected)
        && mine & bit::SCALE_KNOWN == 0
        && behind <= my_field << LARGEST
    {
        left &= !fault::FAR_BEHIND;
        shifts[0] = shift(my_field, behind, shifts[0]);
    }
    if first && expected {
        left &= !fault::UNSEEN;
    }
    if mine & bit::FIN_ACKED != 0 && facts & PROBE != 0 {
        left &= !fault::AFTER_FIN;
    }
    left | shifts[0] << 8 | shifts[1] << 12
}

/// The least shift by which the field says so many bytes, if that is more than `known`.
#[inline(always)]
fn shift(field: u32, bytes: u32, known: u32) -> u32 {
    let shift = field.leading_zeros().saturating_sub(bytes.leading_zeros());
    let shift = shift + u32::from(field << (shift & 0xf) < bytes);
    shift.max(known)
}

/// The other end's first word, exactly where it was expected, acks more of `side` than
/// was seen. One more, of who has sent nothing but ACKs: that was a keepalive probe, one
/// below what is next (RFC 9293 3.8.4), and nothing is missing.
#[inline(always)]
fn acked_at_first(flow: &mut Flow<'_>, side: Side, ack: u32) {
    const MORE: u16 = bit::SYN | bit::DATA | bit::FIN;
    let first = flow.cold_half(side).isn.wrapping_add(1);
    let half = flow.half(side);
    let probe = half.bits & MORE == 0 && half.sent == first && ack == first.wrapping_add(1);
    if probe {
        flow.cold_half(side).isn = first;
        move_sent(flow.half(side), ack);
    } else {
        resynchronise(flow, side, ack);
    }
}
