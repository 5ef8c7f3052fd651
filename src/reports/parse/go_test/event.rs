//! One event of test2json.

use jiff::Timestamp;

use crate::reports::parse::input::{Piece, TextBuilder, Value, float_ms, timestamp};
use crate::reports::parse::warnings::Repairs;

/// What an event says.
#[derive(Default)]
pub(super) struct Event {
    pub(super) action: String,
    pub(super) time: Option<Timestamp>,
    pub(super) package: String,
    pub(super) test: String,
    pub(super) elapsed_ms: Option<u64>,
    pub(super) output: Option<String>,
    pub(super) output_type: String,
    pub(super) failed_build: String,
    pub(super) import_path: String,
    pub(super) key: String,
    pub(super) value: String,
    pub(super) path: String,
}

impl Event {
    /// The event that these members make; texts but the output keep to `most` bytes.
    pub(super) fn of(members: Vec<(String, Value)>, most: usize, repairs: &mut Repairs) -> Self {
        let mut event = Self::default();
        for (key, value) in members {
            let mut short = |value: Value| {
                let text = value.into_text();
                if text.len() <= most {
                    return text;
                }
                TextBuilder::short(text.as_bytes(), Piece::Plain, most, repairs)
            };
            match (key.as_str(), value) {
                ("Elapsed", Value::Number(seconds)) => {
                    event.elapsed_ms = float_ms(seconds * 1000.0);
                }
                ("Output", value) => event.output = Some(value.into_text()),
                (_, value) => {
                    let text = short(value);
                    match key.as_str() {
                        "Action" => event.action = text,
                        "Time" => event.time = timestamp(&text),
                        "Package" => event.package = text,
                        "Test" => event.test = text,
                        "OutputType" => event.output_type = text,
                        "FailedBuild" => event.failed_build = text,
                        "ImportPath" => event.import_path = text,
                        "Key" => event.key = text,
                        "Value" => event.value = text,
                        "Path" => event.path = text,
                        _ => {}
                    }
                }
            }
        }
        event
    }
}
