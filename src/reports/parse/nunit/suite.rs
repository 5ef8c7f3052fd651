//! Suites: their nesting, what they declare, and failures that no case carries.
//!
//! A fixture whose teardown fails turns only the suite red: its cases have passed and stay green. Such a suite becomes a row
//! of its own, or the report would look green.

use std::sync::Arc;

use super::read::At;
use crate::reports::parse::fill::{
    OF_SUITE, append, base_name, complete, is_bad, nested, row, short, trace_of,
};
use crate::reports::parse::input::{Tag, Text, timestamp};
use crate::reports::parse::model::{Counts, Outcome, ParsedCase, SuiteInfo};
use crate::reports::parse::output::Halt;
use crate::reports::parse::walk::Attributes;

/// What a suite's attributes say it declares; `None` if they do not.
pub(super) fn counts(attributes: &mut Attributes<'_>, old: bool) -> Option<Counts> {
    // Sums of hostile numbers must not overflow.
    let mut number = |name: &str| attributes.number(name).map(|count| count.min(1 << 40));
    let total = number("total")?;
    let mut counts = if old {
        let not_run = number("not-run").unwrap_or(0);
        let (ignored, skipped) = (number("ignored"), number("skipped"));
        let apart = ignored.is_some() || skipped.is_some();
        Counts {
            // The old total is of those that ran.
            total: total + not_run,
            failed: number("failures").unwrap_or(0),
            error: number("errors").unwrap_or(0) + number("invalid").unwrap_or(0),
            skipped: number("inconclusive").unwrap_or(0)
                + if apart {
                    ignored.unwrap_or(0) + skipped.unwrap_or(0)
                } else {
                    not_run
                },
            ..Counts::default()
        }
    } else {
        Counts {
            total,
            failed: number("failed").unwrap_or(0),
            skipped: number("skipped").unwrap_or(0) + number("inconclusive").unwrap_or(0),
            ..Counts::default()
        }
    };
    counts.passed = number("passed").unwrap_or_else(|| {
        counts
            .total
            .saturating_sub(counts.failed + counts.error + counts.skipped)
    });
    Some(counts)
}

/// A suite that is open.
pub(super) struct Suite {
    info: SuiteInfo,
    line: u64,
    /// The name of its class or namespace; empty in an assembly.
    path: String,
    is_class: bool,
    failed: bool,
    site: Option<String>,
    message: Option<String>,
    trace: Option<Text>,
    /// A case inside tells the same message.
    carried: bool,
    /// Failing rows inside, at any depth.
    bad_rows: u64,
}

impl Suite {
    pub(super) fn new(at: &mut At<'_, '_>, tag: &Tag<'_>, old: bool, suites: &Suites) -> Self {
        let mut attributes = at.attributes(tag);
        let kind = attributes.take("type").unwrap_or_default();
        let name = attributes.take("name").unwrap_or_default();
        let full_name = attributes.take("fullname");
        // Assemblies and projects are named by their path.
        let is_file = name.contains(['/', '\\'])
            || full_name
                .as_deref()
                .is_some_and(|path| path.contains(['/', '\\']) && base_name(path) == name);
        let file = is_file.then(|| full_name.clone().unwrap_or_else(|| name.clone()));
        let short_name = if is_file { base_name(&name) } else { &name };
        let outer = suites.open.last();
        let path = match (full_name, outer) {
            (Some(_), _) if is_file => String::new(),
            (Some(full_name), _) => full_name,
            (None, outer) => {
                let outer = outer.map(|suite| suite.path.as_str()).unwrap_or_default();
                match kind.as_str() {
                    "Namespace" | "TestFixture" | "SetUpFixture" if outer.is_empty() => {
                        name.clone()
                    }
                    "Namespace" | "TestFixture" => format!("{outer}.{name}"),
                    _ => outer.to_owned(),
                }
            }
        };
        let no_name = Arc::from("");
        let result = attributes.take("result");
        let success = attributes.flag("success");
        let failed = match result.as_deref() {
            Some(result) => ["Failed", "Failure", "Error", "NotRunnable", "Invalid"]
                .iter()
                .any(|bad| result.eq_ignore_ascii_case(bad)),
            None => success == Some(false),
        };
        let timestamp = attributes
            .take("start-time")
            .and_then(|text| timestamp(&text));
        let seconds = attributes.take("duration").or(attributes.take("time"));
        let info = SuiteInfo {
            name: nested(outer.map_or(&no_name, |suite| &suite.info.name), short_name),
            file,
            timestamp,
            duration_ms: at.duration(seconds),
            declared: counts(&mut attributes, old),
            ..SuiteInfo::default()
        };
        let mut suite = Self {
            info,
            line: at.line,
            path,
            is_class: kind == "TestFixture",
            failed,
            site: attributes.take("site"),
            message: None,
            trace: None,
            carried: false,
            bad_rows: 0,
        };
        for (name, value) in result
            .map(|result| ("result".to_owned(), result))
            .into_iter()
            .chain((!kind.is_empty()).then(|| ("type".to_owned(), kind)))
            .chain(attributes.rest())
        {
            at.keep(&mut suite.info.properties, (name, value));
        }
        suite
    }

    /// Whether the suite failed without any of its cases telling so.
    fn is_untold(&self, cut: bool) -> bool {
        let own = match self.site.as_deref() {
            Some("SetUp" | "TearDown" | "Test") => true,
            Some(_) => false,
            None => self.trace.is_some(),
        };
        self.failed && (own && !self.carried || self.bad_rows == 0 && !cut)
    }
}

/// The suites that are open.
#[derive(Default)]
pub(super) struct Suites {
    open: Vec<Suite>,
}

impl Suites {
    pub(super) fn open(&mut self, suite: Suite) {
        self.open.push(suite);
    }

    /// The class in hand; empty outside of classes.
    pub(super) fn class(&self) -> &str {
        self.open
            .iter()
            .rev()
            .find(|suite| suite.is_class)
            .map(|suite| suite.path.as_str())
            .unwrap_or_default()
    }

    pub(super) fn innermost(&mut self) -> Option<&mut SuiteInfo> {
        self.open.last_mut().map(|suite| &mut suite.info)
    }

    /// Gives a finished case its suite.
    pub(super) fn place(&mut self, case: &mut ParsedCase) {
        if is_bad(case.outcome) {
            for suite in &mut self.open {
                suite.carried |= suite.message.is_some() && suite.message == case.message;
            }
        }
        if let Some(suite) = self.open.last_mut() {
            case.suite = suite.info.name.clone();
            suite.info.cases += 1;
            suite.bad_rows += u64::from(is_bad(case.outcome));
        }
    }

    /// Closes the innermost suite, with a row for a failure of its own.
    pub(super) fn close(&mut self, at: &mut At<'_, '_>) -> Result<(), Halt> {
        let Some(mut suite) = self.open.pop() else {
            return Ok(());
        };
        if suite.is_untold(at.cut) {
            suite.bad_rows += 1;
            let class = if suite.path.is_empty() {
                suite.info.name.rsplit(" > ").next().unwrap_or_default()
            } else {
                &suite.path
            };
            let mut case = ParsedCase {
                suite: suite.info.name.clone(),
                classname: class.to_owned(),
                name: OF_SUITE.to_owned(),
                outcome: Outcome::Error,
                message: Some(suite.message.unwrap_or_else(|| {
                    "the suite failed, and none of its tests says why".to_owned()
                })),
                trace: suite.trace,
                ..row(suite.line)
            };
            if let Some(site) = suite.site {
                case.extra.push(("site".to_owned(), site));
            }
            complete(at, &mut case);
            at.out.case_of_suite(case)?;
        }
        if let Some(outer) = self.open.last_mut() {
            outer.bad_rows += suite.bad_rows;
        }
        at.out.suite(suite.info);
        Ok(())
    }

    pub(super) fn message(&mut self, text: &Text) {
        if let Some(suite) = self.open.last_mut()
            && suite.message.is_none()
        {
            suite.message = short(text);
        }
    }

    pub(super) fn trace(&mut self, text: Text) {
        if let Some(suite) = self.open.last_mut()
            && suite.trace.is_none()
        {
            suite.trace = trace_of(text);
        }
    }

    pub(super) fn output(&mut self, at: &mut At<'_, '_>, text: Text) {
        if let Some(suite) = self.open.last_mut() {
            append(&mut suite.info.stdout, text, at.out.limits.text_bytes);
        }
    }

    pub(super) fn property(&mut self, at: &mut At<'_, '_>, name: &str, text: &Text) {
        if let (Some(suite), Some(value)) = (self.open.last_mut(), short(text)) {
            at.keep(&mut suite.info.properties, (name.to_owned(), value));
        }
    }
}
