//! Use case: what differs between two builds or reports.

use super::args::Compare;
use super::build_show::heading;
use super::error::CliError;
use super::output::{Cell, Colour, Table, Theme, duration, outcome_sign};
use super::session::Session;
use testhide_protocol::api::{ComparedTest, Comparison, Outcome};

/// Compares two builds or reports of the server by the identity of their tests.
pub(super) async fn run(session: &Session, args: Compare) -> Result<(), CliError> {
    let query = [("base", args.base), ("head", args.head)];
    let comparison: Comparison = session.client()?.get(&["compare"], &query).await?;
    session
        .out
        .show(&comparison, |theme| draw(&comparison, theme))
}

/// The lists that are not empty, what a person has to look at first.
pub(super) fn draw(comparison: &Comparison, theme: &Theme) -> String {
    let counts = &comparison.counts;
    let parts: [(&str, u64, &[ComparedTest]); 8] = [
        (
            "New failures",
            counts.new_failures,
            &comparison.new_failures,
        ),
        (
            "Still failing",
            counts.still_failing,
            &comparison.still_failing,
        ),
        ("Fixed", counts.fixed, &comparison.fixed),
        (
            "Newly skipped",
            counts.newly_skipped,
            &comparison.newly_skipped,
        ),
        ("Slower", counts.slower, &comparison.slower),
        ("Faster", counts.faster, &comparison.faster),
        ("Added", counts.added, &comparison.added),
        ("Removed", counts.removed, &comparison.removed),
    ];
    let mut out = String::new();
    for (title, count, tests) in parts.into_iter().filter(|(.., tests)| !tests.is_empty()) {
        let shown = tests.len() as u64;
        let all = match count > shown {
            true => format!("{title} ({count}, the first {shown})"),
            false => format!("{title} ({shown})"),
        };
        out.push_str(&heading(theme, &all));
        for line in table(tests, theme).lines().skip(1) {
            out.push_str(&format!("  {line}\n"));
        }
        out.push('\n');
    }
    let same = if out.is_empty() {
        "nothing differs: "
    } else {
        ""
    };
    out.push_str(&format!("{same}{} unchanged\n", comparison.unchanged));
    out
}

fn table(tests: &[ComparedTest], theme: &Theme) -> String {
    let mut table = Table::new(&["BASE", "", "HEAD", ">BASE", "", ">HEAD", "~TEST"]);
    let arrow = if theme.unicode { "→" } else { "->" };
    let sign = |outcome: Option<Outcome>| match outcome {
        Some(outcome) => outcome_sign(theme, outcome),
        None => Cell::from("absent").colour(Colour::Dim),
    };
    let time = |millis: Option<u64>| Cell::from(millis.map(duration).unwrap_or_default());
    for test in tests {
        let between = if test.base_ms.is_some() && test.head_ms.is_some() {
            arrow
        } else {
            ""
        };
        table.row([
            sign(test.base),
            arrow.into(),
            sign(test.head),
            time(test.base_ms),
            between.into(),
            time(test.head_ms),
            Cell::from(&test.display_name),
        ]);
    }
    table.render(&Theme {
        width: theme.width.map(|width| width.saturating_sub(2)),
        ..*theme
    })
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::cli::build_show::samples::theme;
    use testhide_protocol::TestId;
    use testhide_protocol::api::{ComparedCounts, ComparedTest, Comparison, Outcome};

    #[test]
    fn new_failures_come_first() {
        let test = |name: &str, base, head| ComparedTest {
            test_id: TestId::from_bytes([1; 16]),
            display_name: name.to_owned(),
            base,
            head,
            base_ms: Some(120),
            head_ms: Some(1_300),
            significance: None,
        };
        let comparison = Comparison {
            fixed: vec![test("b", Some(Outcome::Failed), Some(Outcome::Passed))],
            new_failures: vec![
                test("a", Some(Outcome::Passed), Some(Outcome::Error)),
                test("c", None, Some(Outcome::Failed)),
            ],
            counts: ComparedCounts {
                new_failures: 7_000,
                fixed: 1,
                ..ComparedCounts::default()
            },
            truncated: true,
            unchanged: 12,
            ..Comparison::default()
        };
        let expected = "\
New failures (7000, the first 2)
  ✔ passed  →  ✖ error   120ms  →  1.3s  a
  absent    →  ✖ failed  120ms  →  1.3s  c

Fixed (1)
  ✖ failed  →  ✔ passed  120ms  →  1.3s  b

12 unchanged
";
        assert_eq!(draw(&comparison, &theme()), expected);
        assert_eq!(
            draw(&Comparison::default(), &theme()),
            "nothing differs: 0 unchanged\n"
        );
    }
}
