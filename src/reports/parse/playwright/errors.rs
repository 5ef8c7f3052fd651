//! Errors of an attempt or of the run: the first one is the failure, the others stand in the trace.

use std::io::BufRead;

use super::read::Playwright;
use crate::reports::parse::document::headline;
use crate::reports::parse::input::{Piece, TextBuilder, Value};
use crate::reports::parse::model::ParsedCase;
use crate::reports::parse::words::exception_kind;

impl<R: BufRead> Playwright<'_, R> {
    /// Puts errors into a row: `error` is the first as Playwright shows it, `errors` are all of them (since 1.20 or so).
    pub(super) fn failure(
        &mut self,
        case: &mut ParsedCase,
        error: Option<Value>,
        mut errors: Vec<Value>,
    ) {
        let first = match error {
            Some(error) => {
                errors.drain(..errors.len().min(1));
                error
            }
            None if errors.is_empty() => return,
            None => errors.remove(0),
        };
        let message = said(&first);
        let stack = first.get("stack").and_then(Value::as_str).unwrap_or("");
        let snippet = first.get("snippet").and_then(Value::as_str).unwrap_or("");
        let mut builder = TextBuilder::new(self.doc.out.limits.text_bytes);
        let others: Vec<&str> = errors.iter().map(said).collect();
        let texts = [if stack.is_empty() { message } else { stack }, snippet];
        for text in texts.into_iter().chain(others) {
            if text.is_empty() {
                continue;
            }
            if !builder.is_empty() {
                builder.push_str("\n\n", Piece::Plain, &mut self.doc.json.repairs);
            }
            builder.push_str(text, Piece::Plain, &mut self.doc.json.repairs);
        }
        let message = if message.is_empty() {
            headline(stack)
        } else {
            message
        };
        case.trace = Some(builder.finish()).filter(|trace| !trace.value.is_empty());
        case.message = Some(self.doc.shorten(message.to_owned()));
        // Older versions write the type into the stack alone.
        case.kind = exception_kind(message).or_else(|| exception_kind(stack));
    }
}

/// The message of an error; what was thrown where that was no error.
fn said(error: &Value) -> &str {
    ["message", "value"]
        .iter()
        .find_map(|name| error.get(name).and_then(Value::as_str))
        .or_else(|| error.as_str())
        .unwrap_or("")
}
