//! A result that is being read: a test, or a row of its data.

use super::outcome::outcome_of;
use super::read::At;
use crate::reports::parse::fill::{complete, is_bad, row};
use crate::reports::parse::input::{Tag, timestamp};
use crate::reports::parse::model::{Outcome, ParsedCase};

/// Ids that nearly every result carries and that say nothing: "a unit test", "not in a list".
const USUAL: [(&str, &str); 2] = [
    ("testType", "13cdc9d9-ddb5-4fa4-a97d-d965ccfc6d4b"),
    ("testListId", "8c84fa94-04c1-424b-9868-57a2d4851a1d"),
];

/// An id of the document, whatever its length and case.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Id([u8; 16]);

impl Id {
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim().trim_matches(['{', '}']).to_ascii_lowercase();
        let hash = blake3::hash(text.as_bytes());
        Self(
            hash.as_bytes()[..16]
                .try_into()
                .expect("sixteen of thirty-two bytes"),
        )
    }
}

/// How a result names its definition.
#[derive(Clone, Copy, Default)]
pub(super) struct Ids {
    pub(super) test: Option<Id>,
    pub(super) execution: Option<Id>,
}

/// A result that is open.
pub(super) struct Open {
    pub(super) case: ParsedCase,
    ids: Ids,
    /// Rows inside, and how many of them are bad.
    pub(super) rows: u64,
    pub(super) bad_rows: u64,
}

impl Open {
    pub(super) fn new(at: &mut At<'_, '_>, tag: &Tag<'_>, outer: Option<&Self>) -> Self {
        let mut attributes = at.attributes(tag);
        let mut case = row(at.line);
        case.name = attributes
            .take("testName")
            .or_else(|| outer.map(|outer| outer.case.name.clone()))
            .unwrap_or_default();
        let mut time = |name: &str| attributes.take(name).and_then(|text| timestamp(&text));
        let (began, ended) = (time("startTime"), time("endTime"));
        case.started_at = began;
        let clock = attributes.take("duration");
        case.duration_ms = at.duration(clock).or_else(|| {
            let length = ended?.as_millisecond() - began?.as_millisecond();
            length.try_into().ok()
        });
        let test = attributes.take("testId");
        let execution = attributes.take("executionId");
        let ids = Ids {
            test: test
                .as_deref()
                .map(Id::of)
                .or_else(|| outer.and_then(|outer| outer.ids.test)),
            execution: execution.as_deref().map(Id::of),
        };
        let word = attributes.take("outcome").unwrap_or_default();
        let known = outcome_of(&word);
        case.outcome = known.unwrap_or_else(|| {
            at.warn("unknown_outcome", "counted it as broken", || {
                format!("a result with outcome `{word}`")
            });
            Outcome::Error
        });
        if !matches!(word.as_str(), "Passed" | "Failed" | "") {
            case.extra.push(("outcome".to_owned(), word));
        }
        // The folder of a result is named by its execution unless somebody chose another.
        let folder = attributes
            .take("relativeResultsDirectory")
            .filter(|folder| Some(folder) != execution.as_ref())
            .map(|folder| ("relativeResultsDirectory", folder));
        let named = [
            test.map(|id| ("testId", id)),
            execution.map(|id| ("executionId", id)),
            folder,
        ];
        for (name, value) in named.into_iter().flatten() {
            at.keep(&mut case.extra, (name.to_owned(), value));
        }
        for (name, value) in attributes.rest() {
            let usual = USUAL
                .iter()
                .any(|(known, id)| name == *known && value.eq_ignore_ascii_case(id));
            if !usual {
                at.keep(&mut case.extra, (name, value));
            }
        }
        Self {
            case,
            ids,
            rows: 0,
            bad_rows: 0,
        }
    }

    pub(super) fn is_bad(&self) -> bool {
        is_bad(self.case.outcome)
    }

    /// The finished row, with the display name in place of its name.
    pub(super) fn finish(self, at: &mut At<'_, '_>) -> (ParsedCase, Ids) {
        let mut case = self.case;
        complete(at, &mut case);
        (case, self.ids)
    }
}
