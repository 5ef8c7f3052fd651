//! The case in hand: collects attributes and children of one `testcase` and decides its outcome.
//!
//! Several outcome children are possible: a skip counts before an error, an error before a failure (node's `todo` writes
//! skipped and failure, vitest several failures); all their texts are kept.

use super::testhide::Dialect;
use crate::reports::parse::input::Tag;
use crate::reports::parse::input::{Piece, Text, TextBuilder};
use crate::reports::parse::input::{seconds_to_ms, timestamp};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Outcome, ParsedCase, RetryAttempt};
use crate::reports::parse::warnings::{Repairs, Warnings};
use crate::reports::parse::words::{exception_kind, first_line};

/// The outcome children, the one that counts most last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::reports::parse) enum Class {
    Failure,
    Error,
    Skipped,
}

/// Name of a row that has none.
const UNNAMED: &str = "(unnamed)";

/// Bytes of an unknown element's name that are kept.
const LONGEST_ELEMENT: usize = 100;

/// Name of the row made for a failure that a suite carries itself; jest's reporter uses the same.
const OF_SUITE: &str = "(suite)";

/// A case that is being read.
pub(in crate::reports::parse) struct CaseBuilder {
    pub(in crate::reports::parse) case: ParsedCase,
    /// Made for a failure outside every case.
    pub(in crate::reports::parse) of_suite: bool,
    /// The child that decides so far, with its message and type.
    decisive: Option<(Class, String, String)>,
    /// Message of the child being read.
    message: String,
    trace: TextBuilder,
    retry: Option<(RetryAttempt, bool)>,
    status: String,
    attribute_bytes: usize,
    text_bytes: usize,
    list_limit: usize,
    retry_limit: usize,
}

impl CaseBuilder {
    /// A builder without a case; one builds all cases of a document, one after another.
    pub(in crate::reports::parse) fn new(limits: &Limits) -> Self {
        Self {
            case: ParsedCase::default(),
            of_suite: false,
            decisive: None,
            message: String::new(),
            trace: TextBuilder::new(limits.text_bytes),
            retry: None,
            status: String::new(),
            attribute_bytes: limits.attribute_bytes,
            text_bytes: limits.text_bytes,
            list_limit: limits.properties,
            retry_limit: limits.retries,
        }
    }

    /// Begins a case from its tag.
    pub(in crate::reports::parse) fn begin(
        &mut self,
        tag: &Tag<'_>,
        warnings: &mut Warnings,
        repairs: &mut Repairs,
    ) {
        let case = &mut self.case;
        (case.report_line, case.attempt) = (repairs.line.max(1), 1);
        for (name, raw) in tag.attributes() {
            let value = TextBuilder::short(raw, Piece::Attribute, self.attribute_bytes, repairs);
            match name {
                b"name" => case.name = value,
                b"classname" => case.classname = value,
                b"class" if case.classname.is_empty() => case.classname = value,
                b"file" | b"filepath" if !value.is_empty() => case.file = Some(value),
                b"line" | b"lineno" => case.line = value.trim().parse().ok(),
                b"time" | b"duration" => {
                    case.duration_ms = seconds_to_ms(&value);
                    if case.duration_ms.is_none() && !value.trim().is_empty() {
                        warnings.add(
                            case.report_line,
                            "bad_duration",
                            "left the duration out",
                            || format!("`{}` is no duration", first_line(&value)),
                        );
                    }
                }
                b"timestamp" | b"started-at" | b"start-time" => case.started_at = timestamp(&value),
                b"fail_id" if !value.is_empty() => case.fail_id = Some(value),
                b"test_resolution" if !value.is_empty() => case.resolution = Some(value),
                // Node repeats the message of the failure there.
                b"fail_id" | b"file" | b"filepath" | b"test_resolution" | b"failure" => {}
                b"status" | b"result" => {
                    self.status.push(' ');
                    self.status.push_str(&value.to_ascii_lowercase());
                    case.extra
                        .push((String::from_utf8_lossy(name).into_owned(), value));
                }
                _ if case.extra.len() < self.list_limit => case
                    .extra
                    .push((String::from_utf8_lossy(name).into_owned(), value)),
                _ => {}
            }
        }
        if case.name.trim().is_empty() {
            warnings.add(
                case.report_line,
                "unnamed_case",
                "called it `(unnamed)`",
                || "a case has no name".to_owned(),
            );
            UNNAMED.clone_into(&mut case.name);
        }
    }

    /// Begins a case for a failure that stands directly in a suite.
    pub(in crate::reports::parse) fn begin_of_suite(&mut self, line: u64) {
        (self.case.report_line, self.case.attempt) = (line.max(1), 1);
        OF_SUITE.clone_into(&mut self.case.name);
        self.of_suite = true;
    }

    /// Begins an outcome child.
    pub(in crate::reports::parse) fn open_problem(
        &mut self,
        class: Class,
        tag: &Tag<'_>,
        repairs: &mut Repairs,
    ) {
        let (message, kind) = self.message_and_type(tag, repairs);
        self.message.clone_from(&message);
        if self
            .decisive
            .as_ref()
            .is_none_or(|(known, ..)| *known < class)
        {
            self.decisive = Some((class, message, kind));
        }
    }

    /// Ends an outcome child with its text.
    pub(in crate::reports::parse) fn close_problem(
        &mut self,
        class: Class,
        text: &Text,
        repairs: &mut Repairs,
    ) {
        let message = std::mem::take(&mut self.message);
        let body = text.value.trim_end();
        let only_reason = class == Class::Skipped && body.trim() == message.trim();
        let first = self.trace.is_empty();
        if !first && !message.is_empty() && !body.contains(&message) {
            self.add_trace("\n\n", repairs);
            self.add_trace(&message, repairs);
        }
        if !body.trim().is_empty() && !only_reason {
            if !self.trace.is_empty() {
                self.add_trace("\n\n", repairs);
            }
            self.add_trace(body, repairs);
        }
    }

    /// Begins an attempt written inside the case.
    pub(in crate::reports::parse) fn open_retry(&mut self, tag: &Tag<'_>, repairs: &mut Repairs) {
        let (message, kind) = self.message_and_type(tag, repairs);
        let name = tag.name();
        let outcome = if name.to_ascii_lowercase().ends_with(b"error") {
            Outcome::Error
        } else {
            Outcome::Failed
        };
        let before = name.to_ascii_lowercase().starts_with(b"flaky");
        let kind = some(kind).or_else(|| exception_kind(&message));
        let time = tag.attributes().find(|(name, _)| *name == b"time");
        self.retry = Some((
            RetryAttempt {
                outcome,
                duration_ms: time
                    .and_then(|(_, value)| seconds_to_ms(std::str::from_utf8(value).ok()?)),
                kind,
                message: some(message),
                ..RetryAttempt::default()
            },
            before,
        ));
    }

    /// Ends it; its own text is its trace when there was no `stackTrace`.
    pub(in crate::reports::parse) fn close_retry(&mut self, text: Text) {
        let Some((mut retry, before)) = self.retry.take() else {
            return;
        };
        if retry.trace.is_none() {
            retry.trace = long(text);
        }
        if retry.message.is_none() {
            retry.message = retry
                .trace
                .as_ref()
                .and_then(|trace| some(first_line(&trace.value).to_owned()))
                .or_else(|| retry.kind.clone());
        }
        self.case.flaky |= before;
        if self.case.retries.len() < self.retry_limit {
            // Surefire: `flaky…` stand before the pass of the row, `rerun…` after its failure.
            let number = u32::try_from(self.case.retries.len()).unwrap_or(u32::MAX - 2) + 1;
            retry.attempt = if before { number } else { number + 1 };
            if before {
                self.case.attempt = number + 1;
            }
            self.case.retries.push(retry);
        }
    }

    /// The trace of the attempt in hand.
    pub(in crate::reports::parse) fn retry_trace(&mut self, text: Text) {
        if let Some((retry, _)) = &mut self.retry {
            retry.trace = long(text);
        }
    }

    /// Standard output, of the attempt in hand or of the case.
    pub(in crate::reports::parse) fn stdout(&mut self, text: Text, of_retry: bool) {
        attachments_in(&text.value, &mut self.case.attachments, self.list_limit);
        let slot = match (&mut self.retry, of_retry) {
            (Some((retry, _)), true) => &mut retry.stdout,
            _ => &mut self.case.stdout,
        };
        join(slot, text, self.text_bytes);
    }

    /// Standard error, of the attempt in hand or of the case.
    pub(in crate::reports::parse) fn stderr(&mut self, text: Text, of_retry: bool) {
        attachments_in(&text.value, &mut self.case.attachments, self.list_limit);
        let slot = match (&mut self.retry, of_retry) {
            (Some((retry, _)), true) => &mut retry.stderr,
            _ => &mut self.case.stderr,
        };
        join(slot, text, self.text_bytes);
    }

    /// A property of the case; those with a field of their own go there.
    pub(in crate::reports::parse) fn property(&mut self, name: String, value: String) {
        let case = &mut self.case;
        let list = match name.as_str() {
            "nodeid" if !value.is_empty() => {
                case.nodeid.get_or_insert(value);
                return;
            }
            "docstr" => {
                case.docstring.get_or_insert(value);
                return;
            }
            "attachment" if value.trim().is_empty() => return,
            "attachment" => &mut case.attachments,
            "jira" | "issue" => &mut case.tickets,
            _ => {
                if case.properties.len() < self.list_limit {
                    case.properties.push((name, value));
                }
                return;
            }
        };
        if list.len() < self.list_limit {
            list.push(value);
        }
    }

    /// A child that is not known.
    pub(in crate::reports::parse) fn unknown(&mut self, name: &[u8], text: Text) {
        if !text.value.trim().is_empty() && self.case.extra.len() < self.list_limit {
            let name = &name[..name.len().min(LONGEST_ELEMENT)];
            self.case
                .extra
                .push((String::from_utf8_lossy(name).into_owned(), text.value));
        }
    }

    /// Whether the case could be told although its end tag is missing.
    pub(in crate::reports::parse) fn outcome_is_known(&self) -> bool {
        self.decisive.is_some() || self.case.resolution.is_some()
    }

    /// The finished case; the builder is as new afterwards.
    pub(in crate::reports::parse) fn finish(
        &mut self,
        dialect: &mut Dialect,
        warnings: &mut Warnings,
    ) -> ParsedCase {
        self.case.trace = long(self.trace.finish());
        let status = std::mem::take(&mut self.status);
        match self.decisive.take() {
            Some((class, message, kind)) => {
                self.case.outcome = match class {
                    Class::Failure => Outcome::Failed,
                    Class::Error => Outcome::Error,
                    Class::Skipped if never_ran(&status, &message) => Outcome::NotRun,
                    Class::Skipped => Outcome::Skipped,
                };
                let fallback = || {
                    let trace = &self.case.trace.as_ref()?.value;
                    Some(first_of_trace(trace, &self.case.name).to_owned())
                };
                self.case.message = some(message)
                    .or_else(fallback)
                    .filter(|message| !message.is_empty());
                self.case.kind = some(kind);
                if self.case.message.is_none() && class != Class::Skipped {
                    self.case.message.clone_from(&self.case.kind);
                }
            }
            None if status.is_empty() => {}
            None => self.case.outcome = outcome_of_status(&status),
        }
        dialect.apply(&mut self.case, warnings);
        if self.case.kind.is_none()
            && matches!(
                self.case.outcome,
                Outcome::Failed | Outcome::Error | Outcome::KnownIssue
            )
        {
            self.case.kind = self.case.message.as_deref().and_then(exception_kind);
        }
        self.message.clear();
        (self.retry, self.of_suite) = (None, false);
        std::mem::take(&mut self.case)
    }

    fn message_and_type(&self, tag: &Tag<'_>, repairs: &mut Repairs) -> (String, String) {
        let (mut message, mut kind) = (String::new(), String::new());
        for (name, raw) in tag.attributes() {
            let slot = match name {
                b"message" => &mut message,
                b"type" => &mut kind,
                _ => continue,
            };
            *slot = TextBuilder::short(raw, Piece::Attribute, self.attribute_bytes, repairs);
        }
        (message, kind)
    }

    fn add_trace(&mut self, text: &str, repairs: &mut Repairs) {
        self.trace.push_str(text, Piece::Plain, repairs);
    }
}

/// The first line of a trace that says something: PHPUnit begins with the test's own name.
fn first_of_trace<'t>(trace: &'t str, name: &str) -> &'t str {
    let first = first_line(trace);
    let own = first
        .split_once("::")
        .is_some_and(|(_, rest)| rest.starts_with(name));
    match trace.trim_start().split_once('\n') {
        Some((_, rest)) if own => first_line(rest),
        _ => first,
    }
}

/// CTest calls skipped what was disabled or could not start, and also what ran and skipped itself.
fn never_ran(status: &str, message: &str) -> bool {
    outcome_of_status(status) == Outcome::NotRun && !message.starts_with("SKIP_")
}

/// A case without an outcome child passed, unless its status says that it never ran (googletest) or failed.
fn outcome_of_status(status: &str) -> Outcome {
    let says = |word: &str| status.split_ascii_whitespace().any(|known| known == word);
    if says("notrun") || says("disabled") || says("suppressed") {
        Outcome::NotRun
    } else if says("skipped") || says("ignored") || says("pending") {
        Outcome::Skipped
    } else if says("failed") || says("failure") || says("fail") {
        Outcome::Failed
    } else if says("error") || says("broken") {
        Outcome::Error
    } else {
        Outcome::Passed
    }
}

/// Files named in output as `[[ATTACHMENT|path]]`, a convention of several runners.
fn attachments_in(text: &str, list: &mut Vec<String>, limit: usize) {
    for part in text.split("[[ATTACHMENT|").skip(1) {
        if let Some((path, _)) = part.split_once("]]")
            && list.len() < limit
            && !path.is_empty()
            && !path.contains('\n')
        {
            list.push(path.to_owned());
        }
    }
}

fn join(slot: &mut Option<Text>, text: Text, limit: usize) {
    if text.value.trim().is_empty() {
        return;
    }
    match slot {
        None => *slot = Some(text),
        Some(first) => {
            let cut = first.cut + text.cut;
            let mut both = TextBuilder::new(limit);
            let mut repairs = Repairs::default();
            both.push_str(&first.value, Piece::Plain, &mut repairs);
            both.push_str("\n", Piece::Plain, &mut repairs);
            both.push_str(&text.value, Piece::Plain, &mut repairs);
            let joined = both.finish();
            *slot = Some(Text {
                bytes: first.bytes + text.bytes + 1,
                cut: joined.cut + cut,
                value: joined.value,
            });
        }
    }
}

fn long(text: Text) -> Option<Text> {
    (!text.value.trim().is_empty()).then_some(text)
}

fn some(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}
