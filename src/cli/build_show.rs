//! Use case: show a build, its failures first.

use super::build_verdicts::draw_failures;
use super::error::{CliError, Exit};
use super::output::{
    Cell, Colour, Table, Theme, age, clean, duration, gate_sign, hanging, short_commit, state_sign,
    step_sign,
};
use super::session::Session;
use testhide_protocol::api::{Attempt, Build, BuildVerdicts, FindingKind, StepResult, StepState};
use unicode_width::UnicodeWidthStr;

/// Failures shown here; `build verdicts` shows all.
const FAILURES: usize = 10;

/// Column in which the facts of a build begin.
const FACTS: usize = 10;

/// Tests named with a finding; `--json` has up to 20.
const TESTS_OF_FINDING: usize = 5;

/// Shows a build.
pub(super) async fn run(session: &Session, build: &str) -> Result<(), CliError> {
    let client = session.client()?;
    let shown: Build = client.get(&["builds", build], &[]).await?;
    if session.out.json {
        return session.out.json(&shown);
    }
    let verdicts = match client
        .get::<BuildVerdicts>(&["builds", build, "verdicts"], &[])
        .await
    {
        Ok(verdicts) => Some(verdicts),
        Err(error) if error.exit == Exit::NotFound => None,
        Err(error) => return Err(error),
    };
    session
        .out
        .write(&draw(&shown, verdicts.as_ref(), &session.out.theme()))
}

/// The build in a few lines: what, how it ended, why, and its tests.
pub(super) fn summary(build: &Build, theme: &Theme) -> String {
    let dot = theme.dot();
    let title = theme.paint(Colour::Bold, &format!("build {}", build.build_number));
    let commit = build.commit.as_deref().map(short_commit);
    let what: Vec<&str> = [
        Some(build.job_name.as_str()),
        Some(build.branch.as_str()),
        commit,
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut out = format!(
        "{}  {title}  {}\n",
        state_sign(theme, build.status).paint(theme),
        clean(&what.join(dot))
    );
    out.push_str(&format!("  {}\n", clean(&facts(build, theme).join(dot))));
    if let Some(reason) = &build.reason {
        out.push_str(&format!("  reason  {}\n", clean(reason)));
    }
    out.push_str(&findings(build, theme));
    let tests = test_words(build, theme);
    if !tests.is_empty() {
        out.push_str(&format!("  tests   {}\n", tests.join(dot)));
    }
    if let Some(gates) = &build.gates {
        let sign = gate_sign(theme, gates.passed);
        let before = format!("  gate    {}  ", sign.paint(theme));
        let taken = 12 + sign.text().width();
        let message = clean(&gates.message);
        out.push_str(&hanging(&before, taken, &message, FACTS, theme));
    }
    if let Some(cause) = &build.tps.probable_cause {
        out.push_str(&format!("  cause   {}\n", clean(cause)));
    }
    if !build.parameters.is_empty() {
        let pairs: Vec<String> = build
            .parameters
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        out.push_str(&format!("  with    {}\n", clean(&pairs.join(" "))));
    }
    out
}

/// What does not fit together, before the counts that it speaks of.
fn findings(build: &Build, theme: &Theme) -> String {
    let mut out = String::new();
    for finding in &build.findings {
        let colour = match finding.kind {
            FindingKind::InconsistentExit => Colour::Red,
            _ => Colour::Yellow,
        };
        let kind = theme.paint(colour, finding.kind.as_str());
        let before = format!("  finding {kind}: ");
        let taken = FACTS + finding.kind.as_str().len() + 2;
        let message = clean(&finding.message);
        out.push_str(&hanging(&before, taken, &message, FACTS, theme));
        let shown = finding.tests.iter().take(TESTS_OF_FINDING);
        let mut names: Vec<String> = shown.map(|name| clean(name)).collect();
        let more = finding.count.saturating_sub(names.len() as u64);
        if !names.is_empty() && more > 0 {
            names.push(format!("{more} more"));
        }
        if !names.is_empty() {
            let before = " ".repeat(FACTS);
            out.push_str(&hanging(&before, FACTS, &names.join(", "), FACTS, theme));
        }
    }
    out
}

fn facts(build: &Build, theme: &Theme) -> Vec<String> {
    let mut facts = Vec::new();
    let agent = build
        .agent_name
        .as_deref()
        .map(|name| format!(" on {name}"))
        .unwrap_or_default();
    if build.attempt > 1 {
        facts.push(format!("attempt {}{agent}", build.attempt));
    } else if !agent.is_empty() {
        facts.push(agent.trim_start().to_owned());
    }
    if let Some(millis) = build.duration_ms {
        let verb = if build.status.is_final() {
            "took"
        } else {
            "runs for"
        };
        facts.push(format!("{verb} {}", duration(millis)));
    }
    facts.push(match (build.finished_at, build.started_at) {
        (Some(end), _) => format!("ended {}", age(theme.now, end)),
        (None, Some(start)) => format!("started {}", age(theme.now, start)),
        (None, None) => format!("queued {}", age(theme.now, build.queued_at)),
    });
    facts.push(format!("by {}", build.triggered_by));
    facts
}

fn test_words(build: &Build, theme: &Theme) -> Vec<String> {
    let counts = &build.tests;
    let words = [
        (counts.failed, "failed", Colour::Red),
        (counts.flaky, "flaky", Colour::Yellow),
        (counts.passed, "passed", Colour::Green),
        (counts.skipped, "skipped", Colour::Dim),
    ];
    let mut out: Vec<String> = words
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, word, colour)| theme.paint(colour, &format!("{count} {word}")))
        .collect();
    if !out.is_empty() && !build.tps.analysed {
        out.push("analysis is not complete yet".to_owned());
    }
    out
}

fn draw(build: &Build, verdicts: Option<&BuildVerdicts>, theme: &Theme) -> String {
    let mut out = summary(build, theme);
    if let Some(verdicts) = verdicts.filter(|verdicts| !verdicts.failures.is_empty()) {
        out.push('\n');
        out.push_str(&draw_failures(verdicts, FAILURES, theme));
    }
    if !build.steps.is_empty() {
        out.push_str(&format!("\n{}", heading(theme, "Steps")));
        out.push_str(&indented(&steps(&build.steps, theme)));
    }
    if !build.attempts.is_empty() {
        out.push_str(&format!("\n{}", heading(theme, "Earlier attempts")));
        out.push_str(&indented(&attempts(&build.attempts, theme)));
    }
    let number = build.build_number;
    out.push_str(&theme.paint(Colour::Dim, &format!("\nlog: testhide build log {number}")));
    out.push('\n');
    out
}

/// A heading of its own line.
pub(super) fn heading(theme: &Theme, text: &str) -> String {
    format!("{}\n", theme.paint(Colour::Bold, text))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

fn steps(steps: &[StepResult], theme: &Theme) -> String {
    let mut table = Table::new(&["STATE", "STEP", ">TIME", "~NOTE"]);
    for step in steps {
        let exit = step
            .exit_code
            .filter(|_| step.status != StepState::Passed)
            .map(|code| format!("exit code {code}"));
        let note = step.message.clone().or(exit).unwrap_or_default();
        table.row([
            step_sign(theme, step.status),
            Cell::from(&step.name),
            step.duration_ms.map(duration).unwrap_or_default().into(),
            note.into(),
        ]);
    }
    table.render(&narrowed(theme))
}

fn attempts(attempts: &[Attempt], theme: &Theme) -> String {
    let mut table = Table::new(&[">NO", "STATE", "AGENT", "STARTED", "~REASON"]);
    for attempt in attempts {
        table.row([
            attempt.attempt.to_string().into(),
            state_sign(theme, attempt.status),
            attempt.agent_name.as_deref().unwrap_or_default().into(),
            age(theme.now, attempt.started_at).into(),
            attempt.reason.as_deref().unwrap_or_default().into(),
        ]);
    }
    table.render(&narrowed(theme))
}

/// Room for the two columns of indentation.
fn narrowed(theme: &Theme) -> Theme {
    Theme {
        width: theme.width.map(|width| width.saturating_sub(2)),
        ..*theme
    }
}

#[cfg(test)]
pub(super) mod samples {
    //! A build as tests show it.

    use crate::cli::output::Theme;
    use testhide_protocol::api::{Build, BuildState, GateSummary, TestCounts, Tps};
    use testhide_protocol::{BuildId, JobId, ProjectId};

    pub(in crate::cli) fn theme() -> Theme {
        let now = "2026-03-20T10:30:00Z".parse().unwrap();
        Theme {
            colour: false,
            unicode: true,
            width: None,
            now,
        }
    }

    pub(in crate::cli) fn build() -> Build {
        Build {
            id: BuildId::from_bytes([1; 16]),
            status: BuildState::Failed,
            build_number: 421,
            project_id: ProjectId::from_bytes([2; 16]),
            job_id: JobId::from_bytes([3; 16]),
            job_name: "unit".to_owned(),
            branch: "main".to_owned(),
            commit: Some("4f2c91a0b7d3e8f6a5c4b3d2e1f0a9b8c7d6e5f4".to_owned()),
            attempt: 2,
            triggered_by: "anna".to_owned(),
            duration: Some(192),
            duration_ms: Some(192_400),
            queued_at: "2026-03-20T10:20:00Z".parse().unwrap(),
            started_at: Some("2026-03-20T10:21:00Z".parse().unwrap()),
            finished_at: Some("2026-03-20T10:24:12Z".parse().unwrap()),
            agent_id: None,
            agent_name: Some("builder-7".to_owned()),
            reason: Some("step `pytest` ended with exit code 1".to_owned()),
            parameters: [("SUITE".to_owned(), "smoke".to_owned())].into(),
            findings: Vec::new(),
            tests: TestCounts {
                passed: 121,
                failed: 3,
                skipped: 2,
                flaky: 1,
            },
            tps: Tps {
                new_failures: vec!["tests/test_cart.py::test_total".to_owned()],
                analysed: true,
                ..Tps::default()
            },
            gates: Some(GateSummary {
                passed: false,
                gates: 1,
                failed_rules: 1,
                message: "expected no test that fails, found 3 in 124 tests".to_owned(),
            }),
            steps: Vec::new(),
            attempts: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::{build, theme};
    use super::{draw, summary};
    use crate::cli::build_verdicts::samples::verdicts;
    use crate::cli::output::Theme;
    use testhide_protocol::api::{
        Attempt, BuildState, Finding, FindingKind, StepResult, StepState,
    };

    #[test]
    fn failures_come_before_steps_and_attempts() {
        let mut build = build();
        let step = |index: u32, name: &str, status, exit_code, duration_ms| StepResult {
            index,
            name: name.to_owned(),
            status,
            exit_code,
            message: None,
            duration_ms: Some(duration_ms),
        };
        build.steps = vec![
            step(0, "checkout", StepState::Passed, Some(0), 2_100),
            step(1, "pytest", StepState::Failed, Some(1), 187_000),
        ];
        build.attempts = vec![Attempt {
            attempt: 1,
            status: BuildState::InfraLost,
            agent_name: Some("builder-3".to_owned()),
            started_at: "2026-03-20T10:20:00Z".parse().unwrap(),
            finished_at: None,
            reason: Some("the agent was lost".to_owned()),
        }];
        let expected = "\
✖ failed  build 421  unit · main · 4f2c91a0b
  attempt 2 on builder-7 · took 3m 12s · ended 5m ago · by anna
  reason  step `pytest` ended with exit code 1
  tests   3 failed · 1 flaky · 121 passed · 2 skipped
  gate    ✖ failed  expected no test that fails, found 3 in 124 tests
  with    SUITE=smoke

";
        let steps = "
Steps
  STATE     STEP        TIME  NOTE
  ✔ passed  checkout    2.1s
  ✖ failed  pytest    3m 07s  exit code 1

Earlier attempts
  NO  STATE          AGENT      STARTED  REASON
   1  ⚡ infra_lost  builder-3  10m ago  the agent was lost

log: testhide build log 421
";
        let drawn = draw(&build, Some(&verdicts()), &theme());
        assert!(drawn.starts_with(expected), "{drawn}");
        assert!(drawn.ends_with(steps), "{drawn}");
        assert!(drawn.contains("NEW"), "{drawn}");
    }

    #[test]
    fn findings_come_before_the_counts() {
        let mut build = build();
        build.findings = vec![
            Finding {
                kind: FindingKind::InconsistentExit,
                message: "step `pytest` ended with exit code 1".to_owned(),
                report: None,
                tests: Vec::new(),
                count: 0,
            },
            Finding {
                kind: FindingKind::TestsMissing,
                message: "the last build had 20 tests, this build has 12".to_owned(),
                report: None,
                tests: (1..=7).map(|number| format!("test_{number}")).collect(),
                count: 8,
            },
        ];
        let expected = "
  finding inconsistent_exit: step `pytest` ended with exit code 1
  finding tests_missing: the last build had 20 tests, this build has 12
          test_1, test_2, test_3, test_4, test_5, 3 more
  tests   3 failed";
        let drawn = summary(&build, &theme());
        assert!(drawn.contains(expected), "{drawn}");
    }

    #[test]
    fn a_terminal_without_unicode_gets_ascii() {
        let drawn = summary(
            &build(),
            &Theme {
                unicode: false,
                ..theme()
            },
        );
        assert!(drawn.is_ascii(), "{drawn}");
        assert!(
            drawn.starts_with("x failed  build 421  unit - main"),
            "{drawn}"
        );
    }

    #[test]
    fn a_name_cannot_draw() {
        let mut build = build();
        build.branch = "\u{1b}[2Jmain\u{9b}1m".to_owned();
        build.reason = Some("two\nlines".to_owned());
        let drawn = summary(&build, &theme());
        assert!(
            !drawn.chars().any(|c| c.is_control() && c != '\n'),
            "{drawn:?}"
        );
        assert_eq!(drawn.lines().count(), 6, "{drawn}");
    }
}
