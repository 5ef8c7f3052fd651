//! Use case: say what is odd about reports, file by file.

use super::args::Validate;
use super::error::{CliError, Exit};
use super::output::{Cell, Colour, Theme, clean};
use super::report::counts;
use super::report_input::{Input, inputs, read_one};
use super::report_show::{draw_finding, reporter};
use super::session::Session;
use crate::reports::digest::{FileFacts, ReadError};
use serde_json::{Value, json};

/// What became of one file.
struct Checked {
    name: String,
    read: Result<FileFacts, ReadError>,
}

/// Checks reports; the exit code is 1 when one cannot be read, and with `--strict` also when there is anything to say about one.
pub(super) fn run(session: &Session, args: &Validate) -> Result<Exit, CliError> {
    let inputs = inputs(&args.files)?;
    let mut checked = Vec::new();
    for input in &inputs {
        checked.push(check(input));
    }
    let valid = checked.iter().all(|file| file.is_valid(args.strict));
    if session.out.json {
        let reports: Vec<Value> = checked.iter().map(|file| file.json(args.strict)).collect();
        session
            .out
            .json(&json!({"valid": valid, "reports": reports}))?;
    } else {
        let theme = session.out.theme();
        let drawn: String = checked
            .iter()
            .map(|file| file.draw(args.strict, &theme))
            .collect();
        session.out.write(&drawn)?;
    }
    Ok(if valid { Exit::Ok } else { Exit::Failed })
}

fn check(input: &Input) -> Checked {
    let read = read_one(input).map(|mut digest| digest.files.remove(0));
    Checked {
        name: input.name().to_owned(),
        read,
    }
}

impl Checked {
    fn is_valid(&self, strict: bool) -> bool {
        match &self.read {
            Ok(facts) => !strict || (facts.warnings_total == 0 && facts.findings.is_empty()),
            Err(_) => false,
        }
    }

    fn json(&self, strict: bool) -> Value {
        let valid = self.is_valid(strict);
        match &self.read {
            Ok(facts) => {
                let warnings: Vec<Value> = facts
                    .warnings
                    .iter()
                    .map(|warning| {
                        json!({
                            "line": warning.line, "code": warning.code,
                            "what": warning.what, "assumed": warning.assumed,
                        })
                    })
                    .collect();
                json!({
                    "file": self.name, "valid": valid, "format": facts.format.as_str(),
                    "reporter": facts.reporter, "reporter_version": facts.reporter_version,
                    "counts": facts.counts, "truncated": facts.truncated,
                    "warnings": warnings, "warnings_total": facts.warnings_total,
                    "findings": facts.findings, "error": null,
                })
            }
            Err(error) => json!({
                "file": self.name, "valid": valid, "format": null,
                "reporter": null, "reporter_version": null,
                "counts": null, "truncated": null,
                "warnings": [], "warnings_total": 0, "findings": [],
                "error": {"code": code(error), "line": line(error), "message": error.to_string()},
            }),
        }
    }

    fn draw(&self, strict: bool, theme: &Theme) -> String {
        let (sign, ascii, colour) = if self.is_valid(strict) {
            ("✔", "+", Colour::Green)
        } else {
            ("✖", "x", Colour::Red)
        };
        let sign = Cell::new(if theme.unicode { sign } else { ascii }).colour(colour);
        let name = theme.paint(Colour::Bold, &clean(&self.name));
        let mut out = format!("{} {name}  ", sign.paint(theme));
        let facts = match &self.read {
            Ok(facts) => facts,
            Err(error) => return format!("{out}{}\n", clean(&error.to_string())),
        };
        let words = [
            Some(facts.format.as_str().to_owned()),
            reporter(facts),
            Some(counts(&facts.counts)),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        out.push_str(&format!("{}\n", clean(&words.join(theme.dot()))));
        for finding in &facts.findings {
            out.push_str(&draw_finding(finding, theme));
        }
        let mut warnings: Vec<_> = facts.warnings.iter().collect();
        warnings.sort_by_key(|warning| warning.line);
        for warning in warnings {
            let text = format!(
                "line {}: {}; {} ({})",
                warning.line, warning.what, warning.assumed, warning.code
            );
            out.push_str(&format!("  {}\n", clean(&text)));
        }
        let left = facts.warnings_total - facts.warnings.len() as u64;
        if left > 0 {
            out.push_str(&format!("  and {left} more warnings\n"));
        }
        out
    }
}

fn code(error: &ReadError) -> &'static str {
    match error {
        ReadError::Open(_) => "file",
        ReadError::Parse(error) => error.code(),
        ReadError::Spool(_) => "temporary_file",
    }
}

fn line(error: &ReadError) -> Option<u64> {
    match error {
        ReadError::Parse(error) => Some(error.line()),
        ReadError::Open(_) | ReadError::Spool(_) => None,
    }
}
