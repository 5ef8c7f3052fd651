//! JSON values that are read whole, within a budget: what a test carries beside its plain fields.

use std::io::Read;

use super::clean::Text;
use super::json::{Event, Fault, Json};

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
