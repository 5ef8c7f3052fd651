//! What has to be known of every result before the first row: whose attempt it is, and when it began.

use std::io::Read;

use super::result::instant;
use crate::reports::parse::input::{Budget, Event, Fault, Json, Value};

/// A name that is only compared.
pub(super) type Hash = [u8; 16];

/// The small part of a result.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Key {
    pub(super) uuid: Hash,
    /// Of `historyId`: the same for every attempt of a test.
    pub(super) history: Option<Hash>,
    pub(super) start_ms: i64,
    /// Neither passed nor skipped.
    pub(super) failed: bool,
}

/// Reads the key of a result; the rest is skipped while it streams by.
pub(super) fn key<R: Read>(input: R) -> Result<Key, Fault> {
    let mut json = Json::new(input, 4096);
    let mut key = Key::default();
    json.next_event()?;
    while let Event::Key(name) = json.next_event()? {
        if !matches!(name.as_str(), "uuid" | "historyId" | "start" | "status") {
            json.skip_value()?;
            continue;
        }
        let mut budget = Budget {
            values: 4,
            bytes: 4096,
            depth: 1,
            exceeded: false,
        };
        let value = json.value(&mut budget)?;
        match name.as_str() {
            _ if value == Value::Null => {}
            "start" => {
                key.start_ms = instant(&value).map_or(0, jiff::Timestamp::as_millisecond);
            }
            "uuid" => key.uuid = hash(&value.into_text()),
            "historyId" => {
                let text = value.into_text();
                key.history = (!text.is_empty()).then(|| hash(&text));
            }
            _ => key.failed = !matches!(value.into_text().as_str(), "passed" | "skipped"),
        }
    }
    Ok(key)
}

pub(super) fn hash(text: &str) -> Hash {
    blake3::hash(text.as_bytes()).as_bytes()[..16]
        .try_into()
        .expect("sixteen of thirty-two bytes")
}
