//! What does not fit together in an attempt: from its facts to findings, purely.
//!
//! A report alone is not believed. It is held against the exit code of the step that wrote it, the time of its file, the failures that
//! its reporter printed, its own words about how many tests there are, and earlier builds of the same job.

use super::baseline::Baseline;
use super::facts::{Printed, ReportFacts};
use crate::reports::Names;
use std::collections::HashSet;
use testhide_protocol::Timestamp;
use testhide_protocol::api::{Finding, FindingKind, StepState};

/// Fewer tests before are no base for a comparison: a small suite loses a fifth of itself by one file that is moved.
pub(super) const LEAST_TESTS: u64 = 10;

/// Tests are missing when there are fewer than this many percent of what there used to be. A suite that is cleaned up loses less at once;
/// a shard, a folder or a plugin that is lost costs more.
pub(super) const LEAST_PERCENT: u64 = 80;

/// Findings of one kind that are told one by one; more of them become one.
const SINGLE: usize = 5;

/// How far the time of a file may lag behind the clock: file systems take the kernel's tick, at most 10 ms old.
const TICK_MS: i64 = 50;

/// The same where a file system keeps whole seconds only, or every second one.
const COARSE_MS: i64 = 2000 + TICK_MS;

/// A step as far as the rules look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StepFact {
    pub name: String,
    pub kind: StepKind,
    pub state: StepState,
    pub exit_code: Option<i32>,
    /// By the agent's clock.
    pub started_at: Option<Timestamp>,
}

/// What a step can be blamed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepKind {
    /// It may run tests.
    Script,
    /// It delivers reports.
    Reports,
    /// It does something else.
    Other,
}

/// The facts of an attempt.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Facts<'a> {
    pub steps: &'a [StepFact],
    pub reports: &'a [ReportFacts],
    pub printed: &'a [Printed],
    /// Tests over all reports.
    pub total: u64,
    /// What there used to be.
    pub baseline: Option<&'a Baseline>,
}

/// Whether a file was last written before the attempt's first step began. Where the file's time has no fraction of a second, it may come
/// from a file system that keeps none.
pub(super) fn is_stale(steps: &[StepFact], modified_at: Option<Timestamp>) -> bool {
    let began = steps.iter().filter_map(|step| step.started_at).min();
    let (Some(began), Some(modified_at)) = (began, modified_at) else {
        return false;
    };
    began.millis_since(modified_at) > lag_of(modified_at)
}

/// The step that wrote a file which step `delivered_by` delivers: the last script that had begun by the file's time, the first one where
/// none had. Without a time, the last one before the delivery. Nothing is allowed for the kernel's tick here: a report is written
/// at the end of a run, and often just before the next step begins.
pub(super) fn written_by(
    steps: &[StepFact],
    delivered_by: u32,
    modified_at: Option<Timestamp>,
) -> Option<u32> {
    // Only a step that delivers reports is believed to be one: otherwise every script that has begun may be the writer.
    let delivery = steps.get(delivered_by as usize);
    let delivers = delivery.is_some_and(|step| step.kind == StepKind::Reports);
    let end = if delivers {
        delivered_by as usize
    } else {
        steps.len()
    };
    let scripts = (0..)
        .zip(&steps[..end])
        .filter(|(_, step)| step.kind == StepKind::Script);
    let ran: Vec<(u32, Timestamp)> = scripts
        .filter_map(|(index, step)| Some((index, step.started_at?)))
        .collect();
    let begun = |(_, started): &&(u32, Timestamp)| {
        modified_at.is_none_or(|at| {
            let lag = if is_coarse(at) { COARSE_MS } else { 0 };
            started.millis_since(at) <= lag
        })
    };
    let writer = ran.iter().rfind(begun).or(ran.first());
    writer.map(|(index, _)| *index)
}

/// Whether a time may come from a file system of whole seconds.
fn is_coarse(modified_at: Timestamp) -> bool {
    modified_at.0 % 1000 == 0
}

fn lag_of(modified_at: Timestamp) -> i64 {
    if is_coarse(modified_at) {
        COARSE_MS
    } else {
        TICK_MS
    }
}

/// Whether `total` tests are far fewer than the `usual` number.
pub(super) fn far_fewer(total: u64, usual: u64) -> bool {
    usual >= LEAST_TESTS && total.saturating_mul(100) < usual.saturating_mul(LEAST_PERCENT)
}

/// Everything that does not fit together, the gravest first.
pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let mut all = Vec::new();
    all.extend(inconsistent_exits(facts));
    all.extend(missing_tests(facts));
    all.extend(few(
        facts.reports.iter().filter_map(stale),
        "reports are older than the attempt's first step; their results do not count",
    ));
    all.extend(few(
        facts.reports.iter().filter_map(partial),
        "reports are not whole",
    ));
    all.extend(zero_tests(facts));
    all.extend(hidden_retries(facts));
    all
}

/// Exit codes that say another thing than the rows of the reports which their step wrote.
fn inconsistent_exits(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for (index, step) in (0u32..).zip(facts.steps) {
        let own: Vec<&ReportFacts> = facts
            .reports
            .iter()
            .filter(|report| report.written_by == Some(index) && !report.stale)
            .collect();
        if own.is_empty() {
            continue;
        }
        let mut failing = Names::default();
        let mut doubtful = Names::default();
        for report in &own {
            failing.extend(&report.evidence.failing);
            doubtful.extend(&report.evidence.printed_passed);
        }
        let name = &step.name;
        let tests: u64 = own.iter().map(|report| report.counts.total).sum();
        let reporter = own.iter().find_map(|report| report.reporter.as_deref());
        let succeeded =
            step.state == StepState::Passed && step.exit_code.is_none_or(|code| code == 0);
        let fails = failing.count > 0;
        if succeeded && fails {
            let message = format!(
                "step `{name}` ended with exit code 0, but {} of the {} it reported failed",
                failing.count,
                counted(tests, "test")
            );
            found.push(finding(FindingKind::InconsistentExit, message, failing));
        }
        let nothing_collected = tests == 0 && step.exit_code == Some(5);
        if step.state == StepState::Failed && !fails && !nothing_collected {
            let ended = match step.exit_code {
                Some(code) => format!("exit code {code}{}", meaning(reporter, code)),
                None => "no exit code".to_owned(),
            };
            let but = match tests {
                0 => "it reported no test".to_owned(),
                1 => "the 1 test it reported did not fail".to_owned(),
                many => format!("none of the {many} tests it reported failed"),
            };
            let message = format!("step `{name}` ended with {ended}, but {but}");
            found.push(finding(FindingKind::InconsistentExit, message, doubtful));
        }
    }
    found
}

/// What a reporter means by an exit code, in brackets.
fn meaning(reporter: Option<&str>, code: i32) -> String {
    let pytest = reporter.is_some_and(|reporter| reporter.to_lowercase().contains("pytest"));
    match code {
        1 => " (tests failed)".to_owned(),
        2 if pytest => " (the run was interrupted)".to_owned(),
        3 if pytest => " (internal error of pytest)".to_owned(),
        4 if pytest => " (wrong usage of pytest)".to_owned(),
        5 if pytest => " (no tests were collected)".to_owned(),
        129..=159 => format!(" (killed by signal {})", code - 128),
        _ => String::new(),
    }
}

/// Tests that were there before, that the file itself speaks of, or whose failure was printed.
fn missing_tests(facts: &Facts<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let kind = FindingKind::TestsMissing;
    if let Some(baseline) = facts
        .baseline
        .filter(|baseline| far_fewer(facts.total, baseline.usual))
    {
        let message = format!(
            "{} had {} ({}), this build has {}",
            baseline.builds,
            counted(baseline.usual, "test"),
            baseline.median,
            facts.total
        );
        let mut finding = finding(kind, message, baseline.missing.clone());
        finding.count = finding.count.max(baseline.usual - facts.total);
        found.push(finding);
    }
    let reports = || facts.reports.iter().filter(|report| !report.stale);
    if reports().any(|report| report.evidence.has_nodeids) {
        let mut keys: Vec<u64> = reports()
            .flat_map(|report| report.evidence.printed.iter().copied())
            .collect();
        keys.sort_unstable();
        let absent: Names = facts
            .printed
            .iter()
            .filter(|printed| keys.binary_search(&printed.key).is_err())
            .map(|printed| printed.nodeid.as_str())
            .collect();
        if absent.count > 0 {
            let message = format!(
                "a failure of {} was printed, and no report has {}",
                counted(absent.count, "test"),
                if absent.count == 1 { "it" } else { "them" }
            );
            found.push(finding(kind, message, absent));
        }
    }
    let fewer = reports().filter_map(|report| {
        let declared = report.evidence.declared?;
        if report.truncated || !far_fewer(report.evidence.rows, declared) {
            return None;
        }
        let message = format!(
            "report `{}` says that it has {}, and holds {}",
            report.name,
            counted(declared, "test"),
            report.evidence.rows
        );
        let mut finding = about(kind, report, message);
        finding.count = declared - report.evidence.rows;
        Some(finding)
    });
    found.extend(few(fewer, "reports hold far fewer tests than they say"));
    found
}

fn stale(report: &ReportFacts) -> Option<Finding> {
    let written = report.modified_at.filter(|_| report.stale)?;
    let message = format!(
        "report `{}` was last written at {written}, before the first step began; its {} do not count",
        report.name,
        counted(report.counts.total, "result")
    );
    Some(about(FindingKind::StaleReport, report, message))
}

fn partial(report: &ReportFacts) -> Option<Finding> {
    let (name, tests) = (&report.name, counted(report.counts.total, "test"));
    let message = if report.partial {
        format!(
            "report `{name}` was put together from what a killed reporter left: {tests}, and nobody knows how many more there were"
        )
    } else if report.truncated {
        format!(
            "report `{name}` breaks off: {tests} could be read, and nobody knows how many more there were"
        )
    } else {
        return None;
    };
    Some(about(FindingKind::PartialReport, report, message))
}

/// Reports without a test. One beside others that do hold tests and come from the same run tells nothing: many tools write a file for
/// each module, also for those that have no test.
fn zero_tests(facts: &Facts<'_>) -> Vec<Finding> {
    let kind = FindingKind::ZeroTests;
    let reports = || facts.reports.iter().filter(|report| !report.stale);
    let run_of = |report: &ReportFacts| (report.step.is_some(), report.written_by);
    let told: HashSet<_> = reports()
        .filter(|report| report.counts.total > 0)
        .map(run_of)
        .collect();
    let empty = reports()
        .filter(|report| report.counts.total == 0 && !told.contains(&run_of(report)))
        .map(|report| {
            about(
                kind,
                report,
                format!("report `{}` holds no test", report.name),
            )
        });
    let mut found = few(empty, "reports hold no test");
    let delivers = |step: &&StepFact| {
        step.kind == StepKind::Reports
            && matches!(step.state, StepState::Passed | StepState::Failed)
    };
    if found.is_empty()
        && facts.total == 0
        && let Some(step) = facts.steps.iter().find(delivers)
    {
        let message = format!(
            "step `{}` should deliver tests, and this build has none",
            step.name
        );
        found.push(finding(kind, message, Names::default()));
    }
    found
}

/// Tests that a report shows as passed, and that failed before they did. Where the step failed and no test did, the failure that was
/// printed is the one that the report hides: that is told as an inconsistent exit.
fn hidden_retries(facts: &Facts<'_>) -> Vec<Finding> {
    let kind = FindingKind::HiddenRetry;
    let reports = || facts.reports.iter().filter(|report| !report.stale);
    let retried = reports().filter_map(|report| {
        let (printed, rerun) = (&report.evidence.printed_passed, &report.evidence.rerun);
        let failed = report
            .written_by
            .and_then(|step| facts.steps.get(step as usize))
            .is_some_and(|step| step.state == StepState::Failed);
        let (names, how) = if rerun.count > 0 {
            (rerun, "its earlier rows look passed and were not")
        } else if printed.count > 0 && !(failed && report.evidence.failing.count == 0) {
            (
                printed,
                "a failure was printed, and the report does not have it",
            )
        } else {
            return None;
        };
        let message = format!(
            "{} in report `{}` passed only after an attempt that the report hides: {how}",
            counted(names.count, "test"),
            report.name
        );
        let mut finding = about(kind, report, message);
        (finding.tests, finding.count) = (names.first.clone(), names.count);
        Some(finding)
    });
    few(
        retried,
        "reports hide failed attempts of tests that passed in the end",
    )
}

fn finding(kind: FindingKind, message: String, tests: Names) -> Finding {
    Finding {
        kind,
        message,
        report: None,
        tests: tests.first,
        count: tests.count,
    }
}

fn about(kind: FindingKind, report: &ReportFacts, message: String) -> Finding {
    Finding {
        report: Some(report.name.clone()),
        ..finding(kind, message, Names::default())
    }
}

/// Findings one by one when they are few; one for all of them otherwise.
fn few(findings: impl Iterator<Item = Finding>, together: &str) -> Vec<Finding> {
    let mut all: Vec<Finding> = findings.collect();
    if all.len() <= SINGLE {
        return all;
    }
    let reports: Vec<String> = all
        .iter()
        .filter_map(|one| one.report.as_ref())
        .take(SINGLE)
        .map(|name| format!("`{name}`"))
        .collect();
    let message = format!(
        "{} {together}: {} and others",
        all.len(),
        reports.join(", ")
    );
    let mut tests = Names::default();
    for one in &all {
        tests.extend(&Names {
            first: one.tests.clone(),
            count: one.count,
        });
    }
    let kind = all.remove(0).kind;
    vec![finding(kind, message, tests)]
}

/// `1 test`, `2 tests`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}
