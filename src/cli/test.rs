//! Use cases: tests over time.

use super::args::{ListTests, TestHistory};
use super::error::CliError;
use super::job::find_job_id;
use super::output::{Cell, Colour, Table, Theme, age, clean, duration, outcome_sign, short_commit};
use super::session::Session;
use super::test_alias;
use testhide_protocol::TestId;
use testhide_protocol::api::{Test, TestDetails, TestRun};

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
    let id = test_id(&args.id)?;
    let client = session.client()?;
    let job = match &args.job {
        Some(job) => Some(find_job_id(&client, job).await?.to_string()),
        None => None,
    };
    let filters = [
        ("branch", args.branch),
        ("job", job),
        ("outcome", args.outcome),
    ];
    let query: Vec<_> = filters
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let (runs, _) = client
        .list::<TestRun>(&["tests", &id, "history"], &query, args.limit)
        .await?;
    let theme = session.out.theme();
    let mut table = Table::new(&[
        "OUTCOME", ">BUILD", "~BRANCH", "COMMIT", ">TIME", "AGENT", "WHEN", "RESULT",
    ]);
    for run in &runs {
        let outcome = outcome_sign(&theme, run.outcome);
        let outcome = if run.recovered {
            Cell::new(&format!("{} after a retry", outcome.text())).colour(Colour::Yellow)
        } else if run.first_failure_after_pass {
            Cell::new(&format!("{} after a pass", outcome.text())).colour(Colour::Red)
        } else {
            outcome
        };
        table.row([
            outcome,
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

/// Shows a test: what belongs to it and how it does.
pub(super) async fn show(session: &Session, id: &str) -> Result<(), CliError> {
    let id = test_id(id)?;
    let details: TestDetails = session.client()?.get(&["tests", &id], &[]).await?;
    session.out.show(&details, |theme| draw(&details, theme))
}

/// `1 run`, `2 runs`.
pub(super) fn runs(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} run{plural}")
}

/// The id that was given.
fn test_id(given: &str) -> Result<String, CliError> {
    let id: Result<TestId, _> = given.parse();
    id.map(|id| id.to_string()).map_err(|_| {
        CliError::usage(format!("`{given}` is no test's id"))
            .hint("`testhide test list PROJECT --query TEXT` lists ids")
    })
}

fn draw(details: &TestDetails, theme: &Theme) -> String {
    let test = &details.test;
    let dot = theme.dot();
    let mut out = format!(
        "{}\n",
        theme.paint(Colour::Bold, &clean(&test.display_name))
    );
    out.push_str(&format!(
        "  {}{dot}{}, {} failed{dot}first seen {}{dot}last {}\n",
        outcome_sign(theme, test.last_outcome).paint(theme),
        runs(test.runs),
        test.failures,
        age(theme.now, test.first_seen_at),
        age(theme.now, test.last_seen_at),
    ));
    if let Some(file) = &test.file {
        out.push_str(&format!("  file {}\n", clean(file)));
    }
    if let Some(run) = &details.last_failure {
        let build = run
            .build_number
            .map(|number| format!(" in build {number}"))
            .unwrap_or_default();
        out.push_str(&format!(
            "  failed last {}{build} on {}{dot}result {}\n",
            age(theme.now, run.time),
            clean(&run.branch),
            run.result_id
        ));
    }
    if details.fail_streak > 0 {
        out.push_str(&match details.fail_streak {
            1 => "  fails in the last report of that branch\n".to_owned(),
            many => format!("  fails in the last {many} reports of that branch\n"),
        });
    }
    if !details.variants.is_empty() {
        out.push_str(&format!("\nVariants ({})\n", details.variants.len()));
        let mut table = Table::new(&["LAST", "~TEST", "ID"]);
        for variant in &details.variants {
            table.row([
                outcome_sign(theme, variant.last_outcome),
                Cell::from(&variant.display_name),
                variant.id.to_string().into(),
            ]);
        }
        out.push_str(&table.render(theme));
    }
    for alias in &details.aliases {
        out.push_str(&format!("\nAlias {}\n", alias.id));
        out.push_str(&test_alias::draw(alias, theme));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::cli::build_show::samples::theme;
    use crate::cli::test_alias::samples::alias;
    use testhide_protocol::api::{Outcome, Test, TestDetails, TestVariant};
    use testhide_protocol::{ProjectId, TestId};

    #[test]
    fn what_belongs_to_a_test_is_told() {
        let now = theme().now;
        let details = TestDetails {
            test: Test {
                id: TestId::from_bytes([1; 16]),
                project_id: ProjectId::from_bytes([2; 16]),
                display_name: "a.py::x[1]".to_owned(),
                family: "a.py::x".to_owned(),
                file: Some("a.py".to_owned()),
                last_outcome: Outcome::Failed,
                first_seen_at: now,
                last_seen_at: now,
                runs: 9,
                failures: 3,
            },
            variants: vec![TestVariant {
                id: TestId::from_bytes([4; 16]),
                display_name: "a.py::x[2]".to_owned(),
                last_outcome: Outcome::Passed,
            }],
            last_failure: None,
            fail_streak: 2,
            aliases: vec![alias()],
        };
        let told = draw(&details, &theme());
        for part in [
            "a.py::x[1]",
            "9 runs, 3 failed",
            "file a.py",
            "fails in the last 2 reports",
            "Variants (1)",
            "a.py::x[2]",
            "moved 85 % alike",
        ] {
            assert!(told.contains(part), "{part}\n{told}");
        }
    }
}
