//! Tests and runs as the API shows them.

use super::model::{Run, StoredTest, Tally};
use super::runs::MarkedRun;
use testhide_protocol::TestId;
use testhide_protocol::api::{Test, TestRun};

pub(super) fn shown(id: TestId, test: StoredTest, tally: &Tally) -> Test {
    Test {
        id,
        project_id: test.project,
        display_name: test.display,
        family: test.family,
        file: test.file,
        last_outcome: tally.last_outcome,
        first_seen_at: test.first_seen_at,
        last_seen_at: tally.last_seen_at,
        runs: tally.runs,
        failures: tally.failures,
    }
}

impl From<&Run> for TestRun {
    fn from(run: &Run) -> Self {
        let build = run.origin.build.as_ref();
        Self {
            result_id: run.result(),
            report_id: run.report,
            build_id: build.map(|build| build.id),
            build_number: build.map(|build| build.number),
            attempt: build.map(|build| build.attempt),
            branch: run.origin.branch.clone(),
            commit: run.origin.commit.clone(),
            agent: run.origin.agent.clone(),
            outcome: run.outcome,
            recovered: run.recovered,
            signature: run
                .signature
                .map(|signature| signature.to_string())
                .unwrap_or_default(),
            duration_ms: run.duration_ms,
            time: run.time,
            first_failure_after_pass: false,
        }
    }
}

impl From<&MarkedRun> for TestRun {
    fn from(marked: &MarkedRun) -> Self {
        Self {
            first_failure_after_pass: marked.first_failure_after_pass,
            ..(&marked.run).into()
        }
    }
}
