//! Use cases: tests over time.

use super::args::{ListTests, TestHistory};
use super::error::CliError;
use super::output::{Cell, Colour, Table, age, duration, outcome_sign, short_commit};
use super::session::Session;
use testhide_protocol::api::{Test, TestRun};

/// Lists the tests of a project.
pub(super) async fn list(session: &Session, args: ListTests) -> Result<(), CliError> {
    let query: Vec<_> = args.query.map(|text| ("q", text)).into_iter().collect();
    let (tests, _) = session
        .client()?
        .list::<Test>(&["projects", &args.project, "tests"], &query, args.limit)
        .await?;
    let theme = session.out.theme();
    let mut table = Table::new(&["LAST", "~TEST", ">FAILED", ">RUNS", "SEEN", "ID"]);
    for test in &tests {
        let failures = Cell::from(test.failures.to_string());
        table.row([
            outcome_sign(&theme, test.last_outcome),
            Cell::from(&test.display_name),
            if test.failures > 0 {
                failures.colour(Colour::Red)
            } else {
                failures
            },
            test.runs.to_string().into(),
            age(theme.now, test.last_seen_at).into(),
            test.id.to_string().into(),
        ]);
    }
    session.out.list(&tests, &table, "there are no such tests")
}

/// Lists the runs of a test, newest first.
pub(super) async fn history(session: &Session, args: TestHistory) -> Result<(), CliError> {
    let query: Vec<_> = args
        .branch
        .map(|branch| ("branch", branch))
        .into_iter()
        .collect();
    let (runs, _) = session
        .client()?
        .list::<TestRun>(&["tests", &args.id, "history"], &query, args.limit)
        .await?;
    let theme = session.out.theme();
    let mut table = Table::new(&[
        "OUTCOME", ">BUILD", "~BRANCH", "COMMIT", ">TIME", "AGENT", "WHEN", "RESULT",
    ]);
    for run in &runs {
        let outcome = outcome_sign(&theme, run.outcome);
        let retried = if run.recovered {
            Cell::new(&format!("{} after a retry", outcome.text()))
        } else {
            outcome
        };
        table.row([
            if run.recovered {
                retried.colour(Colour::Yellow)
            } else {
                retried
            },
            run.build_number
                .map(|number| number.to_string())
                .unwrap_or_default()
                .into(),
            Cell::from(&run.branch),
            short_commit(run.commit.as_deref().unwrap_or_default()).into(),
            run.duration_ms.map(duration).unwrap_or_default().into(),
            run.agent.as_deref().unwrap_or_default().into(),
            age(theme.now, run.time).into(),
            run.result_id.to_string().into(),
        ]);
    }
    session.out.list(&runs, &table, "the test has no such runs")
}
