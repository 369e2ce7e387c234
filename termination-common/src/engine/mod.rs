//! The engine: what one segment does to one connection.
//!
//! [`step`] is called with the slot's lock held; it changes the slot and says
//! what happened as [`Effects`]. It is pure: time, place and policy come with
//! its arguments. The kernel, the capture reader and the tests run this code.
//!
//! Throughout, `x` is the side that sent the segment and `y` the other; S, N
//! and W are the terms of the taxonomy (highest sequence end sent, highest ack
//! sent, window).

pub mod cause;
pub mod closing;
pub mod decide;
pub mod fast;
pub mod guard;
pub mod handshake;
pub mod linger;
pub mod missed;
pub mod pending;
pub mod plausible;
pub mod reset;
pub mod stream;

use crate::{
    counters::Event,
    history::{self, Letter},
    policy::{Level, Settings},
    segment::{Flags, Segment, mark},
    slot::{Cold, ColdHalf, Half, Pending, bit},
    state::{Snapshot, fact},
    taxonomy::{By, Cause, Ending, Evidence, Holder, Outcome, Phase, Sequel, Verdict},
    time::{Span, Tick},
    tuple::Side,
};

/// One connection under its lock: the word's working copy and the two parts.
pub struct Flow<'a> {
    /// Working copy of the state word; the driver stores it at release.
    pub state: Snapshot,
    /// The two halves of the hot line. Its word is the lock: other programs
    /// exchange it meanwhile, so that no reference may cover it.
    pub half: &'a mut [Half; 2],
    /// The rest.
    pub cold: &'a mut Cold,
}

/// What a step did, for the driver to count, report and act on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Effects(pub u32);

impl Effects {
    /// Nothing to say.
    pub const NONE: Self = Self(0);
    /// The slot is to be opened anew ([`reopen`]) after its old connection was
    /// reported.
    pub const REOPEN: u32 = 1 << 16;
    /// It is no longer an attempt: the fingerprint's class changes.
    pub const SETTLED: u32 = 1 << 17;
    /// A TIME_WAIT restart was due to a retransmitted FIN.
    pub const FIN_RESTART: u32 = 1 << 18;
    /// An RST was judged: its verdict counts.
    pub const JUDGED: u32 = 1 << 19;
    const SEQUEL_SHIFT: u32 = 20;
    const VERDICT_SHIFT: u32 = 24;
    /// The rejected RST is of the end that did not send this segment.
    const OF_PEER: u32 = 1 << 28;
    const GUARDED_SHIFT: u32 = 29;

    /// One event.
    #[inline(always)]
    pub const fn event(event: Event) -> Self {
        Self(1 << event as u32)
    }

    /// Both.
    #[inline(always)]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without one event.
    #[inline(always)]
    pub const fn without(self, event: Event) -> Self {
        Self(self.0 & !(1 << event as u32))
    }

    /// With a raw bit.
    #[inline(always)]
    pub const fn with(self, bits: u32) -> Self {
        Self(self.0 | bits)
    }

    /// A TIME_WAIT ended thus.
    #[inline(always)]
    pub const fn sequel(sequel: Sequel) -> Self {
        Self(1 << Event::TimeWait as u32 | (sequel as u32) << Self::SEQUEL_SHIFT)
    }

    /// An RST was judged.
    #[inline(always)]
    pub const fn judged(verdict: Verdict) -> Self {
        Self(Self::JUDGED | (verdict as u32) << Self::VERDICT_SHIFT)
    }

    /// An RST that had this verdict was refuted; `of_peer` if by a segment of
    /// its receiver.
    #[inline(always)]
    pub const fn rejected(verdict: u8, of_peer: bool) -> Self {
        let of_peer = if of_peer { Self::OF_PEER } else { 0 };
        Self(1 << Event::RstRejected as u32 | (verdict as u32) << Self::VERDICT_SHIFT | of_peer)
    }

    /// What a guard made of the RST: number of a [`guard::Guarded`], or 0.
    #[inline(always)]
    pub const fn guarded(guarded: u32) -> Self {
        let told = guarded > guard::Guarded::Passed as u32;
        Self(guarded << Self::GUARDED_SHIFT | (told as u32) << Event::RstGuarded as u32)
    }

    /// Number of the [`guard::Guarded`], 0 if no guard has judged.
    #[inline(always)]
    pub const fn guarded_number(self) -> u8 {
        (self.0 >> Self::GUARDED_SHIFT) as u8
    }

    /// The segment goes no further.
    #[inline(always)]
    pub const fn drops(self) -> bool {
        guard::drops(self.0 >> Self::GUARDED_SHIFT)
    }

    /// The side whose segment `event` is about, given who sent the segment that
    /// brought it about: an RST may be rejected by what its receiver says.
    #[inline(always)]
    pub const fn side_of(self, event: u32, sender: u8) -> u8 {
        let turned = event == Event::RstRejected as u32 && self.any(Self::OF_PEER);
        sender ^ turned as u8
    }

    /// `event` happened.
    #[inline(always)]
    pub const fn has(self, event: Event) -> bool {
        self.0 & 1 << event as u32 != 0
    }

    /// A raw bit is set.
    #[inline(always)]
    pub const fn any(self, bits: u32) -> bool {
        self.0 & bits != 0
    }

    /// Number of the sequel, 0 if none.
    #[inline(always)]
    pub const fn sequel_number(self) -> u8 {
        (self.0 >> Self::SEQUEL_SHIFT & 0xf) as u8
    }

    /// Number of the verdict, 0 if none.
    #[inline(always)]
    pub const fn verdict_number(self) -> u8 {
        (self.0 >> Self::VERDICT_SHIFT & 0xf) as u8
    }
}

impl Flow<'_> {
    /// One direction's hot half.
    #[inline(always)]
    pub fn half(&mut self, side: Side) -> &mut Half {
        &mut self.half[side & 1]
    }

    /// One direction's cold half.
    #[inline(always)]
    pub fn cold_half(&mut self, side: Side) -> &mut ColdHalf {
        &mut self.cold.half[side & 1]
    }

    /// Appends to the history.
    #[inline(always)]
    pub fn note(&mut self, letter: Letter, side: Side) {
        self.cold.history = history::push(self.cold.history, letter, side & 1);
    }

    /// Originator or responder.
    #[inline(always)]
    pub fn by(&self, side: Side) -> By {
        if side & 1 == self.state.originator() {
            By::Originator
        } else {
            By::Responder
        }
    }

    /// Where the connection stands: [`Phase`], before the deciding fact.
    #[inline(always)]
    pub fn phase(&self) -> Phase {
        let bits = self.half[0].bits | self.half[1].bits;
        let both = self.half[0].bits & self.half[1].bits;
        if both & bit::FIN != 0 {
            Phase::Closing
        } else if bits & bit::FIN != 0 {
            Phase::HalfClosed
        } else if self.state.is(fact::MIDSTREAM) {
            Phase::Midstream
        } else if !self.state.is(fact::ESTABLISHED) {
            if self.half[(self.state.originator() ^ 1) & 1].is(bit::SYN) {
                Phase::SynReceived
            } else {
                Phase::SynSent
            }
        } else if both & bit::DATA != 0 {
            Phase::Transfer
        } else if bits & bit::DATA != 0 {
            Phase::FirstData
        } else {
            Phase::EstablishedNoData
        }
    }

    /// Ends the connection at `time` (nanoseconds). The linger starts at
    /// `time`; a TIME_WAIT if `outcome` has a holder.
    #[inline(always)]
    pub fn end(&mut self, outcome: u32, time: u64) -> Effects {
        let now = crate::time::tick(time);
        let time_wait = Outcome::packed_holder(outcome) != 0;
        if !time_wait {
            // A TIME_WAIT needs the place for a pending SYN, and its last
            // segment is the ending itself.
            self.cold.pending = Pending {
                value: 0,
                at: self.last(),
                detail: 0,
            };
        }
        self.half[0].last = now;
        self.half[1].last = now;
        if time_wait {
            self.half[0].window = 0;
            self.half[1].window = 0;
        }
        self.cold.outcome = outcome;
        self.cold.turned_at = time;
        self.state = self.state.transition_to_ended(time_wait);
        Effects::event(Event::Ending)
    }

    /// When the last plausible segment of either side passed.
    #[inline(always)]
    pub fn last(&self) -> Tick {
        let [a, b] = &*self.half;
        if !b.is(bit::SEEN) {
            a.last
        } else if !a.is(bit::SEEN) {
            b.last
        } else {
            crate::serial::latest(a.last, b.last)
        }
    }
}

/// Packs an outcome without a TIME_WAIT; `verdict` and `cause` may be 0.
#[inline(always)]
pub fn outcome(
    ending: Ending,
    by: By,
    phase: Phase,
    verdict: Option<Verdict>,
    cause: Option<Cause>,
    evidence: Evidence,
) -> u32 {
    Outcome {
        ending,
        by,
        phase,
        verdict,
        cause,
        evidence,
        holder: Holder::None,
    }
    .pack()
}

/// Opens a connection in a free slot with its first segment. An RST opens and
/// ends one.
#[inline(always)]
pub fn open(flow: &mut Flow<'_>, segment: &Segment) -> Effects {
    reset_slot(flow, segment);
    let x = segment.side();
    if segment.flags.rst() {
        flow.state = flow
            .state
            .transition_to_live(fact::MIDSTREAM | sampled(segment));
        guess_roles(flow, segment);
        return reset::alone(flow, segment);
    }
    if segment.flags.syn() {
        let responder = segment.flags.ack();
        let originator = if responder { x ^ 1 } else { x };
        let facts = if originator == 0 { 0 } else { fact::ORIGINATOR };
        flow.state = flow.state.transition_to_live(facts | sampled(segment));
        if responder {
            handshake::first_is_syn_ack(flow, segment)
        } else {
            handshake::first_is_syn(flow, segment)
        }
    } else {
        flow.state = flow
            .state
            .transition_to_live(fact::MIDSTREAM | fact::ESTABLISHED | sampled(segment));
        guess_roles(flow, segment);
        stream::first(flow, segment)
    }
}

/// The fact that goes with the mark: one bit moved, without a branch.
#[inline(always)]
const fn sampled(segment: &Segment) -> u64 {
    const { assert!((mark::SAMPLED as u64) << 1 == fact::SAMPLED) };
    ((segment.marks & mark::SAMPLED) as u64) << 1
}

/// Opens the slot anew, after its ended connection was reported: by a SYN, by
/// the SYN-ACK that accepts a pending SYN, or by the RST with which an
/// originator cleared a half-open connection out of its SYN's way.
#[inline(always)]
pub fn reopen(flow: &mut Flow<'_>, segment: &Segment) -> Effects {
    let kept = flow.cold.pending;
    // When a SYN came that had waited behind an RST, nobody has kept.
    let pending = match pending::syn_behind(kept) {
        Some(syn) => Pending {
            at: segment.tick(),
            ..syn
        },
        None => kept,
    };
    if segment.flags.syn() && !segment.flags.ack() && !segment.flags.rst() {
        return open(flow, segment);
    }
    let originator = pending::side(pending);
    let segment_side = segment.side();
    reset_slot(flow, segment);
    let facts = if originator == 0 { 0 } else { fact::ORIGINATOR };
    flow.state = flow.state.transition_to_live(facts | sampled(segment));
    handshake::restore_syn(flow, pending, originator, segment);
    if segment.flags.rst() {
        flow.half(segment_side).home = segment.home;
        Effects::NONE
    } else {
        handshake::syn_ack(flow, segment)
    }
}

/// With neither SYN seen, the lower port is taken for the responder's.
#[inline(always)]
fn guess_roles(flow: &mut Flow<'_>, segment: &Segment) {
    let tail = segment.tuple.words[4];
    let (port0, port1) = (tail as u16, (tail >> 16) as u16);
    let originator = if port0 == port1 {
        segment.side()
    } else {
        usize::from(port1 > port0)
    };
    if originator == 1 {
        flow.state = flow.state.with(fact::ORIGINATOR);
    }
}

/// Bit of [`Cold::outcome`], while the connection lives: it passes another hook
/// than its home as well, so that who lets the home go does not lose sight of it.
pub const ELSEWHERE: u32 = 1 << 31;

/// Clears a slot for a new connection. Volatile stores, word by word: a plain
/// assignment becomes a call of `memset`, which BPF lacks.
#[inline(always)]
fn reset_slot(flow: &mut Flow<'_>, segment: &Segment) {
    let halves = (&raw mut *flow.half).cast::<u32>();
    let mut index = 0;
    while index < size_of::<[Half; 2]>() / 4 {
        // SAFETY: `halves` points at `[Half; 2]`, 4-byte aligned plain data of
        // 14 words that any bit pattern fits; the index stays below that.
        unsafe { halves.add(index).write_volatile(0) };
        index += 1;
    }
    let cold = (&raw mut *flow.cold).cast::<u64>();
    let mut index = size_of::<crate::tuple::Tuple>() / 8;
    while index < size_of::<Cold>() / 8 {
        // SAFETY: as above, for the 17 words of `Cold`.
        unsafe { cold.add(index).write_volatile(0) };
        index += 1;
    }
    flow.cold.tuple = segment.tuple;
    flow.cold.started_at = segment.time;
}

/// What one segment does to a connection that the table holds, at the level
/// `full`.
#[inline(always)]
pub fn step(flow: &mut Flow<'_>, segment: &Segment, settings: &Settings) -> Effects {
    step_at(Level::Full, flow, segment, settings)
}

/// The same at a level that is known when the programs are loaded.
#[inline(always)]
pub fn step_at(
    level: Level,
    flow: &mut Flow<'_>,
    segment: &Segment,
    settings: &Settings,
) -> Effects {
    let mut doubts = 0;
    if level.is_closing() {
        if closing::before_step(flow, segment, settings) != 0 {
            return Effects::NONE;
        }
        doubts = closing::doubts(flow, segment);
    }
    let effects = judge(flow, segment, settings, doubts);
    if level.is_closing() {
        closing::after_step(flow);
        return effects.without(Event::HalfOpenSuspected);
    }
    effects
}

/// `doubts`: which ends are stale ([`closing::doubts`]).
#[inline(always)]
fn judge(flow: &mut Flow<'_>, segment: &Segment, settings: &Settings, doubts: u32) -> Effects {
    if !at_home(flow, segment, settings) {
        if flow.state.is_live() {
            flow.cold.outcome |= ELSEWHERE;
        }
        return Effects::event(Event::SeenElsewhere);
    }
    if !flow.state.is_live() {
        return linger::step(flow, segment, settings);
    }
    if segment.flags.any(Flags::RST | Flags::SYN) {
        if segment.flags.rst() {
            reset::step(flow, segment, settings, doubts)
        } else if segment.flags.ack() {
            handshake::step_syn_ack(flow, segment)
        } else {
            handshake::step_syn(flow, segment, settings, doubts)
        }
    } else {
        stream::step(flow, segment, settings)
    }
}

/// The home hook: a direction counts where it was first seen, until that place
/// has been silent for a while. So bridges, bonds and forwarding hosts count a
/// segment once. ([`touch`] moves in, here is only asked.)
#[inline(always)]
fn at_home(flow: &mut Flow<'_>, segment: &Segment, settings: &Settings) -> bool {
    let half = flow.half(segment.side());
    let quiet = segment.tick().wrapping_sub(half.last).cast_signed();
    half.home == segment.home || half.home == 0 || quiet > settings.home.cast_signed()
}

/// Counts a plausible segment of `x` and marks the moment.
#[inline(always)]
pub fn touch(flow: &mut Flow<'_>, x: Side, segment: &Segment) {
    let after_fin = flow.state.is(fact::FIN);
    if after_fin {
        let count = &mut flow.cold.segments_after_fin[x & 1];
        *count = count.saturating_add(u32::from(segment.packets));
        if segment.has(mark::TIMESTAMPS) {
            flow.cold_half(x).edge = segment.tsval;
        }
    }
    let half = flow.half(x);
    half.segments = half.segments.saturating_add(u32::from(segment.packets));
    half.last = segment.tick();
    half.home = segment.home;
    half.bits |= bit::SEEN;
}

/// The first FIN's delays are taken with full resolution.
#[inline(always)]
pub fn since_first_fin(flow: &Flow<'_>, segment: &Segment) -> Span {
    Span::new(segment.time.saturating_sub(flow.cold.turned_at))
}

#[cfg(test)]
mod tests;
