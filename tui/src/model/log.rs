//! A window over a log that may have millions of lines: only what is near the screen is held.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use testhide_protocol::api::{LogLine, LogPage};
use testhide_protocol::{BuildId, Timestamp};

use crate::event::{LogPurpose, LogRange};

/// Lines asked for at once, and the grid that requests are aligned to.
pub(crate) const PAGE: u64 = 500;
/// Lines held at most: sixteen pages, some megabytes.
pub(crate) const MAX_HELD: usize = 8_000;
/// Bytes kept of one line; nobody reads more of it in a terminal.
const MAX_LINE: usize = 16 * 1024;

/// One attempt's log.
#[derive(Default)]
pub(crate) struct LogView {
    pub(crate) build: u64,
    pub(crate) attempt: Option<u32>,
    /// What the feed calls the build, once an answer told.
    pub(crate) id: Option<BuildId>,
    /// The attempt that the answers are of.
    pub(crate) shown_attempt: Option<u32>,
    /// The held lines, by number.
    pub(crate) lines: BTreeMap<u64, LogLine>,
    /// The line that is being written, as it was last seen.
    pub(crate) running: Option<LogLine>,
    /// Bytes that the log had then.
    pub(crate) known_bytes: u64,
    pub(crate) total: u64,
    pub(crate) bytes: u64,
    /// Nothing will follow.
    pub(crate) complete: bool,
    pub(crate) loaded: bool,
    pub(crate) error: Option<String>,
    /// First line shown, from 1; while following, the last one counts instead.
    pub(crate) top: u64,
    /// Columns scrolled to the right.
    pub(crate) left: usize,
    pub(crate) follow: bool,
    pub(crate) wrap: bool,
    pub(crate) times: bool,
    /// First line of the request on its way for the screen.
    pub(crate) asked: Option<u64>,
    /// First line of the waiting request for the tail.
    pub(crate) tail: Option<u64>,
    /// The feed said that this attempt ended, or another one began: ask again.
    pub(crate) stale: bool,
    /// No request is made before.
    pub(crate) retry_at: Timestamp,
    pub(crate) find: Option<Find>,
    /// The line that a link led to.
    pub(crate) marked: Option<u64>,
}

/// What is looked for in the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Find {
    pub(crate) needle: String,
    /// The line of the current match.
    pub(crate) at: Option<u64>,
    pub(crate) scan: Option<Scan>,
}

impl Find {
    /// Byte ranges of the matches; capitals matter only if the needle has some.
    pub(crate) fn matches(&self, clean: &str) -> Vec<(usize, usize)> {
        if self.needle.is_empty() {
            return Vec::new();
        }
        let is_exact = self.needle.chars().any(char::is_uppercase);
        let folded;
        let text = if is_exact {
            clean
        } else {
            // Only ASCII is folded, so that byte places stay what they are.
            folded = clean.to_ascii_lowercase();
            &folded
        };
        text.match_indices(&self.needle)
            .map(|(at, found)| (at, at + found.len()))
            .collect()
    }
}

/// A walk through the log for the next match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scan {
    /// Where it began, to end there.
    pub(crate) begun: u64,
    /// Whether it went past an end of the log and came in at the other.
    pub(crate) wrapped: bool,
    /// First line not looked at yet, in the walk's direction.
    pub(crate) next: u64,
    pub(crate) forward: bool,
    /// The first line of the request on its way.
    pub(crate) asked: Option<u64>,
    /// Where the next request begins, when a backward one was answered in part.
    pub(crate) resume: Option<u64>,
}

impl LogView {
    /// The log of one attempt, before anything of it is known.
    pub(crate) fn open(build: u64, attempt: Option<u32>, line: Option<u64>) -> Self {
        Self {
            build,
            attempt,
            top: line.unwrap_or(1).max(1),
            follow: line.is_none(),
            ..Self::default()
        }
    }

    /// The lines that `height` rows can show at most, unwrapped.
    pub(crate) fn visible(&self, height: u16) -> RangeInclusive<u64> {
        let height = u64::from(height).max(1);
        let last = self.last_shown();
        if self.follow {
            last.saturating_sub(height - 1).max(1)..=last
        } else {
            self.top..=self.top.saturating_add(height - 1).min(last)
        }
    }

    /// The line that is being written, unless it ended meanwhile.
    fn written_now(&self) -> Option<&LogLine> {
        let next = self.total.saturating_add(1);
        self.running.as_ref().filter(|line| line.number == next)
    }

    /// Number of the last line that can be shown: the one that is being written counts.
    pub(crate) fn last_shown(&self) -> u64 {
        self.written_now().map_or(self.total, |line| line.number)
    }

    /// A line, if it is held.
    pub(crate) fn line(&self, number: u64) -> Option<&LogLine> {
        self.lines
            .get(&number)
            .or_else(|| self.written_now().filter(|line| line.number == number))
    }

    /// Takes the lines of an answer and forgets those farthest from the screen.
    pub(crate) fn take(&mut self, page: LogPage) {
        if self
            .shown_attempt
            .is_some_and(|attempt| attempt != page.attempt)
        {
            // Another attempt began: its lines are not this one's.
            self.lines.clear();
            self.running = None;
            self.total = 0;
            self.top = 1;
        }
        self.shown_attempt = Some(page.attempt);
        self.id = Some(page.build_id);
        self.total = self.total.max(page.total_lines);
        self.bytes = self.bytes.max(page.total_bytes);
        self.complete = page.complete;
        self.loaded = true;
        self.error = None;
        let reaches_the_end = page
            .lines
            .last()
            .is_none_or(|last| last.number >= page.total_lines);
        if reaches_the_end {
            self.running = page.running.map(shortened);
            self.known_bytes = page.total_bytes;
        }
        for line in page.lines {
            self.total = self.total.max(line.number);
            self.lines.insert(line.number, shortened(line));
        }
        self.forget_far_lines();
    }

    fn forget_far_lines(&mut self) {
        let centre = if self.follow { self.total } else { self.top };
        while self.lines.len() > MAX_HELD {
            let first = self
                .lines
                .first_key_value()
                .map_or(centre, |(number, _)| *number);
            let last = self
                .lines
                .last_key_value()
                .map_or(centre, |(number, _)| *number);
            if centre.saturating_sub(first) > last.saturating_sub(centre) {
                self.lines.pop_first();
            } else {
                self.lines.pop_last();
            }
        }
    }

    /// The page to ask for, so that the screen can be filled.
    pub(crate) fn missing(&self, height: u16) -> Option<LogRange> {
        let mut visible = self.visible(height);
        let is_missing = |number: &u64| *number <= self.total && !self.lines.contains_key(number);
        let missing = visible.find(is_missing)?;
        // A short answer may end within a page: then go on where it ended.
        let page = (missing - 1) / PAGE * PAGE + 1;
        let from = if self.lines.contains_key(&page) {
            missing
        } else {
            page
        };
        Some(self.range(from, PAGE, LogPurpose::Show))
    }

    /// A request for lines of this log.
    pub(crate) fn range(&self, from: u64, limit: u64, purpose: LogPurpose) -> LogRange {
        // Once an attempt is on the screen, all questions are about that one.
        let attempt = self.attempt.or(self.shown_attempt);
        LogRange {
            build: self.build,
            attempt,
            from,
            limit,
            purpose,
        }
    }

    /// Whether an answer is about this log.
    pub(crate) fn is_about(&self, range: &LogRange) -> bool {
        self.build == range.build
            && (range.attempt.is_none() || range.attempt == self.attempt.or(self.shown_attempt))
    }

    /// The last line that may stand first on the screen.
    pub(crate) fn last_top(&self, height: u16) -> u64 {
        // Wrapped lines take more rows: there, even the last line may stand first.
        let rows = if self.wrap {
            1
        } else {
            u64::from(height).max(1)
        };
        self.last_shown().saturating_sub(rows - 1).max(1)
    }
}

/// A line of a bearable length, with marks where something is left out or goes on.
fn shortened(mut line: LogLine) -> LogLine {
    if line.text.len() > MAX_LINE {
        let kept = line.text.floor_char_boundary(MAX_LINE);
        let cut = line.text.len() - kept;
        line.text.truncate(kept);
        line.text.push_str(&format!(" … {cut} more bytes"));
    }
    if line.continued {
        line.text.push_str(" …");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::{Find, LogView, MAX_HELD};
    use crate::tests::data;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bounded_window_is_held_and_the_screen_is_in_it(tops in prop::collection::vec(1u64..3_000_000, 1..40)) {
            let mut view = LogView::open(1, None, Some(1));
            view.total = 3_000_000;
            for top in tops {
                view.top = top.min(view.last_top(40));
                while let Some(range) = view.missing(40) {
                    view.take(data::log_page(range.from, range.limit, 3_000_000));
                    prop_assert!(view.lines.len() <= MAX_HELD);
                }
                prop_assert!(view.visible(40).all(|number| view.lines.contains_key(&number)));
            }
        }
    }

    #[test]
    fn capitals_matter_only_when_asked_for() {
        fn check(needle: &str, text: &str, expected: &[(usize, usize)]) {
            let find = Find {
                needle: needle.to_owned(),
                at: None,
                scan: None,
            };
            assert_eq!(find.matches(text), expected, "{needle} in {text}");
        }
        check("error", "Error: an ERROR", &[(0, 5), (10, 15)]);
        check("Error", "Error: an ERROR", &[(0, 5)]);
        check("", "x", &[]);
        check("ü", "für", &[(1, 3)]);
    }

    #[test]
    fn a_line_without_end_is_cut_and_says_so() {
        let mut page = data::log_page(1, 1, 1);
        page.lines[0].text = "é".repeat(20_000);
        let mut view = LogView::default();
        view.take(page);
        assert!(view.lines[&1].text.ends_with(" … 23616 more bytes"));
    }
}
