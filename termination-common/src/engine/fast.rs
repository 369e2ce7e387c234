//! What nearly every segment does: it carries new payload or acks some, on a
//! connection where nothing is open to question. It moves its own half of the
//! hot line and nothing else.
//!
//! [`step`] does what [`super::step`] would do, or nothing. The tests hold the
//! two against each other (`the_fast_step_is_the_step`).

use super::stream::{SYN_PAYLOAD, move_sent, window_max};
use crate::{
    history::{self, Letter},
    segment::Fast,
    serial::{after, before},
    slot::{Cold, Half, bit},
    state::{Snapshot, fact},
};

/// What came of a [`step`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It takes more than this; nothing was changed.
    No,
    /// All is done.
    Wholly,
    /// It may be its end's first ACK or payload: [`note`] is left.
    ButForNote,
}

/// Nothing is open to question: live, established, no FIN, nothing pending.
#[inline(always)]
pub const fn applies(state: Snapshot) -> bool {
    state.is_live()
        && !state.is_locked()
        && state.is(fact::ESTABLISHED)
        && !state.any(fact::PENDING | fact::FIN)
}

/// Applies the segment to a connection for whose state [`applies`] holds and
/// whose lock is held.
#[inline(always)]
pub fn step(half: &mut [Half; 2], segment: &Fast) -> Taken {
    let x = segment.side();
    let (mine, other) = (half[x & 1], half[x & 1 ^ 1]);
    // Both were seen and have acked; what SYN there was is acked; no question
    // of the other end's waits for an answer, and none of its own.
    const OPEN: u16 = bit::UNANSWERED | bit::PROBED | bit::FIN;
    const KNOWN: u16 = bit::SEEN | bit::ACK;
    if (mine.bits & KNOWN) != KNOWN
        || other.bits & (KNOWN | OPEN) != KNOWN
        || other.bits & (bit::SYN | bit::SYN_ACKED) == bit::SYN
        || mine.home != segment.home
        || segment.window == 0
    {
        return Taken::No;
    }
    // Its receiver would take it (super::plausible::faults).
    let end = segment.seq.wrapping_add(segment.payload);
    let window = window_max(&other);
    if after(end, other.acked.wrapping_add(window))
        || before(segment.seq, other.acked.wrapping_sub(window))
        || after(segment.ack, other.sent)
        || before(segment.ack, other.sent.wrapping_sub(window_max(&mine)))
    {
        return Taken::No;
    }
    // What offers more than ever with an old ack tells something to the guards
    // (super::guard::listen).
    if before(segment.ack, mine.acked) && segment.window > mine.window_max {
        return Taken::No;
    }
    let mut bits = mine.bits;
    let first = if segment.payload == 0 {
        let probe = segment.seq == other.acked.wrapping_sub(1) && before(segment.seq, mine.sent);
        let repeats = segment.seq == mine.sent && segment.ack == mine.acked;
        if probe || repeats || after(segment.seq, mine.sent) {
            return Taken::No;
        }
        bits |= bit::PURE_ACK;
        mine.bits & bit::PURE_ACK == 0
    } else {
        if !after(end, mine.sent) || after(segment.seq, mine.sent) {
            return Taken::No;
        }
        bits = bits & !bit::BACKLOG | bit::DATA;
        if after(mine.sent, other.acked) {
            bits |= bit::BACKLOG;
        }
        // A SYN's payload, which has no letter, sets the bit as well.
        mine.bits & bit::DATA == 0 || mine.segments < SYN_PAYLOAD
    };
    let half = &mut half[x & 1];
    half.bits = bits;
    move_sent(half, end);
    if !before(segment.ack, half.acked) {
        half.acked = segment.ack;
        half.window = segment.window;
        half.window_max = half.window_max.max(segment.window);
    }
    half.segments = half.segments.saturating_add(u32::from(segment.packets));
    half.last = segment.tick;
    if first {
        Taken::ButForNote
    } else {
        Taken::Wholly
    }
}

/// What [`Taken::ButForNote`] leaves: the first ACK or payload of its end is noted.
#[inline(always)]
pub fn note(cold: &mut Cold, segment: &Fast) {
    let letter = if segment.payload > 0 {
        Letter::Data
    } else {
        Letter::Ack
    };
    cold.history = history::push(cold.history, letter, segment.side());
}

#[cfg(test)]
mod tests;
