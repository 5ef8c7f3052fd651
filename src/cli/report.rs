//! Use cases: list reports, show one.

use super::args::ListReports;
use super::error::CliError;
use super::output::{Cell, Colour, Table, Theme, age, bytes, clean, outcome_sign};
use super::session::Session;
use testhide_protocol::api::{OutcomeCounts, Report, TestResult};

/// Failures shown with a report.
const FAILURES: usize = 50;

/// Lists the reports of a build or a project.
pub(super) async fn list(session: &Session, args: &ListReports) -> Result<(), CliError> {
    let client = session.client()?;
    let reports: Vec<Report> = match (&args.build, &args.project) {
        (Some(build), _) => client.short_list(&["builds", build, "reports"]).await?,
        (None, project) => {
            let project = project.as_deref().unwrap_or_default();
            client
                .list(&["projects", project, "reports"], &[], args.limit)
                .await?
                .0
        }
    };
    let mut table = Table::new(&[
        "~NAME", "FORMAT", ">FAILED", ">TESTS", ">BUILD", "STORED", "ID",
    ]);
    for report in &reports {
        let failed = report.counts.failed + report.counts.error;
        let failed_cell = Cell::from(failed.to_string());
        table.row([
            Cell::from(&report.name),
            Cell::from(&report.format),
            if failed > 0 {
                failed_cell.colour(Colour::Red)
            } else {
                failed_cell
            },
            report.counts.total.to_string().into(),
            report
                .build_number
                .map(|number| number.to_string())
                .unwrap_or_default()
                .into(),
            age(session.out.now(), report.created_at).into(),
            report.id.to_string().into(),
        ]);
    }
    session.out.list(&reports, &table, "there are no reports")
}

/// Shows a report: what it holds, what the parser did about it, and its failures.
pub(super) async fn show(session: &Session, id: &str) -> Result<(), CliError> {
    let client = session.client()?;
    let report: Report = client.get(&["reports", id], &[]).await?;
    if session.out.json {
        return session.out.json(&report);
    }
    let mut failures: Vec<TestResult> = Vec::new();
    for (outcome, count) in [
        ("failed", report.counts.failed),
        ("error", report.counts.error),
    ] {
        if count > 0 {
            let query = [("outcome", outcome.to_owned())];
            failures.extend(
                client
                    .list(&["reports", id, "results"], &query, FAILURES)
                    .await?
                    .0,
            );
        }
    }
    session
        .out
        .write(&draw(&report, &failures, &session.out.theme()))
}

/// The counts that are not zero, failures first.
pub(super) fn counts(counts: &OutcomeCounts) -> String {
    let words = [
        (counts.failed, "failed"),
        (counts.error, plural(counts.error, "error", "errors")),
        (counts.passed, "passed"),
        (counts.skipped, "skipped"),
        (
            counts.known_issue,
            plural(counts.known_issue, "known issue", "known issues"),
        ),
        (counts.not_run, "not run"),
    ];
    let words: Vec<String> = words
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    if words.is_empty() {
        "no tests".to_owned()
    } else {
        words.join(", ")
    }
}

fn plural(count: u64, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

fn draw(report: &Report, failures: &[TestResult], theme: &Theme) -> String {
    let dot = theme.dot();
    let mut out = format!(
        "{}  {}\n",
        theme.paint(Colour::Bold, &clean(&report.name)),
        counts(&report.counts)
    );
    let build = report
        .build_number
        .map(|number| format!("build {number}{dot}"))
        .unwrap_or_default();
    let writer = report
        .reporter
        .as_deref()
        .map(|name| format!(" by {name}"))
        .unwrap_or_default();
    let facts = format!(
        "{build}{}{writer}{dot}{}{dot}stored {}",
        report.format,
        bytes(report.size),
        age(theme.now, report.created_at)
    );
    out.push_str(&format!("  {}\n", clean(&facts)));
    if report.truncated {
        out.push_str("  the file broke off; only its readable part is here\n");
    }
    for warning in &report.warnings {
        let line = warning
            .line
            .map(|line| format!("line {line}: "))
            .unwrap_or_default();
        out.push_str(&format!(
            "  warning: {}\n",
            clean(&format!("{line}{}; {}", warning.what, warning.assumed))
        ));
    }
    if !failures.is_empty() {
        let mut table = Table::new(&["OUTCOME", "~TEST", "~MESSAGE", "RESULT"]);
        for failure in failures {
            let message = failure
                .message
                .as_deref()
                .and_then(|message| message.lines().next());
            table.row([
                outcome_sign(theme, failure.outcome),
                Cell::from(&failure.display_name),
                message.unwrap_or_default().into(),
                failure.id.to_string().into(),
            ]);
        }
        out.push_str(&format!("\n{}", table.render(theme)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::counts;
    use testhide_protocol::api::OutcomeCounts;

    #[test]
    fn only_what_there_is_is_counted() {
        let some = OutcomeCounts {
            passed: 10,
            failed: 1,
            error: 2,
            total: 13,
            ..OutcomeCounts::default()
        };
        assert_eq!(counts(&some), "1 failed, 2 errors, 10 passed");
        let single = OutcomeCounts {
            error: 1,
            known_issue: 1,
            total: 2,
            ..OutcomeCounts::default()
        };
        assert_eq!(counts(&single), "1 error, 1 known issue");
        assert_eq!(counts(&OutcomeCounts::default()), "no tests");
    }
}
