//! Times as people read them. Points in time are UTC and say so.

use testhide_protocol::Timestamp;
use testhide_protocol::api::Build;

/// A length of time in at most six columns: `850ms`, `12s`, `4m12s`, `3h05m`, `2d`.
pub(crate) fn duration(millis: u64) -> String {
    let seconds = millis / 1_000;
    match seconds {
        0 => format!("{millis}ms"),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long ago, in at most four columns: `now`, `12s`, `4m`, `3h`, `2d`.
pub(crate) fn age(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.millis_since(time) / 1_000;
    match seconds {
        i64::MIN..=0 => "now".to_owned(),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// How long a build has been running, or ran.
pub(crate) fn took(build: &Build, now: Timestamp) -> Option<String> {
    let started = build.started_at?;
    let millis = match (
        build.status.is_final(),
        build.duration_ms,
        build.finished_at,
    ) {
        (true, Some(millis), _) => millis,
        (true, None, Some(finished)) => u64::try_from(finished.millis_since(started)).unwrap_or(0),
        (true, None, None) => return None,
        (false, ..) => u64::try_from(now.millis_since(started)).unwrap_or(0),
    };
    Some(duration(millis))
}

/// The time of day: `10:32:05`.
pub(crate) fn clock(time: Timestamp) -> String {
    part(time, 11, 19)
}

/// Day and time to the minute: `2026-03-20 10:32 UTC`.
pub(crate) fn moment(time: Timestamp) -> String {
    format!("{} {} UTC", part(time, 0, 10), part(time, 11, 16))
}

/// A stretch of the RFC 3339 text; times outside of four-digit years have other stretches and are shown whole.
fn part(time: Timestamp, from: usize, to: usize) -> String {
    let text = time.to_string();
    let is_usual = text.as_bytes().get(10) == Some(&b'T');
    let stretch = if is_usual { text.get(from..to) } else { None };
    stretch.map_or_else(|| text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{age, clock, duration, moment};
    use testhide_protocol::Timestamp;

    #[test]
    fn durations_are_short() {
        let check = |millis, expected: &str| assert_eq!(duration(millis), expected);
        check(0, "0ms");
        check(999, "999ms");
        check(59_999, "59s");
        check(252_000, "4m12s");
        check(11_100_000, "3h05m");
        check(200_000_000, "2d");
    }

    #[test]
    fn times_are_utc() {
        let time: Timestamp = "2026-03-20T10:32:05.250Z".parse().expect("a time");
        assert_eq!(
            (clock(time).as_str(), moment(time).as_str()),
            ("10:32:05", "2026-03-20 10:32 UTC")
        );
        assert_eq!(age(time, time.plus_millis(-5_000)), "now");
        assert_eq!(age(time, time.plus_millis(3_700_000)), "1h");
        assert_eq!(clock(Timestamp(i64::MAX)), format!("{}ms", i64::MAX));
    }
}
