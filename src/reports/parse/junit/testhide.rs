//! The dialect of Testhide's own reporters: resolutions, known issues, tickets in messages, and who wrote a row.
//!
//! The four reporters agree on the shape of a report and on little else; see the rules at each function.

use super::writers::Writer;
use crate::reports::parse::format::Format;
use crate::reports::parse::model::{Outcome, ParsedCase, Repeat, Resolution};
use crate::reports::parse::warnings::Warnings;
use crate::reports::parse::words::first_line;

/// What is known of the writer so far.
pub(in crate::reports::parse) struct Dialect {
    format: Format,
    /// The XML declaration uses `'`: Python wrote it.
    python: bool,
    nodeid_seen: bool,
    playwright_seen: bool,
    unittest_seen: bool,
    /// Who else may have written it.
    pub(in crate::reports::parse) writer: Writer,
}

impl Dialect {
    pub(in crate::reports::parse) fn new(format: Format, single_quoted: bool) -> Self {
        Self {
            format,
            python: single_quoted,
            nodeid_seen: false,
            playwright_seen: false,
            unittest_seen: false,
            writer: Writer::default(),
        }
    }

    pub(in crate::reports::parse) fn is_testhide(&self) -> bool {
        self.format == Format::Testhide
    }

    pub(in crate::reports::parse) fn format(&self) -> Format {
        self.format
    }

    /// Gives a finished case what follows from the dialect: outcome by resolution, message without ticket, repetition.
    pub(in crate::reports::parse) fn apply(
        &mut self,
        case: &mut ParsedCase,
        warnings: &mut Warnings,
    ) {
        if case.resolution.is_some() {
            // The head that was looked at may have held no case.
            self.format = Format::Testhide;
        }
        if self.format == Format::Testhide {
            settle_outcome(case, warnings);
            take_ticket_message(case);
            take_legacy_id(case);
        } else {
            self.writer.apply(case);
        }
        case.repeat = self.repeat(case);
    }

    /// What another row with the same identity means.
    fn repeat(&mut self, case: &ParsedCase) -> Repeat {
        if self.format == Format::Junit {
            return self.writer.repeat();
        }
        let file = case.file.as_deref().unwrap_or("");
        if case.nodeid.is_some() {
            self.nodeid_seen = true;
            return Repeat::Phase;
        }
        if names_spec_file(&case.classname, file) {
            self.playwright_seen = true;
            return Repeat::Attempt;
        }
        if case.classname.starts_with("unittest.")
            || (self.python && (file.starts_with('/') || file.get(1..3) == Some(":\\")))
        {
            self.unittest_seen = true;
            return Repeat::Phase;
        }
        if self.python || file.ends_with(".py") {
            Repeat::Phase
        } else {
            Repeat::Row
        }
    }

    /// Who wrote the report, as far as it shows.
    pub(in crate::reports::parse) fn reporter(&self, first_suite: &str) -> Option<String> {
        let known = [
            "pytest",
            "unittest",
            "jest",
            "mocha",
            "vitest",
            "playwright",
            "dotnet",
            "rspec",
        ];
        let first_suite = first_suite.to_ascii_lowercase();
        let name = match self.format {
            Format::Testhide if self.playwright_seen => "playwright",
            Format::Testhide if self.nodeid_seen => "pytest",
            Format::Testhide if self.unittest_seen => "unittest",
            Format::Junit if self.writer.reporter().is_some() => self.writer.reporter()?,
            _ => known.into_iter().find(|known| {
                first_suite == *known || first_suite.strip_suffix(" tests") == Some(known)
            })?,
        };
        Some(name.to_owned())
    }
}

/// The closed set of resolutions, matched without case. Without one it follows from the outcome.
pub(in crate::reports::parse) fn resolution_kind(
    verbatim: Option<&str>,
    outcome: Outcome,
) -> Resolution {
    let Some(text) = verbatim else {
        return match outcome {
            Outcome::Passed => Resolution::Passed,
            Outcome::Skipped | Outcome::NotRun => Resolution::Skipped,
            Outcome::KnownIssue => Resolution::KnownIssue,
            Outcome::Failed | Outcome::Error => Resolution::Unresolved,
        };
    };
    let table = [
        ("passed", Resolution::Passed),
        ("skipped", Resolution::Skipped),
        ("collection error", Resolution::CollectionError),
        ("teardown error", Resolution::TeardownError),
        ("known issue", Resolution::KnownIssue),
        ("need to reopen", Resolution::NeedToReopen),
        ("resolved in branch", Resolution::ResolvedInBranch),
        ("verified at branch", Resolution::VerifiedAtBranch),
    ];
    let text = text.trim();
    table
        .into_iter()
        .find(|(name, _)| text.eq_ignore_ascii_case(name))
        .map_or(Resolution::Unresolved, |(_, kind)| kind)
}

/// The outcome child decides; a failure that is a known issue is one, and a resolution that speaks of a failure is believed
/// over a missing child, so that a lost child does not turn a test green.
fn settle_outcome(case: &mut ParsedCase, warnings: &mut Warnings) {
    let Some(text) = case.resolution.as_deref() else {
        return;
    };
    let kind = resolution_kind(Some(text), case.outcome);
    case.outcome = match (case.outcome, kind) {
        (Outcome::Failed, Resolution::KnownIssue) => Outcome::KnownIssue,
        (Outcome::Passed, Resolution::Passed) => Outcome::Passed,
        (Outcome::Passed, resolution) => {
            warnings.add(
                case.report_line,
                "outcome_child_missing",
                "believed the resolution",
                || {
                    format!(
                        "resolution `{}` without an outcome element",
                        first_line(text)
                    )
                },
            );
            match resolution {
                Resolution::Skipped => Outcome::Skipped,
                Resolution::KnownIssue => Outcome::KnownIssue,
                Resolution::CollectionError | Resolution::TeardownError => Outcome::Error,
                _ => Outcome::Failed,
            }
        }
        (outcome, _) => outcome,
    };
}

/// With Jira switched on the reporters put a ticket where the message was; the last line of the trace is the message then.
fn take_ticket_message(case: &mut ParsedCase) {
    let Some(message) = case.message.as_deref() else {
        return;
    };
    let Some(ticket) = ticket_in(message) else {
        return;
    };
    let ticket = ticket.to_owned();
    if !case
        .tickets
        .iter()
        .any(|known| known.split_whitespace().next() == Some(&ticket))
    {
        case.tickets.push(ticket);
    }
    let original = case.trace.as_ref().and_then(|trace| {
        trace
            .value
            .lines()
            .rev()
            .map(str::trim)
            .find(|line| !line.is_empty())
            .map(str::to_owned)
    });
    if let Some(written) = case.message.take() {
        case.extra.push(("ticket_message".to_owned(), written));
    }
    case.message = original.map(|line| match line.rfind("E       ") {
        // The default style of pytest's trace has no line ends; the error stands after the last marker.
        Some(marker) => line[marker + 1..].trim().to_owned(),
        None => line,
    });
}

/// The ticket in `Known Issue https://…/KEY-1 …` or `KEY-1: …`.
fn ticket_in(message: &str) -> Option<&str> {
    for resolution in [
        "Known Issue",
        "Need to reopen",
        "Resolved in branch",
        "Verified at Branch",
    ] {
        if let Some(rest) = message.strip_prefix(resolution)
            && (rest.starts_with(" http://") || rest.starts_with(" https://"))
        {
            let link = rest.split_whitespace().next()?;
            return link.rsplit('/').find(|part| !part.is_empty());
        }
    }
    let (key, _) = message.split_once(": ")?;
    let (project, number) = key.split_once('-')?;
    let project_ok = project.len() >= 2
        && project.starts_with(|first: char| first.is_ascii_uppercase())
        && project
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    (project_ok && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        .then_some(key)
}

/// Plugins up to 0.2.0 appended `@@testid#<md5>` to the message; that id matches no later one and would split groups.
fn take_legacy_id(case: &mut ParsedCase) {
    if let Some(message) = &mut case.message
        && let Some(at) = message.rfind("@@testid#")
    {
        let id = message.split_off(at);
        message.truncate(message.trim_end().len());
        case.extra.push((
            "legacy_testid".to_owned(),
            id["@@testid#".len()..].trim().to_owned(),
        ));
    }
}

/// Playwright alone puts the spec file with its extension into the classname, and writes a row for each attempt.
pub(in crate::reports) fn names_spec_file(classname: &str, file: &str) -> bool {
    let script = [".js", ".ts", ".jsx", ".tsx", ".mjs", ".cjs", ".mts", ".cts"]
        .iter()
        .any(|extension| file.ends_with(extension));
    script
        && classname.match_indices(file).any(|(at, _)| {
            let after = &classname[at + file.len()..];
            (at == 0 || classname[..at].ends_with('.'))
                && (after.is_empty() || after.starts_with('.'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets() {
        let check = |message: &str, expected: Option<&str>| {
            assert_eq!(ticket_in(message), expected, "{message}");
        };
        check(
            "Known Issue https://jira.example.com/browse/PROJ-7 Bug [x]",
            Some("PROJ-7"),
        );
        check("PROJ-12: summary", Some("PROJ-12"));
        check("Known Issue: why", None);
        check("P-1: x", None);
        check("ValueError: x", None);
        check("AB-x: y", None);
    }

    #[test]
    fn spec_files() {
        assert!(names_spec_file(
            "chromium.login.spec.js.Login",
            "login.spec.js"
        ));
        assert!(names_spec_file("login.spec.ts", "login.spec.ts"));
        assert!(!names_spec_file(
            "__tests__/calc.test",
            "__tests__/calc.test.js"
        ));
        assert!(!names_spec_file("Calc", "calc.js"));
        assert!(!names_spec_file("a", ""));
    }
}
