//! The headers of an skb that is not linear.

use core::arch::asm;

use aya_ebpf::{
    bindings::__sk_buff, btf_maps::PerCpuArray, helpers::bpf_skb_load_bytes, macros::btf_map,
};
use termination_common::wire::{Bytes, Step};

use super::{advance, forget, load, load_words, repeat};

/// Bytes of an skb that are copied where direct access does not reach: more
/// than Ethernet, QinQ, IPv6 and TCP with all options (14 + 8 + 40 + 60), and
/// room for extension headers.
const HEADERS: usize = 256;

const _: () = assert!(HEADERS == 1 << 8, "the masks below");

/// The most that is read at once. There is so much room behind the headers, so
/// that the verifier need not know how offset and length are related: that of
/// Linux 6.1 does not.
const MOST: usize = 40;

/// Where they are copied to.
#[btf_map]
static HEADER_BYTES: PerCpuArray<[u8; HEADERS + MOST], 1> = PerCpuArray::new();

/// The first bytes of an skb, copied.
#[derive(Clone, Copy)]
pub(super) struct Copied {
    /// The map value, of which the first [`HEADERS`] bytes are filled.
    bytes: *const u8,
    /// How many of them are the skb's.
    length: usize,
}

impl Copied {
    #[inline(always)]
    pub(super) fn skb(skb: *mut __sk_buff) -> Option<Self> {
        let bytes = HEADER_BYTES.get_ptr_mut(0)?;
        // SAFETY: the context of the running program.
        let length = (unsafe { (*skb).len } as usize).min(HEADERS);
        if length == 0 {
            return None;
        }
        // The verifier of Linux 6.1 does not conclude from the line above that
        // there is a byte at least.
        let mut length = length - 1;
        // SAFETY: computes with a register and touches nothing else. Out of the
        // compiler's sight, which would take all of this back.
        unsafe {
            asm!("{0} &= 255", "{0} += 1", inout(reg) length, options(pure, nomem, nostack));
        }
        // SAFETY: the buffer has room for `length` bytes, and no other program
        // on this CPU uses it meanwhile: tc programs do not nest, and the
        // program has read what it wants before it ends.
        let result = unsafe { bpf_skb_load_bytes(skb.cast(), 0, bytes.cast(), length as u32) };
        (result == 0).then_some(Self {
            bytes: bytes.cast(),
            length,
        })
    }
}

impl Copied {
    /// Where `size` bytes at `offset` are, if they were copied.
    #[inline(always)]
    fn at(&self, offset: usize, size: usize) -> Option<*const u8> {
        if offset + size > self.length {
            return None;
        }
        let mut masked = offset;
        // SAFETY: computes with a register and touches nothing else. The length
        // is at most 256 and the size not 0: this changes nothing, but the
        // verifier learns a bound.
        unsafe {
            asm!("{0} &= 255", inout(reg) masked, options(pure, nomem, nostack));
        }
        Some(advance(self.bytes, masked))
    }
}

impl Bytes for Copied {
    #[inline(always)]
    fn words<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        const { assert!(N * 4 <= MOST) };
        let start = self.at(offset, N * 4)?;
        // SAFETY: so many bytes from there are in the buffer.
        Some(unsafe { load_words(start) })
    }

    #[inline(always)]
    fn array<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        const { assert!(N <= MOST) };
        let start = self.at(offset, N)?;
        // SAFETY: N bytes from there are in the buffer.
        Some(unsafe { load(start) })
    }

    /// Never asked for: checksums are verified at XDP alone.
    #[inline(always)]
    fn sum(&self, _offset: usize, _length: usize) -> Option<u32> {
        None
    }

    #[inline(always)]
    fn forget(&self, offset: usize, noise: u32) -> usize {
        forget(offset, noise)
    }

    #[inline(always)]
    fn repeat<S: Step>(rounds: u32, state: &mut S) {
        repeat(rounds, state);
    }
}
