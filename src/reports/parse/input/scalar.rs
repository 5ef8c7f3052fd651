//! Lenient numbers and times: durations in seconds, time stamps without a zone.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;

/// Durations beyond this are mistakes (a time stamp in the wrong attribute): a year.
const LONGEST_MS: f64 = 365.0 * 86_400_000.0;

/// Milliseconds from seconds as reporters write them: `0.012`, `1e-3`, `1,234.5`, `0,5`, ` 3 s`. `None` if it is no duration.
pub(in crate::reports::parse) fn seconds_to_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let (text, scale) = match text.strip_suffix("ms") {
        Some(number) => (number.trim_end(), 1.0),
        None => (text.strip_suffix('s').unwrap_or(text).trim_end(), 1000.0),
    };
    let number: f64 = if text.contains(',') {
        // With a point too, commas group digits; a single comma alone is a decimal comma.
        let grouped = text.contains('.') || text.matches(',').count() > 1;
        text.replace(',', if grouped { "" } else { "." })
            .parse()
            .ok()?
    } else {
        text.parse().ok()?
    };
    float_ms(number * scale)
}

/// Whole milliseconds, if the number is a possible duration.
pub(in crate::reports::parse) fn float_ms(ms: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    (ms.is_finite() && (0.0..=LONGEST_MS).contains(&ms)).then(|| ms.round() as u64)
}

/// A time stamp; one without a zone is UTC.
pub(in crate::reports::parse) fn timestamp(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    if let Ok(stamp) = text.parse::<Timestamp>() {
        return real(stamp);
    }
    if text.as_bytes()[0].is_ascii_alphabetic() {
        // Mocha writes what JavaScript shows: `Sat, 21 Nov 2026 14:15:56 GMT`.
        return rfc2822::parse(text)
            .ok()
            .map(|zoned| zoned.timestamp())
            .and_then(real);
    }
    let civil: DateTime = text.parse().ok()?;
    civil
        .to_zoned(TimeZone::UTC)
        .ok()
        .map(|zoned| zoned.timestamp())
        .and_then(real)
}

/// Nothing was tested before 1970: an earlier time stands for none.
fn real(stamp: Timestamp) -> Option<Timestamp> {
    (stamp > Timestamp::UNIX_EPOCH).then_some(stamp)
}

/// A time stamp from milliseconds since the epoch.
pub(in crate::reports::parse) fn epoch_ms(ms: f64) -> Option<Timestamp> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "out of range saturates and is then refused"
    )]
    (ms.is_finite() && ms > 0.0)
        .then(|| Timestamp::from_millisecond(ms as i64).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check =
            |text: &str, expected: Option<u64>| assert_eq!(seconds_to_ms(text), expected, "{text}");
        check("0.012", Some(12));
        check("3661.500", Some(3_661_500));
        check("1e-3", Some(1));
        check("1,234.5", Some(1_234_500));
        check("0,5", Some(500));
        check(" 3 s", Some(3000));
        check("15ms", Some(15));
        check("", None);
        check("-1", None);
        check("NaN", None);
        check("inf", None);
        check("1e30", None);
        check("a while", None);
    }

    #[test]
    fn time_stamps() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(
                timestamp(text).map(Timestamp::as_millisecond),
                expected,
                "{text}"
            );
        };
        check("2026-11-21T08:14:14.492", Some(1_795_248_854_492));
        check("2026-11-21T08:14:14.492Z", Some(1_795_248_854_492));
        check("2026-11-21T10:14:14.492+02:00", Some(1_795_248_854_492));
        check("2026-11-21 08:14:14", Some(1_795_248_854_000));
        check("Sat, 21 Nov 2026 08:14:14 GMT", Some(1_795_248_854_000));
        check("0001-01-01T00:00:00", None);
        check("1970-01-01T00:00:00Z", None);
        check("yesterday", None);
        check("", None);
    }
}
