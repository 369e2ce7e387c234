//! Shared memory layout as bytes, both ways.

use std::{mem::MaybeUninit, slice};

use termination_common::{
    counters::Counters,
    exchange::{Record, SweepHeader, SweepRequest},
    policy::Settings,
    slot::{Cold, Hot},
    traffic::PrefixKey,
};

/// A type whose every bit pattern is a value, without padding or pointers.
///
/// # Safety
///
/// The type must be `repr(C)` (or transparent), made of integers only, and
/// free of padding bytes.
pub unsafe trait Plain: Copy + 'static {}

// SAFETY: repr(C); 8 + 2 * 28 bytes of integers, checked in slot.rs.
unsafe impl Plain for Hot {}
// SAFETY: repr(C); 136 bytes of integers without a gap, checked in slot.rs.
unsafe impl Plain for Cold {}
// SAFETY: repr(C); 4 * 1 + 4 + 8 + 200 = 216 bytes, checked in exchange.rs.
unsafe impl Plain for Record {}
// SAFETY: repr(C); 8 + 4 + 4 + 10 * 4 = 56 bytes, checked in exchange.rs.
unsafe impl Plain for SweepHeader {}
// SAFETY: repr(C); 2 * 4 + 4 + 4 = 16 bytes, checked in exchange.rs.
unsafe impl Plain for SweepRequest {}
// SAFETY: an integer.
unsafe impl Plain for u64 {}
// SAFETY: repr(C) around an array of u64.
unsafe impl Plain for Counters {}
// SAFETY: repr(C); four u32, the ten of the timers, three.
unsafe impl Plain for Settings {}
// SAFETY: repr(C); 4 + 4 * 4 = 20 bytes of integers, checked in traffic.rs.
unsafe impl Plain for PrefixKey {}

const _: () = assert!(size_of::<Settings>() == 68);

/// The bytes of a value.
pub fn bytes_of<T: Plain>(value: &T) -> &[u8] {
    // SAFETY: `value` is readable for its size, and `Plain` has no padding, so
    // that every byte is initialized.
    unsafe { slice::from_raw_parts(std::ptr::from_ref(value).cast(), size_of::<T>()) }
}

/// A value from the start of `bytes`; `None` when they are too few.
pub fn read<T: Plain>(bytes: &[u8]) -> Option<T> {
    let bytes = bytes.get(..size_of::<T>())?;
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: source and target have `size_of::<T>()` bytes and do not overlap;
    // any bytes are a value of a `Plain` type.
    unsafe {
        value
            .as_mut_ptr()
            .cast::<u8>()
            .copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        Some(value.assume_init())
    }
}

/// A layout type as the value of an aya map or global, which asks for its own
/// marker trait.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub struct Raw<T: Plain>(pub T);

// SAFETY: `Plain` promises what `aya::Pod` asks for: plain data, any bytes.
unsafe impl<T: Plain> aya::Pod for Raw<T> {}

#[cfg(test)]
mod tests {
    use termination_common::slot::SlotId;

    use super::*;

    #[test]
    fn bytes_survive_the_round() {
        let request = SweepRequest {
            id: SlotId {
                slot: 7,
                generation: 9,
            },
            status: 3,
            reserved: 0,
        };
        assert_eq!(read::<SweepRequest>(bytes_of(&request)), Some(request));
        assert_eq!(read::<SweepRequest>(&[0; 15]), None);
    }
}
