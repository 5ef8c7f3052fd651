//! Runs that look greener in their report than they were, made by the tools that do so: each has its finding.

use crate::support::{TestAgent, TestServer, venv};
use serde_json::{Value, json};
use testhide_protocol::api::{
    Artifact, Build, BuildState, Finding, FindingKind, Outcome, Page, TestResult,
};

/// A server with an agent, and the Python that has the reporters.
struct Lab {
    server: TestServer,
    agent: TestAgent,
    bin: String,
}

impl Lab {
    /// Nothing where there is no Python environment.
    async fn start() -> Option<Self> {
        let bin = venv()?.join("bin").display().to_string();
        let server = TestServer::start().await;
        let agent = server.agent("one", &[], 1).await;
        Some(Self { server, agent, bin })
    }

    /// The job of one script and the reports that it writes.
    async fn job(&self, name: &str, script: &str) -> String {
        let definition = json!({
            "steps": [{"type": "bash", "name": "tests", "run": script}],
            "post_steps": [{"type": "test_provider", "name": "reports", "provider": "junit", "path": "**/*.xml"}],
        });
        self.server.job(name, definition).await
    }

    /// The next build of a job, over and analysed.
    async fn build(&self, job: &str) -> Build {
        let number = self.server.trigger(job, json!({})).await.build_number;
        self.server.finished(number).await
    }

    /// A build of this script.
    async fn run(&self, script: &str) -> Build {
        let job = self.job("tests", script).await;
        self.build(&job).await
    }

    /// A build that writes a test file and runs pytest on it.
    async fn pytest(&self, suite: &str, options: &str) -> Build {
        self.run(&self.pytest_script(suite, options)).await
    }

    fn pytest_script(&self, suite: &str, options: &str) -> String {
        format!(
            "mkdir -p reports\ncat > test_it.py <<'END'\n{suite}\nEND\n'{}/pytest' -p no:cacheprovider --report-xml=reports/r.xml {options}",
            self.bin
        )
    }

    /// A build that runs unittest with its reporter.
    async fn unittest(&self, suite: &str) -> Build {
        let script = format!(
            "cat > test_it.py <<'END'\n{suite}\nEND\n'{}/python' -m testhide_unittest test_it --report-xml r.xml",
            self.bin
        );
        self.run(&script).await
    }

    async fn results(&self, build: &Build) -> Vec<TestResult> {
        let path = format!("/builds/{}/results?limit=500", build.build_number);
        let page: Page<TestResult> = self.server.root.get(&path).await.ok();
        page.items
    }

    async fn stop(self) {
        self.agent.stop().await;
    }
}

#[track_caller]
fn kinds(build: &Build, expected: &[FindingKind]) {
    let kinds: Vec<FindingKind> = build.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, expected, "{build:#?}");
}

#[track_caller]
fn only(build: &Build, kind: FindingKind) -> &Finding {
    kinds(build, &[kind]);
    &build.findings[0]
}

/// Passed, failed and skipped.
fn counts(build: &Build) -> (u64, u64, u64) {
    (build.tests.passed, build.tests.failed, build.tests.skipped)
}

use FindingKind::{
    HiddenRetry, InconsistentExit, PartialReport, StaleReport, TestsMissing, ZeroTests,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_suite_expects_is_no_finding() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    let suite = r#"
import pytest

def test_adds():
    assert 1 + 1 == 2

@pytest.mark.xfail
def test_known_without_a_reason():
    assert False

@pytest.mark.xfail(reason="SHOP-7")
def test_known():
    assert False
"#;
    let build = lab.pytest(suite, "").await;
    assert_eq!(build.status, BuildState::Passed, "{build:#?}");
    kinds(&build, &[]);
    let all: Value = lab.server.root.get("/builds/1").await.json();
    assert!(all.get("findings").is_none(), "{all}");
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expected_failure_that_passes_is_in_the_exit_code_only() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    let suite = r#"
import pytest

@pytest.mark.xfail(strict=True, reason="SHOP-7")
def test_is_mended():
    pass
"#;
    let build = lab.pytest(suite, "").await;
    assert_eq!(
        (build.status, counts(&build)),
        (BuildState::Failed, (1, 0, 0))
    );
    let finding = only(&build, InconsistentExit);
    assert_eq!(
        finding.message,
        "step `tests` ended with exit code 1 (tests failed), but the 1 test it reported did not fail"
    );
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exit_code_that_the_script_swallows_is_held_against_the_rows() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    let script = lab.pytest_script("def test_breaks():\n    assert False", "|| true");
    let build = lab.run(&script).await;
    assert_eq!(
        (build.status, counts(&build)),
        (BuildState::Failed, (0, 1, 0))
    );
    assert_eq!(build.steps[0].exit_code, Some(0));
    let finding = only(&build, InconsistentExit);
    assert_eq!(finding.tests, ["test_it.py::test_breaks"]);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_with_control_characters_vanishes_from_the_report() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    let suite = r#"
def test_adds():
    pass

def test_colours():
    raise ValueError("in \x1b[31mred\x1b[0m")
"#;
    let build = lab.pytest(suite, "").await;
    assert_eq!(
        (build.status, counts(&build)),
        (BuildState::Failed, (1, 0, 0))
    );
    kinds(&build, &[InconsistentExit, TestsMissing]);
    assert_eq!(build.findings[1].tests, ["test_it.py::test_colours"]);
    assert_eq!(
        build.findings[1].message,
        "a failure of 1 test was printed, and no report has it"
    );
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_reporter_left_is_put_together() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    let suite = r#"
import os, signal

def test_adds():
    pass

def test_breaks():
    assert False

def test_is_killed():
    os.kill(os.getpid(), signal.SIGKILL)
"#;
    let build = lab.pytest(suite, "").await;
    assert_eq!(
        (build.status, counts(&build)),
        (BuildState::Failed, (1, 1, 0)),
        "{build:#?}"
    );
    let finding = only(&build, PartialReport);
    assert_eq!(finding.report.as_deref(), Some("r.xml"));
    assert!(
        finding
            .message
            .contains("put together from what a killed reporter left: 2 tests"),
        "{finding:?}"
    );
    let names: Vec<String> = lab
        .results(&build)
        .await
        .into_iter()
        .map(|result| result.name)
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reporter_that_cannot_write_its_report_leaves_it_in_parts() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    // The folder is missing: the reporter breaks when every test has run.
    let suite = "def test_adds():\n    pass";
    let build = lab.pytest(suite, "--report-xml=none/r.xml").await;
    assert_eq!(counts(&build), (1, 0, 0), "{build:#?}");
    kinds(&build, &[InconsistentExit, PartialReport]);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_unittest_left_is_put_together_too() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    let suite = r#"
import os, signal, unittest

class TestKilled(unittest.TestCase):
    def test_a_adds(self):
        self.assertEqual(1 + 1, 2)

    def test_b_is_killed(self):
        os.kill(os.getpid(), signal.SIGKILL)
"#;
    let build = lab.unittest(suite).await;
    assert_eq!(
        (build.status, counts(&build)),
        (BuildState::Failed, (1, 0, 0)),
        "{build:#?}"
    );
    kinds(&build, &[InconsistentExit, PartialReport]);
    assert!(
        build.findings[0]
            .message
            .contains("exit code 137 (killed by signal 9)"),
        "{build:#?}"
    );
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_without_tests_is_no_success() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    let script = lab.pytest_script("def test_adds():\n    pass", "-k nothing || test $? = 5");
    let build = lab.run(&script).await;
    assert_eq!(build.status, BuildState::Passed, "{build:#?}");
    assert_eq!(
        only(&build, ZeroTests).message,
        "report `reports/r.xml` holds no test"
    );
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_of_an_earlier_run_is_told_and_not_counted() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    // The first build leaves its report in the job's home, as a cache does; the second one's tests never write theirs.
    let pytest = lab.pytest_script("def test_adds():\n    pass", "$OPTIONS");
    let script = format!(
        "OPTIONS=--collect-only; if [ -e ~/cache ]; then cp -rp ~/cache/. .; else OPTIONS=; fi\n{pytest}\nmkdir -p ~/cache; cp -rp reports ~/cache"
    );
    let job = lab.job("cached", &script).await;
    let first = lab.build(&job).await;
    kinds(&first, &[]);
    assert_eq!(
        (first.status, counts(&first)),
        (BuildState::Passed, (1, 0, 0)),
        "{first:#?}"
    );
    let second = lab.build(&job).await;
    assert_eq!(counts(&second), (0, 0, 0), "{second:#?}");
    kinds(&second, &[StaleReport, ZeroTests]);
    assert!(
        second.findings[0]
            .message
            .contains("before the first step began; its 1 result do not count"),
        "{second:#?}"
    );
    let files: Page<Artifact> = lab.server.root.get("/builds/2/artifacts").await.ok();
    let paths: Vec<&str> = files.items.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["reports/r.xml"]);
    assert!(lab.results(&second).await.is_empty());
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hidden_retry_is_a_recovered_test() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    let suite = r#"
tries = []

def test_steady():
    pass

def test_flaky():
    tries.append(1)
    assert len(tries) > 1
"#;
    let build = lab.pytest(suite, "--reruns 2").await;
    assert_eq!(
        (build.status, counts(&build)),
        (BuildState::Passed, (2, 0, 0)),
        "{build:#?}"
    );
    assert_eq!(only(&build, HiddenRetry).tests, ["test_it.py::test_flaky"]);
    for result in lab.results(&build).await {
        assert_eq!(
            (result.outcome, result.recovered),
            (Outcome::Passed, result.name == "test_flaky"),
            "{result:?}"
        );
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn native_pytest_shows_retried_attempts_as_passed() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    let script = format!(
        "cat > test_it.py <<'END'\ntries = []\ndef test_flaky():\n    tries.append(1)\n    assert len(tries) > 1\nEND\n\
         '{}/pytest' -p no:cacheprovider --junitxml=r.xml --reruns 2",
        lab.bin
    );
    let build = lab.run(&script).await;
    assert_eq!(
        (build.status, counts(&build)),
        (BuildState::Passed, (1, 0, 0)),
        "{build:#?}"
    );
    let finding = only(&build, HiddenRetry);
    assert!(
        finding
            .message
            .contains("its earlier rows look passed and were not"),
        "{finding:?}"
    );
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_tests_yesterday_and_twelve_today() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    let suite = "import os, pytest\n\n@pytest.mark.parametrize('number', range(12 if os.path.exists(os.path.expanduser('~/seen')) else 200))\ndef test_number(number):\n    pass";
    let script = format!("{}\ntouch ~/seen", lab.pytest_script(suite, "-q"));
    let job = lab.job("shrinks", &script).await;
    let first = lab.build(&job).await;
    kinds(&first, &[]);
    assert_eq!(counts(&first), (200, 0, 0), "{first:#?}");
    let second = lab.build(&job).await;
    assert_eq!(
        (second.status, counts(&second)),
        (BuildState::Passed, (12, 0, 0)),
        "{second:#?}"
    );
    let finding = only(&second, TestsMissing);
    assert_eq!(
        (finding.tests.len(), finding.count),
        (20, 188),
        "{finding:?}"
    );
    assert_eq!(
        finding.message,
        "the last build of `shrinks` on `main` had 200 tests (one build), this build has 12"
    );
    assert_eq!(finding.tests[0], "test_it.py::test_number[100]");
    // Lists say so too, and it is still so after a restart.
    let page: Page<Build> = lab.server.root.get("/builds").await.ok();
    kinds(&page.items[0], &[TestsMissing]);
    let agent = lab.agent;
    agent.stop().await;
    let server = lab.server.restart().await;
    let again: Build = server.root.get("/builds/2").await.ok();
    assert_eq!(again.findings, second.findings);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_internal_error_cuts_the_report_short() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    let suite = r#"
def test_adds():
    pass

def test_surrogate():
    raise ValueError("\udc80")

def test_never_runs():
    assert False
"#;
    let build = lab.pytest(suite, "").await;
    assert_eq!(
        (build.status, counts(&build)),
        (BuildState::Failed, (1, 0, 0)),
        "{build:#?}"
    );
    let finding = only(&build, InconsistentExit);
    assert!(
        finding
            .message
            .contains("exit code 3 (internal error of pytest)"),
        "{finding:?}"
    );
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unittest_loses_a_test_whose_sub_test_failed() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    let suite = r#"
import unittest

class TestParts(unittest.TestCase):
    def test_adds(self):
        self.assertEqual(1 + 1, 2)

    def test_parts(self):
        for part in range(3):
            with self.subTest(part=part):
                self.assertNotEqual(part, 1)
"#;
    let build = lab.unittest(suite).await;
    assert_eq!(
        (build.status, counts(&build)),
        (BuildState::Failed, (1, 0, 0)),
        "{build:#?}"
    );
    only(&build, InconsistentExit);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unittest_shows_an_unexpected_success_as_passed() {
    let Some(lab) = Lab::start().await else {
        return;
    };
    let suite = r#"
import unittest

class TestMended(unittest.TestCase):
    @unittest.expectedFailure
    def test_is_mended(self):
        pass
"#;
    let build = lab.unittest(suite).await;
    assert_eq!(
        (build.status, counts(&build)),
        (BuildState::Failed, (1, 0, 0)),
        "{build:#?}"
    );
    only(&build, InconsistentExit);
    lab.stop().await;
}

/// What these tools wrote is kept as files; a script hands one over and exits as the tool did.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_of_node_tools_are_greener_than_their_exit_code() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/false_greens");
    for (file, passed) in [
        ("vitest-unhandled-error.xml", 1),
        ("playwright-global-teardown-lost.xml", 1),
        ("jest-after-all-lost.xml", 1),
    ] {
        let definition = json!({
            "steps": [{"type": "bash", "name": "tests", "run": format!("cat '{fixtures}/{file}' > r.xml; exit 1")}],
            "post_steps": [{"type": "test_provider", "provider": "junit", "path": "r.xml"}],
        });
        let job = server.job(file, definition).await;
        let number = server.trigger(&job, json!({})).await.build_number;
        let build = server.finished(number).await;
        assert_eq!(
            (build.status, counts(&build)),
            (BuildState::Failed, (passed, 0, 0)),
            "{file}: {build:#?}"
        );
        only(&build, InconsistentExit);
    }
    agent.stop().await;
}
