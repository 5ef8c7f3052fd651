//! Each rule both ways with its sentence, and what holds of all of them.

use super::facts::{BaseHistory, Facts, TestFact};
use super::rules::{RuleResult, evaluate};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use testhide_protocol::TestId;
use testhide_protocol::api::Outcome::{self, Error, Failed, KnownIssue, NotRun, Passed, Skipped};
use testhide_protocol::api::{BuildState, DurationOf, Finding, FindingKind, GateRule};

fn id(number: u8) -> TestId {
    TestId::from_bytes([number; 16])
}

fn test(number: u8, outcome: Outcome) -> TestFact {
    TestFact {
        id: id(number),
        name: format!("t{number}"),
        outcome,
        recovered: false,
        duration_ms: Some(100),
    }
}

/// A build that ended, with these tests.
fn facts(outcomes: &[Outcome]) -> Facts {
    let tests = (1u8..)
        .zip(outcomes)
        .map(|(number, outcome)| test(number, *outcome));
    Facts {
        state: BuildState::Passed,
        duration_ms: Some(60_000),
        default_branch: "main".to_owned(),
        tests: tests.collect(),
        doubt: None,
        base: BTreeMap::from([("main".to_owned(), Ok(BaseHistory::default()))]),
        findings: Ok(Vec::new()),
    }
}

fn rule(rule: Value) -> GateRule {
    serde_json::from_value(rule).expect("the test's rule has the right shape")
}

#[track_caller]
fn check(of: Value, facts: &Facts, passed: bool, message: &str) -> RuleResult {
    let result = evaluate(&rule(of), facts);
    assert_eq!((result.passed, result.message.as_str()), (passed, message));
    result
}

#[test]
fn pass_rate() {
    let at_least = |percent: f64| json!({"type": "pass_rate", "min_percent": percent});
    let mut outcomes = vec![Passed; 23];
    (outcomes[4], outcomes[11]) = (Failed, Error);
    let two_of_23 = facts(&outcomes);
    let result = check(
        at_least(95.0),
        &two_of_23,
        false,
        "expected a pass rate of at least 95 %, found 91.3 % (2 of 23 tests failed): t5, t12",
    );
    assert_eq!(result.threshold, 95.0);
    assert!(
        result
            .actual
            .is_some_and(|rate| (rate - 91.304).abs() < 0.001)
    );
    check(
        at_least(91.3),
        &two_of_23,
        true,
        "expected a pass rate of at least 91.3 %, found 91.3 % (2 of 23 tests failed)",
    );
    let mut nineteen_of_20 = vec![Passed; 20];
    nineteen_of_20[0] = Failed;
    check(
        at_least(95.0),
        &facts(&nineteen_of_20),
        true,
        "expected a pass rate of at least 95 %, found 95 % (1 of 20 tests failed)",
    );
    // Skipped tests did not run; known issues failed as expected.
    let mixed = facts(&[Passed, KnownIssue, Skipped, NotRun]);
    check(
        at_least(100.0),
        &mixed,
        true,
        "expected a pass rate of at least 100 %, found 100 % (none of 2 tests failed)",
    );
    let with_skipped = json!({"type": "pass_rate", "min_percent": 75, "include_skipped": true});
    check(
        with_skipped,
        &mixed,
        false,
        "expected a pass rate of at least 75 %, found 50 % (none of 4 tests failed, 2 skipped)",
    );
    check(
        at_least(0.0),
        &facts(&[Skipped]),
        false,
        "expected a pass rate of at least 0 %, found no test that ran",
    );
}

#[test]
fn zero_failures() {
    let zero = || json!({"type": "zero_failures"});
    check(
        zero(),
        &facts(&[Passed, KnownIssue, Skipped]),
        true,
        "expected no test that fails, found none in 2 tests",
    );
    check(
        zero(),
        &facts(&[
            Failed, Error, Failed, Failed, Failed, Failed, Failed, Passed,
        ]),
        false,
        "expected no test that fails, found 7 in 8 tests: t1, t2, t3, t4, t5 and 2 more",
    );
    check(
        zero(),
        &facts(&[Skipped]),
        false,
        "expected no test that fails, found no test that ran",
    );
}

#[test]
fn no_new_failures() {
    let new = |more: Value| {
        let mut rule = json!({"type": "no_new_failures"});
        let more = more.as_object().expect("an object").clone();
        rule.as_object_mut().expect("an object").extend(more);
        rule
    };
    let plain = || new(json!({}));
    let history = |ago: &[(u8, Option<u32>)]| {
        let failed_ago = ago.iter().map(|(test, ago)| (id(*test), *ago)).collect();
        Ok(BaseHistory { failed_ago })
    };
    let mut facts = facts(&[Failed, Failed, Passed]);
    check(
        plain(),
        &facts,
        false,
        "expected no failure that the last 10 builds on `main` did not have, found 2, none of them known on `main`: t1, t2",
    );
    let main = |ago: &[(u8, Option<u32>)]| BTreeMap::from([("main".to_owned(), history(ago))]);
    facts.base = main(&[(1, Some(10)), (2, Some(1))]);
    check(
        plain(),
        &facts,
        true,
        "expected no failure that the last 10 builds on `main` did not have, found 2 failures, none of them new",
    );
    check(
        new(json!({"builds": 9})),
        &facts,
        false,
        "expected no failure that the last 9 builds on `main` did not have, found 1 among 2 failures: t1",
    );
    check(
        new(json!({"builds": 1})),
        &facts,
        false,
        "expected no failure that the last build on `main` did not have, found 1 among 2 failures: t1",
    );
    facts.base = main(&[(1, Some(2)), (2, None)]);
    check(
        plain(),
        &facts,
        false,
        "expected no failure that the last 10 builds on `main` did not have, found 1 among 2 failures: t2",
    );
    facts
        .base
        .insert("next".to_owned(), history(&[(1, Some(1)), (2, Some(1))]));
    assert!(evaluate(&rule(new(json!({"base_branch": "next"}))), &facts).passed);
    facts.base = BTreeMap::from([("main".to_owned(), Err("the disk says no".to_owned()))]);
    let result = check(
        plain(),
        &facts,
        false,
        "expected no failure that the last 10 builds on `main` did not have, \
         found 2 failures and no history of `main` to compare with: the disk says no",
    );
    assert_eq!(result.actual, None);
    check(
        plain(),
        &self::facts(&[Passed]),
        true,
        "expected no failure that the last 10 builds on `main` did not have, found no failure",
    );
}

#[test]
fn durations() {
    let most = |of: &str, ms: u64| json!({"type": "max_duration", "of": of, "max_ms": ms});
    let mut facts = facts(&[Passed, Passed, Skipped]);
    check(
        json!({"type": "max_duration", "max_ms": 60_000}),
        &facts,
        true,
        "expected a build of at most 1 min, found 1 min",
    );
    check(
        most("build", 59_999),
        &facts,
        false,
        "expected a build of at most 59.999 s, found 1 min",
    );
    facts.tests[1].duration_ms = Some(2_500);
    facts.tests[2].duration_ms = None;
    check(
        most("each_test", 2_500),
        &facts,
        true,
        "expected no test of more than 2.5 s, found none in 2 tests, the longest took 2.5 s",
    );
    check(
        most("each_test", 99),
        &facts,
        false,
        "expected no test of more than 99 ms, found 2: t2 (2.5 s), t1 (100 ms)",
    );
    check(
        most("all_tests", 2_600),
        &facts,
        true,
        "expected tests that take at most 2.6 s together, found 2.6 s in 2 tests",
    );
    check(
        most("all_tests", 2_599),
        &facts,
        false,
        "expected tests that take at most 2.599 s together, found 2.6 s in 2 tests",
    );
    facts.tests[0].duration_ms = None;
    for of in ["each_test", "all_tests"] {
        let result = evaluate(&rule(most(of, 5_000)), &facts);
        assert_eq!((result.passed, result.actual), (false, None), "{of}");
        assert!(
            result
                .message
                .ends_with("found 1 test without a duration: t1")
        );
    }
    facts.duration_ms = None;
    for (state, found) in [
        (BuildState::Running, "one that has not ended"),
        (
            BuildState::Cancelled,
            "one that never ran (the build was cancelled)",
        ),
    ] {
        facts.state = state;
        let message = format!("expected a build of at most 1 s, found {found}");
        check(most("build", 1_000), &facts, false, &message);
    }
}

#[test]
fn counts() {
    let flaky = |max: u64| json!({"type": "max_flaky_count", "max": max});
    let mut facts = facts(&[Passed, Passed, Passed, Skipped]);
    check(
        flaky(0),
        &facts,
        true,
        "expected at most 0 tests that passed only after a failed attempt, found none in 3 tests",
    );
    (facts.tests[0].recovered, facts.tests[2].recovered) = (true, true);
    check(
        flaky(1),
        &facts,
        false,
        "expected at most 1 test that passed only after a failed attempt, found 2: t1, t3",
    );
    assert!(evaluate(&rule(flaky(2)), &facts).passed);
    let least = |min: u64| json!({"type": "min_test_count", "min": min});
    check(
        least(3),
        &facts,
        true,
        "expected at least 3 tests that ran, found 3 and 1 skipped",
    );
    check(
        least(4),
        &facts,
        false,
        "expected at least 4 tests that ran, found 3 and 1 skipped",
    );
    check(
        json!({"type": "min_test_count", "min": 4, "include_skipped": true}),
        &facts,
        true,
        "expected at least 4 tests that ran or were skipped, found 4",
    );
}

#[test]
fn findings() {
    let any = || json!({"type": "no_inconsistencies"});
    let of = |kinds: &[&str]| json!({"type": "no_inconsistencies", "kinds": kinds});
    let mut facts = facts(&[Passed]);
    check(any(), &facts, true, "expected no finding, found none");
    facts.findings = Ok(vec![Finding {
        kind: FindingKind::ZeroTests,
        message: "expected tests, found none".to_owned(),
        report: None,
        tests: Vec::new(),
        count: 0,
    }]);
    check(
        any(),
        &facts,
        false,
        "expected no finding, found 1: `zero_tests` (expected tests, found none)",
    );
    check(
        of(&["stale_report", "partial_report"]),
        &facts,
        true,
        "expected no finding of kind `stale_report` or `partial_report`, found none",
    );
    assert!(!evaluate(&rule(of(&["zero_tests"])), &facts).passed);
    facts.findings = Err("the disk says no".to_owned());
    let result = check(
        any(),
        &facts,
        false,
        "expected no finding, found no answer: the disk says no",
    );
    assert_eq!(result.actual, None);
}

#[test]
fn what_may_be_missing_does_not_hold() {
    let zero = || json!({"type": "zero_failures"});
    let mut facts = facts(&[Passed, Passed]);
    facts.doubt = Some("report `a.xml` broke off".to_owned());
    check(
        zero(),
        &facts,
        false,
        "expected no test that fails, found none in 2 tests, but report `a.xml` broke off",
    );
    let two = json!({"type": "min_test_count", "min": 2});
    assert!(evaluate(&rule(two.clone()), &facts).passed, "two are there");
    assert!(evaluate(&rule(json!({"type": "no_inconsistencies"})), &facts).passed);
    for state in [
        BuildState::Cancelled,
        BuildState::TimedOut,
        BuildState::InfraLost,
    ] {
        facts.state = state;
        for rule in rules() {
            assert!(!evaluate(&rule, &facts).passed, "{state} {rule:?}");
        }
    }
    facts.state = BuildState::Cancelled;
    check(
        two,
        &facts,
        false,
        "expected at least 2 tests that ran, found 2, but the build was cancelled",
    );
    facts.tests[1].outcome = Failed;
    check(
        zero(),
        &facts,
        false,
        "expected no test that fails, found 1 in 2 tests: t2",
    );
    let nothing = Facts {
        doubt: Some("the build has no report".to_owned()),
        tests: Vec::new(),
        ..self::facts(&[])
    };
    let result = check(
        json!({"type": "min_test_count", "min": 2}),
        &nothing,
        false,
        "expected at least 2 tests that ran, found 0 (the build has no report)",
    );
    assert_eq!(result.actual, None);
}

/// A rule of each kind, as lenient as it can be.
fn rules() -> Vec<GateRule> {
    let most = |of| GateRule::MaxDuration {
        of,
        max_ms: 31_536_000_000,
    };
    vec![
        GateRule::PassRate {
            min_percent: 0.0,
            include_skipped: false,
        },
        GateRule::ZeroFailures {},
        GateRule::NoNewFailures {
            base_branch: None,
            builds: None,
        },
        most(DurationOf::Build),
        most(DurationOf::EachTest),
        most(DurationOf::AllTests),
        GateRule::MaxFlakyCount { max: 10_000_000 },
        GateRule::MinTestCount {
            min: 1,
            include_skipped: true,
        },
        GateRule::NoInconsistencies { kinds: Vec::new() },
    ]
}

#[test]
fn of_nothing_nothing_holds() {
    for rule in rules() {
        let result = evaluate(&rule, &Facts::default());
        assert!(!result.passed && result.actual.is_none(), "{rule:?}");
        assert!(result.message.starts_with("expected ") && result.message.contains(", found "));
    }
}

fn any_rule() -> impl Strategy<Value = GateRule> {
    let of = prop::sample::select(vec![
        DurationOf::Build,
        DurationOf::EachTest,
        DurationOf::AllTests,
    ]);
    prop_oneof![
        (0.0f64..=100.0, any::<bool>()).prop_map(|(min_percent, include_skipped)| {
            GateRule::PassRate {
                min_percent,
                include_skipped,
            }
        }),
        Just(GateRule::ZeroFailures {}),
        prop::option::of(1u32..20).prop_map(|builds| GateRule::NoNewFailures {
            base_branch: None,
            builds
        }),
        (of, 1u64..2_000).prop_map(|(of, max_ms)| GateRule::MaxDuration { of, max_ms }),
        (0u64..5).prop_map(|max| GateRule::MaxFlakyCount { max }),
        (1u64..8, any::<bool>()).prop_map(|(min, include_skipped)| GateRule::MinTestCount {
            min,
            include_skipped
        }),
        Just(GateRule::NoInconsistencies { kinds: Vec::new() }),
    ]
}

fn any_facts() -> impl Strategy<Value = Facts> {
    let outcome = prop::sample::select(vec![Passed, Failed, Error, Skipped, KnownIssue, NotRun]);
    let one = (outcome, any::<bool>(), prop::option::of(0u64..500));
    let ago = prop::option::of(1u32..20);
    let history = prop::collection::btree_map((1u8..9).prop_map(id), ago, 0..8);
    (
        prop::collection::vec(one, 0..8),
        history,
        prop::sample::select(BuildState::ALL.to_vec()),
        prop::option::of(Just("a report broke off".to_owned())),
        prop::option::of(0u64..2_000),
    )
        .prop_map(|(tests, failed_ago, state, doubt, duration_ms)| {
            let tests = (1u8..).zip(tests);
            let tests = tests.map(|(number, (outcome, recovered, duration_ms))| TestFact {
                recovered: recovered && outcome == Passed,
                duration_ms,
                ..test(number, outcome)
            });
            Facts {
                state,
                doubt,
                duration_ms,
                tests: tests.collect(),
                base: BTreeMap::from([("main".to_owned(), Ok(BaseHistory { failed_ago }))]),
                ..facts(&[])
            }
        })
}

proptest! {
    #[test]
    fn a_test_that_fails_makes_no_rule_hold(rule in any_rule(), before in any_facts(), place in 0usize..8) {
        let mut after = before.clone();
        // A test that recovered is what `max_flaky_count` counts; failing for good it is no longer that.
        let Some(test) = after.tests.get_mut(place).filter(|test| test.ran() && !test.recovered) else {
            return Ok(());
        };
        test.outcome = Failed;
        prop_assert!(!evaluate(&rule, &after).passed || evaluate(&rule, &before).passed);
    }

    #[test]
    fn one_failing_test_more_makes_no_rule_about_failures_hold(rule in any_rule(), before in any_facts()) {
        if matches!(rule, GateRule::MinTestCount { .. }) || !before.tests.iter().any(TestFact::ran) {
            return Ok(());
        }
        let mut after = before.clone();
        after.tests.push(test(9, Failed));
        prop_assert!(!evaluate(&rule, &after).passed || evaluate(&rule, &before).passed);
    }

    #[test]
    fn a_doubt_makes_no_rule_hold(rule in any_rule(), before in any_facts()) {
        let after = Facts { doubt: Some("a report broke off".to_owned()), ..before.clone() };
        prop_assert!(!evaluate(&rule, &after).passed || evaluate(&rule, &before).passed);
    }

    #[test]
    fn numbers_agree_with_the_verdict(rule in any_rule(), facts in any_facts()) {
        let result = evaluate(&rule, &facts);
        let RuleResult { passed, threshold, actual, .. } = result;
        if passed {
            let actual = actual.expect("what passed was known");
            let at_least = matches!(rule, GateRule::PassRate { .. } | GateRule::MinTestCount { .. });
            let agree = if at_least { actual >= threshold } else { actual <= threshold };
            prop_assert!(agree);
        }
    }
}
