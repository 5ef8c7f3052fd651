//! Use cases: show a failure with everything about it; say what its cause was.

use super::args::Label;
use super::build_show::heading;
use super::build_verdicts::{draw_failure, like};
use super::error::CliError;
use super::output::{Theme, clean, clean_lines};
use super::session::Session;
use serde_json::json;
use testhide_protocol::api::{FailureVerdict, LabelFailure, TestResult};

/// Lines of captured output that are shown; its end says most.
const OUTPUT_LINES: usize = 40;

/// Shows the verdict, the trace, the captured output and similar failures.
pub(super) async fn show(session: &Session, id: &str) -> Result<(), CliError> {
    let client = session.client()?;
    let failure: FailureVerdict = client.get(&["failures", id], &[]).await?;
    let result: TestResult = client.get(&["results", id], &[]).await?;
    session
        .out
        .show(&json!({ "failure": failure, "result": result }), |theme| {
            draw(&failure, &result, theme)
        })
}

/// Says what the cause of a failure was.
pub(super) async fn label(session: &Session, args: Label) -> Result<(), CliError> {
    let label = LabelFailure {
        category: args.category,
    };
    let failure: FailureVerdict = session
        .client()?
        .post(&["failures", &args.id, "label"], &label)
        .await?;
    session.out.show(&failure, |_| {
        format!(
            "labelled {} as {}\n",
            clean(&failure.display_name),
            clean(&label.category)
        )
    })
}

fn draw(failure: &FailureVerdict, result: &TestResult, theme: &Theme) -> String {
    let mut out = draw_failure(failure, 0, theme);
    let place = match (&result.file, result.line) {
        (Some(file), Some(line)) => format!("{file}:{line}"),
        (Some(file), None) => file.clone(),
        _ => String::new(),
    };
    for (name, value) in [
        ("file", place),
        ("tickets", result.tickets.join(", ")),
        ("method", failure.verdict.method.clone()),
    ] {
        if !value.is_empty() {
            out.push_str(&format!("  {name:<8} {}\n", clean(&value)));
        }
    }
    let texts = [
        ("Trace", &result.trace, usize::MAX),
        ("Output", &result.stdout, OUTPUT_LINES),
        ("Errors", &result.stderr, OUTPUT_LINES),
    ];
    for (title, text, most) in texts {
        if let Some(text) = text.as_deref().filter(|text| !text.trim().is_empty()) {
            out.push_str(&format!("\n{}", heading(theme, title)));
            out.push_str(&tail(text, most));
        }
    }
    if !failure.similar.is_empty() {
        out.push_str(&format!("\n{}", heading(theme, "Similar failures")));
        for similar in &failure.similar {
            out.push_str(&format!("  {}\n", like(similar, theme)));
        }
    }
    out
}

/// The last lines of a text.
fn tail(text: &str, most: usize) -> String {
    let lines = clean_lines(text.trim_end());
    let left_out = lines.len().saturating_sub(most);
    let note = if left_out > 0 {
        format!("  ({left_out} lines before this; --json has all)\n")
    } else {
        String::new()
    };
    let shown = lines
        .iter()
        .skip(left_out)
        .map(|line| format!("  {line}\n"));
    std::iter::once(note).chain(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::tail;

    #[test]
    fn the_end_of_a_long_text_is_shown() {
        assert_eq!(
            tail("a\n\u{1b}[31mb\nc\n", 2),
            "  (1 lines before this; --json has all)\n  b\n  c\n"
        );
        assert_eq!(tail("a\n", 2), "  a\n");
    }
}
