//! Lenient numbers and times: durations in seconds or as a clock, time stamps without a zone or with its name.

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

/// Milliseconds from a duration as .NET writes it, `00:00:01.2345678` or `1.02:03:04`, or in seconds.
pub(in crate::reports::parse) fn duration_to_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    let Some((before, seconds)) = text.rsplit_once(':') else {
        return seconds_to_ms(text);
    };
    let (hours, minutes) = before.rsplit_once(':').unwrap_or(("0", before));
    let (days, hours) = hours.split_once('.').unwrap_or(("0", hours));
    let whole = |part: &str| part.parse::<u32>().ok().map(f64::from);
    let minutes = (whole(days)? * 24.0 + whole(hours)?) * 60.0 + whole(minutes)?;
    let seconds: f64 = seconds.replace(',', ".").parse().ok()?;
    if seconds.is_sign_negative() {
        return None;
    }
    float_ms((minutes * 60.0 + seconds) * 1000.0)
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

/// A time stamp; one without a zone is UTC. Beside ISO 8601 the layout of .NET's invariant culture is read
/// (`11/21/2026 08:14:14`, the month first), and a zone may be given by a name of RFC 5322 or Europe.
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
    if let Some((rest, zone)) = text.rsplit_once(' ')
        && zone.starts_with(|first: char| first.is_ascii_uppercase())
    {
        let offset = hours_of_zone(zone)?;
        let stamp = timestamp(rest)?;
        return Timestamp::from_millisecond(stamp.as_millisecond() - offset * 3_600_000).ok();
    }
    let civil: DateTime = match text.parse() {
        Ok(civil) => civil,
        Err(_) => {
            let (date, time) = text.split_once(' ')?;
            let mut parts = date.split('/');
            let (month, day, year) = (parts.next()?, parts.next()?, parts.next()?);
            if parts.next().is_some() {
                return None;
            }
            format!("{year:0>4}-{month:0>2}-{day:0>2}T{time}")
                .parse()
                .ok()?
        }
    };
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

/// Hours east of Greenwich of the zones whose names mean one thing only.
fn hours_of_zone(name: &str) -> Option<i64> {
    Some(match name {
        "UTC" | "GMT" | "UT" | "WET" => 0,
        "WEST" | "CET" => 1,
        "CEST" | "EET" => 2,
        "EEST" | "MSK" => 3,
        "JST" => 9,
        "EDT" => -4,
        "EST" | "CDT" => -5,
        "CST" | "MDT" => -6,
        "MST" | "PDT" => -7,
        "PST" => -8,
        _ => return None,
    })
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
        check("2026-11-21 08:14:14Z", Some(1_795_248_854_000));
        check("2026-11-21T08:14:14 UTC", Some(1_795_248_854_000));
        check("2026-11-21T09:14:14 CET", Some(1_795_248_854_000));
        check("2026-11-21T00:14:14 PST", Some(1_795_248_854_000));
        check("2026-11-21T08:14:14 XST", None);
        check("11/21/2026 08:14:14", Some(1_795_248_854_000));
        check("11/21/2026/1 08:14:14", None);
        check("2026-11-21T10:14:14.4921234+02:00", Some(1_795_248_854_492));
        check("Sat, 21 Nov 2026 08:14:14 GMT", Some(1_795_248_854_000));
        check("0001-01-01T00:00:00", None);
        check("1970-01-01T00:00:00Z", None);
        check("yesterday", None);
        check("yesterday UTC", None);
        check("", None);
    }

    #[test]
    fn clocks() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(duration_to_ms(text), expected, "{text}");
        };
        check("00:00:01.2345678", Some(1235));
        check("01:02:03", Some(3_723_000));
        check("1.02:03:04,5", Some(93_784_500));
        check("02:03.5", Some(123_500));
        check("0.25", Some(250));
        check("-00:00:01", None);
        check("00:00:-1", None);
        check("::", None);
        check("999999999.00:00:00", None);
    }
}
