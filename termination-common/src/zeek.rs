//! Other programs' words for the same slot: Zeek's `conn_state` and `history`
//! of conn.log, Wireshark's `tcp.completeness`.
//!
//! They come from what each end was seen to do, never from our ending. Where
//! they must differ from those programs, docs/dialects.md says why.

use core::fmt;

use crate::{
    history::{Letter, complete, firsts, letters},
    slot::{Slot, bit},
    taxonomy::{By, Outcome},
    tuple::Side,
};

/// What one end has come to (TCP_* of Zeek's base/init-bare.zeek).
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing, or only segments without SYN (TCP_INACTIVE, TCP_PARTIAL).
    Silent,
    /// A SYN, unanswered.
    Syn,
    /// A SYN that was answered, or a SYN-ACK.
    Open,
    /// FIN.
    Closed,
    /// RST.
    Reset,
}

/// Where in the order `letter` of `side` stands.
fn place(slot: &Slot, letter: char, side: Side) -> Option<usize> {
    letters(slot.cold.history).position(|found| found == (letter, side))
}

/// `x` sent an RST that counts: the one that ended the connection, or one
/// after it. Any other was refuted, or came after both FINs.
fn reset_at(slot: &Slot, x: Side) -> Option<usize> {
    let state = slot.state();
    let outcome = Outcome::unpack(slot.cold.outcome)?;
    if !state.is_ended() || outcome.verdict.is_none() {
        return None;
    }
    let decider = match outcome.by {
        By::Originator => state.originator(),
        _ => state.originator() ^ 1,
    };
    let at = place(slot, 'r', x)?;
    let decided = place(slot, 'r', decider)?;
    (at >= decided).then_some(at)
}

fn end(slot: &Slot, x: Side) -> End {
    let y = x ^ 1;
    let (fin, peer_fin) = (place(slot, 'f', x), place(slot, 'f', y));
    if let Some(at) = reset_at(slot, x) {
        let own_first = fin.is_some_and(|fin| fin < at);
        return if own_first && peer_fin.is_some() {
            End::Closed
        } else {
            End::Reset
        };
    }
    if fin.is_some() {
        return End::Closed;
    }
    if place(slot, 'h', x).is_some() {
        return End::Open;
    }
    if place(slot, 's', x).is_some() {
        let answered = place(slot, 'h', y).is_some() || place(slot, 's', y).is_some();
        return if answered { End::Open } else { End::Syn };
    }
    // A SYN-ACK, then the acker speaks: only its SYN was missed.
    let mut order = letters(slot.cold.history);
    let after_syn_ack = order.any(|found| found == ('h', y))
        && letters(slot.cold.history).find(|&(_, side)| side == x)
            == order.find(|&(_, side)| side == x);
    let spoke = place(slot, 'a', x).is_some() || place(slot, 'd', x).is_some();
    if after_syn_ack && spoke && x == slot.state().originator() {
        End::Open
    } else {
        End::Silent
    }
}

/// O's segments were a SYN, and nothing with ACK, FIN or odd flags before its
/// RST; payload and retransmissions may have been.
fn only_syn_before_rst(slot: &Slot, originator: Side) -> bool {
    let mut order = letters(slot.cold.history).take_while(|&found| found != ('r', originator));
    order.next() == Some(('s', originator))
        && order.all(|(letter, side)| {
            side != originator || !matches!(letter, 'h' | 'a' | 'f' | 'g' | 'i' | 'q')
        })
}

/// `conn_state` (scripts/base/protocols/conn/main.zeek).
pub fn conn_state(slot: &Slot) -> &'static str {
    let originator = slot.state().originator();
    let responder = originator ^ 1;
    let (o, r) = (end(slot, originator), end(slot, responder));
    let payload = (slot.hot.half[0].bits | slot.hot.half[1].bits) & bit::DATA != 0;
    match (o, r) {
        (End::Syn, End::Reset) => "REJ",
        (End::Reset, End::Reset) if !payload => "REJ",
        (End::Silent, End::Reset) => "RSTRH",
        (_, End::Reset) => "RSTR",
        (End::Reset, End::Silent) if only_syn_before_rst(slot, originator) => "RSTOS0",
        (End::Reset, End::Silent) => "OTH",
        (End::Reset, _) => "RSTO",
        (End::Closed, End::Closed) => "SF",
        (End::Closed, End::Silent) => "SH",
        (End::Closed, _) => "S2",
        (End::Silent, End::Closed) => "SHR",
        (_, End::Closed) => "S3",
        // A bare ACK to a SYN leaves R inactive; payload does not.
        (End::Syn, End::Silent) if !slot.hot.half[responder & 1].is(bit::DATA) => "S0",
        (End::Open, End::Open) => "S1",
        _ => "OTH",
    }
}

/// `history`: upper case for the originator, `^` first if the roles were found
/// out by a segment of the responder.
#[derive(Clone, Copy, Debug)]
pub struct History<'a>(&'a Slot);

/// `history` (scripts/base/protocols/conn/main.zeek).
pub const fn history(slot: &Slot) -> History<'_> {
    History(slot)
}

impl fmt::Display for History<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        let Self(slot) = self;
        let originator = slot.state().originator();
        let mut order = letters(slot.cold.history).peekable();
        if order.peek().is_some_and(|&(_, side)| side != originator) {
            f.write_char('^')?;
        }
        for (letter, side) in order {
            f.write_char(if side == originator {
                letter.to_ascii_uppercase()
            } else {
                letter
            })?;
        }
        Ok(())
    }
}

/// Wireshark's `tcp.completeness` (epan/dissectors/packet-tcp.c), as `tshark`
/// 4.0 computes it: a SYN counts where it opens the conversation, any other
/// segment by [`Letter::completeness`].
pub fn completeness(slot: &Slot) -> u8 {
    let mut order = firsts(slot.cold.history);
    let Some((first, opener)) = order.next() else {
        return 0;
    };
    let opens = matches!(first, Letter::Syn);
    let [a, b] = &slot.hot.half;
    let late = if slot.state().is_ended() {
        Outcome::packed_late(slot.cold.outcome)
    } else {
        0
    };
    let before = a.segments.saturating_add(b.segments);
    let alone =
        order.all(|(letter, _)| matches!(letter, Letter::ZeroWindow)) && before <= 1 && late == 0;
    if alone && !opens {
        // The field is written before its own segment counts, unless that is
        // the SYN.
        return 0;
    }
    let mut bits = late;
    for (letter, _) in firsts(slot.cold.history) {
        bits |= letter.completeness();
        if matches!(letter, Letter::Retransmit) {
            // Of payload: it may be all that was seen of it, behind its own FIN.
            bits |= complete::DATA;
        }
    }
    if opens {
        bits |= complete::SYN;
        // Payload of which no letter tells was the SYN's.
        if slot.hot.half[opener & 1].is(bit::DATA) {
            bits |= complete::DATA;
        }
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::push;

    fn slot(order: &[(Letter, Side)]) -> Slot {
        let mut slot = Slot::default();
        slot.hot.word = slot.state().transition_to_live(0).0;
        for &(letter, side) in order {
            slot.cold.history = push(slot.cold.history, letter, side);
        }
        slot
    }

    /// The SYN was missed of who speaks first after a SYN-ACK, and only of the
    /// originator.
    #[test]
    fn a_missed_syn_opens_who_goes_on_after_the_syn_ack() {
        use Letter::{Ack, Data, SynAck};
        for (order, state) in [
            (&[(SynAck, 1), (Ack, 0)][..], "S1"),
            (&[(SynAck, 1), (Data, 0)], "S1"),
            (&[(SynAck, 1), (Letter::ZeroWindow, 0)], "OTH"),
            (&[(Ack, 0), (SynAck, 1)], "OTH"),
            (&[(Ack, 0), (SynAck, 1), (Data, 0)], "OTH"),
            (&[(SynAck, 0), (Ack, 1)], "OTH"),
        ] {
            assert_eq!(conn_state(&slot(order)), state, "{order:?}");
        }
    }
}
