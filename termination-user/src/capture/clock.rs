//! The times of a pcapng interface (draft-ietf-opsawg-pcapng, 4.2).

use super::window::Endian;

/// Option: no more options follow (3.5).
const END: u16 = 0;
/// Option: the unit of times, one byte (4.2).
const RESOLUTION: u16 = 9;
/// Option: seconds to add to times, eight bytes, signed (4.2).
const OFFSET: u16 = 14;

const NANOSECONDS: i64 = 1_000_000_000;

/// How an interface counts time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    unit: Unit,
    /// Nanoseconds to add.
    offset: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// So many nanoseconds.
    Nanoseconds(u64),
    /// So many in a nanosecond; 0 for more than a number can tell.
    PerNanosecond(u64),
    /// Two to this power in a second.
    Binary(u8),
}

impl Clock {
    /// Reads the options of an interface.
    ///
    /// # Errors
    /// The option with this number is malformed.
    pub(super) fn from_options(endian: Endian, mut options: &[u8]) -> Result<Self, u16> {
        let mut clock = Self {
            unit: Unit::Nanoseconds(1000),
            offset: 0,
        };
        while options.len() >= 4 {
            let code = endian.u16(options, 0);
            let length = usize::from(endian.u16(options, 2));
            if code == END {
                break;
            }
            let value = options.get(4..4 + length).ok_or(code)?;
            match code {
                RESOLUTION => match value {
                    [resolution] => clock.unit = Unit::new(*resolution),
                    _ => return Err(code),
                },
                OFFSET if length != 8 => return Err(code),
                OFFSET => clock.offset = endian.i64(value, 0).saturating_mul(NANOSECONDS),
                _ => {}
            }
            // Values are padded to a multiple of four.
            let next = 4 + length.next_multiple_of(4);
            options = options.get(next..).unwrap_or_default();
        }
        Ok(clock)
    }

    /// Nanoseconds since the epoch; what is outside 1970 to 2554 is drawn to
    /// the nearer end.
    #[inline(always)]
    pub(super) fn nanoseconds(self, units: u64) -> u64 {
        let time = match self.unit {
            Unit::Nanoseconds(nanoseconds) => units.saturating_mul(nanoseconds),
            Unit::PerNanosecond(units_in) => units.checked_div(units_in).unwrap_or(0),
            Unit::Binary(power) => {
                let time = (u128::from(units) * NANOSECONDS as u128) >> power;
                u64::try_from(time).unwrap_or(u64::MAX)
            }
        };
        time.saturating_add_signed(self.offset)
    }
}

impl Unit {
    /// From the option: a negative power of 10, or of 2 with the top bit set.
    fn new(resolution: u8) -> Self {
        let power = resolution & 0x7f;
        let ten = |power: u8| 10u64.checked_pow(u32::from(power)).unwrap_or(0);
        match power {
            _ if resolution & 0x80 != 0 => Self::Binary(power),
            0..=9 => Self::Nanoseconds(ten(9 - power)),
            _ => Self::PerNanosecond(ten(power - 9)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(resolution: u8, seconds: i64) -> Clock {
        let mut options = vec![9, 0, 1, 0, resolution, 0, 0, 0, 14, 0, 8, 0];
        options.extend(seconds.to_le_bytes());
        options.extend([0; 4]);
        Clock::from_options(Endian::Little, &options).unwrap()
    }

    #[test]
    fn resolutions() {
        let table: [(u8, i64, u64, u64); 13] = [
            (6, 0, 1, 1000),
            (9, 0, 7, 7),
            (0, 0, 3, 3_000_000_000),
            (3, 5, 2, 5_002_000_000),
            (9, -1, 1_000_000_007, 7),
            (9, -1, 7, 0),
            (9, i64::MAX, 7, 9_223_372_036_854_775_814),
            (12, 0, 2999, 2),
            (28, 0, u64::MAX, 1),
            (29, 0, u64::MAX, 0),
            (0x80 | 10, 0, 1536, 1_500_000_000),
            (0x80, 0, u64::MAX, u64::MAX),
            (0xff, 0, u64::MAX, 0),
        ];
        for (resolution, seconds, units, expected) in table {
            let clock = clock(resolution, seconds);
            assert_eq!(clock.nanoseconds(units), expected, "{clock:?} {units}");
        }
    }

    #[test]
    fn malformed_options() {
        let read = |options: &[u8]| Clock::from_options(Endian::Big, options);
        assert_eq!(read(&[]).unwrap().nanoseconds(1), 1000);
        assert_eq!(read(&[0, 9, 0]).unwrap().nanoseconds(1), 1000);
        assert_eq!(read(&[0, 9, 0, 1]), Err(9));
        assert_eq!(read(&[0, 9, 0, 0]), Err(9));
        assert_eq!(read(&[0, 14, 0, 4, 0, 0, 0, 0]), Err(14));
        assert_eq!(read(&[0, 2, 255, 255, 0]), Err(2));
        // The last value's padding may be missing.
        assert_eq!(read(&[0, 9, 0, 1, 9]).unwrap().nanoseconds(1), 1);
        // Nothing counts behind the end.
        assert_eq!(
            read(&[0, 0, 0, 0, 0, 9, 0, 0]).unwrap().nanoseconds(1),
            1000
        );
    }
}
