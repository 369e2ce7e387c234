//! The state word of a slot: a sequence lock with the connection's life,
//! generation and facts in one `u64`.
//!
//! Only [`Snapshot`] knows the layout. A program takes the lock by
//! compare-and-swap on the whole word, works on a copy of it, and gives it
//! back by one store of the copy with the sequence moved on. Because the word
//! is exchanged whole, no fact in it can change under a lock holder, and a
//! reader that sees the same unlocked word before and after its read has read
//! one consistent slot.
//!
//! Memory ordering: taking the lock is an acquire (a locked instruction is a
//! full barrier on every architecture BPF runs on); the release store orders
//! all writes to the slot before it. A reader loads the word (acquire), reads
//! the slot, fences (acquire) and loads the word again.

/// Tries before a program gives up a lock and counts `losses.contended`, or
/// waits once ([`crate::table::Memory::wait`]); few under loom, where each is a
/// place to change threads.
pub const LOCK_TRIES: u32 = if cfg!(loom) { 8 } else { 256 };

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Nothing; its fingerprint is 0.
    Free,
    /// A connection whose ending is not known.
    Live,
    /// A connection that has ended; its tuple lingers for strays.
    Ended,
    /// A connection that has ended by FINs; somebody holds TIME_WAIT.
    TimeWait,
}

/// The state word of a slot, decoded on demand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Snapshot(pub u64);

/// Facts of a connection kept in its state word. Each is set at most once in
/// a generation and never unset, but for those that say so.
pub mod fact {
    /// Both SYNs acked, or taken as such because it was met midstream.
    pub const ESTABLISHED: u64 = 1 << 4;
    /// The `pending` field of the slot holds something; unset when decided.
    pub const PENDING: u64 = 1 << 5;
    /// At least one FIN was seen.
    pub const FIN: u64 = 1 << 6;
    /// The originator is endpoint 1.
    pub const ORIGINATOR: u64 = 1 << 7;
    /// First met after its handshake; the roles may be a guess.
    pub const MIDSTREAM: u64 = 1 << 8;
    /// An end acked what was never seen; unset if that end is seen after all.
    pub const ONE_SIDED: u64 = 1 << 9;
    /// Segments were missed: sequence space is not fully accounted for.
    pub const GAPS: u64 = 1 << 10;
    /// Chosen by flow sampling; others like it were left out.
    pub const SAMPLED: u64 = 1 << 11;
    /// The FINs crossed: neither acks the other.
    pub const SIMULTANEOUS: u64 = 1 << 12;
    /// The first FIN was sent by endpoint 1 (meaningful with `FIN`).
    pub const FIRST_FIN: u64 = 1 << 13;
    /// `half_open_suspected` was said; unset when the silent end speaks.
    pub const SUSPECTED: u64 = 1 << 14;
    /// This host's own end has said what was not taken in
    /// ([`crate::engine::guard`]).
    pub const UNTAKEN: u64 = 1 << 15;
    /// An end has acked what was never seen between what was: segments were
    /// missed, and no number is unknown by that.
    pub const HOLES: u64 = 1 << 16;
    /// All facts; what a new generation starts without.
    pub const ALL: u64 = 0x1_fff0;
}

impl Snapshot {
    /// Set while a program works on the slot.
    const LOCKED: u64 = 1 << 0;
    /// Two bits: 0 free, 1 live, 2 ended, 3 ended and in TIME_WAIT.
    const LIFE_SHIFT: u32 = 1;
    const LIFE: u64 = 0b11 << Self::LIFE_SHIFT;
    /// The ending's record was handed to the ring buffer. Once set, set until
    /// the next generation.
    const REPORTED: u64 = 1 << 3;
    /// 24 bits: which connection of this slot this is; part of its id.
    const GENERATION_SHIFT: u32 = 17;
    const GENERATION: u64 = 0xff_ffff << Self::GENERATION_SHIFT;
    /// 23 bits: moves on with every release, so that a reader notices.
    const SEQUENCE_SHIFT: u32 = 41;

    /// A program holds the lock.
    #[inline(always)]
    pub const fn is_locked(self) -> bool {
        self.0 & Self::LOCKED != 0
    }

    /// The word to store in order to take the lock.
    #[inline(always)]
    pub const fn locked(self) -> Self {
        Self(self.0 | Self::LOCKED)
    }

    /// The word to store in order to give the lock back: unlocked, and the
    /// sequence one further.
    #[inline(always)]
    pub const fn released(self) -> Self {
        Self((self.0 & !Self::LOCKED).wrapping_add(1 << Self::SEQUENCE_SHIFT))
    }

    /// What the slot holds.
    #[inline(always)]
    pub const fn life(self) -> Life {
        match (self.0 & Self::LIFE) >> Self::LIFE_SHIFT {
            0 => Life::Free,
            1 => Life::Live,
            2 => Life::Ended,
            _ => Life::TimeWait,
        }
    }

    /// The slot holds nothing.
    #[inline(always)]
    pub const fn is_free(self) -> bool {
        self.0 & Self::LIFE == 0
    }

    /// The slot holds a connection that has not ended.
    #[inline(always)]
    pub const fn is_live(self) -> bool {
        self.0 & Self::LIFE == 1 << Self::LIFE_SHIFT
    }

    /// The slot holds a connection that has ended, in TIME_WAIT or not.
    #[inline(always)]
    pub const fn is_ended(self) -> bool {
        self.0 & 2 << Self::LIFE_SHIFT != 0
    }

    /// The slot holds a connection in TIME_WAIT.
    #[inline(always)]
    pub const fn is_time_wait(self) -> bool {
        self.0 & Self::LIFE == 3 << Self::LIFE_SHIFT
    }

    /// Free, or ended and about to be reused → live, in the next generation,
    /// with `facts` and nothing else.
    #[inline(always)]
    pub const fn transition_to_live(self, facts: u64) -> Self {
        let kept = self.0 & !(Self::LIFE | Self::REPORTED | fact::ALL | Self::GENERATION);
        let generation = self.0.wrapping_add(1 << Self::GENERATION_SHIFT) & Self::GENERATION;
        Self(kept | generation | 1 << Self::LIFE_SHIFT | facts)
    }

    /// Live → ended, not yet reported; `time_wait` if somebody now holds it.
    #[inline(always)]
    pub const fn transition_to_ended(self, time_wait: bool) -> Self {
        let life = 2 | time_wait as u64;
        let kept = self.0 & !(Self::LIFE | Self::REPORTED | fact::PENDING);
        Self(kept | life << Self::LIFE_SHIFT)
    }

    /// TIME_WAIT → ended: it was assassinated; the tuple still lingers. A SYN
    /// that it met stays known.
    #[inline(always)]
    pub const fn transition_out_of_time_wait(self) -> Self {
        Self(self.0 & !Self::LIFE | 2 << Self::LIFE_SHIFT)
    }

    /// Ended → free. The generation stays, so that an id is never given twice.
    #[inline(always)]
    pub const fn transition_to_free(self) -> Self {
        Self(self.0 & !(Self::LIFE | Self::REPORTED | fact::ALL))
    }

    /// The ending's record was handed to the ring buffer.
    #[inline(always)]
    pub const fn is_reported(self) -> bool {
        self.0 & Self::REPORTED != 0
    }

    /// Marks the ending as reported.
    #[inline(always)]
    pub const fn reported(self) -> Self {
        Self(self.0 | Self::REPORTED)
    }

    /// Which connection of the slot this is.
    #[inline(always)]
    pub const fn generation(self) -> u32 {
        ((self.0 & Self::GENERATION) >> Self::GENERATION_SHIFT) as u32
    }

    /// All of `facts` hold.
    #[inline(always)]
    pub const fn is(self, facts: u64) -> bool {
        self.0 & facts == facts
    }

    /// Any of `facts` holds.
    #[inline(always)]
    pub const fn any(self, facts: u64) -> bool {
        self.0 & facts != 0
    }

    /// With `facts` set.
    #[inline(always)]
    pub const fn with(self, facts: u64) -> Self {
        Self(self.0 | facts)
    }

    /// With `facts` unset.
    #[inline(always)]
    pub const fn without(self, facts: u64) -> Self {
        Self(self.0 & !facts)
    }

    /// The side of the originator.
    #[inline(always)]
    pub const fn originator(self) -> usize {
        (self.0 & fact::ORIGINATOR != 0) as usize
    }

    /// The side that sent the first FIN; meaningful with [`fact::FIN`].
    #[inline(always)]
    pub const fn first_fin(self) -> usize {
        (self.0 & fact::FIRST_FIN != 0) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_from_claim_to_claim() {
        let free = Snapshot::default();
        assert_eq!(free.life(), Life::Free);
        let live = free.locked().transition_to_live(fact::MIDSTREAM).released();
        assert!(live.is_live() && !live.is_locked() && live.is(fact::MIDSTREAM));
        assert_eq!(live.generation(), 1);
        let ended = live.transition_to_ended(true).reported().released();
        assert!(
            ended.is_time_wait()
                && ended.is_ended()
                && ended.is_reported()
                && ended.is(fact::MIDSTREAM)
        );
        let again = ended.transition_to_live(0);
        assert!(again.is_live() && !again.is_reported() && !again.any(fact::ALL));
        assert_eq!(again.generation(), 2);
        let gone = again.transition_to_ended(false).transition_to_free();
        assert!(gone.is_free());
        assert_eq!(gone.generation(), 2);
    }

    #[test]
    fn generation_and_sequence_wrap_without_touching_their_neighbours() {
        let mut state = Snapshot(u64::MAX).transition_to_live(0);
        assert_eq!(state.generation(), 0);
        assert!(state.is_live());
        state = Snapshot(u64::MAX).released();
        assert_eq!(state.generation(), 0xff_ffff);
        assert!(!state.is_locked());
    }
}
