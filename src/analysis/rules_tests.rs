//! The rules by table, by property, and against the demo project's schedule.

use super::{Judgement, judge};
use crate::history::{BuildOrigin, Origin, Run, RunPlace};
use crate::ml::Signature;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use testhide_protocol::api::{Outcome, VerdictKind};
use testhide_protocol::{BuildId, JobId, ProjectId, ReportId, TestId, Timestamp};

const HOUR: i64 = 3_600_000;

/// A run of one test: build, commit, and what came out (`.` passed, `r` passed on a retry, `s` skipped, a letter: failed in the
/// way of that letter).
fn run(build: u64, commit: &str, what: char) -> Run {
    let origin = Origin {
        project: ProjectId::from_bytes([1; 16]),
        build: Some(BuildOrigin {
            id: BuildId::from_bytes(id(build)),
            number: build,
            attempt: 1,
            job: JobId::from_bytes([2; 16]),
            job_name: "test".into(),
        }),
        branch: "main".into(),
        commit: (!commit.is_empty()).then(|| commit.to_owned()),
        agent: None,
    };
    let outcome = match what {
        '.' | 'r' => Outcome::Passed,
        's' => Outcome::Skipped,
        _ => Outcome::Failed,
    };
    Run {
        place: RunPlace {
            batch: build,
            row: 0,
        },
        test: TestId::from_bytes([3; 16]),
        report: ReportId::from_bytes(id(build)),
        origin: Arc::new(origin),
        time: Timestamp(i64::try_from(build).unwrap() * HOUR),
        outcome,
        recovered: what == 'r',
        signature: (what != '.' && what != 's').then(|| Signature::from_bytes([what as u8; 16])),
        duration_ms: None,
    }
}

fn id(build: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&build.to_be_bytes());
    bytes
}

/// The same run elsewhere.
fn with(run: &Run, change: impl FnOnce(&mut Origin)) -> Run {
    let mut origin = (*run.origin).clone();
    change(&mut origin);
    Run {
        origin: Arc::new(origin),
        ..run.clone()
    }
}

/// Runs of builds 1, 2, … on branch `main`, each of a commit of its own, the last one in question.
fn line(text: &str) -> (Run, Vec<Run>) {
    let mut runs: Vec<Run> = (1..)
        .zip(text.chars())
        .map(|(build, what)| run(build, &format!("c{build}"), what))
        .collect();
    (runs.pop().unwrap(), runs)
}

fn said(judgement: Option<&Judgement>) -> Option<(VerdictKind, &str)> {
    judgement.map(|judgement| (judgement.kind, judgement.reason.as_str()))
}

#[test]
fn one_branch_with_a_commit_a_build() {
    let check = |text: &str, expected: Option<(VerdictKind, &str)>| {
        let (run, others) = line(text);
        assert_eq!(
            said(judge(&run, &others, Some("main"), true).as_ref()),
            expected,
            "{text}"
        );
    };
    use VerdictKind::{Fixed, Known, New};
    check(
        "a",
        Some((New, "the first known run on branch `main` failed")),
    );
    check(
        "..a",
        Some((New, "never failed in the last 2 runs on branch `main`")),
    );
    check(
        ".b.a",
        Some((
            New,
            "failed in 1 of the last 3 runs on branch `main`, last in build 2, but always with another signature",
        )),
    );
    check(
        ".aa..a",
        Some((
            New,
            "came back: failed like this in 2 of the last 5 runs, last in build 3, and passed 2 times since",
        )),
    );
    check(
        "a.ba",
        Some((
            New,
            "came back: failed like this in 1 of the last 3 runs, last in build 1, and passed 1 time since",
        )),
    );
    check(
        ".aa",
        Some((
            Known,
            "failed in 2 of the last 2 runs since build 2 with the same signature",
        )),
    );
    check(
        ".abba",
        Some((
            Known,
            "failed in 2 of the last 4 runs since build 2 with the same signature",
        )),
    );
    check(
        ".asssa",
        Some((
            Known,
            "failed in 2 of the last 2 runs since build 2 with the same signature",
        )),
    );
    check("...", None);
    check("as", None);
    check(
        ".ab.",
        Some((
            Fixed,
            "failed in 2 runs in a row since build 2 and passes now",
        )),
    );
    check(".a.", Some((Fixed, "failed in build 2 and passes now")));
    check(".as.", Some((Fixed, "failed in build 2 and passes now")));
    check(".a..", None);
}

#[test]
fn a_streak_has_a_first_run() {
    let (run, others) = line("a..aaa");
    let since = judge(&run, &others, None, true).unwrap().since.unwrap();
    assert_eq!((since.first.place.batch, since.times), (4, 3));
}

#[test]
fn both_outcomes_of_a_commit_are_flaky() {
    let others = [run(1, "x", 'a'), run(2, "x", '.')];
    let judgement = judge(&run(3, "y", 'a'), &others, None, true).unwrap();
    assert_eq!(judgement.kind, VerdictKind::Flaky);
    assert_eq!(
        judgement.reason,
        "both passed and failed on 1 commit (1 pair of runs)"
    );
    let pair = &judgement.pairs[0];
    assert_eq!(
        (
            pair.commit.as_str(),
            pair.failed.place.batch,
            pair.passed.place.batch
        ),
        ("x", 1, 2)
    );

    let other_way = judge(&run(3, "y", 'b'), &others, None, true).unwrap();
    assert_eq!(other_way.kind, VerdictKind::Flaky);
    assert!(
        other_way
            .reason
            .ends_with("; this time it failed in a way not seen in them"),
        "{}",
        other_way.reason
    );

    let switched_off = judge(&run(3, "y", 'a'), &others, None, false).unwrap();
    assert_eq!(
        (switched_off.kind, switched_off.pairs.len()),
        (VerdictKind::New, 0)
    );

    let passing = judge(&run(2, "x", '.'), &others[..1], None, true).unwrap();
    assert_eq!(
        passing.kind,
        VerdictKind::Flaky,
        "a pass on the commit of a failure repaired nothing"
    );
    assert_eq!(
        judge(&run(2, "x", '.'), &others[..1], None, false)
            .unwrap()
            .kind,
        VerdictKind::Fixed
    );
    assert_eq!(
        judge(&run(4, "z", '.'), &others, None, true),
        None,
        "a pass that follows a pass"
    );
}

#[test]
fn a_retry_that_passed_is_flaky() {
    let recovered = judge(&run(1, "", 'r'), &[], None, true).unwrap();
    assert_eq!(
        said(Some(&recovered)),
        Some((
            VerdictKind::Flaky,
            "passed, but failed and then passed on a retry in 1 run"
        ))
    );
    assert_eq!(recovered.pairs[0].failed, recovered.pairs[0].passed);
    assert_eq!(
        judge(&run(2, "", 'r'), &[], None, false),
        None,
        "switched off"
    );
    assert_eq!(
        judge(&run(3, "y", 'a'), &[run(1, "", 'r')], None, true)
            .unwrap()
            .kind,
        VerdictKind::Flaky
    );
}

#[test]
fn evidence_that_is_old_or_overtaken_does_not_count() {
    let evidence = [run(1, "x", 'a'), run(2, "x", '.')];
    let month_later = run(2 + 30 * 24 + 2, "y", 'a');
    assert_eq!(
        judge(&month_later, &evidence, None, true).unwrap().kind,
        VerdictKind::New
    );

    let passes = (3..)
        .take(60)
        .map(|build| run(build, &format!("c{build}"), '.'));
    let many: Vec<Run> = evidence.iter().cloned().chain(passes).collect();
    assert_eq!(
        judge(&run(63, "y", 'a'), &many, None, true).unwrap().kind,
        VerdictKind::New
    );

    let fails = |until: u64| {
        evidence
            .iter()
            .cloned()
            .chain((3..until).map(|build| run(build, &format!("c{build}"), 'a')))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        judge(&run(6, "y", 'a'), &fails(6), None, true)
            .unwrap()
            .kind,
        VerdictKind::Flaky
    );
    let settled = judge(&run(7, "y", 'a'), &fails(7), None, true).unwrap();
    assert_eq!(
        said(Some(&settled)),
        Some((
            VerdictKind::Known,
            "failed in 5 of the last 5 runs since build 3 with the same signature"
        ))
    );
    assert_eq!(
        judge(&run(8, "z", '.'), &fails(8), None, true)
            .unwrap()
            .kind,
        VerdictKind::Fixed
    );
}

#[test]
fn another_job_is_another_environment() {
    let elsewhere = |run: &Run| {
        with(run, |origin| {
            origin.build.as_mut().unwrap().job = JobId::from_bytes([9; 16]);
        })
    };
    let others = [elsewhere(&run(1, "x", '.')), elsewhere(&run(2, "y", 'a'))];
    let judgement = judge(&run(3, "x", 'a'), &others, None, true).unwrap();
    assert_eq!(
        said(Some(&judgement)),
        Some((
            VerdictKind::New,
            "the first known run on branch `main` failed"
        ))
    );
    assert_eq!(judge(&run(3, "y", '.'), &others, None, true), None);
}

#[test]
fn two_reports_of_one_attempt_are_one_round() {
    let second = |build: u64, what| Run {
        place: RunPlace {
            batch: build,
            row: 7,
        },
        ..run(build, "x", what)
    };
    let others = [run(1, "w", 'a'), second(1, '.'), second(2, '.')];
    let judgement = judge(&run(2, "x", 'a'), &others, None, true).unwrap();
    assert_eq!(
        judgement.kind,
        VerdictKind::Known,
        "not flaky: {}",
        judgement.reason
    );
    let others = [run(1, "w", 'a'), run(2, "x", 'a')];
    assert_eq!(
        judge(&second(2, '.'), &others, None, true),
        None,
        "not fixed: the other one still fails"
    );
}

#[test]
fn a_failure_of_the_base_branch_is_known() {
    let topic = |run: &Run| with(run, |origin| origin.branch = "topic".into());
    let others = [
        run(1, "a", '.'),
        run(2, "b", 'a'),
        run(3, "c", 'a'),
        topic(&run(4, "d", '.')),
    ];
    let judgement = judge(&topic(&run(5, "e", 'a')), &others, Some("main"), true).unwrap();
    let expected =
        "failed in 3 of the last 3 runs since build 2 on branch `main` with the same signature";
    assert_eq!(said(Some(&judgement)), Some((VerdictKind::Known, expected)));
    assert_eq!(
        judge(&topic(&run(5, "e", 'b')), &others, Some("main"), true)
            .unwrap()
            .kind,
        VerdictKind::New
    );
    assert_eq!(
        judge(&topic(&run(5, "e", 'a')), &others, None, true)
            .unwrap()
            .kind,
        VerdictKind::New
    );
}

#[test]
fn the_demo_schedule_gets_the_verdicts_that_can_be_known() {
    let expected: serde_json::Value =
        serde_json::from_str(include_str!("../../assets/demo/expected.json")).unwrap();
    let names = |build: &serde_json::Value, list: &str| -> Vec<String> {
        build[list]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    };
    let tests: Vec<&String> = expected["tests"].as_object().unwrap().keys().collect();
    let mut runs: BTreeMap<&str, Vec<Run>> = BTreeMap::new();
    let mut verdicts = BTreeMap::new();
    for build in expected["schedule"].as_array().unwrap() {
        let number = build["build"].as_u64().unwrap();
        let failing: Vec<String> = ["new", "known", "flaky"]
            .iter()
            .flat_map(|list| names(build, list))
            .collect();
        assert_eq!(
            failing.len() as u64,
            build["failed"].as_u64().unwrap() + build["errors"].as_u64().unwrap()
        );
        for (letter, test) in ('a'..).zip(&tests) {
            let what = if failing.contains(test) { letter } else { '.' };
            let now = run(number, build["commit"].as_str().unwrap(), what);
            let before = runs.entry(test.as_str()).or_default();
            verdicts.insert(
                (number, test.rsplit('.').next().unwrap()),
                judge(&now, before, Some("main"), true),
            );
            before.push(now);
        }
    }
    let kind = |build, test| {
        verdicts[&(build, test)]
            .as_ref()
            .map(|judgement| judgement.kind)
    };
    let (cart, vat) = (
        "test_adding_the_same_item_adds_up",
        "test_vat_is_rounded_on_each_line",
    );
    let (released, last_item) = (
        "test_releasing_gives_the_items_back",
        "test_the_last_item_is_sold_once",
    );
    assert_eq!(kind(5, cart), Some(VerdictKind::New));
    assert_eq!(
        (kind(6, cart), kind(7, cart)),
        (Some(VerdictKind::Known), Some(VerdictKind::Known))
    );
    assert_eq!(
        (kind(2, vat), kind(3, vat)),
        (Some(VerdictKind::New), Some(VerdictKind::Known))
    );
    let old = verdicts[&(7, vat)].as_ref().unwrap();
    assert_eq!(
        said(Some(old)),
        Some((
            VerdictKind::Known,
            "failed in 6 of the last 6 runs since build 2 with the same signature"
        ))
    );
    let since = old.since.as_ref().unwrap();
    assert_eq!(
        (
            since.first.origin.build.as_ref().unwrap().number,
            since.times
        ),
        (2, 6)
    );
    assert_eq!(
        (kind(3, released), kind(4, released)),
        (Some(VerdictKind::New), Some(VerdictKind::Known))
    );
    assert_eq!(
        (kind(5, released), kind(6, released)),
        (Some(VerdictKind::Fixed), None)
    );
    assert_eq!(
        kind(5, last_item),
        Some(VerdictKind::New),
        "nobody has seen both outcomes of a commit yet"
    );
    for (build, pairs) in [(6, vec![(5, 6)]), (7, vec![(5, 7), (5, 6)])] {
        let flaky = verdicts[&(build, last_item)].as_ref().unwrap();
        assert_eq!(flaky.kind, VerdictKind::Flaky);
        let found: Vec<(u64, u64)> = flaky
            .pairs
            .iter()
            .map(|pair| (pair.failed.place.batch, pair.passed.place.batch))
            .collect();
        assert_eq!(found, pairs);
    }
}

/// Some runs of one test: builds 1 to 12 in any order, few commits, two branches, two jobs.
fn some_runs() -> impl Strategy<Value = Vec<Run>> {
    let one = (
        0..4_u8,
        prop::sample::select(vec!['.', '.', 'a', 'b', 'r', 's']),
        any::<bool>(),
        0..4_u8,
    );
    prop::collection::vec(one, 1..12).prop_map(|rows| {
        let build = |(number, (commit, what, main, job)): (u64, (u8, char, bool, u8))| {
            with(&run(number, &format!("c{commit}"), what), |origin| {
                origin.branch = if main { "main".into() } else { "topic".into() };
                origin.build.as_mut().unwrap().job = JobId::from_bytes([u8::from(job == 0); 16]);
            })
        };
        (1..).zip(rows).map(build).collect()
    })
}

proptest! {
    #[test]
    fn the_order_of_arrival_does_not_matter((runs, at) in some_runs().prop_flat_map(|runs| { let len = runs.len(); (Just(runs).prop_shuffle(), 0..len) })) {
        let mut others = runs.clone();
        let run = others.remove(at);
        let expected = judge(&run, &others, Some("main"), true);
        others.reverse();
        prop_assert_eq!(&judge(&run, &others, Some("main"), true), &expected);
        others.sort_by_key(|run| run.result());
        others.extend(runs);
        prop_assert_eq!(judge(&run, &others, Some("main"), true), expected, "runs that are given twice, or itself, change nothing");
    }

    #[test]
    fn verdicts_keep_to_their_meaning(runs in some_runs(), flakiness in any::<bool>()) {
        let (run, others) = runs.split_last().unwrap();
        let judgement = judge(run, others, Some("main"), flakiness);
        let Some(judgement) = judgement else {
            prop_assert!(!run.outcome.is_failure(), "every failure has a verdict");
            return Ok(());
        };
        prop_assert!(!judgement.reason.is_empty() && !judgement.reason.contains('\n'));
        prop_assert_eq!(judgement.kind == VerdictKind::Flaky, !judgement.pairs.is_empty());
        prop_assert_eq!(judgement.kind == VerdictKind::Known, judgement.since.is_some());
        prop_assert!(judgement.pairs.len() <= 10 && (flakiness || judgement.pairs.is_empty()));
        for pair in &judgement.pairs {
            prop_assert_eq!(pair.passed.outcome, Outcome::Passed);
            if pair.commit.is_empty() {
                prop_assert!(pair.passed.recovered && pair.failed == pair.passed);
            } else {
                prop_assert!(pair.failed.outcome.is_failure());
                prop_assert_eq!(pair.failed.origin.commit.as_ref(), Some(&pair.commit));
                prop_assert_eq!(&pair.failed.origin.commit, &pair.passed.origin.commit);
            }
        }
        match judgement.kind {
            VerdictKind::Fixed => prop_assert_eq!(run.outcome, Outcome::Passed),
            VerdictKind::New => prop_assert!(run.outcome.is_failure()),
            VerdictKind::Known => {
                let since = judgement.since.as_ref().unwrap();
                prop_assert_eq!(since.first.signature, run.signature);
                prop_assert!(since.times >= 2 && since.first.place < run.place);
            }
            VerdictKind::Flaky => {}
        }
    }

    #[test]
    fn a_failure_that_goes_on_is_known(before in "[.ab]{0,8}", times in 1..4_usize) {
        let text = format!("{before}.{}", "a".repeat(times + 1));
        let (run, others) = line(&text);
        let judgement = judge(&run, &others, None, true).unwrap();
        prop_assert_eq!(judgement.kind, VerdictKind::Known);
        let since = judgement.since.unwrap();
        prop_assert_eq!(since.first.place.batch, before.len() as u64 + 2);
        prop_assert_eq!(since.times, times as u64 + 1);
    }
}
