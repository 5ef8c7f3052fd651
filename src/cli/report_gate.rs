//! Part of pushing: hold the build against its quality gates and say what each rule found.

use super::error::{CliError, Exit};
use super::output::{Cell, Colour, Theme, clean, hanging};
use super::session::Session;
use serde_json::json;
use testhide_protocol::api::{GateEvaluation, Report};
use unicode_width::UnicodeWidthStr;

/// Asks for the verdict and prints it; the exit code is 1 when a rule does not hold.
pub(super) async fn ask(
    session: &Session,
    build: &str,
    stored: &[Report],
) -> Result<Exit, CliError> {
    let path = ["builds", build, "gates", "evaluate"];
    let evaluation: GateEvaluation = session.client()?.post(&path, &json!({})).await?;
    session
        .out
        .show(&json!({"reports": stored, "gates": evaluation}), |theme| {
            draw(&evaluation, theme)
        })?;
    Ok(if evaluation.passed {
        Exit::Ok
    } else {
        Exit::Failed
    })
}

fn draw(evaluation: &GateEvaluation, theme: &Theme) -> String {
    let mut out = String::new();
    for result in &evaluation.results {
        let (sign, ascii, colour) = if result.passed {
            ("✔", "+", Colour::Green)
        } else {
            ("✖", "x", Colour::Red)
        };
        let sign = Cell::new(if theme.unicode { sign } else { ascii }).colour(colour);
        let gate = theme.paint(Colour::Bold, &clean(&result.gate));
        let sentence = format!("{}: {}", result.rule.kind(), clean(&result.message));
        let before = format!("{} {gate} ", sign.paint(theme));
        let taken = sign.text().width() + clean(&result.gate).width() + 2;
        out.push_str(&hanging(&before, taken, &sentence, 2, theme));
    }
    let number = evaluation.build_number;
    let failed = evaluation
        .results
        .iter()
        .filter(|result| !result.passed)
        .count();
    out.push_str(&match (evaluation.gates, evaluation.passed) {
        (0, true) => {
            format!("no gate is for build {number}; `testhide gate create` makes one\n")
        }
        (1, true) => format!("build {number} passes its gate\n"),
        (gates, true) => format!("build {number} passes its {gates} gates\n"),
        (_, false) => match failed {
            1 => format!("build {number} fails its gates: 1 rule does not hold\n"),
            many => format!("build {number} fails its gates: {many} rules do not hold\n"),
        },
    });
    out
}

#[cfg(test)]
mod tests {
    use super::draw;
    use crate::cli::build_show::samples::theme;
    use serde_json::json;
    use testhide_protocol::api::GateEvaluation;

    #[test]
    fn each_rule_says_what_it_found() {
        let id = "0198c1a2-7f3e-7abc-8def-0123456789ab";
        let result = |passed: bool, message: &str| {
            json!({
                "gate_id": id, "gate": "merge", "rule": {"type": "zero_failures"},
                "passed": passed, "message": message, "threshold": 0.0,
            })
        };
        let check = |passed: bool, results: Vec<serde_json::Value>, expected: &str| {
            let evaluation: GateEvaluation = serde_json::from_value(json!({
                "build_id": id, "build_number": 421, "attempt": 1, "passed": passed,
                "gates": results.len(), "evaluated_at": "2026-03-20T10:30:00Z", "results": results,
            }))
            .unwrap();
            assert_eq!(draw(&evaluation, &theme()), expected);
        };
        check(
            false,
            vec![
                result(true, "fine"),
                result(false, "expected no failure, found 2"),
            ],
            "✔ merge zero_failures: fine\n✖ merge zero_failures: expected no failure, found 2\n\
             build 421 fails its gates: 1 rule does not hold\n",
        );
        check(
            true,
            Vec::new(),
            "no gate is for build 421; `testhide gate create` makes one\n",
        );
    }
}
