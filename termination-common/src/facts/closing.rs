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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Snapshot;

    #[test]
    fn without_data_is_what_is_known_to_have_sent_none() {
        let slot = |sent: [u32; 2]| {
            let mut slot = Slot::default();
            slot.hot.word = Snapshot::default().transition_to_live(fact::ESTABLISHED).0;
            for (side, sent) in sent.into_iter().enumerate() {
                slot.hot.half[side].bits = bit::SEEN | bit::SYN;
                slot.hot.half[side].sent = sent;
                slot.cold.half[side].isn = 1000;
            }
            slot
        };
        assert!(is_without_data(&slot([1001, 1001])));
        assert!(!is_without_data(&slot([1001, 1002])));
        assert!(!is_without_data(&slot([1002, 1001])));
        let mut left_alone = slot([1001, 1001]);
        left_alone.hot.half[1].wraps = crate::engine::closing::STALE;
        assert!(!is_without_data(&left_alone));
    }
}
