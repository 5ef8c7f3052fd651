//! JSON values that are read whole, within a budget: what a test carries beside its plain fields.

use std::io::Read;

use jiff::Timestamp;

use super::clean::Text;
use super::json::{Event, Fault, Json};
use super::scalar::{epoch_ms, timestamp};

/// Milliseconds since the epoch below this (March 1973) are meant as seconds.
const SMALLEST_MS: f64 = 1e11;

/// A value read whole, within a budget.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::reports::parse) enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(Text),
    Array(Vec<Value>),
    Object(Vec<(String, Value)>),
}

/// What one value may cost. What goes beyond becomes null.
pub(in crate::reports::parse) struct Budget {
    pub(in crate::reports::parse) values: usize,
    pub(in crate::reports::parse) bytes: usize,
    pub(in crate::reports::parse) depth: usize,
    /// Something was left out.
    pub(in crate::reports::parse) exceeded: bool,
}

impl<R: Read> Json<R> {
    /// Reads one value within a budget.
    pub(in crate::reports::parse) fn value(&mut self, budget: &mut Budget) -> Result<Value, Fault> {
        if budget.values == 0 || budget.depth == 0 {
            budget.exceeded = true;
            self.skip_value()?;
            return Ok(Value::Null);
        }
        budget.values -= 1;
        let limit = self.string_limit;
        self.string_limit = limit.min(budget.bytes);
        let event = self.next_event();
        self.string_limit = limit;
        Ok(match event? {
            Event::String(text) => {
                budget.bytes = budget.bytes.saturating_sub(text.value.len());
                Value::Text(text)
            }
            Event::Number(number) => Value::Number(number),
            Event::Bool(value) => Value::Bool(value),
            Event::BeginArray => {
                let mut items = Vec::new();
                budget.depth -= 1;
                while self.peek()? != Some(b']') {
                    self.separator()?;
                    let item = self.value(budget)?;
                    if budget.values > 0 {
                        items.push(item);
                    }
                }
                budget.depth += 1;
                self.next_event()?;
                Value::Array(items)
            }
            Event::BeginObject => {
                let mut members = Vec::new();
                budget.depth -= 1;
                while let Event::Key(key) = self.next_event()? {
                    budget.bytes = budget.bytes.saturating_sub(key.len());
                    let value = self.value(budget)?;
                    if budget.values > 0 {
                        members.push((key, value));
                    }
                }
                budget.depth += 1;
                Value::Object(members)
            }
            Event::Null | Event::Key(_) | Event::EndObject | Event::EndArray => Value::Null,
        })
    }
}

impl Value {
    /// Nothing at all: null, an empty text, an empty list, a list or an object of such.
    pub(in crate::reports::parse) fn is_blank(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(_) | Self::Number(_) => false,
            Self::Text(text) => text.value.trim().is_empty(),
            Self::Array(items) => items.iter().all(Self::is_blank),
            Self::Object(members) => members.iter().all(|(_, value)| value.is_blank()),
        }
    }

    /// The text, if it is one.
    pub(in crate::reports::parse) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(&text.value),
            _ => None,
        }
    }

    /// A member of an object.
    pub(in crate::reports::parse) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value),
            _ => None,
        }
    }

    /// The items of a list; none of anything else.
    pub(in crate::reports::parse) fn into_items(self) -> Vec<Self> {
        match self {
            Self::Array(items) => items,
            _ => Vec::new(),
        }
    }

    /// The members of an object; none of anything else.
    pub(in crate::reports::parse) fn into_members(self) -> Vec<(String, Self)> {
        match self {
            Self::Object(members) => members,
            _ => Vec::new(),
        }
    }

    /// A number, or a text that is one.
    pub(in crate::reports::parse) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.value.trim().parse().ok(),
            _ => None,
        }
    }

    /// A number that is a possible count or line.
    pub(in crate::reports::parse) fn whole(&self) -> Option<u32> {
        let number = self.number()?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked"
        )]
        (0.0..=f64::from(u32::MAX))
            .contains(&number)
            .then_some(number as u32)
    }

    /// A point in time: a time stamp, or milliseconds since the epoch. Numbers too small for that are seconds, which
    /// some CTRF reporters write for tests while they write milliseconds for the run.
    pub(in crate::reports::parse) fn instant(&self) -> Option<Timestamp> {
        let number = match self {
            Self::Text(text) => match timestamp(&text.value) {
                Some(stamp) => return Some(stamp),
                None => text.value.trim().parse().ok()?,
            },
            other => other.number()?,
        };
        epoch_ms(if number < SMALLEST_MS {
            number * 1000.0
        } else {
            number
        })
    }

    /// The value as compact JSON; a text as itself.
    pub(in crate::reports::parse) fn into_text(self) -> String {
        match self {
            Self::Text(text) => text.value,
            other => other.to_json().to_string(),
        }
    }

    fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            #[expect(
                clippy::cast_possible_truncation,
                reason = "only numbers that are whole and small are cast"
            )]
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                (*number as i64).into()
            }
            Self::Number(number) => (*number).into(),
            Self::Text(text) => text.value.as_str().into(),
            Self::Array(items) => items.iter().map(Self::to_json).collect(),
            Self::Object(members) => members
                .iter()
                .map(|(key, value)| (key.clone(), value.to_json()))
                .collect(),
        }
    }
}
