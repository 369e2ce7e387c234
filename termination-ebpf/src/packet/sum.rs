//! The checksum over an XDP frame.

use termination_common::{
    verifier::blur,
    wire::{Bytes as _, Next, Step, fold},
};

use super::{Linear, forget, repeat};

/// The most that is summed for a checksum: a segment with a 1500-byte MTU, and
/// some. Jumbo frames are taken unchecked.
const SUM_MAX: usize = 2047;

/// [`Bytes::sum`] of `N` 32-bit words, without a call and without a loop.
#[inline(always)]
pub(super) fn words<const N: usize>(packet: Linear, offset: usize) -> Option<u32> {
    let words = packet.words::<N>(offset)?;
    let mut total = 0;
    let mut index = 0;
    while index < N {
        total += u64::from(words[index]);
        index += 1;
    }
    Some(fold(total))
}

/// [`Bytes::sum`]; `u64::MAX` for `None`, for a BPF sub-program returns one
/// register.
#[inline(never)]
pub(super) fn sum(packet: Linear, offset: usize, length: usize) -> u64 {
    if length > SUM_MAX {
        return u64::MAX;
    }
    let Some(noise) = packet.array(offset) else {
        return u64::MAX;
    };
    let mut sum = Sum {
        packet,
        at: offset,
        end: offset + length,
        total: 0,
        noise: u32::from_ne_bytes(noise),
    };
    // 32 bytes a round; for the rest of 31, three of 8, three of 2, one of 1.
    repeat(SUM_MAX as u32 / 32 + 7, &mut sum);
    if sum.at < sum.end {
        return u64::MAX;
    }
    u64::from((fold(sum.total) as u16).to_be())
}

/// A sum of words in the machine's order: the ones-complement sum comes out the
/// same, with its bytes swapped (RFC 1071 2.B).
struct Sum {
    packet: Linear,
    at: usize,
    end: usize,
    /// Folded to 32 bits.
    total: u64,
    /// For [`forget`].
    noise: u32,
}

impl Step for Sum {
    #[inline(always)]
    fn step(&mut self) -> Next {
        let Some((size, sum)) = self.add() else {
            return Next::Stop;
        };
        self.at = forget(self.at + size, self.noise);
        let total = self.total + sum;
        let total = (total >> 32) + (total & 0xffff_ffff);
        let total = (total >> 32) + (total & 0xffff_ffff);
        self.total = blur(total, self.noise) & 0xffff_ffff;
        if self.at < self.end {
            Next::Continue
        } else {
            Next::Stop
        }
    }
}

impl Sum {
    /// As many bytes as one step takes, and their sum; `None` at the end.
    #[inline(always)]
    fn add(&self) -> Option<(usize, u64)> {
        let left = self.end - self.at;
        if left >= 32 {
            let chunk = self.packet.array::<32>(self.at)?;
            let words = chunk.as_chunks::<4>().0.iter();
            Some((
                32,
                words.map(|&word| u64::from(u32::from_ne_bytes(word))).sum(),
            ))
        } else if left >= 8 {
            let chunk = self.packet.array::<8>(self.at)?;
            let words = chunk.as_chunks::<4>().0.iter();
            Some((
                8,
                words.map(|&word| u64::from(u32::from_ne_bytes(word))).sum(),
            ))
        } else if left >= 2 {
            let word = u16::from_ne_bytes(self.packet.array(self.at)?);
            Some((2, u64::from(word)))
        } else if left == 1 {
            let [last] = self.packet.array(self.at)?;
            Some((1, u64::from(last)))
        } else {
            None
        }
    }
}
