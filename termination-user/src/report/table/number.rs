//! Numbers and durations as people read them.

/// `1,234,567`.
pub(in crate::report) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// In full, in seven characters up to 9,999,999: grouped, or without commas.
pub(super) fn exact(number: u64) -> String {
    const LAST_GROUPED: u64 = 999_999;
    if number > LAST_GROUPED {
        number.to_string()
    } else {
        grouped(number)
    }
}

/// At most five characters: `999`, `1.23k`, `12.3M`, `123G`; rounded down, so
/// that it never says more than there is.
pub(super) fn short(number: u64) -> String {
    if number < 1000 {
        return number.to_string();
    }
    let mut unit = 1_u64;
    let mut letter = ' ';
    for next in "kMGTPE".chars() {
        if number / unit < 1000 {
            break;
        }
        unit *= 1000;
        letter = next;
    }
    format!("{}{letter}", digits(number, unit))
}

/// `number / unit` with three digits, for a quotient below 1000.
fn digits(number: u64, unit: u64) -> String {
    let whole = number / unit;
    let rest = u128::from(number % unit);
    let part = |scale: u128| rest * scale / u128::from(unit);
    match whole {
        0..10 => format!("{whole}.{:02}", part(100)),
        10..100 => format!("{whole}.{}", part(10)),
        _ => whole.to_string(),
    }
}

/// At most five characters: `0s`, `812µs`, `1.23s`, `59m59`, `23h59`, `12d3h`,
/// `999d`; rounded down.
pub(crate) fn span(seconds: f64) -> String {
    const MICROSECOND: u64 = 1000;
    const MILLISECOND: u64 = 1000 * MICROSECOND;
    const SECOND: u64 = 1000 * MILLISECOND;
    // To the nanosecond, as it was before it became a fraction.
    let nanoseconds = (seconds * 1e9).round() as u64;
    let whole = nanoseconds / SECOND;
    let (minutes, hours, days) = (whole / 60, whole / 3600, whole / 86_400);
    match nanoseconds {
        0 => String::from("0s"),
        1..MICROSECOND => format!("{nanoseconds}ns"),
        MICROSECOND..MILLISECOND => format!("{}µs", nanoseconds / MICROSECOND),
        MILLISECOND..SECOND => format!("{}ms", nanoseconds / MILLISECOND),
        _ if whole < 60 => format!("{}s", digits(nanoseconds, SECOND)),
        _ if hours < 1 => format!("{minutes}m{:02}", whole % 60),
        _ if days < 1 => format!("{hours}h{:02}", minutes % 60),
        _ if days < 10 => format!("{days}d{}h", hours % 24),
        _ => format!("{days}d"),
    }
}

/// `1 packet`, `2 packets`.
pub(crate) fn plural(number: u64, one: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{} {one}{s}", grouped(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_from_the_right() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1000), "1,000");
        assert_eq!(exact(999_999), "999,999");
        assert_eq!(exact(1_000_000), "1000000");
        assert_eq!(grouped(u64::MAX), "18,446,744,073,709,551,615");
    }

    #[test]
    fn short_numbers_never_exceed_five_characters_nor_the_truth() {
        let expected = [
            (0, "0"),
            (999, "999"),
            (1000, "1.00k"),
            (1999, "1.99k"),
            (12_345, "12.3k"),
            (999_999, "999k"),
            (1_000_000, "1.00M"),
            (u64::MAX, "18.4E"),
        ];
        for (number, text) in expected {
            assert_eq!(short(number), text);
        }
    }

    #[test]
    fn spans_keep_two_units_in_five_characters() {
        let expected = [
            (0.0, "0s"),
            (3e-9, "3ns"),
            (0.000_081, "81µs"),
            (0.000_999_999, "999µs"),
            (0.012, "12ms"),
            (0.999_999_999, "999ms"),
            (1.239, "1.23s"),
            (59.99, "59.9s"),
            (60.0, "1m00"),
            (3599.0, "59m59"),
            (3600.0, "1h00"),
            (86_399.0, "23h59"),
            (86_400.0 * 1.5, "1d12h"),
            (86_400.0 * 99.0, "99d"),
        ];
        for (seconds, text) in expected {
            assert_eq!(span(seconds), text);
            assert!(span(seconds).chars().count() <= 5);
        }
    }
}
