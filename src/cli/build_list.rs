//! Use case: list builds, newest first.

use super::args::ListBuilds;
use super::error::CliError;
use super::job::find_job_id;
use super::output::{Cell, Table, Theme, age, duration, short_commit, state_sign};
use super::session::Session;
use testhide_protocol::api::Build;

/// Lists builds.
pub(super) async fn run(session: &Session, args: ListBuilds) -> Result<(), CliError> {
    let client = session.client()?;
    let job = match &args.job {
        Some(job) => Some(find_job_id(&client, job).await?.to_string()),
        None => None,
    };
    let filters = [
        ("project", args.project),
        ("job", job),
        ("branch", args.branch),
        ("status", args.status.map(|status| status.to_string())),
    ];
    let query: Vec<_> = filters
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let (builds, more) = client
        .list::<Build>(&["builds"], &query, args.limit)
        .await?;
    session.out.list(
        &builds,
        &table(&builds, &session.out.theme()),
        "there are no such builds",
    )?;
    if more && session.out.is_terminal() {
        session.out.say(&format!(
            "there are more; --limit {} shows them",
            args.limit.saturating_mul(5)
        ));
    }
    Ok(())
}

fn table(builds: &[Build], theme: &Theme) -> Table {
    let mut table = Table::new(&[
        ">BUILD", "STATE", "~JOB", "~BRANCH", "COMMIT", ">TIME", "TESTS", "QUEUED",
    ]);
    for build in builds {
        let time = build.duration_ms.map(duration).unwrap_or_default();
        table.row([
            build.build_number.to_string().into(),
            state_sign(theme, build.status),
            Cell::from(&build.job_name),
            Cell::from(&build.branch),
            short_commit(build.commit.as_deref().unwrap_or_default()).into(),
            time.into(),
            tests(build).into(),
            age(theme.now, build.queued_at).into(),
        ]);
    }
    table
}

/// The counts, and whether they are to be believed.
fn tests(build: &Build) -> String {
    let mark = match build.findings.as_slice() {
        [] => return counted(build),
        [finding] => format!("! {}", finding.kind.as_str()),
        several => format!("! {} findings", several.len()),
    };
    match counted(build) {
        none if none.is_empty() => mark,
        counted => format!("{mark}, {counted}"),
    }
}

/// Failures first; nothing where there are no tests.
fn counted(build: &Build) -> String {
    let counts = &build.tests;
    match (
        counts.failed,
        counts.passed + counts.failed + counts.skipped,
    ) {
        (_, 0) => String::new(),
        (0, total) => format!("{total} ok"),
        (failed, total) => {
            let new = build.tps.new_failures.len();
            let new = if new > 0 {
                format!(", {new} new")
            } else {
                String::new()
            };
            format!("{failed} of {total} failed{new}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::table;
    use crate::cli::build_show::samples::{build, theme};
    use testhide_protocol::api::{BuildState, Finding, FindingKind, TestCounts};

    #[test]
    fn one_line_a_build() {
        let mut running = build();
        running.build_number = 1422;
        running.status = BuildState::Running;
        running.commit = None;
        running.tests = TestCounts::default();
        let mut lost = build();
        lost.build_number = 9;
        lost.status = BuildState::InfraLost;
        lost.duration_ms = None;
        lost.tests = TestCounts {
            passed: 5,
            ..TestCounts::default()
        };
        lost.findings = vec![Finding {
            kind: FindingKind::TestsMissing,
            message: "there were 9".to_owned(),
            report: None,
            tests: Vec::new(),
            count: 4,
        }];
        let expected = "\
BUILD  STATE          JOB   BRANCH  COMMIT       TIME  TESTS                   QUEUED
 1422  ● running      unit  main               3m 12s                          10m ago
  421  ✖ failed       unit  main    4f2c91a0b  3m 12s  3 of 126 failed, 1 new  10m ago
    9  ⚡ infra_lost  unit  main    4f2c91a0b          ! tests_missing, 5 ok   10m ago
";
        assert_eq!(
            table(&[running, build(), lost], &theme()).render(&theme()),
            expected
        );
    }
}
