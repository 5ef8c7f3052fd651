//! Attempts of a test, put in order.
//!
//! TestNG sorts the rows of a class by their start, in milliseconds, so that a retried row may stand behind the last attempt.

use std::collections::{HashMap, HashSet};

use crate::reports::parse::model::{Outcome, ParsedCase, Repeat};

/// What becomes of a row that waits.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    /// It was run again.
    pub(super) retried: bool,
    /// It was skipped with an exception that asks for no skip: perhaps run again.
    pub(super) perhaps_retried: bool,
    /// A configuration method: no test, and not counted as one.
    pub(super) is_configuration: bool,
}

/// Up to version 6 nothing marks a retried row: it is skipped with the exception that it failed with, and the same test
/// ends another way in another row.
pub(super) fn mark_retries(rows: &mut [(ParsedCase, Place)]) {
    let ended: HashSet<String> = rows
        .iter()
        .filter(|(case, _)| case.outcome != Outcome::Skipped)
        .map(|(case, _)| case.name.clone())
        .collect();
    for (case, place) in rows {
        if place.perhaps_retried && ended.contains(&case.name) {
            place.retried = true;
            case.outcome = Outcome::Failed;
        }
    }
}

/// Moves retried rows before the other rows of their test, and marks those that follow a retried one as attempts.
pub(super) fn put_in_order(rows: &mut Vec<(ParsedCase, Place)>) {
    let retried: HashSet<String> = rows
        .iter()
        .filter(|(_, place)| place.retried)
        .map(|(case, _)| case.name.clone())
        .collect();
    if retried.is_empty() {
        return;
    }
    let mut places: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, (case, _)) in rows.iter().enumerate() {
        if retried.contains(&case.name) {
            places.entry(&case.name).or_default().push(at);
        }
    }
    // Each test keeps the places of its rows; only their order among each other changes.
    let mut order: Vec<usize> = (0..rows.len()).collect();
    for places in places.into_values() {
        let (earlier, last): (Vec<usize>, Vec<usize>) =
            places.iter().partition(|&&at| rows[at].1.retried);
        for (place, from) in places.into_iter().zip(earlier.into_iter().chain(last)) {
            order[place] = from;
        }
    }
    let mut from: Vec<Option<(ParsedCase, Place)>> = rows.drain(..).map(Some).collect();
    let mut seen: HashSet<String> = HashSet::new();
    for at in order {
        let Some((mut case, place)) = from[at].take() else {
            continue;
        };
        if seen.contains(&case.name) {
            case.repeat = Repeat::Attempt;
        }
        if place.retried {
            seen.insert(case.name.clone());
        } else {
            seen.remove(&case.name);
        }
        rows.push((case, place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retried_rows_come_first() {
        let row = |name: &str, retried: bool, line: u64| {
            let case = ParsedCase {
                name: name.to_owned(),
                report_line: line,
                ..ParsedCase::default()
            };
            let place = Place {
                retried,
                ..Place::default()
            };
            (case, place)
        };
        let mut rows = vec![
            row("a", false, 1),
            row("b", false, 2),
            row("a", true, 3),
            row("c", false, 4),
            row("a", true, 5),
            row("c", false, 6),
        ];
        put_in_order(&mut rows);
        let found: Vec<_> = rows
            .iter()
            .map(|(case, _)| (case.report_line, case.repeat == Repeat::Attempt))
            .collect();
        let expected = [
            (3, false),
            (2, false),
            (5, true),
            (4, false),
            (1, true),
            (6, false),
        ];
        assert_eq!(found, expected);
    }
}
