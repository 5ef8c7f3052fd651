//! What this program itself wrote into a test's `extra.testhide`, where the format has no word for it.

use crate::reports::parse::input::Value;
use crate::reports::parse::model::{Outcome, ParsedCase};

/// The members of `extra.testhide`, and `extra` without it (nothing when nothing is left).
pub(super) fn split(extra: Value) -> (Vec<(String, Value)>, Option<Value>) {
    let Value::Object(members) = extra else {
        return (Vec::new(), Some(extra));
    };
    let mut own = Vec::new();
    let mut others = Vec::new();
    for (key, value) in members {
        match (key.as_str(), value) {
            ("testhide", Value::Object(members)) => own = members,
            (_, value) => others.push((key, value)),
        }
    }
    let rest = (!others.is_empty()).then_some(Value::Object(others));
    (own, rest)
}

/// Gives a case what stands there; called when everything else is known.
pub(super) fn apply(own: Vec<(String, Value)>, case: &mut ParsedCase) {
    for (key, value) in own {
        match (key.as_str(), value) {
            ("outcome", Value::Text(text)) => {
                case.outcome = outcome(&text.value).unwrap_or(case.outcome);
            }
            ("suite", Value::Text(text)) => case.suite = text.value.into(),
            ("nodeid", Value::Text(text)) => case.nodeid = Some(text.value),
            ("kind", Value::Text(text)) => case.kind = Some(text.value),
            ("resolution", Value::Text(text)) => case.resolution = Some(text.value),
            ("fail_id", Value::Text(text)) => case.fail_id = Some(text.value),
            ("docstring", Value::Text(text)) => case.docstring = Some(text.value),
            ("tickets", Value::Array(tickets)) => {
                case.tickets
                    .extend(tickets.into_iter().map(Value::into_text));
            }
            (_, value) => case.extra.push((key, value.into_text())),
        }
    }
}

/// The outcome among such members.
pub(super) fn outcome_in(own: &[(String, Value)]) -> Option<Outcome> {
    own.iter()
        .find_map(|(key, value)| match (key.as_str(), value) {
            ("outcome", Value::Text(text)) => outcome(&text.value),
            _ => None,
        })
}

fn outcome(name: &str) -> Option<Outcome> {
    [
        Outcome::NotRun,
        Outcome::Skipped,
        Outcome::Passed,
        Outcome::KnownIssue,
        Outcome::Failed,
        Outcome::Error,
    ]
    .into_iter()
    .find(|outcome| outcome.as_str() == name)
}
