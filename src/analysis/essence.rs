//! What is kept of a failure's text: pure, and small whatever the text was.

use crate::ml::{self, DIMENSIONS, Features, Origin, failure_kind, frames};
use serde::{Deserialize, Serialize};

/// Characters of an exception's type.
const MAX_KIND: usize = 120;

/// Characters of a message: its first lines.
const MAX_MESSAGE: usize = 1_000;

/// Functions of a trace, nearest to the failure first, the product's own before others.
const MAX_FUNCTIONS: usize = 8;

/// Characters of one function's name.
const MAX_FUNCTION: usize = 120;

/// Bytes at each end of a trace that are searched for functions.
const TRACE_END: usize = 32 * 1024;

/// A failure in short: what it is compared and learned by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Essence {
    /// Exception type; may be empty.
    pub kind: String,
    /// Start of the message.
    pub message: String,
    /// Functions of the trace.
    pub functions: Vec<String>,
}

impl Essence {
    /// The essence of a failure.
    pub(super) fn of(kind: Option<&str>, message: Option<&str>, trace: Option<&str>) -> Self {
        let message = message.unwrap_or_default().trim();
        let kind = failure_kind(kind, cut(message, MAX_MESSAGE)).unwrap_or_default();
        let found = frames(&ends(trace.unwrap_or_default()));
        let (own, others): (Vec<_>, Vec<_>) = found
            .into_iter()
            .filter(|frame| !frame.function.is_empty())
            .partition(|frame| frame.origin == Origin::Product);
        let functions = own.into_iter().chain(others).take(MAX_FUNCTIONS);
        Self {
            kind: cut(kind, MAX_KIND).to_owned(),
            message: cut(message, MAX_MESSAGE).to_owned(),
            functions: functions
                .map(|frame| cut(&frame.function, MAX_FUNCTION).to_owned())
                .collect(),
        }
    }

    /// Its place among all failures; `None` when it holds no word.
    pub(super) fn vector(&self) -> Option<[f32; DIMENSIONS]> {
        ml::embed(&[&self.kind, &self.message, &self.functions.join("\n")])
    }

    /// What the root-cause model sees of it.
    pub(super) fn features(&self) -> Features {
        Features::of(&[
            ("kind", &self.kind),
            ("message", &self.message),
            ("functions", &self.functions.join("\n")),
        ])
    }

    /// First line of the message, or the type when there is none.
    pub(super) fn first_line(&self) -> &str {
        self.message
            .lines()
            .next()
            .filter(|line| !line.is_empty())
            .unwrap_or(&self.kind)
    }
}

/// The first `most` characters of a text.
pub(super) fn cut(text: &str, most: usize) -> &str {
    text.char_indices()
        .nth(most)
        .map_or(text, |(end, _)| &text[..end])
}

/// A long trace without its middle: the innermost frame stands at one of its ends.
fn ends(trace: &str) -> std::borrow::Cow<'_, str> {
    if trace.len() <= 2 * TRACE_END {
        return trace.into();
    }
    let head = &trace[..trace.floor_char_boundary(TRACE_END)];
    let tail = &trace[trace.ceil_char_boundary(trace.len() - TRACE_END)..];
    format!("{head}\n{tail}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hostile_failure_is_small() {
        let many = (0..1_000_000)
            .map(|number| format!("{number},"))
            .collect::<String>();
        for text in [
            "x".repeat(1 << 20),
            "é\n".repeat(1 << 19),
            many,
            "(".repeat(1 << 20),
            "a_B".repeat(1 << 18),
        ] {
            let essence = Essence::of(Some(&text), Some(&text), Some(&text));
            assert!(
                essence.message.chars().count() <= MAX_MESSAGE
                    && essence.kind.chars().count() <= MAX_KIND
            );
            let size: usize = essence.functions.iter().map(String::len).sum();
            assert!(size <= 4 * MAX_FUNCTION * MAX_FUNCTIONS);
            if let Some(vector) = essence.vector() {
                assert!(vector.iter().all(|value| value.is_finite()));
            }
            assert_eq!(essence.features(), essence.features());
        }
    }

    #[test]
    fn own_functions_come_first() {
        let trace = "Traceback (most recent call last):\n  File \"shop/cart.py\", line 3, in add\n    x()\n  File \"/usr/lib/python3/site-packages/lib.py\", line 9, in helper\n    y()\nValueError: no\n";
        let essence = Essence::of(None, Some("ValueError: no stock"), Some(trace));
        assert_eq!(essence.kind, "ValueError");
        assert_eq!(essence.functions.first().map(String::as_str), Some("add"));
        assert_eq!(essence.first_line(), "ValueError: no stock");
        assert_eq!(Essence::of(None, None, None), Essence::default());
        assert_eq!(Essence::default().vector(), None);
    }

    proptest! {
        #[test]
        fn any_text_is_taken(kind in prop::option::of("\\PC{0,50}"), message in prop::option::of("(?s).{0,300}"), trace in prop::option::of("(?s).{0,300}")) {
            let essence = Essence::of(kind.as_deref(), message.as_deref(), trace.as_deref());
            prop_assert_eq!(essence.vector(), essence.vector());
        }
    }
}
