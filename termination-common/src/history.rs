//! The order in which things first happened, in the letters of Zeek's
//! `history` field, packed into one `u64`: twelve codes of five bits from the
//! low end, and their number in the top four bits.

use crate::tuple::Side;

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
    /// FIN.
    Fin = 5,
    /// RST.
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
}

const LETTERS: &[u8; 16] = b"?shadfrtgwiqc???";
const BITS: u32 = 5;
const CAPACITY: u64 = 12;
const COUNT_SHIFT: u32 = 60;

/// Appends; beyond the twelfth letter the order is full and stays.
#[inline(always)]
pub fn push(history: u64, letter: Letter, side: Side) -> u64 {
    let count = history >> COUNT_SHIFT;
    if count >= CAPACITY {
        return history;
    }
    let code = (letter as u64) << 1 | side as u64;
    let shift = (count as u32 * BITS) & 63;
    (history | code << shift).wrapping_add(1 << COUNT_SHIFT)
}

/// The letters in order: (letter in lower case, side).
pub fn letters(history: u64) -> impl Iterator<Item = (char, Side)> {
    let count = history >> COUNT_SHIFT;
    (0..count as u32).map(move |index| {
        let code = (history >> (index * BITS)) as usize & 0x1f;
        (char::from(LETTERS[code >> 1]), code & 1)
    })
}

/// `letter` by `side` has happened.
#[inline(always)]
pub const fn contains(history: u64, letter: Letter, side: Side) -> bool {
    let wanted = (letter as u64) << 1 | side as u64;
    let mut rest = history & ((1 << COUNT_SHIFT) - 1);
    let mut index = 0;
    while index < CAPACITY {
        if rest & 0x1f == wanted {
            return true;
        }
        rest >>= BITS;
        index += 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_come_back_in_order_and_the_thirteenth_is_dropped() {
        let mut history = 0;
        history = push(history, Letter::Syn, 0);
        history = push(history, Letter::SynAck, 1);
        let mut found = letters(history);
        assert_eq!(found.next(), Some(('s', 0)));
        assert_eq!(found.next(), Some(('h', 1)));
        assert_eq!(found.next(), None);
        assert!(contains(history, Letter::SynAck, 1));
        assert!(!contains(history, Letter::SynAck, 0));
        for _ in 0..20 {
            history = push(history, Letter::Retransmit, 1);
        }
        assert_eq!(letters(history).count(), 12);
        assert_eq!(letters(history).next(), Some(('s', 0)));
    }
}
