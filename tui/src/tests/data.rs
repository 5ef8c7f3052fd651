//! Invented content of a server.

use std::collections::BTreeMap;

use testhide_protocol::api::{
    Agent, AgentConnection, AgentDetails, AgentLease, AgentMode, AgentRefusals, AgentTrouble,
    Attempt, Build, BuildState, BuildVerdicts, FailureVerdict, Finding, FindingKind, FlakyPair,
    GateSummary, KnownSince, LogLine, LogPage, Outcome, Page, RootCause, RunRef, SearchAnswer,
    SearchHit, SearchLine, SimilarFailure, StepResult, StepState, Stream, TestCounts, TestResult,
    Tps, Verdict, VerdictKind,
};
use testhide_protocol::{
    AgentId, BuildId, JobId, ProjectId, ReportId, ResultId, TestId, Timestamp,
};

use crate::event::{Answer, Failure, LogPurpose, LogRange};

/// The time of the tests.
pub(crate) const NOW: Timestamp = Timestamp(1_774_002_600_000);

/// An id that is always the same.
pub(crate) fn id(number: u64) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes
}

/// Lines of a log that has `total` of them.
pub(crate) fn log_page(from: u64, limit: u64, total: u64) -> LogPage {
    let line = |number: u64| LogLine {
        number,
        step: 0,
        stream: if number.is_multiple_of(7) {
            Stream::Stderr
        } else {
            Stream::Stdout
        },
        time: NOW.plus_millis(i64::try_from(number % 1_000_000).unwrap_or(0) * 10),
        text: format!("line {number} of the log"),
        continued: false,
    };
    let lines = (from..from.saturating_add(limit))
        .take_while(|number| *number <= total)
        .map(line)
        .collect();
    LogPage {
        build_id: BuildId::from_bytes(id(421)),
        attempt: 1,
        lines,
        running: None,
        total_lines: total,
        total_bytes: total.saturating_mul(20),
        complete: true,
    }
}

/// A text that tries to take the terminal over.
pub(crate) const HOSTILE: &str = "\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}evil\u{9b}31m\u{7}日本語\u{1b}[31mred\u{1b}[0m\ttab\u{200b}e\u{301}\u{301}\u{301}\u{301}\u{301}\n\u{1b}]52;c;bad";

/// A build as the list shows it.
pub(crate) fn build(number: u64, status: BuildState, job: &str, branch: &str) -> Build {
    let queued_at = NOW.plus_millis(-i64::try_from(430 - number.min(429)).unwrap_or(0) * 190_000);
    let is_started = status != BuildState::Queued;
    Build {
        id: BuildId::from_bytes(id(number)),
        status,
        build_number: number,
        project_id: ProjectId::from_bytes(id(1)),
        job_id: JobId::from_bytes(id(2)),
        job_name: job.to_owned(),
        branch: branch.to_owned(),
        commit: Some("a1b2c3d4e5f60718293a".to_owned()),
        attempt: 1,
        triggered_by: "maria".to_owned(),
        duration: None,
        duration_ms: status.is_final().then_some(252_300),
        queued_at,
        started_at: is_started.then(|| queued_at.plus_millis(2_000)),
        finished_at: status.is_final().then(|| queued_at.plus_millis(254_300)),
        agent_id: None,
        agent_name: is_started.then(|| "linux-7".to_owned()),
        reason: None,
        parameters: BTreeMap::new(),
        findings: Vec::new(),
        tests: TestCounts::default(),
        tps: Tps::default(),
        gates: None,
        steps: Vec::new(),
        attempts: Vec::new(),
    }
}

/// One build of each state, newest first.
pub(crate) fn builds() -> Vec<Build> {
    let mut waiting = build(428, BuildState::Queued, "gpu-tests", "main");
    waiting.reason = Some("waits for an agent with label gpu".to_owned());
    let mut passed = build(
        425,
        BuildState::Passed,
        "unit-tests",
        "feature/long-branch-name",
    );
    passed.tests = TestCounts {
        passed: 12_345,
        failed: 0,
        skipped: 12,
        flaky: 0,
    };
    let mut lost = build(423, BuildState::InfraLost, "nightly-end-to-end", "main");
    lost.reason = Some("agent linux-3 was lost and no retry was left".to_owned());
    let mut late = build(422, BuildState::TimedOut, "unit-tests", "main");
    late.reason = Some("ran longer than 3600 s".to_owned());
    vec![
        waiting,
        build(427, BuildState::Running, "unit-tests", "main"),
        passed,
        build(424, BuildState::Cancelled, "unit-tests", "main"),
        lost,
        late,
        failed_build(),
    ]
}

/// Something that does not fit together.
pub(crate) fn finding(kind: FindingKind, message: &str) -> Finding {
    Finding {
        kind,
        message: message.to_owned(),
        report: None,
        tests: Vec::new(),
        count: 0,
    }
}

/// Builds that are not what they look like.
pub(crate) fn doubtful_builds() -> Vec<Build> {
    let mut red = build(426, BuildState::Failed, "unit-tests", "main");
    red.reason = Some("step `pytest` ended with exit code 1".to_owned());
    red.findings = vec![
        finding(
            FindingKind::InconsistentExit,
            "step `pytest` ended with exit code 1 (tests failed), but none of the 12 tests it reported failed",
        ),
        finding(
            FindingKind::TestsMissing,
            "the last 5 builds of `unit-tests` on `main` had 200 tests (median), this build has 12",
        ),
    ];
    let mut green = build(425, BuildState::Passed, "unit-tests", "main");
    green.tests.passed = 12;
    green.findings = vec![finding(
        FindingKind::HiddenRetry,
        "1 test in report `r.xml` passed only after an attempt that the report hides",
    )];
    vec![red, green]
}

/// Build 421, with all there is to say of a build.
pub(crate) fn failed_build() -> Build {
    let mut build = build(421, BuildState::Failed, "unit-tests", "main");
    build.attempt = 2;
    build.reason = Some("step `pytest` ended with exit code 1".to_owned());
    build.tests = TestCounts {
        passed: 1_203,
        failed: 3,
        skipped: 7,
        flaky: 1,
    };
    build.tps = Tps {
        flaky_tests: vec!["test_upload".to_owned()],
        new_failures: vec!["test_checkout".to_owned()],
        known_failures: vec!["test_legacy".to_owned()],
        fixed: vec!["test_login".to_owned()],
        probable_cause: Some("Product bug in payment/total.py".to_owned()),
        analysed: true,
    };
    build.gates = Some(GateSummary {
        passed: false,
        gates: 1,
        failed_rules: 1,
        message: "expected no test that fails, found 3 in 1206 tests: test_checkout".to_owned(),
    });
    let step = |index, name: &str, status, millis| StepResult {
        index,
        name: name.to_owned(),
        status,
        exit_code: None,
        message: None,
        duration_ms: millis,
    };
    let mut pytest = step(1, "pytest", StepState::Failed, Some(241_000));
    pytest.exit_code = Some(1);
    pytest.message = Some("3 of 1,213 tests failed".to_owned());
    build.steps = vec![
        step(0, "install", StepState::Passed, Some(9_400)),
        pytest,
        step(2, "package", StepState::Skipped, None),
        step(3, "collect reports", StepState::Passed, Some(850)),
    ];
    build.attempts = vec![Attempt {
        attempt: 1,
        status: BuildState::InfraLost,
        agent_name: Some("linux-3".to_owned()),
        started_at: build.queued_at,
        finished_at: Some(build.queued_at.plus_millis(60_000)),
        reason: Some("agent linux-3 was not heard of for 60 s".to_owned()),
    }];
    build
}

fn run(number: u64) -> RunRef {
    RunRef {
        result_id: ResultId::from_bytes(id(number)),
        build_id: Some(BuildId::from_bytes(id(number))),
        build_number: Some(number),
        attempt: Some(1),
        time: NOW.plus_millis(-i64::try_from(430 - number).unwrap_or(0) * 3_600_000),
    }
}

/// A verdict of a kind.
pub(crate) fn failure_verdict(
    result: u64,
    kind: VerdictKind,
    name: &str,
    message: &str,
) -> FailureVerdict {
    let reason = match kind {
        VerdictKind::New => {
            "no earlier run of this test failed with this signature in 412 runs on main"
        }
        VerdictKind::Known => "the same failure is there since build 398",
        VerdictKind::Flaky => "commit a1b2c3d4e5 both passed and failed",
        VerdictKind::Fixed => "it failed in build 419 and passes now",
    };
    let similar = SimilarFailure {
        run: run(398),
        display_name: "test_refund".to_owned(),
        message: "AssertionError: total is 41, expected 42".to_owned(),
        similarity: 0.93,
        label: Some("Product bug".to_owned()),
    };
    FailureVerdict {
        result_id: ResultId::from_bytes(id(result)),
        test_id: TestId::from_bytes(id(result)),
        display_name: name.to_owned(),
        message: message.to_owned(),
        verdict: Verdict {
            kind,
            reason: reason.to_owned(),
            known_since: (kind == VerdictKind::Known).then(|| KnownSince {
                first: run(398),
                times: 12,
            }),
            flaky_pairs: if kind == VerdictKind::Flaky {
                vec![FlakyPair {
                    commit: "a1b2c3d4e5f607".to_owned(),
                    failed: run(421),
                    passed: run(420),
                }]
            } else {
                Vec::new()
            },
            method: "rules-1".to_owned(),
        },
        similar: vec![
            similar.clone(),
            SimilarFailure {
                run: run(377),
                similarity: 0.71,
                label: None,
                ..similar
            },
        ],
        root_cause: RootCause {
            category: Some("Product bug".to_owned()),
            confidence: Some(0.87),
            source: "model".to_owned(),
            reason: "12 labelled failures with the same frames are product bugs".to_owned(),
        },
    }
}

/// The verdicts of build 421.
pub(crate) fn verdicts() -> BuildVerdicts {
    BuildVerdicts {
        build_id: BuildId::from_bytes(id(421)),
        build_number: 421,
        complete: true,
        failures: vec![
            failure_verdict(
                1,
                VerdictKind::New,
                "tests/test_shop.py::test_checkout",
                "AssertionError: total is 41, expected 42\nsecond line",
            ),
            failure_verdict(
                2,
                VerdictKind::Flaky,
                "tests/test_files.py::test_upload",
                "TimeoutError: no answer within 5 s",
            ),
            failure_verdict(
                3,
                VerdictKind::Known,
                "tests/test_old.py::test_legacy",
                "KeyError: 'sku'",
            ),
            failure_verdict(4, VerdictKind::Fixed, "tests/test_user.py::test_login", ""),
        ],
    }
}

/// A failure with its trace.
pub(crate) fn failure(kind: VerdictKind) -> Failure {
    let verdict = failure_verdict(
        1,
        kind,
        "tests/test_shop.py::test_checkout",
        "AssertionError: total is 41, expected 42",
    );
    let result = TestResult {
        id: verdict.result_id,
        test_id: verdict.test_id,
        report_id: ReportId::from_bytes(id(9)),
        display_name: verdict.display_name.clone(),
        suite: "pytest".to_owned(),
        classname: "tests.test_shop".to_owned(),
        name: "test_checkout".to_owned(),
        nodeid: None,
        file: Some("tests/test_shop.py".to_owned()),
        line: Some(42),
        outcome: Outcome::Failed,
        resolution: String::new(),
        fail_id: String::new(),
        other_fail_ids: Vec::new(),
        signature: "00ff".to_owned(),
        attempts: 1,
        recovered: false,
        duration_ms: Some(1_240),
        kind: Some("AssertionError".to_owned()),
        message: Some("AssertionError: total is 41, expected 42".to_owned()),
        trace: Some("    def test_checkout(shop):\n        total = shop.checkout()\n>       assert total == 42, f\"total is {total}, expected 42\"\nE       AssertionError: total is 41, expected 42\n\ntests/test_shop.py:42: AssertionError".to_owned()),
        stdout: Some("cart: 3 items".to_owned()),
        stderr: None,
        properties: Vec::new(),
        attachments: Vec::new(),
        tickets: Vec::new(),
        docstring: None,
        extra: BTreeMap::new(),
    };
    Failure {
        verdict,
        result,
        build: Some(421),
    }
}

/// An answer to a search.
pub(crate) fn search_answer() -> SearchAnswer {
    let line = |number, text: &str, highlights: &[(u32, u32)]| SearchLine {
        number,
        stream: Some(Stream::Stdout),
        text: text.to_owned(),
        highlights: highlights.to_vec(),
    };
    let log = SearchHit {
        kind: "log".to_owned(),
        project_id: ProjectId::from_bytes(id(1)),
        build_id: Some(BuildId::from_bytes(id(421))),
        build_number: Some(421),
        attempt: Some(2),
        job: "unit-tests".to_owned(),
        branch: "main".to_owned(),
        result_id: None,
        test: None,
        time: NOW.plus_millis(-1_800_000),
        lines: vec![
            line(
                1_284_113,
                "connection refused by payment:8443",
                &[(0, 10), (11, 18)],
            ),
            line(
                1_284_120,
                "retry 1: connection refused",
                &[(9, 19), (20, 27)],
            ),
        ],
    };
    let failure = SearchHit {
        kind: "failure".to_owned(),
        result_id: Some(ResultId::from_bytes(id(1))),
        test: Some("tests/test_shop.py::test_checkout".to_owned()),
        lines: vec![line(
            1,
            "ConnectionError: connection refused",
            &[(17, 27), (28, 35)],
        )],
        ..log.clone()
    };
    SearchAnswer {
        query: "connection refused".to_owned(),
        hits: vec![log, failure],
        next: None,
        index_lag: 12,
    }
}

/// Agents in every state.
pub(crate) fn agents() -> Vec<Agent> {
    let agent =
        |number, name: &str, state: &str, labels: &[&str], seen: Option<i64>, builds: &[u64]| {
            Agent {
                id: AgentId::from_bytes(id(number)),
                name: name.to_owned(),
                state: state.to_owned(),
                labels: labels.iter().map(|label| (*label).to_owned()).collect(),
                capacity: 2,
                version: "0.1.0".to_owned(),
                platform: "linux x86_64".to_owned(),
                enrolled_at: NOW.plus_millis(-864_000_000),
                last_seen_at: seen.map(|millis| NOW.plus_millis(-millis)),
                builds: builds
                    .iter()
                    .map(|number| AgentLease {
                        build_id: BuildId::from_bytes(id(*number)),
                        build_number: *number,
                        attempt: 1,
                    })
                    .collect(),
                host: None,
                mode: AgentMode::Ready,
                mode_reason: None,
                mode_changed_by: None,
                mode_changed_at: None,
                address: seen.map(|_| "10.0.0.7".to_owned()),
                last_error: None,
            }
        };
    let mut all = vec![
        agent(
            11,
            "linux-7",
            "online",
            &["linux-7", "linux", "docker"],
            Some(1_000),
            &[427],
        ),
        agent(
            12,
            "linux-8",
            "suspect",
            &["linux-8", "linux"],
            Some(21_000),
            &[],
        ),
        agent(
            13,
            "windows-build-machine-with-a-long-name",
            "offline",
            &["windows"],
            Some(90_000_000),
            &[],
        ),
        agent(14, "new-one", "resting", &[], None, &[]),
    ];
    all[0].last_error = Some(AgentTrouble {
        time: NOW.plus_millis(-120_000),
        text: "refused (foreign_lease): a lease that it was never given".to_owned(),
    });
    all
}

/// The first agent with its past.
pub(crate) fn agent_details() -> AgentDetails {
    let connection = |from: i64, until: Option<i64>, ended: Option<&str>| AgentConnection {
        from: NOW.plus_millis(-from),
        until: until.map(|until| NOW.plus_millis(-until)),
        address: Some("10.0.0.7".to_owned()),
        version: "0.1.0".to_owned(),
        ended: ended.map(str::to_owned),
    };
    AgentDetails {
        agent: agents().swap_remove(0),
        connections: vec![
            connection(60_000, None, None),
            connection(7_200_000, Some(3_600_000), Some("silent for 20 s")),
            connection(9_000_000, None, Some("the server was stopped")),
        ],
        refusals: vec![AgentRefusals {
            kind: "foreign_lease".to_owned(),
            count: 3,
            last_at: NOW.plus_millis(-120_000),
            last_reason: "a lease that it was never given".to_owned(),
        }],
    }
}

/// One good answer for each screen.
pub(crate) fn answers() -> Vec<Answer> {
    let result = ResultId::from_bytes(id(1));
    let range = LogRange {
        build: 421,
        attempt: None,
        from: 1,
        limit: 500,
        purpose: LogPurpose::Show,
    };
    vec![
        Answer::Builds {
            cursor: None,
            page: Ok(Page {
                items: builds(),
                next: None,
            }),
        },
        Answer::Build {
            number: 421,
            build: Ok(Box::new(failed_build())),
        },
        Answer::Verdicts {
            number: 421,
            verdicts: Ok(verdicts()),
        },
        Answer::Log {
            range,
            page: Ok(log_page(1, 500, 3_000)),
        },
        Answer::Failure {
            result,
            failure: Ok(Box::new(failure(VerdictKind::Flaky))),
        },
        Answer::Agents(Ok(agents())),
        Answer::Agent(Ok(Box::new(agent_details()))),
    ]
}
