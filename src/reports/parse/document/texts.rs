//! Texts of a document: short ones for fields, long ones for output, and what a failure says first.

use std::io::Read;

use super::reader::Document;
use crate::reports::parse::input::{Piece, Text, TextBuilder, Value};
use crate::reports::parse::model::ParsedCase;
use crate::reports::parse::warnings::Repairs;

impl<R: Read> Document<'_, R> {
    /// A value as a short text.
    pub(in crate::reports::parse) fn short(&self, value: Value) -> String {
        self.shorten(value.into_text())
    }

    /// A value as a short text, unless it is empty.
    pub(in crate::reports::parse) fn filled(&self, value: Value) -> Option<String> {
        if value == Value::Null {
            return None;
        }
        Some(self.short(value)).filter(|text| !text.trim().is_empty())
    }

    /// A text within the limit of short ones.
    pub(in crate::reports::parse) fn shorten(&self, text: String) -> String {
        let limit = self.out.limits.attribute_bytes;
        if text.len() <= limit {
            return text;
        }
        TextBuilder::short(
            text.as_bytes(),
            Piece::Plain,
            limit,
            &mut Repairs::default(),
        )
    }

    /// A long text: as it is, or the lines of a list.
    pub(in crate::reports::parse) fn long(&mut self, value: Value) -> Option<Text> {
        let text = match value {
            Value::Null => return None,
            Value::Text(text) => text,
            Value::Array(lines) => {
                let mut builder = TextBuilder::new(self.out.limits.text_bytes);
                let mut broken = true;
                for line in lines {
                    let line = line.into_text();
                    if !broken {
                        builder.push_str("\n", Piece::Plain, &mut self.json.repairs);
                    }
                    broken = line.ends_with('\n');
                    builder.push_str(&line, Piece::Plain, &mut self.json.repairs);
                }
                builder.finish()
            }
            other => {
                let value = other.into_text();
                Text {
                    bytes: value.len() as u64,
                    cut: 0,
                    value,
                }
            }
        };
        (!text.value.trim().is_empty()).then_some(text)
    }

    /// Keeps a member that has no field of its own.
    pub(in crate::reports::parse) fn extra(&self, case: &mut ParsedCase, key: &str, value: Value) {
        if !value.is_blank() && self.has_room(&case.extra) {
            case.extra.push((key.to_owned(), self.short(value)));
        }
    }

    /// Keeps the members of an object as properties, anything else as it is.
    pub(in crate::reports::parse) fn properties(
        &self,
        case: &mut ParsedCase,
        key: &str,
        value: Value,
    ) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    if self.has_room(&case.properties) {
                        let value = self.short(value);
                        case.properties.push((name, value));
                    }
                }
            }
            other => self.extra(case, key, other),
        }
    }

    /// Keeps tags: a list of texts, or of objects with a name.
    pub(in crate::reports::parse) fn tags(&self, case: &mut ParsedCase, value: Value) {
        let tags = match value {
            Value::Array(tags) => tags,
            other => vec![other],
        };
        for tag in tags {
            let tag = match tag.get("name") {
                Some(name) => name.clone(),
                None => tag,
            };
            if !tag.is_blank() && self.has_room(&case.properties) {
                let tag = self.short(tag);
                case.properties.push(("tag".to_owned(), tag));
            }
        }
    }
}

/// Titles joined as suites are; empty ones say nothing.
pub(in crate::reports::parse) fn joined<'a>(titles: impl IntoIterator<Item = &'a str>) -> String {
    let mut path = String::new();
    for title in titles {
        if title.trim().is_empty() {
            continue;
        }
        if !path.is_empty() {
            path.push_str(" > ");
        }
        path.push_str(title);
    }
    path
}

/// What a stack says before its frames.
pub(in crate::reports::parse) fn headline(stack: &str) -> &str {
    let end = stack.match_indices('\n').find(|(at, _)| {
        let line = stack[at + 1..].trim_start();
        line.starts_with("at ") && line.len() < stack[at + 1..].len()
    });
    end.map_or(stack, |(at, _)| &stack[..at]).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headlines() {
        let check = |stack: &str, expected: &str| assert_eq!(headline(stack), expected);
        check("Error: a\n    at f (x.js:1:1)\n    at g", "Error: a");
        check(
            "Error: a\n\nExpected: 1\n    at f",
            "Error: a\n\nExpected: 1",
        );
        check("at the top", "at the top");
        check("look\nat this", "look\nat this");
        check("", "");
    }

    #[test]
    fn paths() {
        assert_eq!(joined(["", "a", " ", "b"]), "a > b");
        assert_eq!(joined([]), "");
    }
}
