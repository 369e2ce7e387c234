//! RST: is it believed, and what does it end?

use crate::{
    counters::Event,
    history::Letter,
    policy::Settings,
    segment::{Segment, mark},
    serial::{after, before, is_before},
    slot::{Half, bit},
    state::fact,
    taxonomy::{Cause, Ending, Evidence, Outcome, Verdict},
    tuple::Side,
    verifier::blur,
};

use super::{
    ELSEWHERE, Effects, Flow, cause, closing, guard, outcome,
    pending::{self, kind},
    stream::{in_window, window},
    touch,
};

/// An RST on an unknown tuple: one record, and nothing stays live.
#[inline(always)]
pub fn alone(flow: &mut Flow<'_>, segment: &Segment) -> Effects {
    let x = segment.side();
    touch(flow, x, segment);
    flow.note(Letter::of_rst(segment.flags), x);
    let verdict = Verdict::Unverifiable;
    let by = flow.by(x);
    let phase = flow.phase();
    let packed = outcome(
        Ending::Reset,
        by,
        phase,
        Some(verdict),
        None,
        Evidence::None,
    );
    flow.end(packed, segment.time).and(Effects::judged(verdict))
}

/// An RST on a live connection. `doubts`: which ends are stale, at the level
/// `closing` ([`closing::doubts`]); otherwise 0.
#[inline(never)]
pub fn step(flow: &mut Flow<'_>, segment: &Segment, settings: &Settings, doubts: u32) -> Effects {
    let x = segment.side();
    let y = x ^ 1;
    if let Some(kept) = flow.pending_of(kind::SYN, x)
        && clears_half_open(flow, segment, y)
    {
        // Row 3 of the precedence: the old connection ends, the attempt that
        // met it lives on with its SYN.
        let by = flow.by(x);
        let phase = flow.phase();
        let ending = Ending::HalfOpenDiscoveredBySyn;
        let verdict = closing::verdict(grade(flow, segment), doubts);
        let cause = Some(Cause::BadAck);
        let strong = Evidence::WireStrong;
        let packed = outcome(ending, by, phase, Some(verdict), cause, strong);
        flow.note(Letter::of_rst(segment.flags), x);
        touch(flow, x, segment);
        let effects = flow.end(packed, segment.time);
        flow.cold.pending = kept;
        return effects.and(Effects::judged(verdict)).with(Effects::REOPEN);
    }
    let verdict = closing::verdict(grade(flow, segment), doubts);
    let guarded = Effects::guarded(guard::live(flow, segment, settings, verdict));
    let judged = Effects(blur(Effects::judged(verdict).and(guarded).0.into(), segment.seq) as u32);
    match verdict {
        // Rejected by whoever gets it, there and then.
        Verdict::Old | Verdict::Future | Verdict::SynSentBad => {
            judged.and(Effects::event(Event::RstRejected))
        }
        Verdict::InWindow | Verdict::Unverifiable => {
            let known = Known {
                verdict,
                sure: false,
                doubts,
            };
            doubt(flow, segment, settings, known, judged)
        }
        Verdict::Exact | Verdict::Train | Verdict::FinMinusOne | Verdict::SynSentOk => {
            let known = Known {
                verdict,
                sure: true,
                doubts,
            };
            let packed = classify(flow, segment, settings, known);
            flow.note(Letter::of_rst(segment.flags), x);
            touch(flow, x, segment);
            flow.end(packed, segment.time).and(judged)
        }
    }
}

/// Two verdicts wait for what follows; an RST beside one that waits counts
/// only if it is better itself.
#[inline(always)]
fn doubt(
    flow: &mut Flow<'_>,
    segment: &Segment,
    settings: &Settings,
    known: Known,
    judged: Effects,
) -> Effects {
    let x = segment.side();
    let y = x ^ 1;
    if flow.is_pending(kind::RST) {
        return judged;
    }
    // At RCV.NXT an RST draws no challenge ACK, it is believed (RFC 5961 3.2): an
    // abort into a window that was closed with data under way, which y threw away
    // and acked once more.
    let draws = segment.seq != flow.half(y).acked;
    if matches!(known.verdict, Verdict::InWindow)
        && draws
        && let Some(challenge) = flow.pending_of(kind::CHALLENGE, y)
    {
        let age = segment.tick().wrapping_sub(challenge.at).cast_signed();
        if age <= settings.challenge.cast_signed() {
            // y's challenge ACKs are rate limited; the last one stands.
            return judged.and(Effects::event(Event::RstRejected));
        }
    }
    // What it would mean is known now; nothing that follows changes it.
    let elsewhere = flow.cold.outcome & ELSEWHERE;
    flow.cold.outcome = classify(flow, segment, settings, known) | elsewhere;
    flow.note(Letter::of_rst(segment.flags), x);
    flow.pend(segment.seq, segment.tick(), pending::rst(x, known.verdict));
    judged
}

/// x answers an ACK of y that does not ack x's pending SYN: no ACK bit, and
/// seq is what y acked (RFC 9293 3.5.1, figure 10).
#[inline(always)]
fn clears_half_open(flow: &mut Flow<'_>, segment: &Segment, y: Side) -> bool {
    let other = flow.half(y);
    !segment.flags.ack() && other.is(bit::ACK) && segment.seq == other.acked
}

/// The verdict, as the RST's receiver y would judge (RFC 5961 3, RFC 9293
/// 3.10.7.3 and .4).
#[inline(always)]
pub fn grade(flow: &mut Flow<'_>, segment: &Segment) -> Verdict {
    let x = segment.side();
    let y = x ^ 1;
    let (mine, other) = (flow.half[x & 1], flow.half[y & 1]);
    let (seq, isn) = (segment.seq, flow.cold_half(y).isn);
    if let Some(kept) = flow.pending_of(kind::SYN, y)
        && segment.flags.ack()
        && segment.ack == kept.value.wrapping_add(1)
        && (!flow.state.is(fact::ESTABLISHED) || mine.is(bit::FIN))
    {
        // y has started over, and x answers that SYN. No established end
        // would: it sends a challenge ACK.
        return Verdict::SynSentOk;
    }
    let syn_sent = other.bits & (bit::SYN | bit::SYN_ACKED | bit::ACK) == bit::SYN
        && !mine.is(bit::SYN)
        && !flow.state.is(fact::ESTABLISHED);
    if syn_sent {
        let acks =
            segment.flags.ack() && after(segment.ack, isn) && !after(segment.ack, other.sent);
        return if acks {
            Verdict::SynSentOk
        } else {
            Verdict::SynSentBad
        };
    }
    let sent_known = mine.bits & (bit::SEEN | bit::SYN) != 0;
    let acked_known = other.is(bit::ACK);
    if sent_known && acked_known && seq == other.acked && seq == mine.sent {
        return Verdict::Exact;
    }
    let in_step = sent_known && seq == mine.sent && !(acked_known && before(seq, other.acked));
    // The SACK edge is kept until the first FIN.
    let edge = flow.cold_half(y).edge;
    let at_edge = !flow.state.is(fact::FIN) && edge != 0 && seq == edge;
    if in_step && (acked_known || mine.is(bit::SYN)) || at_edge {
        return Verdict::Train;
    }
    if mine.is(bit::FIN) && seq == flow.cold_half(x).fin {
        return Verdict::FinMinusOne;
    }
    if !sent_known || flow.state.any(fact::GAPS | fact::ONE_SIDED) {
        return Verdict::Unverifiable;
    }
    if !acked_known {
        if !mine.is(bit::SYN) {
            return Verdict::Unverifiable;
        }
        // y has not spoken: x's own sequence is the measure.
        return if before(seq, mine.sent) {
            Verdict::Old
        } else {
            Verdict::Future
        };
    }
    if before(seq, other.acked) {
        Verdict::Old
    } else if seq == other.acked || in_window(seq, other.acked, window(&other)) {
        Verdict::InWindow
    } else if other.is(bit::SCALE_KNOWN) && !pending::is_where_acked(flow, x, seq) {
        Verdict::Future
    } else {
        Verdict::Unverifiable
    }
}

/// How far an RST is believed.
#[derive(Clone, Copy)]
struct Known {
    verdict: Verdict,
    /// The verdict ends the connection at once.
    sure: bool,
    /// [`closing::doubts`].
    doubts: u32,
}

/// Which ending it is: the first row of the precedence that fits.
#[inline(always)]
fn classify(flow: &mut Flow<'_>, segment: &Segment, settings: &Settings, known: Known) -> u32 {
    let Known {
        verdict,
        sure,
        doubts,
    } = known;
    let x = segment.side();
    let y = x ^ 1;
    // Nothing of this decides what follows.
    let place = Outcome::packed_place(flow.by(x), flow.phase());
    let place = blur(place.into(), segment.seq) as u32;
    let (mine, other) = (flow.half[x & 1], flow.half[y & 1]);
    let originator = flow.state.originator() == x;
    let established = flow.state.is(fact::ESTABLISHED);
    let reply = !segment.flags.ack();
    let said = said(flow, segment, settings);
    let ending = if !established {
        let answered = if originator {
            other.is(bit::SYN)
        } else {
            mine.is(bit::SYN)
        };
        match (originator, answered) {
            (false, false) => Ending::Refused,
            (false, true) => Ending::HandshakeAborted,
            (true, true) => Ending::HandshakeReset,
            (true, false) => Ending::Cancelled,
        }
    } else if !originator
        && reply
        && only_syn_acks(flow, x)
        && segment.seq == mine.sent
        && (said & QUIET == 0 || flow.cold_half(x).retransmits > 0)
    {
        // Who had no room for it would have repeated its SYN-ACK meanwhile.
        Ending::HandshakeAborted
    } else if mine.is(bit::FIN) {
        Ending::ResetAfterOwnFin
    } else if other.is(bit::FIN) {
        Ending::ResetAfterPeerFin
    } else if reply && other.is(bit::ACK) && segment.seq == other.acked && {
        other.bits & (bit::BACKLOG | bit::UNANSWERED) != 0 || said == QUIET | ASKED
    } {
        Ending::HalfOpenDiscoveredByData
    } else {
        Ending::Reset
    };
    let mut found = cause::of_reset(flow, segment, ending, verdict);
    if said == QUIET && doubts == 0 && reply && !segment.has(mark::MPTCP) {
        // It answers nothing: nobody has said anything for a while.
        found = None;
    }
    let found = closing::cause(found, doubts, mine.is(bit::FIN));
    let evidence = match (found, sure) {
        (_, false) => Evidence::WireWeak,
        (None, true) => Evidence::None,
        (Some(_), true) => Evidence::WireStrong,
    };
    let finding = Outcome::packed_finding(ending, Some(verdict), found, evidence);
    place | blur(finding.into(), segment.seq) as u32
}

/// [`said`]: x has said nothing for a while.
const QUIET: u32 = 1;
/// [`said`]: y has, since, and just now: a reply would answer that.
const ASKED: u32 = 2;

/// What was said before an RST of x.
#[inline(never)]
fn said(flow: &Flow<'_>, segment: &Segment, settings: &Settings) -> u32 {
    let x = segment.side();
    let (mine, other) = (&flow.half[x & 1], &flow.half[(x ^ 1) & 1]);
    let silent = |half: &Half| {
        let silence = segment.tick().wrapping_sub(half.last);
        is_before(silence, settings.silent) ^ 1
    };
    let quiet = mine.flag(bit::SEEN) & silent(mine);
    let just_now = (is_before(other.last, mine.last) | silent(other)) ^ 1;
    let asked = (other.flag(bit::SEEN) ^ 1) | just_now;
    blur(((quiet * QUIET) | (asked * ASKED)).into(), segment.seq) as u32
}

/// R has sent nothing but SYN-ACKs.
#[inline(always)]
pub fn only_syn_acks(flow: &mut Flow<'_>, x: Side) -> bool {
    let isn = flow.cold_half(x).isn;
    let half = flow.half(x);
    half.is(bit::SYN)
        && half.bits & (bit::PURE_ACK | bit::DATA | bit::FIN) == 0
        && half.sent == isn.wrapping_add(1)
}
