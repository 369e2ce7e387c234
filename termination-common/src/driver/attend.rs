//! The attention filter at the level `closing`: who asks it, and how it follows
//! the slots ([`crate::attention`]).

use crate::{
    attention, engine::closing::is_plain, segment::Segment, state::Snapshot, table::Memory,
    tuple::Tuple,
};

/// The segment has to be looked up: it begins or ends something, or its
/// connection may need attention. Always so at the level `full`.
#[inline(always)]
pub fn is_wanted<M: Memory>(memory: &M, segment: &Segment) -> bool {
    if !memory.level().is_closing() || !is_plain(segment) {
        return true;
    }
    is_attended(memory, attention::key(&segment.tuple, memory.seed()))
}

/// Somebody with this key, or taken for it, needs attention.
#[inline(always)]
pub fn is_attended<M: Memory>(memory: &M, key: u64) -> bool {
    let index = attention::index(key, memory.attention_mask());
    attention::says_yes(memory.attention(index), key)
}

/// A connection begins to need attention, or needs none any more.
#[inline(always)]
pub fn attend<M: Memory>(memory: &M, key: u64, begins: bool) {
    let index = attention::index(key, memory.attention_mask());
    let mut tries = 0;
    while tries < attention::TRIES {
        let word = memory.attention(index);
        let next = if begins {
            attention::with(word, key)
        } else {
            attention::without(word, key)
        };
        if memory.attention_exchange(index, word, next) {
            return;
        }
        tries += 1;
    }
    // Others keep changing it. A count too few is never; one too many costs time.
    if begins {
        memory.attention_fill(index);
    }
}

/// The filter follows a slot's word from `before` to `after`. The slot's lock is
/// held.
#[inline(always)]
pub(super) fn follow<M: Memory>(
    memory: &M,
    before: Snapshot,
    after: Snapshot,
    tuple: impl FnOnce() -> Tuple,
) {
    if !memory.level().is_closing() {
        return;
    }
    let wanted = attention::wanted(after);
    if wanted != attention::wanted(before) {
        memory.attend(attention::key(&tuple(), memory.seed()), wanted);
    }
}
