//! What a Go test said about its failure: the line worth showing, and where it was said.

use crate::reports::parse::words::first_line;

/// Words of which a failure's line has one; a note that was logged before it mostly has none.
const TELLING: [&str; 12] = [
    "error",
    "fail",
    "expect",
    "want",
    "unexpected",
    "mismatch",
    "not ",
    "got ",
    "panic",
    "!=",
    "cannot",
    "race",
];

/// A line that was logged through the test: `    file_test.go:12: text`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Logged {
    pub(super) file: String,
    pub(super) line: u32,
    pub(super) text: String,
}

/// Gathers what a test says, line by line.
#[derive(Debug, Default)]
pub(super) struct Said {
    panic: Option<String>,
    /// The first line that the tool itself marked as an error.
    marked: Option<Logged>,
    /// The first logged line that reads like a failure.
    telling: Option<Logged>,
    /// The last logged line.
    last: Option<Logged>,
    /// The first line that is neither logged nor written by the tool.
    plain: Option<String>,
    /// The last logged line had no text; assertion libraries go on below it.
    waiting: bool,
    /// An example prints what it got and what it wanted on lines of their own.
    example: Option<String>,
}

impl Said {
    /// Takes one line of output; `marked` when the tool says that it is one of an error.
    pub(super) fn line(&mut self, line: &str, marked: bool) {
        let trimmed = line.trim();
        if trimmed.is_empty() || is_marker(trimmed) {
            return;
        }
        if let Some(example) = &mut self.example {
            if example.len() < 300 {
                example.push(' ');
                example.push_str(first_line(trimmed));
            }
            return;
        }
        if let Some(text) = line.strip_prefix("panic: ") {
            self.panic
                .get_or_insert_with(|| format!("panic: {}", first_line(text)));
        } else if let Some(logged) = logged(line) {
            self.waiting = logged.text.is_empty();
            if !self.waiting {
                self.note(&logged, marked);
            }
            self.last = Some(logged);
        } else if self.waiting {
            self.below(trimmed, marked);
        } else if trimmed == "got:" && self.last.is_none() && self.plain.is_none() {
            self.example = Some("got:".to_owned());
        } else if self.plain.is_none() && !is_summary(trimmed) {
            self.plain = Some(first_line(trimmed).to_owned());
        }
    }

    /// testify: `Error:` and what follows it stand on lines below the place.
    fn below(&mut self, trimmed: &str, marked: bool) {
        let Some(text) = trimmed.strip_prefix("Error:") else {
            return;
        };
        self.waiting = false;
        if let Some(mut logged) = self.last.take() {
            first_line(text).clone_into(&mut logged.text);
            self.note(&logged, marked);
            self.last = Some(logged);
        }
    }

    fn note(&mut self, logged: &Logged, marked: bool) {
        let lower = logged.text.to_lowercase();
        if marked && self.marked.is_none() {
            self.marked = Some(logged.clone());
        } else if self.telling.is_none() && TELLING.iter().any(|word| lower.contains(word)) {
            self.telling = Some(logged.clone());
        }
    }

    /// Why a test failed, as far as it says so.
    pub(super) fn message(&self) -> Option<String> {
        let logged = self.place().map(|logged| logged.text.clone());
        self.panic
            .clone()
            .or(logged.filter(|text| !text.is_empty()))
            .or_else(|| self.example.clone())
            .or_else(|| self.plain.clone())
    }

    /// The logged line that tells of the failure.
    pub(super) fn place(&self) -> Option<&Logged> {
        self.marked
            .as_ref()
            .or(self.telling.as_ref())
            .or(self.last.as_ref())
    }

    /// Why a test was skipped: the last thing it logged.
    pub(super) fn skip_reason(&self) -> Option<String> {
        self.last
            .as_ref()
            .map(|logged| logged.text.clone())
            .filter(|text| !text.is_empty())
    }

    /// Whether it panicked.
    pub(super) fn panicked(&self) -> bool {
        self.panic.is_some()
    }
}

/// Lines that test2json has made into events already.
pub(super) fn is_marker(trimmed: &str) -> bool {
    ["=== RUN ", "=== PAUSE ", "=== CONT ", "=== NAME "]
        .iter()
        .chain(&["--- PASS: ", "--- FAIL: ", "--- SKIP: ", "--- BENCH: "])
        .any(|marker| trimmed.starts_with(marker))
}

/// Lines that say that something failed, and not what; `# path` heads the errors of a compiler.
fn is_summary(trimmed: &str) -> bool {
    matches!(trimmed, "FAIL" | "PASS")
        || [
            "FAIL\t",
            "ok  \t",
            "exit status ",
            "coverage: ",
            "?   \t",
            "# ",
        ]
        .iter()
        .any(|start| trimmed.starts_with(start))
}

/// Reads `    file_test.go:12: text`.
fn logged(line: &str) -> Option<Logged> {
    let inner = line.strip_prefix("    ")?.trim_start();
    let at = inner.find(".go:")? + 3;
    let file = &inner[..at];
    let (number, text) = inner[at + 1..].split_once(':')?;
    let is_name = !file.contains([' ', '\t', '"', '(']);
    is_name.then_some(())?;
    Some(Logged {
        file: file.to_owned(),
        line: number.parse().ok()?,
        text: first_line(text).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, message: Option<&str>, place: Option<(&str, u32)>) {
        let mut said = Said::default();
        for line in text.lines() {
            said.line(line, false);
        }
        assert_eq!(said.message().as_deref(), message, "{text}");
        let found = said
            .place()
            .map(|logged| (logged.file.as_str(), logged.line));
        assert_eq!(found, place, "{text}");
    }

    #[test]
    fn the_line_worth_showing() {
        check("=== RUN   TestA\n--- FAIL: TestA (0.00s)\n", None, None);
        check(
            "    a_test.go:7: a note\n    a_test.go:9: Add(1, 1) = 2, want 3\n",
            Some("Add(1, 1) = 2, want 3"),
            Some(("a_test.go", 9)),
        );
        check(
            "    a_test.go:7: one\n    a_test.go:9: two\n",
            Some("two"),
            Some(("a_test.go", 9)),
        );
        check(
            "    a_test.go:20: \n        \tError Trace:\ta_test.go:20\n        \tError:      \tNot equal: \n",
            Some("Not equal:"),
            Some(("a_test.go", 20)),
        );
        check("got:\n3\nwant:\n4\n", Some("got: 3 want: 4"), None);
        check(
            "said\npanic: boom [recovered]\n\tpanic: boom\n",
            Some("panic: boom [recovered]"),
            None,
        );
        check(
            "FAIL\ncleaning up failed\nexit status 1\n",
            Some("cleaning up failed"),
            None,
        );
    }
}
