//! The bytes of a frame, as a BPF program may read them.

mod copied;
mod sum;

use core::{
    arch::asm,
    ffi::c_void,
    mem::{MaybeUninit, transmute_copy},
    ptr::{from_mut, with_exposed_provenance},
};

use aya_ebpf::{
    bindings::__sk_buff,
    helpers::bpf_loop,
    programs::{TcContext, XdpContext},
};
use termination_common::{
    segment::Segment,
    verifier::blur,
    wire::{self, Bytes, Context, Next, Skip, Step},
};

/// Headers start below this offset; the verifier wants to know a bound (its
/// own is 64 KiB), and this one is beyond what the parser can reach.
const REACH: usize = 0x7fff;

/// What direct packet access sees: all of an XDP frame's first buffer, the
/// linear part of an skb.
#[derive(Clone, Copy)]
pub struct Linear {
    /// First byte; a packet pointer, and only that, as far as the verifier is
    /// concerned.
    data: *const u8,
    /// Just past the last byte.
    end: *const u8,
}

/// An XDP frame.
pub type XdpPacket = Linear;

impl Linear {
    /// The frame of an XDP program.
    #[inline(always)]
    pub fn xdp(context: &XdpContext) -> XdpPacket {
        Self {
            data: with_exposed_provenance(context.data()),
            end: with_exposed_provenance(context.data_end()),
        }
    }

    /// The linear part of a tc program's skb.
    #[inline(always)]
    pub fn skb(context: &TcContext) -> Self {
        Self {
            data: with_exposed_provenance(context.data()),
            end: with_exposed_provenance(context.data_end()),
        }
    }

    /// Bytes within reach.
    #[inline(always)]
    pub fn length(self) -> usize {
        self.end.addr().wrapping_sub(self.data.addr())
    }

    /// A pointer to `length` bytes at `offset`.
    #[inline(always)]
    fn at(self, offset: usize, length: usize) -> Option<*const u8> {
        if offset > REACH {
            return None;
        }
        let start = advance(self.data, offset);
        // The verifier takes note of exactly this comparison, for `start` and
        // what is a constant away from it.
        if start.wrapping_add(length) > self.end {
            return None;
        }
        Some(start)
    }
}

/// `base + offset`, out of the compiler's sight. Otherwise it computes a pointer
/// once for the check and, where registers are short, once more for the read;
/// to the verifier, the second is another pointer that was never checked.
#[expect(
    clippy::pointers_in_nomem_asm_block,
    reason = "the pointer is moved, and nothing is read through it"
)]
#[inline(always)]
fn advance(base: *const u8, offset: usize) -> *const u8 {
    let mut pointer = base;
    // SAFETY: adds two registers and touches nothing else.
    unsafe {
        asm!(
            "{0} += {1}",
            inout(reg) pointer,
            in(reg) offset,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    pointer
}

/// The `N` bytes at `pointer`, up to 40, in as few accesses as it takes.
///
/// In assembly, for headers are where they are: the compiler would read each
/// byte for itself, as it may not assume that the machine reads a misaligned
/// word. This one may: the verifier refuses the program where it cannot be.
/// (Telling the compiler so, `allows-misaligned-mem-access` since LLVM 22,
/// makes it misalign its own stack too, which the verifier always refuses.)
///
/// # Safety
/// The bytes are there.
#[inline(always)]
unsafe fn load<const N: usize>(pointer: *const u8) -> [u8; N] {
    /// One access: its width in BPF's terms, its Rust type, its place.
    macro_rules! access {
        ($width:literal, $type:ty, $place:literal) => {{
            let value: u64;
            // SAFETY: within the bytes, as each caller below has checked; it
            // reads, and nothing else.
            unsafe {
                asm!(
                    concat!("{0} = *(", $width, " *)({1} + ", $place, ")"),
                    lateout(reg) value,
                    in(reg) pointer,
                    options(pure, readonly, nostack, preserves_flags)
                );
            }
            value as $type
        }};
    }
    macro_rules! words {
        ($words:ident: $($index:literal at $place:literal),+) => {
            $( if N >= $place + 4 {
                $words[$index] = MaybeUninit::new(access!("u32", u32, $place));
            } )+
        };
    }
    const { assert!(matches!(N, 1 | 2) || N.is_multiple_of(4) && N <= 40) };
    // Not zeroed: that would be a call of `memset`, byte by byte.
    let mut words = [const { MaybeUninit::<u32>::uninit() }; 10];
    match N {
        1 => words[0] = MaybeUninit::new(access!("u8", u32, 0)),
        2 => words[0] = MaybeUninit::new(access!("u16", u32, 0)),
        _ => {
            words!(
                words: 0 at 0, 1 at 4, 2 at 8, 3 at 12, 4 at 16,
                5 at 20, 6 at 24, 7 at 28, 8 at 32, 9 at 36
            );
        }
    }
    // SAFETY: of 40 bytes the first N are wanted and were read; the machine is little-endian,
    // as are all that this is built for, so the low bytes come first.
    unsafe { transmute_copy(&words) }
}

/// The `N` 32-bit words at `pointer`, in host order.
///
/// # Safety
/// The bytes are there.
#[inline(always)]
unsafe fn load_words<const N: usize>(pointer: *const u8) -> [u32; N] {
    let mut words = [0; N];
    let mut index = 0;
    while index < N {
        let value: u64;
        // SAFETY: within the bytes; it reads, and nothing else. In assembly for
        // the reason above.
        unsafe {
            asm!(
                "{0} = *(u32 *)({1} + 0)",
                lateout(reg) value,
                in(reg) pointer.add(index * 4),
                options(pure, readonly, nostack, preserves_flags)
            );
        }
        words[index] = u32::from_be(value as u32);
        index += 1;
    }
    words
}

impl Bytes for Linear {
    #[inline(always)]
    fn words<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        let start = self.at(offset, N * 4)?;
        // SAFETY: `at` has checked that they are in the packet, which nobody
        // else writes while the program runs.
        Some(unsafe { load_words(start) })
    }

    #[inline(always)]
    fn array<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let start = self.at(offset, N)?;
        // SAFETY: `at` has checked that N bytes from here are in the packet,
        // which nobody else writes while the program runs.
        Some(unsafe { load(start) })
    }

    #[inline(always)]
    fn sum(&self, offset: usize, length: usize) -> Option<u32> {
        // Most segments that are checked are a header and nothing else, with
        // the options of every common stack or none.
        match length {
            20 => return sum::words::<5>(*self, offset),
            32 => return sum::words::<8>(*self, offset),
            40 => return sum::words::<10>(*self, offset),
            _ => {}
        }
        u32::try_from(sum::sum(*self, offset, length)).ok()
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

/// [`Bytes::forget`]: to the verifier, any offset within reach.
#[inline(always)]
fn forget(offset: usize, noise: u32) -> usize {
    blur(offset as u64, noise) as usize & REACH
}

/// [`Bytes::repeat`].
#[inline(always)]
fn repeat<S: Step>(rounds: u32, state: &mut S) {
    /// 1 ends the loop.
    extern "C" fn round<S: Step>(_index: u64, state: *mut S) -> u64 {
        // SAFETY: the pointer is the one handed to the helper below, which
        // returns only when all rounds are done.
        match unsafe { (*state).step() } {
            Next::Continue => 0,
            Next::Stop => 1,
        }
    }
    let callback = round::<S> as extern "C" fn(u64, *mut S) -> u64;
    // SAFETY: the callback has the signature that the helper wants, and the
    // state outlives the call.
    unsafe {
        bpf_loop(rounds, callback as *mut c_void, from_mut(state).cast(), 0);
    }
}

/// Reads an skb's segment from a copy of its first bytes.
///
/// Headers are nearly always in the linear part. Where they are not, all is read
/// once more from a copy, rather than each access having two ways to go: that
/// would cost everybody, and double what the verifier has to walk at every
/// access. Pulling the data up would change the skb.
///
/// # Errors
/// The reason why there is no segment.
#[inline(always)]
pub fn read_copied(
    skb: *mut __sk_buff,
    context: &Context,
    segment: &mut Segment,
) -> Result<(), Skip> {
    let copied = copied::Copied::skb(skb).ok_or(Skip::Runt)?;
    wire::ethernet(copied, context, segment)
}
