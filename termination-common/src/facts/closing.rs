//! What a slot says at the level `closing`, where not every segment was seen.

use crate::{
    engine::closing::is_stale,
    slot::{Slot, bit},
    state::fact,
    taxonomy::{Outcome, Phase},
    tuple::Side,
};

/// There was a time in which nobody looked: from its handshake on.
pub const fn was_left_alone(slot: &Slot) -> bool {
    let state = slot.state();
    state.is(fact::ESTABLISHED) && !state.is(fact::MIDSTREAM)
}

/// What that end has sent up to now (or its end) is known.
pub const fn is_known(slot: &Slot, side: Side) -> bool {
    !is_stale(&slot.hot.half[side & 1])
}

/// Payload bytes that `side` sent, as [`super::bytes`], but modulo 2^32 where
/// the connection [`was_left_alone`]: nobody saw how often its sequence numbers
/// went round. `None` if that is not known either.
pub fn bytes(slot: &Slot, side: Side) -> Option<u64> {
    if !is_known(slot, side) {
        return None;
    }
    let half = &slot.hot.half[side & 1];
    if !was_left_alone(slot) || !half.is(bit::SEEN) {
        return Some(super::bytes(slot, side));
    }
    let first = slot.cold.half[side & 1].isn.wrapping_add(1);
    let fin = u32::from(half.is(bit::FIN));
    Some(half.sent.wrapping_sub(first).wrapping_sub(fin).into())
}

/// Where it stood just before its end; `None` if that depends on payload that
/// nobody saw.
pub fn phase(slot: &Slot, outcome: &Outcome) -> Option<Phase> {
    let partly = matches!(outcome.phase, Phase::EstablishedNoData | Phase::FirstData);
    let known = is_known(slot, 0) && is_known(slot, 1);
    (known || !partly).then_some(outcome.phase)
}

/// No payload went either way, as far as that is known for certain.
pub fn is_without_data(slot: &Slot) -> bool {
    [0, 1].into_iter().all(|side| bytes(slot, side) == Some(0))
}
