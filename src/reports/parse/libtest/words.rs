//! What a Rust test's output says about its failure.

use crate::reports::parse::words::first_line;

/// Message and place of a failure.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: Option<&'static str>,
    pub(super) message: Option<String>,
    pub(super) place: Option<(String, u32)>,
}

/// Reads the output of a failed test.
pub(super) fn failure(output: &str) -> Failure {
    let mut lines = output.lines();
    while let Some(line) = lines.next() {
        let Some((before, after)) = line.split_once(" panicked at ") else {
            continue;
        };
        if !before.trim_start().starts_with("thread '") {
            continue;
        }
        // Before Rust 1.73 the message came first, in quotes: `panicked at 'boom', src/lib.rs:3:5`.
        let (quoted, written) = match after
            .strip_prefix('\'')
            .and_then(|rest| rest.rsplit_once("', "))
        {
            Some((message, written)) => (Some(message.to_owned()), written),
            None => (None, after),
        };
        let message = quoted.or_else(|| paragraph(&mut lines));
        return Failure {
            kind: Some("panic"),
            message,
            place: place(written.trim_end_matches(':')),
        };
    }
    let message = output
        .lines()
        .map(str::trim)
        .find_map(|line| {
            line.strip_prefix("Error: ")
                .or_else(|| line.strip_prefix("note: "))
        })
        .map(|text| first_line(text).to_owned())
        .or_else(|| {
            let line = first_line(output);
            (!line.is_empty()).then(|| line.to_owned())
        });
    let place = message
        .as_deref()
        .and_then(|message| message.rsplit_once(" at "))
        .and_then(|(_, written)| place(written));
    Failure {
        kind: None,
        message,
        place,
    }
}

/// The lines of a message, up to the backtrace.
fn paragraph<'a>(lines: &mut impl Iterator<Item = &'a str>) -> Option<String> {
    let told: Vec<&str> = lines
        .take_while(|line| {
            !(line.starts_with("stack backtrace:") || line.starts_with("note: ") || line.is_empty())
        })
        .take(8)
        .map(first_line)
        .collect();
    (!told.is_empty()).then(|| told.join("\n"))
}

/// `src/lib.rs:32:9`.
fn place(written: &str) -> Option<(String, u32)> {
    let (rest, column) = written.trim().rsplit_once(':')?;
    column.parse::<u32>().ok()?;
    let (file, line) = rest.rsplit_once(':')?;
    Some((file.to_owned(), line.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures() {
        let check = |output: &str, message: &str, place: Option<(&str, u32)>| {
            let found = failure(output);
            assert_eq!(found.message.as_deref(), Some(message), "{output}");
            let found = found.place.as_ref();
            assert_eq!(found.map(|(file, line)| (file.as_str(), *line)), place);
        };
        check(
            "said\n\nthread 'a' (19180) panicked at src/lib.rs:32:9:\nassertion failed\n  left: 2\nstack backtrace:\n",
            "assertion failed\nleft: 2",
            Some(("src/lib.rs", 32)),
        );
        check(
            "thread 'a' panicked at 'boom', src/lib.rs:3:5\nnote: run with",
            "boom",
            Some(("src/lib.rs", 3)),
        );
        check("Error: \"no good\"\n", "\"no good\"", None);
        check(
            "test did not panic as expected at src/lib.rs:46:8",
            "test did not panic as expected at src/lib.rs:46:8",
            Some(("src/lib.rs", 46)),
        );
    }
}
