//! The official pytest reporter, run by an agent.

use crate::support::{TestServer, venv};
use serde_json::json;
use testhide_protocol::api::{BuildState, Outcome, Page, TestResult};

const SUITE: &str = r#"
import pytest

def test_adds():
    assert 1 + 1 == 2

def test_divides():
    raise ValueError("boom")

@pytest.mark.parametrize("amount", [1, 20])
def test_amounts(amount):
    if amount == 20:
        raise ValueError("twenty")

@pytest.mark.skip(reason="later")
def test_later():
    pass

@pytest.mark.xfail(reason="SHOP-7")
def test_known():
    assert False

@pytest.fixture
def broken():
    raise RuntimeError("no database")

def test_needs_database(broken):
    pass
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outcomes_and_fail_ids_arrive_as_the_suite_says() {
    let Some(environment) = venv() else {
        return;
    };
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let script = format!(
        "mkdir reports\ncat > test_outcomes.py <<'END'\n{SUITE}END\n'{}' -p no:cacheprovider --report-xml=reports/pytest.xml test_outcomes.py",
        environment.join("bin/pytest").display()
    );
    let definition = json!({
        "steps": [{"type": "bash", "name": "pytest", "run": script}],
        "post_steps": [{"type": "test_provider", "provider": "pytest", "path": "**/reports/*.xml"}],
    });
    let job = server.job("pytest", definition).await;
    server.trigger(&job, json!({})).await;
    let build = server.finished(1).await;
    let log =
        String::from_utf8_lossy(&server.root.get("/builds/1/log/raw").await.body).into_owned();
    assert_eq!(build.status, BuildState::Failed, "{log}");
    assert_eq!(
        (build.tests.passed, build.tests.failed, build.tests.skipped),
        (2, 3, 1),
        "{log}"
    );
    let results: Page<TestResult> = server.root.get("/builds/1/results?limit=100").await.ok();
    let of = |name: &str| {
        results
            .items
            .iter()
            .find(|result| result.name == name)
            .unwrap_or_else(|| panic!("{name}: {log}"))
    };
    assert_eq!(of("test_adds").outcome, Outcome::Passed);
    assert_eq!(of("test_later").outcome, Outcome::Skipped);
    assert_eq!(of("test_known").outcome, Outcome::KnownIssue);
    assert_eq!(of("test_needs_database").outcome, Outcome::Error);
    // MODULE.CLASS.FUNCTION.TYPE(MESSAGE), MD5: what the reporter's contract says of these two failures.
    let divides = of("test_divides");
    assert_eq!(
        (divides.outcome, divides.fail_id.as_str()),
        (Outcome::Failed, FAIL_ID_OF_DIVIDES)
    );
    assert_eq!(of("test_amounts[20]").fail_id, FAIL_ID_OF_AMOUNTS);
    assert_eq!(
        divides.nodeid.as_deref(),
        Some("test_outcomes.py::test_divides")
    );
    agent.stop().await;
}

/// MD5 of `test_outcomes.test_outcomes.test_divides.ValueError(boom)`.
const FAIL_ID_OF_DIVIDES: &str = "987157cd170dc87607bea1224faf4515";

/// MD5 of `test_outcomes.test_outcomes.test_amounts.ValueError(twenty)`.
const FAIL_ID_OF_AMOUNTS: &str = "b0a1d6b96a997a7cd7736918750c21f7";
