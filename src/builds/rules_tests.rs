//! Tests of the rules: each way in which a report can be greener than its run, and what fits together tells nothing.

use super::baseline::Baseline;
use super::facts::{Printed, ReportFacts};
use super::rules::{Facts, StepFact, StepKind, far_fewer, findings, is_stale, written_by};
use crate::reports::{Evidence, Names};
use proptest::prelude::*;
use testhide_protocol::Timestamp;
use testhide_protocol::api::{FindingKind, OutcomeCounts, StepState};

fn script(name: &str, exit_code: i32) -> StepFact {
    StepFact {
        name: name.to_owned(),
        kind: StepKind::Script,
        state: if exit_code == 0 {
            StepState::Passed
        } else {
            StepState::Failed
        },
        exit_code: Some(exit_code),
        started_at: Some(Timestamp(10_001)),
    }
}

fn delivery() -> StepFact {
    StepFact {
        kind: StepKind::Reports,
        exit_code: None,
        started_at: Some(Timestamp(20_001)),
        ..script("reports", 0)
    }
}

/// A report of the first step, with so many tests that passed and failed.
fn report(passed: u64, failed: u64) -> ReportFacts {
    let names: Vec<String> = (0..failed).map(|number| format!("f{number}")).collect();
    ReportFacts {
        report: None,
        name: "r.xml".to_owned(),
        reporter: Some("pytest 9".to_owned()),
        step: Some(1),
        written_by: Some(0),
        modified_at: Some(Timestamp(12_345)),
        counts: OutcomeCounts {
            passed,
            failed,
            total: passed + failed,
            ..OutcomeCounts::default()
        },
        truncated: false,
        partial: false,
        stale: false,
        evidence: Evidence {
            rows: passed + failed,
            has_nodeids: true,
            failing: names.iter().map(String::as_str).collect(),
            ..Evidence::default()
        },
    }
}

fn names(count: u64) -> Names {
    let names: Vec<String> = (0..count).map(|number| format!("t{number}")).collect();
    names.iter().map(String::as_str).collect()
}

fn printed(nodeid: &str, key: u64) -> Printed {
    Printed {
        key,
        nodeid: nodeid.to_owned(),
    }
}

fn baseline(usual: u64) -> Baseline {
    Baseline {
        usual,
        builds: "the last 5 builds of `unit` on `main`".to_owned(),
        median: "median".to_owned(),
        missing: names(30),
    }
}

fn told(facts: &Facts<'_>) -> Vec<(FindingKind, String)> {
    findings(facts)
        .into_iter()
        .map(|finding| (finding.kind, finding.message))
        .collect()
}

/// The findings of a script with this exit code that wrote this report.
fn of_run(exit_code: i32, report: ReportFacts) -> Vec<(FindingKind, String)> {
    let total = report.counts.total;
    told(&Facts {
        steps: &[script("pytest", exit_code), delivery()],
        reports: &[report],
        total,
        ..Facts::default()
    })
}

#[test]
fn exit_codes_and_rows_have_to_agree() {
    let check = |exit_code: i32, passed: u64, failed: u64, expected: &[&str]| {
        let told = of_run(exit_code, report(passed, failed));
        let inconsistent: Vec<&str> = told
            .iter()
            .filter(|(kind, _)| *kind == FindingKind::InconsistentExit)
            .map(|(_, message)| message.as_str())
            .collect();
        assert_eq!(
            inconsistent, expected,
            "exit {exit_code}, {passed} passed, {failed} failed"
        );
    };
    check(0, 3, 0, &[]);
    check(1, 3, 1, &[]);
    check(
        1,
        3,
        0,
        &[
            "step `pytest` ended with exit code 1 (tests failed), but none of the 3 tests it reported failed",
        ],
    );
    check(
        3,
        1,
        0,
        &[
            "step `pytest` ended with exit code 3 (internal error of pytest), but the 1 test it reported did not fail",
        ],
    );
    check(
        137,
        2,
        0,
        &[
            "step `pytest` ended with exit code 137 (killed by signal 9), but none of the 2 tests it reported failed",
        ],
    );
    check(
        0,
        3,
        1,
        &["step `pytest` ended with exit code 0, but 1 of the 4 tests it reported failed"],
    );
    check(5, 0, 0, &[]);
}

#[test]
fn a_step_is_judged_by_the_reports_that_it_wrote() {
    // The linter failed; it ran no tests.
    let mut lint = script("lint", 1);
    lint.started_at = Some(Timestamp(15_001));
    let steps = [script("pytest", 0), lint, delivery()];
    let facts = Facts {
        steps: &steps,
        reports: &[report(3, 0)],
        total: 3,
        ..Facts::default()
    };
    assert_eq!(told(&facts), []);
    let check = |modified_at: Option<i64>, expected: Option<u32>| {
        assert_eq!(
            written_by(&steps, 2, modified_at.map(Timestamp)),
            expected,
            "{modified_at:?}"
        );
    };
    check(Some(12_345), Some(0));
    check(Some(15_001), Some(1));
    check(Some(14_999), Some(0));
    check(Some(9_990), Some(0));
    // A file system of whole seconds.
    check(Some(14_000), Some(1));
    check(Some(12_000), Some(0));
    check(None, Some(1));
    assert_eq!(written_by(&steps, 0, None), Some(1));
    assert_eq!(written_by(&steps, 7, Some(Timestamp(12_345))), Some(0));
    assert_eq!(written_by(&steps[2..], 0, None), None);
}

#[test]
fn a_file_is_stale_when_it_is_older_than_the_first_step() {
    let steps = [script("one", 0), delivery()];
    let check = |modified_at: Option<i64>, expected: bool| {
        assert_eq!(
            is_stale(&steps, modified_at.map(Timestamp)),
            expected,
            "{modified_at:?}"
        );
    };
    check(None, false);
    check(Some(10_001), false);
    check(Some(9_990), false);
    check(Some(9_901), true);
    // A file system of whole seconds.
    check(Some(9_000), false);
    check(Some(8_000), false);
    check(Some(7_000), true);
    assert!(!is_stale(&[], Some(Timestamp(0))));
}

#[test]
fn each_kind_of_disagreement_has_its_words() {
    let check = |report: ReportFacts, kind: FindingKind, message: &str| {
        let told = of_run(0, report);
        assert_eq!(told, [(kind, message.to_owned())]);
    };
    let truncated = ReportFacts {
        truncated: true,
        ..report(2, 0)
    };
    check(
        truncated,
        FindingKind::PartialReport,
        "report `r.xml` breaks off: 2 tests could be read, and nobody knows how many more there were",
    );
    let partial = ReportFacts {
        partial: true,
        truncated: true,
        ..report(1, 0)
    };
    check(
        partial,
        FindingKind::PartialReport,
        "report `r.xml` was put together from what a killed reporter left: 1 test, and nobody knows how many more there were",
    );
    check(
        report(0, 0),
        FindingKind::ZeroTests,
        "report `r.xml` holds no test",
    );
    let mut rerun = report(3, 0);
    rerun.evidence.rerun = names(2);
    check(
        rerun,
        FindingKind::HiddenRetry,
        "2 tests in report `r.xml` passed only after an attempt that the report hides: its earlier rows look passed and were not",
    );
    let mut declared = report(12, 0);
    declared.evidence.declared = Some(200);
    check(
        declared,
        FindingKind::TestsMissing,
        "report `r.xml` says that it has 200 tests, and holds 12",
    );
}

#[test]
fn a_stale_report_is_told_and_does_not_count() {
    let stale = ReportFacts {
        stale: true,
        written_by: None,
        modified_at: Some(Timestamp(1_000)),
        ..report(0, 4)
    };
    let facts = Facts {
        steps: &[script("pytest", 0), delivery()],
        reports: &[stale],
        ..Facts::default()
    };
    let kinds: Vec<FindingKind> = told(&facts).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [FindingKind::StaleReport, FindingKind::ZeroTests]);
}

#[test]
fn what_was_printed_is_a_retry_or_the_failure_that_the_report_lacks() {
    let check = |exit_code: i32, failed: u64, expected: &[FindingKind]| {
        let mut report = report(3, failed);
        report.evidence.printed_passed = names(1);
        let told = of_run(exit_code, report);
        let kinds: Vec<FindingKind> = told.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, expected, "exit {exit_code}, {failed} failed");
    };
    check(0, 0, &[FindingKind::HiddenRetry]);
    check(1, 1, &[FindingKind::HiddenRetry]);
    check(1, 0, &[FindingKind::InconsistentExit]);
}

#[test]
fn a_printed_failure_without_a_row_is_a_missing_test() {
    let check = |keys: &[u64], has_nodeids: bool, expected: &[&str]| {
        let mut report = report(3, 1);
        report.evidence.printed = keys.to_vec();
        report.evidence.has_nodeids = has_nodeids;
        let found = findings(&Facts {
            steps: &[script("pytest", 1), delivery()],
            reports: &[report],
            printed: &[printed("t.py::a", 7), printed("t.py::b", 3)],
            total: 4,
            baseline: None,
        });
        let tests: Vec<String> = found
            .into_iter()
            .flat_map(|finding| finding.tests)
            .collect();
        assert_eq!(tests, expected, "{keys:?}");
    };
    check(&[7, 3], true, &[]);
    check(&[3], true, &["t.py::a"]);
    check(&[], true, &["t.py::a", "t.py::b"]);
    check(&[], false, &[]);
}

#[test]
fn far_fewer_tests_than_usual_are_missing() {
    let check = |total: u64, usual: u64, expected: bool| {
        let report = report(total, 0);
        let baseline = baseline(usual);
        let found = findings(&Facts {
            steps: &[script("pytest", 0), delivery()],
            reports: &[report],
            total,
            baseline: Some(&baseline),
            ..Facts::default()
        });
        let missing: Vec<_> = found
            .iter()
            .filter(|finding| finding.kind == FindingKind::TestsMissing)
            .collect();
        assert_eq!(!missing.is_empty(), expected, "{total} of {usual}");
        if let [missing] = missing.as_slice() {
            assert_eq!(
                (missing.tests.len(), missing.count),
                (20, 30.max(usual - total))
            );
        }
    };
    check(12, 200, true);
    check(159, 200, true);
    check(160, 200, false);
    check(300, 200, false);
    check(1, 9, false);
    check(7, 10, true);
    let words = told(&Facts {
        steps: &[],
        reports: &[],
        total: 12,
        baseline: Some(&baseline(200)),
        ..Facts::default()
    });
    assert_eq!(
        words,
        [(
            FindingKind::TestsMissing,
            "the last 5 builds of `unit` on `main` had 200 tests (median), this build has 12"
                .to_owned()
        )]
    );
}

#[test]
fn many_findings_of_one_kind_become_one() {
    let reports: Vec<ReportFacts> = (0..300)
        .map(|number| ReportFacts {
            name: format!("{number}.xml"),
            ..report(0, 0)
        })
        .collect();
    let facts = Facts {
        steps: &[script("maven", 0), delivery()],
        reports: &reports,
        ..Facts::default()
    };
    assert_eq!(
        told(&facts),
        [(
            FindingKind::ZeroTests,
            "300 reports hold no test: `0.xml`, `1.xml`, `2.xml`, `3.xml`, `4.xml` and others"
                .to_owned()
        )]
    );
    assert_eq!(
        told(&Facts {
            reports: &[],
            ..facts
        })[0]
            .0,
        FindingKind::ZeroTests
    );
}

#[test]
fn an_empty_report_beside_others_of_its_run_is_no_finding() {
    let check = |other: ReportFacts, expected: &[FindingKind]| {
        let facts = Facts {
            steps: &[script("unit", 0), script("more", 0), delivery()],
            reports: &[report(0, 0), other],
            total: 3,
            ..Facts::default()
        };
        let kinds: Vec<FindingKind> = told(&facts).into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, expected);
    };
    check(report(3, 0), &[]);
    let of_another_step = ReportFacts {
        written_by: Some(1),
        ..report(3, 0)
    };
    check(of_another_step, &[FindingKind::ZeroTests]);
    let uploaded = ReportFacts {
        step: None,
        written_by: None,
        ..report(3, 0)
    };
    check(uploaded, &[FindingKind::ZeroTests]);
}

proptest! {
    #[test]
    fn a_run_is_inconsistent_exactly_when_code_and_rows_differ(
        exit_code in prop_oneof![Just(0i32), 1i32..160],
        passed in 0u64..40,
        failed in 0u64..4,
        others in 0usize..3,
    ) {
        let mut steps: Vec<StepFact> = (0..others).map(|_| script("other", 1)).collect();
        let own = u32::try_from(steps.len()).unwrap();
        steps.extend([script("tests", exit_code), delivery()]);
        let report = ReportFacts { written_by: Some(own), step: Some(own + 1), ..report(passed, failed) };
        let found = findings(&Facts { steps: &steps, reports: &[report], total: passed + failed, ..Facts::default() });
        let inconsistent = found.iter().any(|finding| finding.kind == FindingKind::InconsistentExit);
        let nothing_collected = exit_code == 5 && passed + failed == 0;
        prop_assert_eq!(inconsistent, (exit_code == 0) != (failed == 0) && !nothing_collected);
        for finding in &found {
            prop_assert!(finding.tests.len() <= 20 && finding.tests.len() as u64 <= finding.count);
            prop_assert!(!finding.message.is_empty() && !finding.message.contains('\n'));
        }
        let kinds: Vec<_> = found.iter().map(|finding| finding.kind).collect();
        prop_assert!(kinds.is_sorted(), "{:?}", kinds);
    }

    #[test]
    fn more_tests_are_never_far_fewer(total in 0u64..10_000, more in 0u64..10_000, usual in 0u64..10_000) {
        prop_assert!(!far_fewer(total + more, usual) || far_fewer(total, usual));
        prop_assert!(!far_fewer(usual, usual));
    }
}
