//! Numbers, durations and names in the sentences of results: exact, so that a sentence never contradicts its verdict.

use std::borrow::Cow;
use std::fmt::Write;

/// Names that one sentence lists.
const MAX_NAMES: usize = 5;

/// Characters of one name.
const MAX_NAME: usize = 200;

/// `1 test`, `2 tests`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Names with `: ` before them, the first five and how many there are beside them; nothing for none.
pub(super) fn named<'a>(names: impl IntoIterator<Item = Cow<'a, str>>) -> String {
    let mut text = String::new();
    let mut count: usize = 0;
    for name in names {
        count += 1;
        if count <= MAX_NAMES {
            text.push_str(if count == 1 { ": " } else { ", " });
            text.extend(name.chars().take(MAX_NAME));
        }
    }
    if count > MAX_NAMES {
        let _ = write!(text, " and {} more", count - MAX_NAMES);
    }
    text
}

/// A percentage with one digit after the point, cut and not rounded: what is below 95 never reads `95 %`.
pub(super) fn percent(value: f64) -> String {
    let cut = (value * 10.0).floor() / 10.0;
    format!("{cut} %")
}

/// A duration to the millisecond: `250 ms`, `1.5 s`, `10 min`, `1 h 2 min 3.004 s`.
pub(super) fn duration(millis: u64) -> String {
    if millis < 1_000 {
        return format!("{millis} ms");
    }
    let (hours, minutes) = (millis / 3_600_000, millis / 60_000 % 60);
    let rest = millis % 60_000;
    let mut parts = Vec::new();
    if hours > 0 {
        parts.push(format!("{hours} h"));
    }
    if minutes > 0 {
        parts.push(format!("{minutes} min"));
    }
    if rest > 0 {
        let mut seconds = (rest / 1_000).to_string();
        if !rest.is_multiple_of(1_000) {
            let _ = write!(seconds, ".{:03}", rest % 1_000);
            seconds.truncate(seconds.trim_end_matches('0').len());
        }
        parts.push(format!("{seconds} s"));
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{duration, named, percent};
    use proptest::prelude::*;

    #[test]
    fn durations_are_exact() {
        let check = |millis: u64, expected: &str| assert_eq!(duration(millis), expected);
        check(0, "0 ms");
        check(999, "999 ms");
        check(1_000, "1 s");
        check(1_500, "1.5 s");
        check(10_000, "10 s");
        check(60_000, "1 min");
        check(600_001, "10 min 0.001 s");
        check(3_723_040, "1 h 2 min 3.04 s");
        check(3_600_000, "1 h");
    }

    #[test]
    fn five_names_and_how_many_more() {
        let names = |count: usize| named((0..count).map(|n| format!("t{n}").into()));
        assert_eq!(names(0), "");
        assert_eq!(names(2), ": t0, t1");
        assert_eq!(names(5), ": t0, t1, t2, t3, t4");
        assert_eq!(names(7), ": t0, t1, t2, t3, t4 and 2 more");
    }

    proptest! {
        #[test]
        fn a_percentage_is_never_shown_above_what_it_is(passed in 0u32..10_000, more in 1u32..10_000) {
            let value = 100.0 * f64::from(passed) / f64::from(passed + more);
            let shown: f64 = percent(value).trim_end_matches(" %").parse().unwrap();
            prop_assert!(shown <= value && value - shown < 0.1 + 1e-9);
        }
    }
}
