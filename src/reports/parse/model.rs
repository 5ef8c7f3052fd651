//! What a parser gives: cases, suites and the summary of a report. Plain values without behaviour of their own.

use std::sync::Arc;

use jiff::Timestamp;

use super::format::Format;
use super::input::Text;
use super::warnings::Warning;

/// How a test ended. The order is from least to most alarming, so `max` of several rows is their verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Outcome {
    /// Planned or disabled, never started.
    NotRun,
    /// Skipped on purpose.
    Skipped,
    /// Passed.
    #[default]
    Passed,
    /// Failed, and the report itself says that this is known.
    KnownIssue,
    /// An expectation of the test did not hold.
    Failed,
    /// Something around the test broke: collection, setup, teardown, the runner.
    Error,
}

impl Outcome {
    /// The name used in the API and in stored records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotRun => "not_run",
            Self::Skipped => "skipped",
            Self::Passed => "passed",
            Self::KnownIssue => "known_issue",
            Self::Failed => "failed",
            Self::Error => "error",
        }
    }
}

/// What a second row with the same identity means; it depends on who wrote the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Repeat {
    /// A row of its own (a theory row without its parameters): same test, same attempt, the worst row counts.
    #[default]
    Row,
    /// Another phase (body, then tearDown) of the same attempt: the worst row counts. Equal rows are copies.
    Phase,
    /// The next attempt: the last row counts.
    Attempt,
    /// The next attempt if the row before looks passed (native pytest hides what was retried), else another phase.
    HiddenRerun,
}

/// The closed set of `test_resolution`, matched without case; the verbatim text is kept beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resolution {
    /// `Passed`.
    Passed,
    /// `Skipped`.
    Skipped,
    /// `Collection Error`.
    CollectionError,
    /// `Teardown Error`. Not to be believed from the unittest reporter, which writes it for every error.
    TeardownError,
    /// `Known Issue`.
    KnownIssue,
    /// `Need to reopen`.
    NeedToReopen,
    /// `Resolved in branch`.
    ResolvedInBranch,
    /// `Verified at Branch`.
    VerifiedAtBranch,
    /// `Unresolved`, and every unknown text.
    Unresolved,
}

/// One row of a report.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ParsedCase {
    /// Line at which the row begins.
    pub report_line: u64,
    /// Names of the enclosing suites, joined with ` > `.
    pub suite: Arc<str>,
    /// Class, module or describe path, as written.
    pub classname: String,
    /// Name, as written; `(unnamed)` when the report has none.
    pub name: String,
    /// Source file, as written; the suite's file where the row has none.
    pub file: Option<String>,
    /// Source line, as written: zero-based from pytest, one-based from others.
    pub line: Option<u32>,
    /// The reporter's own id of the test.
    pub nodeid: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// `test_resolution`, verbatim.
    pub resolution: Option<String>,
    /// Duration in milliseconds.
    pub duration_ms: Option<u64>,
    /// When it began, if the row itself says so.
    pub started_at: Option<Timestamp>,
    /// Type of the exception, as written or as the message begins.
    pub kind: Option<String>,
    /// Message of the failure or the reason of the skip.
    pub message: Option<String>,
    /// Trace or long text of the failure.
    pub trace: Option<Text>,
    /// Captured standard output.
    pub stdout: Option<Text>,
    /// Captured standard error.
    pub stderr: Option<Text>,
    /// The reporter's failure id; a hint, opaque, only comparable within one reporter and path layout.
    pub fail_id: Option<String>,
    /// Number of the attempt that this row describes, counted from 1.
    pub attempt: u32,
    /// Other attempts written inside this row.
    pub retries: Vec<RetryAttempt>,
    /// The report itself calls the test flaky.
    pub flaky: bool,
    /// What another row with the same identity means.
    pub repeat: Repeat,
    /// Properties in order, duplicates kept, without those that have a field here.
    pub properties: Vec<(String, String)>,
    /// Attachments: URLs or paths on the agent, unchecked.
    pub attachments: Vec<String>,
    /// First line or whole docstring of the test.
    pub docstring: Option<String>,
    /// Tickets, as written.
    pub tickets: Vec<String>,
    /// Attributes, elements and fields that have no place above.
    pub extra: Vec<(String, String)>,
}

impl ParsedCase {
    /// The resolution as a closed set; an absent one follows from the outcome.
    pub fn resolution_kind(&self) -> Resolution {
        super::junit::resolution_kind(self.resolution.as_deref(), self.outcome)
    }
}

/// Another attempt of a test, written inside its row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RetryAttempt {
    /// Its number, counted from 1.
    pub attempt: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// Type of the exception.
    pub kind: Option<String>,
    /// Its message.
    pub message: Option<String>,
    /// Its trace.
    pub trace: Option<Text>,
    /// Its standard output.
    pub stdout: Option<Text>,
    /// Its standard error.
    pub stderr: Option<Text>,
    /// Its duration in milliseconds.
    pub duration_ms: Option<u64>,
}

/// A suite, told when it ends (or the report does), so that properties written after its tests are there too.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SuiteInfo {
    /// Names of the enclosing suites and its own, joined with ` > `.
    pub name: Arc<str>,
    /// Its file, where one is written.
    pub file: Option<String>,
    /// Its host.
    pub hostname: Option<String>,
    /// Its time stamp; no zone counts as UTC.
    pub timestamp: Option<Timestamp>,
    /// Testhide's reporters stamp the end of the run, all others its start.
    pub timestamp_is_end: bool,
    /// Its duration as written: the sum of its tests', not wall time.
    pub duration_ms: Option<u64>,
    /// What it says about itself.
    pub declared: Option<Counts>,
    /// Cases that stood directly in it.
    pub cases: u64,
    /// Properties in order, duplicates kept; the last `build` or `branch` counts.
    pub properties: Vec<(String, String)>,
    /// Output of the suite itself.
    pub stdout: Option<Text>,
    /// Error output of the suite itself.
    pub stderr: Option<Text>,
}

impl SuiteInfo {
    /// When the suite began, as far as it says.
    pub fn started_at(&self) -> Option<Timestamp> {
        let stamp = self.timestamp?;
        if !self.timestamp_is_end {
            return Some(stamp);
        }
        let length = i64::try_from(self.duration_ms?).ok()?;
        Timestamp::from_millisecond(stamp.as_millisecond().checked_sub(length)?).ok()
    }
}

/// Numbers of rows by outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All rows.
    pub total: u64,
    /// Passed ones.
    pub passed: u64,
    /// Failed ones.
    pub failed: u64,
    /// Broken ones.
    pub error: u64,
    /// Skipped ones.
    pub skipped: u64,
    /// Known issues.
    pub known_issue: u64,
    /// Never started ones.
    pub not_run: u64,
}

impl Counts {
    /// Counts one row.
    pub fn add(&mut self, outcome: Outcome) {
        self.total += 1;
        *match outcome {
            Outcome::NotRun => &mut self.not_run,
            Outcome::Skipped => &mut self.skipped,
            Outcome::Passed => &mut self.passed,
            Outcome::KnownIssue => &mut self.known_issue,
            Outcome::Failed => &mut self.failed,
            Outcome::Error => &mut self.error,
        } += 1;
    }
}

/// What is known of a report when it has been read.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Its format.
    pub format: Format,
    /// The tool that wrote it, or the framework it must come from.
    pub reporter: Option<String>,
    /// That tool's version.
    pub reporter_version: Option<String>,
    /// Properties of the report as a whole.
    pub properties: Vec<(String, String)>,
    /// What the report says about itself; a `failed` here includes known issues.
    pub declared: Option<Counts>,
    /// Rows that were handed to the sink.
    pub counts: Counts,
    /// When the run began and ended, if the report as a whole says so.
    pub started_at: Option<Timestamp>,
    /// End of the run.
    pub finished_at: Option<Timestamp>,
    /// Warnings, up to the limit.
    pub warnings: Vec<Warning>,
    /// All warnings.
    pub warnings_total: u64,
    /// Characters and markup that had to be repaired.
    pub repaired: u64,
    /// The report ends too early: what stood before was kept.
    pub truncated: bool,
}
