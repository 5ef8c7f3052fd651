//! Use case: what testhide says of each failure of a build, with its evidence.

use super::error::CliError;
use super::output::{Colour, Theme, age, clean, clean_lines, cut, verdict_sign};
use super::session::Session;
use testhide_protocol::api::{
    BuildVerdicts, FailureVerdict, RootCause, RunRef, SimilarFailure, Verdict, VerdictKind,
};

/// Lines of a message that are shown in lists.
const MESSAGE_LINES: usize = 3;

/// Similar failures that are shown in lists.
const SIMILAR: usize = 2;

/// Columns before what belongs to a verdict.
const INDENT: &str = "           ";

/// Shows all verdicts of a build.
pub(super) async fn run(session: &Session, build: &str) -> Result<(), CliError> {
    let verdicts: BuildVerdicts = session
        .client()?
        .get(&["builds", build, "verdicts"], &[])
        .await?;
    session.out.show(&verdicts, |theme| {
        let title = theme.paint(Colour::Bold, &format!("build {}", verdicts.build_number));
        if verdicts.failures.is_empty() {
            let note = if verdicts.complete {
                "no failures"
            } else {
                "no failures so far; the analysis is not complete yet"
            };
            return format!("{title}  {note}\n");
        }
        format!("{title}\n{}", draw_failures(&verdicts, usize::MAX, theme))
    })
}

/// Up to `most` verdicts below a line that counts them all.
pub(super) fn draw_failures(verdicts: &BuildVerdicts, most: usize, theme: &Theme) -> String {
    let mut out = format!("{}\n", theme.paint(Colour::Bold, &counts(verdicts, theme)));
    for failure in verdicts.failures.iter().take(most) {
        out.push_str(&draw_failure(failure, SIMILAR, theme));
    }
    if let Some(left) = verdicts
        .failures
        .len()
        .checked_sub(most)
        .filter(|left| *left > 0)
    {
        out.push_str(&format!(
            "  {left} more: testhide build verdicts {}\n",
            verdicts.build_number
        ));
    }
    out
}

/// One verdict: the word, the test, its message, why, and what is like it.
pub(super) fn draw_failure(failure: &FailureVerdict, most_similar: usize, theme: &Theme) -> String {
    let sign = verdict_sign(theme, failure.verdict.kind);
    let gap = " ".repeat(
        INDENT
            .len()
            .saturating_sub(2 + sign.text().chars().count())
            .max(1),
    );
    let mut out = format!(
        "  {}{gap}{}\n",
        sign.paint(theme),
        theme.paint(Colour::Bold, &clean(&failure.display_name))
    );
    let is_failing = failure.verdict.kind != VerdictKind::Fixed;
    if is_failing {
        let message = clean_lines(&failure.message);
        for line in message
            .iter()
            .filter(|line| !line.trim().is_empty())
            .take(MESSAGE_LINES)
        {
            out.push_str(&indented(line, theme));
        }
    }
    out.push_str(&indented(&clean(&failure.verdict.reason), theme));
    for line in evidence(&failure.verdict, theme) {
        out.push_str(&indented(&line, theme));
    }
    if is_failing {
        out.push_str(&indented(
            &format!("cause: {}", cause(&failure.root_cause)),
            theme,
        ));
    }
    for similar in failure.similar.iter().take(most_similar) {
        out.push_str(&indented(&like(similar, theme), theme));
    }
    let id = format!("{INDENT}testhide failure show {}\n", failure.result_id);
    out.push_str(&theme.paint(Colour::Dim, &id));
    out
}

fn indented(line: &str, theme: &Theme) -> String {
    let width = theme.width.map_or(usize::MAX, |width| {
        width.saturating_sub(INDENT.len()).max(20)
    });
    format!("{INDENT}{}\n", cut(line, width, theme))
}

fn counts(verdicts: &BuildVerdicts, theme: &Theme) -> String {
    let kinds = [
        VerdictKind::New,
        VerdictKind::Flaky,
        VerdictKind::Known,
        VerdictKind::Fixed,
    ];
    let mut words: Vec<String> = kinds
        .into_iter()
        .map(|kind| {
            (
                kind,
                verdicts
                    .failures
                    .iter()
                    .filter(|failure| failure.verdict.kind == kind)
                    .count(),
            )
        })
        .filter(|(_, count)| *count > 0)
        .map(|(kind, count)| format!("{count} {}", kind.as_str()))
        .collect();
    if !verdicts.complete {
        words.push("the analysis is not complete yet".to_owned());
    }
    words.join(theme.dot())
}

/// Since when, and which runs contradict each other.
fn evidence(verdict: &Verdict, theme: &Theme) -> Vec<String> {
    let since = verdict.known_since.as_ref().map(|since| {
        let times = if since.times == 1 {
            "once".to_owned()
        } else {
            format!("{} times", since.times)
        };
        format!("since {}, {times}", run_words(&since.first, theme))
    });
    let pair = verdict.flaky_pairs.first().map(|pair| {
        let more = verdict.flaky_pairs.len() - 1;
        let more = if more > 0 {
            format!(" (and {more} more)")
        } else {
            String::new()
        };
        format!(
            "failed in {}, passed in {}{more}",
            run_words(&pair.failed, theme),
            run_words(&pair.passed, theme)
        )
    });
    since.into_iter().chain(pair).collect()
}

/// Which run, and how long ago.
pub(super) fn run_words(run: &RunRef, theme: &Theme) -> String {
    let when = age(theme.now, run.time);
    match (run.build_number, run.attempt) {
        (Some(number), Some(attempt)) if attempt > 1 => {
            format!("build {number}, attempt {attempt} ({when})")
        }
        (Some(number), _) => format!("build {number} ({when})"),
        (None, _) => format!("a report ({when})"),
    }
}

/// The category with who says so, or why there is none.
pub(super) fn cause(cause: &RootCause) -> String {
    let text = match (&cause.category, cause.confidence) {
        (Some(category), Some(confidence)) => format!(
            "{category}, {:.0} % ({}): {}",
            confidence * 100.0,
            cause.source,
            cause.reason
        ),
        (Some(category), None) => format!("{category} ({}): {}", cause.source, cause.reason),
        (None, _) => format!("not decided: {}", cause.reason),
    };
    clean(&text)
}

/// One similar failure.
pub(super) fn like(similar: &SimilarFailure, theme: &Theme) -> String {
    let label = similar
        .label
        .as_deref()
        .map(|label| format!(" [{label}]"))
        .unwrap_or_default();
    let percent = f64::from(similar.similarity) * 100.0;
    let run = run_words(&similar.run, theme);
    clean(&format!(
        "{percent:.0} % like {} in {run}: {}{label}",
        similar.display_name, similar.message
    ))
}

#[cfg(test)]
pub(super) mod samples {
    //! Verdicts as tests show them.

    use testhide_protocol::api::{
        BuildVerdicts, FailureVerdict, FlakyPair, KnownSince, RootCause, RunRef, SimilarFailure,
        Verdict, VerdictKind,
    };
    use testhide_protocol::{BuildId, ResultId, TestId};

    fn run(number: u64, time: &str) -> RunRef {
        RunRef {
            result_id: ResultId::from_bytes([9; 16]),
            build_id: None,
            build_number: Some(number),
            attempt: Some(1),
            time: time.parse().unwrap(),
        }
    }

    pub(in crate::cli) fn failure(kind: VerdictKind, test: &str, reason: &str) -> FailureVerdict {
        FailureVerdict {
            result_id: ResultId::from_bytes([7; 16]),
            test_id: TestId::from_bytes([8; 16]),
            display_name: test.to_owned(),
            message: "AssertionError: expected 3, got 4\n\nin total()".to_owned(),
            verdict: Verdict {
                kind,
                reason: reason.to_owned(),
                known_since: None,
                flaky_pairs: Vec::new(),
                method: "rules-1".to_owned(),
            },
            similar: Vec::new(),
            root_cause: RootCause {
                category: None,
                confidence: None,
                source: "nobody".to_owned(),
                reason: "fewer than 20 failures have a label".to_owned(),
            },
        }
    }

    pub(in crate::cli) fn verdicts() -> BuildVerdicts {
        let mut new = failure(
            VerdictKind::New,
            "tests/test_cart.py::test_total",
            "never seen on this test in 212 runs",
        );
        new.root_cause = RootCause {
            category: Some("Product bug".to_owned()),
            confidence: Some(0.824),
            source: "model".to_owned(),
            reason: "`AssertionError` weighs most".to_owned(),
        };
        new.similar = vec![SimilarFailure {
            run: run(398, "2026-03-18T09:00:00Z"),
            display_name: "tests/test_tax.py::test_sum".to_owned(),
            message: "AssertionError: expected 7, got 8".to_owned(),
            similarity: 0.934,
            label: Some("Product bug".to_owned()),
        }];
        let mut flaky = failure(
            VerdictKind::Flaky,
            "tests/test_mail.py::test_send",
            "the same commit passed and failed",
        );
        flaky.verdict.flaky_pairs = vec![FlakyPair {
            commit: "4f2c91a0b".to_owned(),
            failed: run(421, "2026-03-20T10:24:00Z"),
            passed: run(420, "2026-03-20T08:00:00Z"),
        }];
        let mut known = failure(
            VerdictKind::Known,
            "tests/test_\u{1b}[2Jold.py::test_slow",
            "it has failed like this since build 402",
        );
        known.verdict.known_since = Some(KnownSince {
            first: run(402, "2026-03-11T08:00:00Z"),
            times: 19,
        });
        let fixed = failure(
            VerdictKind::Fixed,
            "tests/test_login.py::test_sso",
            "it failed in build 420 and passes now",
        );
        BuildVerdicts {
            build_id: BuildId::from_bytes([1; 16]),
            build_number: 421,
            complete: true,
            failures: vec![new, flaky, known, fixed],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::samples::verdicts;
    use super::{draw_failures, samples};
    use crate::cli::build_show::samples::theme;
    use crate::cli::output::Theme;
    use testhide_protocol::api::VerdictKind;

    #[test]
    fn verdicts_say_what_why_and_since_when() {
        let expected = "\
1 new · 1 flaky · 1 known · 1 fixed
  ✖ NEW    tests/test_cart.py::test_total
           AssertionError: expected 3, got 4
           in total()
           never seen on this test in 212 runs
           cause: Product bug, 82 % (model): `AssertionError` weighs most
           93 % like tests/test_tax.py::test_sum in build 398 (2d ago): AssertionError: expected 7, got 8 [Product bug]
           testhide failure show 07070707-0707-0707-0707-070707070707
";
        let drawn = draw_failures(&verdicts(), 1, &theme());
        assert_eq!(
            drawn,
            format!("{expected}  3 more: testhide build verdicts 421\n")
        );
        let all = draw_failures(&verdicts(), usize::MAX, &theme());
        for line in [
            "  ≈ FLAKY  tests/test_mail.py::test_send\n",
            "           failed in build 421 (6m ago), passed in build 420 (2h ago)\n",
            "  ◆ KNOWN  tests/test_old.py::test_slow\n",
            "           since build 402 (9d ago), 19 times\n",
            "           cause: not decided: fewer than 20 failures have a label\n",
            "  ✔ FIXED  tests/test_login.py::test_sso\n",
        ] {
            assert!(all.contains(line), "{line}\n{all}");
        }
    }

    #[test]
    fn long_lines_are_cut_to_the_terminal() {
        let narrow = Theme {
            width: Some(40),
            ..theme()
        };
        let failure = samples::failure(VerdictKind::New, "t", &"long ".repeat(40));
        let drawn = super::draw_failure(&failure, 2, &narrow);
        let id_line = |line: &&str| line.contains("failure show");
        assert!(
            drawn
                .lines()
                .filter(|line| !id_line(line))
                .all(|line| line.chars().count() <= 40),
            "{drawn}"
        );
    }
}
