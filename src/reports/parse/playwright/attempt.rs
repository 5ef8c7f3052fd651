//! One result of a test: an attempt, with its output and attachments.

use std::io::BufRead;

use super::read::Playwright;
use crate::reports::parse::input::{Piece, Text, TextBuilder, Value, float_ms, from_base64};
use crate::reports::parse::model::ParsedCase;
use crate::reports::parse::output::Halt;

/// An attempt whose outcome is not judged yet.
pub(super) struct Attempt {
    pub(super) retry: u32,
    pub(super) status: Option<String>,
    pub(super) case: ParsedCase,
}

impl<R: BufRead> Playwright<'_, R> {
    /// Reads one item of `results`.
    pub(super) fn attempt(&mut self) -> Result<Option<Attempt>, Halt> {
        let line = self.doc.json.line();
        if !self.doc.enter_object("results[]")? {
            return Ok(None);
        }
        let mut attempt = Attempt {
            retry: 0,
            status: None,
            case: ParsedCase {
                report_line: line,
                attempt: 1,
                ..ParsedCase::default()
            },
        };
        let (mut error, mut errors) = (None, Vec::new());
        while let Some(key) = self.doc.json.next_key()? {
            let case = &mut attempt.case;
            match key.as_str() {
                "status" => attempt.status = self.doc.text(&key)?,
                "retry" => attempt.retry = self.doc.value(&key)?.whole().unwrap_or(0),
                "duration" => {
                    case.duration_ms = self.doc.value(&key)?.number().and_then(float_ms);
                }
                "startTime" => case.started_at = self.doc.value(&key)?.instant(),
                "stdout" => case.stdout = self.output(&key)?,
                "stderr" => case.stderr = self.output(&key)?,
                "error" => error = Some(self.doc.value(&key)?).filter(|error| !error.is_blank()),
                "errors" => errors = self.doc.value(&key)?.into_items(),
                "attachments" => self.attachments(case)?,
                _ => {
                    let value = self.doc.value(&key)?;
                    self.doc.extra(case, &key, value);
                }
            }
        }
        self.failure(&mut attempt.case, error, errors);
        Ok(Some(attempt))
    }

    /// Reads output: pieces of text, or of bytes in base64.
    fn output(&mut self, key: &str) -> Result<Option<Text>, Halt> {
        if !self.doc.enter_array(key)? {
            return Ok(None);
        }
        let mut builder = TextBuilder::new(self.doc.out.limits.text_bytes);
        while self.doc.json.next_item()? {
            let piece = self.doc.value(key)?;
            let bytes = match piece.get("buffer").and_then(Value::as_str) {
                Some(buffer) => from_base64(buffer).unwrap_or_else(|| buffer.as_bytes().to_vec()),
                None => piece
                    .get("text")
                    .unwrap_or(&piece)
                    .as_str()
                    .unwrap_or_default()
                    .as_bytes()
                    .to_vec(),
            };
            builder.push(&bytes, Piece::Plain, &mut self.doc.json.repairs);
        }
        let text = builder.finish();
        Ok((!text.value.trim().is_empty()).then_some(text))
    }

    /// Reads attachments one by one: their bodies may be large.
    fn attachments(&mut self, case: &mut ParsedCase) -> Result<(), Halt> {
        if !self.doc.enter_array("attachments")? {
            return Ok(());
        }
        while self.doc.json.next_item()? {
            let attachment = self.doc.value("attachments")?;
            let text = |name: &str| {
                attachment
                    .get(name)
                    .filter(|value| !value.is_blank())
                    .map(|value| self.doc.short(value.clone()))
            };
            let name = text("name").unwrap_or_else(|| "attachment".to_owned());
            let kind = text("contentType").unwrap_or_default();
            if let Some(path) = text("path") {
                if self.doc.has_room_for(&case.attachments) {
                    case.attachments.push(path);
                }
            } else if let Some(body) = attachment.get("body").and_then(Value::as_str)
                && self.doc.has_room(&case.extra)
            {
                let kept = inline(&kind, body);
                let kept = self.doc.shorten(kept);
                case.extra.push((format!("attachment: {name}"), kept));
            }
        }
        Ok(())
    }
}

/// What is kept of an attachment that stands in the report: its text, or what it was.
fn inline(kind: &str, body: &str) -> String {
    let is_text = kind.starts_with("text/") || kind.contains("json") || kind.contains("xml");
    match from_base64(body).map(String::from_utf8) {
        Some(Ok(text)) if is_text => text,
        _ => format!("{kind}, {} bytes of base64", body.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_in_the_report() {
        assert_eq!(inline("text/plain", "aGVsbG8="), "hello");
        assert_eq!(
            inline("image/png", "aGVsbG8="),
            "image/png, 8 bytes of base64"
        );
        assert_eq!(inline("text/plain", "!"), "text/plain, 1 bytes of base64");
    }
}
