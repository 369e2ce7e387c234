//! Zeek's dialect: `conn_state` and `history` of conn.log, from the same slot.
//!
//! The state comes from what each end was seen to do, never from our ending.

use core::fmt;

use crate::{
    history::letters,
    slot::{Slot, bit},
    state::fact,
    tuple::Side,
};

/// What one end has come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing, or only segments without SYN.
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

/// `x` sent an RST that was not refuted: the one that ended the connection, or
/// one after the other end's.
fn reset_at(slot: &Slot, x: Side) -> Option<usize> {
    let at = place(slot, 'r', x)?;
    let outcome = crate::taxonomy::Outcome::unpack(slot.cold.outcome)?;
    let ended = slot.state().is_ended();
    if !ended {
        return None;
    }
    let by_rst = outcome.verdict.is_some();
    // Without a deciding RST, one noted after both FINs came too late to
    // matter, and one noted before was refuted.
    if by_rst { Some(at) } else { None }
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
        let answered = place(slot, 'h', y).is_some()
            || place(slot, 's', y).is_some()
            || slot.hot.half[y & 1].is(bit::SEEN | bit::ACK)
                && slot.hot.half[x & 1].is(bit::SYN_ACKED);
        return if answered { End::Open } else { End::Syn };
    }
    End::Silent
}

/// `conn_state` (scripts/base/protocols/conn/main.zeek).
pub fn conn_state(slot: &Slot) -> &'static str {
    let originator = slot.state().originator();
    let responder = originator ^ 1;
    let (o, r) = (end(slot, originator), end(slot, responder));
    let payload = slot.hot.half[0].bits | slot.hot.half[1].bits;
    let payload = payload & bit::DATA != 0;
    match (o, r) {
        (End::Syn, End::Reset) => "REJ",
        (End::Reset, End::Reset) if !payload => "REJ",
        (End::Silent, End::Reset) => "RSTRH",
        (_, End::Reset) => "RSTR",
        (End::Reset, End::Silent) => {
            let mut before = letters(slot.cold.history)
                .take_while(|&found| found != ('r', originator))
                .filter(|&(_, side)| side == originator)
                .map(|(letter, _)| letter);
            let only_syn = before.next() == Some('s') && before.all(|letter| letter == 't');
            if only_syn { "RSTOS0" } else { "OTH" }
        }
        (End::Reset, _) => "RSTO",
        (End::Closed, End::Closed) => "SF",
        (End::Closed, End::Silent) => "SH",
        (End::Closed, _) => "S2",
        (End::Silent, End::Closed) => "SHR",
        (_, End::Closed) => "S3",
        (End::Syn, End::Silent) => "S0",
        (End::Open, End::Open) => "S1",
        _ => "OTH",
    }
}

/// `history`: upper case for the originator, `^` if it was found out by the
/// responder's first segment.
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
        if slot.state().is(fact::FLIPPED) {
            f.write_char('^')?;
        }
        let originator = slot.state().originator();
        for (letter, side) in letters(slot.cold.history) {
            let letter = if side == originator {
                letter.to_ascii_uppercase()
            } else {
                letter
            };
            f.write_char(letter)?;
        }
        Ok(())
    }
}

/// Wireshark's `tcp.completeness`: SYN 1, SYN-ACK 2, ACK 4, DATA 8, FIN 16,
/// RST 32 (epan/dissectors/packet-tcp.c).
pub fn completeness(slot: &Slot) -> u8 {
    let mut bits = 0;
    for (letter, _) in letters(slot.cold.history) {
        bits |= match letter {
            's' => 1,
            'h' => 2,
            'a' => 4,
            'd' => 8,
            'f' => 16,
            'r' => 32,
            _ => 0,
        };
    }
    bits
}
