//! The order in which things first happened, in the letters of Zeek's
//! `history` field, packed into one `u64`: twelve codes of five bits from the
//! low end, and their number in the top four bits.
//!
//! FIN and RST have a code for each form that Wireshark tells apart, so that
//! its `tcp.completeness` follows from the same word ([`crate::zeek`]).

use crate::{
    segment::{Flags, Segment},
    tuple::Side,
};

/// A first occurrence. The number is the code; the letter is Zeek's
/// (scripts/base/protocols/conn/main.zeek).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Letter {
    /// SYN without ACK.
    Syn = 1,
    /// SYN with ACK.
    SynAck = 2,
    /// Neither payload nor SYN, FIN, RST.
    Ack = 3,
    /// Payload, without SYN, FIN, RST.
    Data = 4,
    /// FIN with ACK, without payload.
    Fin = 5,
    /// RST without ACK.
    Rst = 6,
    /// Retransmitted payload; again at each power of ten.
    Retransmit = 7,
    /// A gap: acked but never seen.
    Gap = 8,
    /// Zero window.
    ZeroWindow = 9,
    /// Inconsistent flags: FIN with RST.
    Inconsistent = 10,
    /// SYN with FIN or RST.
    MultiFlag = 11,
    /// Wrong checksum.
    Checksum = 12,
    /// RST with ACK.
    RstAck = 13,
    /// FIN with ACK and payload.
    FinData = 14,
    /// FIN without ACK.
    FinBare = 15,
}

/// Bits of Wireshark's `tcp.completeness`.
pub mod complete {
    /// SYN.
    pub const SYN: u8 = 1;
    /// SYN-ACK.
    pub const SYN_ACK: u8 = 2;
    /// ACK without payload.
    pub const ACK: u8 = 4;
    /// Payload.
    pub const DATA: u8 = 8;
    /// FIN.
    pub const FIN: u8 = 16;
    /// RST.
    pub const RST: u8 = 32;
}

const LETTERS: &[u8; 16] = b"?shadfrtgwiqcrff";
const BITS: u32 = 5;
const CODES: u64 = (1 << BITS) - 1;
const CAPACITY: u32 = 12;
const COUNT_SHIFT: u32 = 60;

/// Codes of both sides that no lesser letter may crowd out: what
/// `conn_state` needs the order of.
const KEPT: u32 = 0b11 << (2 * Letter::Ack as u32)
    | 0b11 << (2 * Letter::Data as u32)
    | 0b11 << (2 * Letter::Fin as u32)
    | 0b11 << (2 * Letter::Rst as u32);

impl Letter {
    /// Of a segment without SYN and RST, by its flags and payload.
    #[inline(always)]
    pub const fn of_stream(segment: &Segment) -> Self {
        match (segment.flags.fin(), segment.payload > 0) {
            (true, _) if !segment.flags.ack() => Self::FinBare,
            (true, true) => Self::FinData,
            (true, false) => Self::Fin,
            (false, true) => Self::Data,
            (false, false) => Self::Ack,
        }
    }

    /// Of an RST.
    #[inline(always)]
    pub const fn of_rst(flags: Flags) -> Self {
        if flags.ack() { Self::RstAck } else { Self::Rst }
    }

    /// What its segment adds to `tcp.completeness`: of those with ACK, payload
    /// or else ACK, and FIN or RST; of those without, only an RST. A SYN
    /// counts by its place, and so not here.
    #[inline(always)]
    pub const fn completeness(self) -> u8 {
        match self {
            Self::SynAck => complete::SYN_ACK,
            Self::Ack => complete::ACK,
            Self::Data => complete::DATA,
            Self::Fin => complete::FIN | complete::ACK,
            Self::FinData => complete::FIN | complete::DATA,
            Self::Rst => complete::RST,
            Self::RstAck => complete::RST | complete::ACK,
            _ => 0,
        }
    }

    /// Code with side.
    #[inline(always)]
    const fn code(self, side: Side) -> u64 {
        (self as u64) << 1 | side as u64 & 1
    }

    /// The letter of a code.
    const fn from_code(code: usize) -> Option<Self> {
        Some(match code {
            1 => Self::Syn,
            2 => Self::SynAck,
            3 => Self::Ack,
            4 => Self::Data,
            5 => Self::Fin,
            6 => Self::Rst,
            7 => Self::Retransmit,
            8 => Self::Gap,
            9 => Self::ZeroWindow,
            10 => Self::Inconsistent,
            11 => Self::MultiFlag,
            12 => Self::Checksum,
            13 => Self::RstAck,
            14 => Self::FinData,
            15 => Self::FinBare,
            _ => return None,
        })
    }

    /// Zeek's letter, in lower case.
    pub const fn letter(self) -> char {
        LETTERS[self as usize] as char
    }
}

/// Which codes with side have happened, one bit each; every form of FIN and
/// RST also as the plain one.
#[inline(always)]
const fn happened(history: u64) -> u32 {
    let mut mask = 0;
    let mut rest = history & ((1 << COUNT_SHIFT) - 1);
    let mut index = 0;
    while index < CAPACITY {
        mask |= 1 << (rest & CODES);
        rest >>= BITS;
        index += 1;
    }
    let (rst, fin) = (
        mask >> (2 * Letter::RstAck as u32),
        mask >> (2 * Letter::FinData as u32) | mask >> (2 * Letter::FinBare as u32),
    );
    mask | (rst & 0b11) << (2 * Letter::Rst as u32) | (fin & 0b11) << (2 * Letter::Fin as u32)
}

/// The bit of `letter` by `side` in [`happened`], whatever its form.
#[inline(always)]
const fn plain(letter: Letter, side: Side) -> u32 {
    let letter = match letter {
        Letter::RstAck => Letter::Rst,
        Letter::FinData | Letter::FinBare => Letter::Fin,
        other => other,
    };
    1 << letter.code(side)
}

/// Appends, unless it happened before; only [`Letter::Retransmit`] repeats.
///
/// Twelve letters are kept. Those that any traffic can repeat or do without
/// leave room for the first ACK, payload, FIN and RST of each end.
#[inline(always)]
pub fn push(history: u64, letter: Letter, side: Side) -> u64 {
    history_push(history, letter as u32, side as u32 & 1)
}

/// [`push`] of a letter's number. With external linkage the verifier walks it
/// once, whatever its callers have done before.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle), inline(never))]
extern "C" fn history_push(history: u64, letter: u32, side: u32) -> u64 {
    match Letter::from_code(letter as usize) {
        Some(letter) => append(history, letter, side as Side),
        None => history,
    }
}

#[inline(always)]
const fn append(history: u64, letter: Letter, side: Side) -> u64 {
    let happened = happened(history);
    let lesser = letter as u8 >= Letter::Retransmit as u8 && letter as u8 <= Letter::Checksum as u8;
    let repeats = matches!(letter, Letter::Retransmit);
    let reserved = if lesser {
        (KEPT & !happened).count_ones()
    } else {
        0
    };
    let count = (history >> COUNT_SHIFT) as u32;
    if count + reserved >= CAPACITY || (!repeats && happened & plain(letter, side) != 0) {
        return history;
    }
    let shift = (count * BITS) & 63;
    (history | letter.code(side) << shift).wrapping_add(1 << COUNT_SHIFT)
}

/// What happened, in order.
pub fn firsts(history: u64) -> impl Iterator<Item = (Letter, Side)> {
    let count = (history >> COUNT_SHIFT) as u32;
    (0..count.min(CAPACITY)).filter_map(move |index| {
        let code = (history >> (index * BITS) & CODES) as usize;
        Some((Letter::from_code(code >> 1)?, code & 1))
    })
}

/// The letters in order: (letter in lower case, side).
pub fn letters(history: u64) -> impl Iterator<Item = (char, Side)> {
    firsts(history).map(|(letter, side)| (letter.letter(), side))
}

/// `letter` by `side` has happened, in whatever form.
#[inline(always)]
pub fn contains(history: u64, letter: Letter, side: Side) -> bool {
    history_happened(history) & plain(letter, side) != 0
}

/// [`happened`], walked once as [`history_push`] is.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle), inline(never))]
const extern "C" fn history_happened(history: u64) -> u32 {
    happened(history)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(history: u64) -> String {
        letters(history)
            .map(|(letter, side)| {
                if side == 0 {
                    letter.to_ascii_uppercase()
                } else {
                    letter
                }
            })
            .collect()
    }

    #[test]
    fn letters_come_back_in_order_and_once() {
        let mut history = 0;
        for _ in 0..2 {
            history = push(history, Letter::Syn, 0);
            history = push(history, Letter::SynAck, 1);
        }
        assert_eq!(text(history), "Sh");
        assert!(contains(history, Letter::SynAck, 1));
        assert!(!contains(history, Letter::SynAck, 0));
    }

    #[test]
    fn every_form_of_fin_and_rst_is_one_letter() {
        let mut history = 0;
        for letter in [Letter::FinData, Letter::Fin, Letter::FinBare] {
            history = push(history, letter, 1);
        }
        for letter in [Letter::RstAck, Letter::Rst] {
            history = push(history, letter, 0);
        }
        assert_eq!(text(history), "fR");
        assert!(contains(history, Letter::Fin, 1) && contains(history, Letter::Rst, 0));
        let found: Vec<_> = firsts(history).collect();
        assert_eq!(found, [(Letter::FinData, 1), (Letter::RstAck, 0)]);
    }

    #[test]
    fn retransmissions_never_crowd_out_the_end() {
        let mut history = 0;
        for letter in [Letter::Syn, Letter::Ack, Letter::Data] {
            history = push(history, letter, 0);
        }
        for letter in [Letter::SynAck, Letter::Ack, Letter::Data] {
            history = push(history, letter, 1);
        }
        for _ in 0..20 {
            history = push(history, Letter::Retransmit, 1);
            history = push(history, Letter::ZeroWindow, 0);
        }
        for side in [0, 1] {
            history = push(history, Letter::Fin, side);
            history = push(history, Letter::RstAck, side);
        }
        assert_eq!(text(history), "SADhadtWFRfr");
        assert_eq!(push(history, Letter::Checksum, 0), history);
    }

    const ALL: [Letter; 15] = [
        Letter::Syn,
        Letter::SynAck,
        Letter::Ack,
        Letter::Data,
        Letter::Fin,
        Letter::Rst,
        Letter::Retransmit,
        Letter::Gap,
        Letter::ZeroWindow,
        Letter::Inconsistent,
        Letter::MultiFlag,
        Letter::Checksum,
        Letter::RstAck,
        Letter::FinData,
        Letter::FinBare,
    ];

    #[test]
    fn each_letter_is_kept_as_it_is() {
        for letter in ALL {
            for side in [0, 1] {
                let found: Vec<_> = firsts(push(0, letter, side)).collect();
                assert_eq!(found, [(letter, side)]);
                assert!(contains(push(0, letter, side), letter, side));
                assert!(!contains(push(0, letter, side), letter, side ^ 1));
            }
        }
        for form in [Letter::FinData, Letter::FinBare] {
            assert!(contains(push(0, form, 1), Letter::Fin, 1));
        }
    }

    #[test]
    fn a_segment_has_its_letter_and_its_part_in_completeness() {
        const ACK: u8 = Flags::ACK;
        const FIN: u8 = Flags::FIN;
        for (flags, payload, letter, bits) in [
            (ACK, 0, Letter::Ack, complete::ACK),
            (ACK, 1, Letter::Data, complete::DATA),
            (FIN | ACK, 0, Letter::Fin, complete::FIN | complete::ACK),
            (
                FIN | ACK,
                1,
                Letter::FinData,
                complete::FIN | complete::DATA,
            ),
            // Without ACK nothing counts.
            (FIN, 0, Letter::FinBare, 0),
            (FIN, 1, Letter::FinBare, 0),
        ] {
            let segment = Segment {
                flags: Flags(flags),
                payload,
                ..Segment::default()
            };
            assert_eq!(Letter::of_stream(&segment), letter);
            assert_eq!(letter.completeness(), bits, "{letter:?}");
        }
        let rst = Letter::of_rst(Flags(Flags::RST)).completeness();
        let with_ack = Letter::of_rst(Flags(Flags::RST | ACK)).completeness();
        assert_eq!(
            [rst, with_ack],
            [complete::RST, complete::RST | complete::ACK]
        );
    }

    /// Each of the lesser letters leaves room for eight others, and no more room
    /// than for those that have not come yet.
    #[test]
    fn lesser_letters_leave_room() {
        let lesser = &ALL[6..12];
        for &letter in lesser {
            let mut history = 0;
            for other in lesser {
                history = push(history, *other, 0);
            }
            assert_eq!(text(history).len(), 4, "four, and eight are to come");
            assert_eq!(push(history, letter, 1), history, "{letter:?}");
            for side in [0, 1] {
                history = push(history, Letter::Data, side);
            }
            // The places of these two were theirs.
            assert_eq!(push(history, letter, 1), history, "{letter:?}");
        }
        // Others take the room that is left.
        let mut history = 0;
        for side in [0, 1] {
            for letter in [Letter::Ack, Letter::Data, Letter::Fin, Letter::Rst] {
                history = push(history, letter, side);
            }
        }
        for &letter in lesser {
            history = push(history, letter, 0);
        }
        assert_eq!(text(history), "ADFRadfrTGWI");
    }

    #[test]
    fn a_broken_word_is_read_as_far_as_it_goes() {
        assert_eq!(firsts(u64::MAX).count(), CAPACITY as usize);
        assert_eq!(firsts(15 << COUNT_SHIFT).count(), 0);
    }
}
