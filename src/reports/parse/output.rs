//! What every parser does with what it read: hand it on, count it, and say at the end how it went.

use super::error::ParseError;
use super::format::Format;
use super::input::Fault;
use super::limits::Limits;
use super::model::{Counts, ParsedCase, SuiteInfo, Summary};
use super::read::Sink;
use super::warnings::{Repairs, Warnings};
use super::words::first_line;

/// Why a document is not read to its end.
#[derive(Debug)]
pub(super) enum Halt {
    /// The document breaks here, or the input does.
    Broken(Fault),
    /// The sink wants no more.
    Stopped { line: u64 },
    /// There are more cases than the limit.
    Full,
    /// The document declares a document type.
    Doctype { line: u64 },
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Broken(fault)
    }
}

/// The receiving end of one parse.
pub(super) struct Output<'a> {
    pub(super) limits: &'a Limits,
    sink: &'a mut dyn Sink,
    pub(super) warnings: Warnings,
    /// What is known so far; counts are kept here, warnings are put in at the end.
    pub(super) summary: Summary,
    /// Rows that the report does not count among its tests; negative: what it counts and is no row.
    pub(super) uncounted: i64,
}

/// Attempts of a test that a row may claim; a number costs its writer nothing, and its readers a row each.
const MOST_ATTEMPTS: u32 = 1_000;

impl<'a> Output<'a> {
    /// The receiving end of a document in `format`.
    pub(super) fn new(format: Format, limits: &'a Limits, sink: &'a mut dyn Sink) -> Self {
        Self {
            limits,
            sink,
            warnings: Warnings::new(limits.warnings),
            summary: Summary {
                format,
                reporter: None,
                reporter_version: None,
                properties: Vec::new(),
                declared: None,
                counts: Counts::default(),
                started_at: None,
                finished_at: None,
                warnings: Vec::new(),
                warnings_total: 0,
                repaired: 0,
                truncated: false,
            },
            uncounted: 0,
        }
    }

    /// Hands a case to the sink. It has a line and a number then, no list of it is longer than the limit, and it claims no more attempts
    /// than anybody reads.
    pub(super) fn case(&mut self, mut case: ParsedCase) -> Result<(), Halt> {
        if self.summary.counts.total >= self.limits.cases {
            return Err(Halt::Full);
        }
        // A row made for the report as a whole stands nowhere in it.
        case.report_line = case.report_line.max(1);
        case.attempt = case.attempt.max(1);
        let line = case.report_line;
        let claimed = case.retries.iter().map(|retry| retry.attempt);
        let claimed = claimed.fold(case.attempt, u32::max);
        if claimed > MOST_ATTEMPTS {
            case.attempt = case.attempt.min(MOST_ATTEMPTS);
            for retry in &mut case.retries {
                retry.attempt = retry.attempt.min(MOST_ATTEMPTS);
            }
            self.warn(line, "too_many_attempts", "counted 1000", || {
                format!("a test of {claimed} attempts")
            });
        }
        let left_out = shorten(&mut case, self.limits.properties);
        if left_out > 0 {
            self.warn(line, "too_much_detail", "left out what went beyond", || {
                format!(
                    "`{}` has {left_out} properties too many",
                    first_line(&case.name)
                )
            });
        }
        self.summary.counts.add(case.outcome);
        self.sink.case(case).map_err(|_| Halt::Stopped { line })
    }

    /// Hands on a row made for a failure outside every test; no report counts those among its tests.
    pub(super) fn case_of_suite(&mut self, case: ParsedCase) -> Result<(), Halt> {
        self.case(case)?;
        self.uncounted += 1;
        Ok(())
    }

    /// Tells the sink of a suite that has ended.
    pub(super) fn suite(&mut self, suite: SuiteInfo) {
        self.sink.suite(suite);
    }

    /// Counts a warning and keeps it while there is room.
    pub(super) fn warn(
        &mut self,
        line: u64,
        code: &'static str,
        assumed: &'static str,
        what: impl FnOnce() -> String,
    ) {
        self.warnings.add(line, code, assumed, what);
    }

    /// Notes that the document ended too early; what stood before stays.
    pub(super) fn truncated(&mut self, line: u64, reason: impl FnOnce() -> String) {
        self.summary.truncated = true;
        self.warn(line, "truncated", "kept what stood before", reason);
    }

    /// Ends the parse: `end` says how the reading of the document went, `line` how far it came.
    pub(super) fn finish(
        mut self,
        end: Result<(), Halt>,
        line: u64,
        repairs: &Repairs,
    ) -> Result<Summary, ParseError> {
        match end {
            Ok(()) => {}
            Err(Halt::Stopped { line }) => return Err(ParseError::Stopped { line }),
            Err(Halt::Doctype { line }) => return Err(ParseError::DoctypeRefused { line }),
            Err(Halt::Full) => {
                self.summary.truncated = true;
                let most = self.limits.cases;
                self.warn(line, "too_many_cases", "left out the rest", || {
                    format!("more than {most} cases")
                });
            }
            Err(Halt::Broken(Fault::Input(source))) => {
                return Err(ParseError::Input { line, source });
            }
            Err(Halt::Broken(fault)) => {
                let reason = match fault {
                    Fault::Invalid(reason) => reason,
                    _ => "the report ends inside the document".to_owned(),
                };
                if self.summary.counts.total == 0 {
                    return Err(ParseError::Broken { line, reason });
                }
                self.truncated(line, || reason);
            }
        }
        let found = self
            .summary
            .counts
            .total
            .saturating_add_signed(self.uncounted.saturating_neg());
        if let Some(declared) = self.summary.declared
            && declared.total != found
        {
            self.warn(1, "declared_counts", "counted the cases", || {
                format!(
                    "the report declares {} tests and holds {found}",
                    declared.total
                )
            });
        }
        self.summary.repaired = repairs.total();
        (self.summary.warnings, self.summary.warnings_total) = self.warnings.finish(repairs);
        Ok(self.summary)
    }
}

/// Cuts the lists of a case to `most` entries each; answers how many were left out.
fn shorten(case: &mut ParsedCase, most: usize) -> usize {
    let over = |length: usize| length.saturating_sub(most);
    let left_out = over(case.properties.len())
        + over(case.attachments.len())
        + over(case.tickets.len())
        + over(case.extra.len());
    case.properties.truncate(most);
    case.attachments.truncate(most);
    case.tickets.truncate(most);
    case.extra.truncate(most);
    left_out
}
