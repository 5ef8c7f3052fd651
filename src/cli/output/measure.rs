//! Ages, durations, sizes and commits as people read them. Pure.

use std::time::Duration;
use testhide_protocol::Timestamp;

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// How long ago `then` was; the day itself when that is longer than a month.
pub(in crate::cli) fn age(now: Timestamp, then: Timestamp) -> String {
    match now.millis_since(then) {
        // A server's clock may be a little ahead of this one.
        millis if millis < 2 * SECOND => "just now".to_owned(),
        millis if millis < 2 * MINUTE => format!("{}s ago", millis / SECOND),
        millis if millis < 2 * HOUR => format!("{}m ago", millis / MINUTE),
        millis if millis < 2 * DAY => format!("{}h ago", millis / HOUR),
        millis if millis < 31 * DAY => format!("{}d ago", millis / DAY),
        _ => then.to_string().chars().take(10).collect(),
    }
}

/// A duration in milliseconds with the two units that matter.
pub(in crate::cli) fn duration(millis: u64) -> String {
    let seconds = millis / 1000;
    match millis {
        0..1000 => format!("{millis}ms"),
        1000..60_000 => format!("{seconds}.{}s", millis % 1000 / 100),
        60_000..3_600_000 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A size in decimal units.
pub(in crate::cli) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut tenths = count / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// The first nine digits of a commit, or the whole of what is not one.
pub(in crate::cli) fn short_commit(commit: &str) -> &str {
    if commit.len() > 9 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        &commit[..9]
    } else {
        commit
    }
}

/// Reads `90`, `90s`, `10m`, `1h30m`, `2d`; a number alone means seconds.
pub(in crate::cli) fn parse_duration(text: &str) -> Result<Duration, String> {
    let refuse = || format!("`{text}` is not a duration such as `90s`, `10m` or `1h30m`");
    let mut total = 0u64;
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(refuse());
    }
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let number: u64 = rest[..digits].parse().map_err(|_| refuse())?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let factor = match &rest[..letters] {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            // A bare number, and only when nothing else was said.
            "" if total == 0 => 1,
            _ => return Err(refuse()),
        };
        rest = &rest[letters..];
        total = number
            .checked_mul(factor)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(refuse)?;
    }
    Ok(Duration::from_secs(total))
}

#[cfg(test)]
mod tests {
    use super::{age, bytes, duration, parse_duration, short_commit};
    use testhide_protocol::Timestamp;

    #[test]
    fn ages() {
        let now: Timestamp = "2026-03-20T10:30:00Z".parse().unwrap();
        let check = |then: &str, expected: &str| {
            assert_eq!(age(now, then.parse().unwrap()), expected, "{then}");
        };
        check("2026-03-20T10:31:00Z", "just now");
        check("2026-03-20T10:29:59Z", "just now");
        check("2026-03-20T10:29:15Z", "45s ago");
        check("2026-03-20T10:25:00Z", "5m ago");
        check("2026-03-20T07:00:00Z", "3h ago");
        check("2026-03-17T10:00:00Z", "3d ago");
        check("2025-12-31T10:00:00Z", "2025-12-31");
    }

    #[test]
    fn durations_and_sizes() {
        let check = |millis: u64, expected: &str| assert_eq!(duration(millis), expected);
        check(0, "0ms");
        check(999, "999ms");
        check(4260, "4.2s");
        check(65_000, "1m 05s");
        check(7_380_000, "2h 03m");
        let check = |count: u64, expected: &str| assert_eq!(bytes(count), expected);
        check(0, "0 B");
        check(999, "999 B");
        check(1_000, "1.0 kB");
        check(999_999, "999.9 kB");
        check(1_000_000, "1.0 MB");
        check(1_234_567_890, "1.2 GB");
    }

    #[test]
    fn durations_that_people_write() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(
                parse_duration(text).ok().map(|it| it.as_secs()),
                expected,
                "{text:?}"
            );
        };
        check("90", Some(90));
        check("90s", Some(90));
        check("10m", Some(600));
        check("1h30m", Some(5400));
        check("2d", Some(172_800));
        for wrong in [
            "",
            "m",
            "10x",
            "1h30",
            "-5s",
            "99999999999999999999s",
            "1.5h",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn only_commits_are_shortened() {
        assert_eq!(
            short_commit("4f2c91a0b7d3e8f6a5c4b3d2e1f0a9b8c7d6e5f4"),
            "4f2c91a0b"
        );
        assert_eq!(short_commit("release-2026-03"), "release-2026-03");
    }
}
