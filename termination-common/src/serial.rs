//! Serial arithmetic on sequence numbers (RFC 9293 3.4, RFC 1982).
//!
//! All comparisons are modulo 2^32: `a` is before `b` when the signed distance
//! from `a` to `b` is positive. The answer is meaningful only while the two
//! numbers are less than 2^31 apart, which TCP guarantees for live windows.

/// Signed distance from `b` to `a`: positive when `a` is after `b`.
#[inline(always)]
pub const fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b).cast_signed()
}

/// `a` is strictly before `b`.
#[inline(always)]
pub const fn before(a: u32, b: u32) -> bool {
    distance(a, b) < 0
}

/// `a` is strictly after `b`.
#[inline(always)]
pub const fn after(a: u32, b: u32) -> bool {
    distance(a, b) > 0
}

/// [`before`] as a number, 1 or 0; of small numbers plainly whether `a` is less.
/// Without a branch, of which the verifier would walk both ways.
#[inline(always)]
pub const fn is_before(a: u32, b: u32) -> u32 {
    a.wrapping_sub(b) >> 31
}

/// 1 if it is, else 0; without a branch, too.
#[inline(always)]
pub const fn is_zero(value: u32) -> u32 {
    ((value | value.wrapping_neg()) >> 31) ^ 1
}

/// `low <= x <= high`, going forward from `low`.
#[inline(always)]
pub const fn between(x: u32, low: u32, high: u32) -> bool {
    x.wrapping_sub(low) <= high.wrapping_sub(low)
}

/// The later of the two.
#[inline(always)]
pub const fn latest(a: u32, b: u32) -> u32 {
    if after(a, b) { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_survives_the_wrap() {
        assert!(before(u32::MAX, 0));
        assert!(after(5, u32::MAX - 5));
        assert!(!before(7, 7) && !after(7, 7));
        assert_eq!(latest(u32::MAX, 3), 3);
        assert_eq!(distance(2, u32::MAX), 3);
    }

    #[test]
    fn between_goes_forward_from_low() {
        assert!(between(1, u32::MAX - 1, 3));
        assert!(between(10, 10, 10));
        assert!(!between(9, 10, 12));
        assert!(!between(13, 10, 12));
    }
}
