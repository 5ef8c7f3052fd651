//! One result file by itself.

use std::io::{BufRead, Read};

use super::result::{Row, row};
use crate::reports::parse::error::ParseError;
use crate::reports::parse::format::Format;
use crate::reports::parse::input::{Budget, Decoded, Fault, Json, Value};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::Summary;
use crate::reports::parse::output::{Halt, Output};
use crate::reports::parse::read::Sink;

/// Levels of one file that are kept: steps nest.
const DEPTH: usize = 24;

/// Reads a document into the sink.
pub(in crate::reports::parse) fn read<R: BufRead>(
    input: Decoded<R>,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let mut out = Output::new(Format::Allure, limits, sink);
    let mut json = Json::new(input, limits.text_bytes);
    let end = document(&mut json, &mut out);
    let line = json.line();
    out.finish(end, line, &json.repairs)
}

fn document<R: Read>(json: &mut Json<R>, out: &mut Output<'_>) -> Result<(), Halt> {
    let values = out.limits.json_values;
    let members = object(json, values, out, "the result")?;
    let row = row(members, out.limits, &mut json.repairs);
    note(&row, out, "the result");
    out.case(row.case)?;
    if !json.ends_here()? {
        let line = json.line();
        out.warn(line, "trailing_content", "left it out", || {
            "content after the document".to_owned()
        });
    }
    Ok(())
}

/// What the report as a whole learns from a row.
pub(super) fn note(row: &Row, out: &mut Output<'_>, name: &str) {
    if out.summary.reporter.is_none() {
        out.summary.reporter.clone_from(&row.framework);
    }
    let summary = &mut out.summary;
    if let Some(start) = row.case.started_at {
        summary.started_at = Some(summary.started_at.map_or(start, |known| known.min(start)));
    }
    if let Some(stop) = row.stopped_at {
        summary.finished_at = Some(summary.finished_at.map_or(stop, |known| known.max(stop)));
    }
    if let Some(status) = &row.odd_status {
        out.warn(1, "allure_status", "took it as broken", || {
            format!("the status of {name} is `{status}`")
        });
    }
}

/// Reads a file that is one object of at most `values` values.
pub(super) fn object<R: Read>(
    json: &mut Json<R>,
    values: usize,
    out: &mut Output<'_>,
    name: &str,
) -> Result<Vec<(String, Value)>, Halt> {
    let mut budget = Budget {
        values,
        bytes: out.limits.text_bytes * 8,
        depth: DEPTH,
        exceeded: false,
    };
    let value = json.value(&mut budget)?;
    if budget.exceeded {
        let line = json.line();
        out.warn(line, "too_much_detail", "left out what went beyond", || {
            format!("{name} has too many values")
        });
    }
    match value {
        Value::Object(members) => Ok(members),
        _ => Err(Fault::Invalid("no object".to_owned()).into()),
    }
}
