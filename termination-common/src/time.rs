//! Time in a slot: nanoseconds where a difference is reported, ticks elsewhere.

/// A coarse moment: nanoseconds >> 20 (1.048576 ms), modulo 2^32 (52 days).
/// Ages are taken with wrapping subtraction; every timer is far shorter.
pub type Tick = u32;

/// Bits of nanoseconds in one tick.
pub const TICK_SHIFT: u32 = 20;

/// Nanoseconds to ticks.
#[inline(always)]
pub const fn tick(nanoseconds: u64) -> Tick {
    (nanoseconds >> TICK_SHIFT) as Tick
}

/// A duration in seconds as ticks, rounded up.
pub const fn ticks_from_seconds(seconds: f64) -> Tick {
    let ticks = seconds * 1e9 / (1u64 << TICK_SHIFT) as f64;
    let whole = ticks as Tick;
    if (whole as f64) < ticks {
        whole + 1
    } else {
        whole
    }
}

/// The full time of a tick, given a full time `now` less than 52 days later.
#[inline(always)]
pub const fn untick(at: Tick, now: u64) -> u64 {
    let age = tick(now).wrapping_sub(at);
    now.saturating_sub((age as u64) << TICK_SHIFT)
}

/// A duration in 32 bits with eight digits of precision: a 27-bit mantissa
/// shifted left by a 5-bit exponent, in nanoseconds. Zero means "not known",
/// so the shortest measured duration is 1 ns. Longest: 9.1 years.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Span(pub u32);

impl Span {
    const MANTISSA: u32 = 27;

    /// Rounds down to the precision.
    #[inline(always)]
    pub fn new(nanoseconds: u64) -> Self {
        Self(span_new(nanoseconds))
    }

    /// Nanoseconds, or `None` when never measured.
    pub const fn nanoseconds(self) -> Option<u64> {
        if self.0 == 0 {
            return None;
        }
        let mantissa = (self.0 & ((1 << Self::MANTISSA) - 1)) as u64;
        Some(mantissa << (self.0 >> Self::MANTISSA))
    }
}

/// [`Span::new`]. With external linkage the verifier walks it once, whatever
/// its callers have done before.
#[cfg_attr(target_arch = "bpf", unsafe(no_mangle), inline(never))]
const extern "C" fn span_new(nanoseconds: u64) -> u32 {
    // At most 64 - 27 = 37 would be needed; 31 is what five bits hold.
    let bits = 64 - nanoseconds.leading_zeros();
    let exponent = bits.saturating_sub(Span::MANTISSA);
    if exponent > 31 {
        return u32::MAX;
    }
    let mantissa = (nanoseconds >> exponent) as u32;
    let span = exponent << Span::MANTISSA | mantissa;
    if span == 0 { 1 } else { span }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_keeps_eight_digits() {
        for value in [
            1,
            81_000,
            134_217_727,
            134_217_728,
            10_000_000_123,
            3_600_000_000_000,
        ] {
            let back = Span::new(value).nanoseconds().unwrap();
            assert!(
                back <= value && value - back <= value >> 26,
                "{value} {back}"
            );
        }
        assert_eq!(Span::default().nanoseconds(), None);
        assert_eq!(Span::new(0).nanoseconds(), Some(1));
    }

    #[test]
    fn a_tick_finds_its_time_again() {
        let now = 90_000_000_000_000_u64;
        let then = now - 7_000_000_000;
        let back = untick(tick(then), now);
        assert!(back.abs_diff(then) <= 2 << TICK_SHIFT);
    }

    #[test]
    fn seconds_round_up() {
        assert_eq!(ticks_from_seconds(1.048_576), 1000);
        assert_eq!(ticks_from_seconds(0.000_001), 1);
    }
}
