//! Use cases: how a build stands against its gates, as it was evaluated last or now.

use super::client::Client;
use super::error::{CliError, Exit};
use super::output::{Colour, Theme, clean, gate_sign, hanging};
use super::session::Session;
use testhide_protocol::api::GateEvaluation;
use unicode_width::UnicodeWidthStr;

/// Shows the last evaluation of a build; the exit code says whether every rule held.
pub(super) async fn show(session: &Session, build: &str) -> Result<Exit, CliError> {
    let evaluation: GateEvaluation = session
        .client()?
        .get(&["builds", build, "gates"], &[])
        .await?;
    say(session, &evaluation)
}

/// Evaluates a build now; the exit code says whether every rule holds.
pub(super) async fn evaluate(session: &Session, build: &str) -> Result<Exit, CliError> {
    let evaluation = evaluate_now(&session.client()?, build).await?;
    say(session, &evaluation)
}

/// Lets the server evaluate a build.
///
/// # Errors
/// No such build for the caller, or it may not run builds of the project.
pub(super) async fn evaluate_now(client: &Client, build: &str) -> Result<GateEvaluation, CliError> {
    let path = ["builds", build, "gates", "evaluate"];
    client.post(&path, &serde_json::json!({})).await
}

fn say(session: &Session, evaluation: &GateEvaluation) -> Result<Exit, CliError> {
    session
        .out
        .show(evaluation, |theme| verdict(evaluation, theme))?;
    Ok(exit_of(session, evaluation))
}

/// The build's number with its verdict, and every rule.
pub(super) fn verdict(evaluation: &GateEvaluation, theme: &Theme) -> String {
    let number = format!("build {}", evaluation.build_number);
    let sign = gate_sign(theme, evaluation.passed);
    let title = theme.paint(Colour::Bold, &number);
    if evaluation.gates == 0 {
        return format!("{title}  no gate\n");
    }
    format!(
        "{}  {title}\n{}",
        sign.paint(theme),
        results(evaluation, theme)
    )
}

/// 0 when every rule holds, also when there is no gate, which is said; 1 otherwise.
pub(super) fn exit_of(session: &Session, evaluation: &GateEvaluation) -> Exit {
    if evaluation.gates == 0 {
        let number = evaluation.build_number;
        session.out.warn(&format!(
            "no gate applies to build {number}; `testhide gate create` makes one"
        ));
    }
    if evaluation.passed {
        Exit::Ok
    } else {
        Exit::Failed
    }
}

/// Every rule with its sentence, below the name of its gate.
pub(super) fn results(evaluation: &GateEvaluation, theme: &Theme) -> String {
    let mut out = String::new();
    let mut last = None;
    for result in &evaluation.results {
        if last != Some(result.gate_id) {
            out.push_str(&format!("  gate {}\n", clean(&result.gate)));
            last = Some(result.gate_id);
        }
        let sign = gate_sign(theme, result.passed);
        let taken = 6 + sign.text().width();
        let before = format!("    {}  ", sign.paint(theme));
        let sentence = format!("{}: {}", result.rule.kind(), clean(&result.message));
        out.push_str(&hanging(&before, taken, &sentence, taken, theme));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::results;
    use crate::cli::build_show::samples::theme;
    use testhide_protocol::api::{GateEvaluation, GateResult, GateRule};
    use testhide_protocol::{BuildId, GateId};

    #[test]
    fn every_rule_has_its_sentence_and_none_can_draw() {
        let result = |passed, rule, message: &str| GateResult {
            gate_id: GateId::from_bytes([7; 16]),
            gate: "release".to_owned(),
            rule,
            passed,
            message: message.to_owned(),
            threshold: 0.0,
            actual: None,
        };
        let evaluation = GateEvaluation {
            build_id: BuildId::from_bytes([1; 16]),
            build_number: 421,
            attempt: 1,
            passed: false,
            gates: 1,
            evaluated_at: "2026-03-20T10:30:00Z".parse().unwrap(),
            results: vec![
                result(
                    true,
                    GateRule::MaxFlakyCount { max: 1 },
                    "expected a, found b",
                ),
                result(
                    false,
                    GateRule::ZeroFailures {},
                    "expected c, found \u{1b}[2Jd\ne",
                ),
            ],
        };
        let drawn = results(&evaluation, &theme());
        let expected = "  gate release\n    ✔ passed  max_flaky_count: expected a, found b\n    ✖ failed  zero_failures: expected c, found ";
        assert!(drawn.starts_with(expected), "{drawn}");
        assert!(!drawn.chars().any(|c| c.is_control() && c != '\n'));
        assert_eq!(drawn.lines().count(), 3);
    }
}
