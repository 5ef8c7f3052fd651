//! Names the cause of a failure: by its label, or by the project's model, or says why not.

use super::error::AnalysisError;
use super::model::{StoredLabel, StoredModel, StoredVerdict};
use super::store::{LABELS, TRAININGS, label_of};
use crate::ml::{MIN_CATEGORIES, MIN_SAMPLES_PER_CATEGORY};
use crate::storage::{ReadTxn, StorageError};
use std::collections::BTreeMap;
use testhide_protocol::ProjectId;
use testhide_protocol::api::RootCause;

/// Below this confidence no category is named.
const LEAST_CONFIDENCE: f32 = 0.5;

/// Who speaks when nobody knows.
const NOBODY: &str = "nobody";

/// What a project knows of causes at one moment.
pub(super) struct Causes {
    project: ProjectId,
    model: Result<StoredModel, String>,
}

impl Causes {
    /// What `project` knows now; without `enabled` labels speak alone.
    pub(super) fn load(
        rtxn: &ReadTxn,
        project: ProjectId,
        enabled: bool,
    ) -> Result<Self, StorageError> {
        if !enabled {
            return Ok(Self {
                project,
                model: Err("the root-cause model is switched off".to_owned()),
            });
        }
        let model = match TRAININGS
            .read(rtxn)?
            .get(&project)?
            .and_then(|training| training.model)
        {
            Some(model) => Ok(model),
            None => Err(why_no_model(&counts(rtxn, project)?)),
        };
        Ok(Self { project, model })
    }

    /// The cause of a failure.
    pub(super) fn of(
        &self,
        rtxn: &ReadTxn,
        verdict: &StoredVerdict,
    ) -> Result<RootCause, AnalysisError> {
        let result = verdict.run.result;
        if let Some((labelled, label)) = label_of(
            rtxn,
            self.project,
            result,
            (verdict.test, verdict.signature),
        )? {
            return Ok(said(&label, labelled == result));
        }
        Ok(match &self.model {
            Ok(model) => predicted(model, verdict),
            Err(reason) => silent(reason.clone()),
        })
    }
}

/// No category, with the reason.
pub(super) fn silent(reason: String) -> RootCause {
    RootCause {
        category: None,
        confidence: None,
        source: NOBODY.to_owned(),
        reason,
    }
}

fn said(label: &StoredLabel, itself: bool) -> RootCause {
    let (by, at) = (&label.username, label.at);
    let reason = match itself {
        true => format!("`{by}` said so at {at}"),
        false => format!(
            "`{by}` said so at {at} of another failure of this test with the same signature"
        ),
    };
    RootCause {
        category: Some(label.category.clone()),
        confidence: None,
        source: "label".to_owned(),
        reason,
    }
}

fn predicted(model: &StoredModel, verdict: &StoredVerdict) -> RootCause {
    if verdict.essence.vector().is_none() {
        return silent("undecided: the failure has no text to judge by".to_owned());
    }
    let prediction = model.classifier.predict(&verdict.essence.features());
    let category = usize::try_from(prediction.category)
        .ok()
        .and_then(|number| model.categories.get(number));
    let known = model.classifier.categories().len();
    let percent = (prediction.confidence * 100.0).floor();
    match category {
        Some(category) if prediction.confidence >= LEAST_CONFIDENCE => RootCause {
            category: Some(category.clone()),
            confidence: Some(prediction.confidence),
            source: "model".to_owned(),
            reason: format!(
                "the best of {known} categories for a model of {} labels, {}",
                model.samples,
                checked(model)
            ),
        },
        _ => silent(format!(
            "undecided: the best of {known} categories has a probability of {percent} %"
        )),
    }
}

fn checked(model: &StoredModel) -> String {
    match model.hold_out {
        Some((right, all)) => format!("which was right in {right} of {all} that it had not seen"),
        None => "which are too few to check it".to_owned(),
    }
}

/// Labels of a project by category.
pub(super) fn counts(
    rtxn: &ReadTxn,
    project: ProjectId,
) -> Result<BTreeMap<String, usize>, StorageError> {
    let mut counts = BTreeMap::new();
    for row in LABELS.read(rtxn)?.prefix(&project)? {
        *counts.entry(row?.1.category).or_default() += 1;
    }
    Ok(counts)
}

fn why_no_model(counts: &BTreeMap<String, usize>) -> String {
    let labels: usize = counts.values().sum();
    let enough = counts
        .values()
        .filter(|count| **count >= MIN_SAMPLES_PER_CATEGORY)
        .count();
    if enough >= MIN_CATEGORIES {
        return format!("{labels} labels wait for the model to be trained");
    }
    let labels = match labels {
        0 => "no labels".to_owned(),
        1 => "1 label".to_owned(),
        _ => format!("{labels} labels"),
    };
    format!("{labels}, {MIN_SAMPLES_PER_CATEGORY} of each of two categories are needed")
}

/// Whether a text can be a category; the text without spaces around it.
pub(super) fn category(text: &str) -> Option<&str> {
    let text = text.trim();
    let printable = text
        .chars()
        .all(|letter| !letter.is_control() && !is_invisible(letter));
    ((1..=60).contains(&text.chars().count()) && printable).then_some(text)
}

/// Separators and marks that change how other text is shown.
fn is_invisible(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories() {
        let check =
            |text: &str, expected: Option<&str>| assert_eq!(category(text), expected, "{text:?}");
        check("Product bug", Some("Product bug"));
        check("  Umgebung (Füße) ", Some("Umgebung (Füße)"));
        check(&"é".repeat(60), Some(&"é".repeat(60)));
        check(&"é".repeat(61), None);
        check("", None);
        check(" \t ", None);
        check("a\nb", None);
        check("a\u{202e}b", None);
    }

    #[test]
    fn silence_says_why() {
        let check = |counts: &[(&str, usize)], expected: &str| {
            let counts = counts
                .iter()
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect();
            assert_eq!(why_no_model(&counts), expected);
        };
        check(&[], "no labels, 5 of each of two categories are needed");
        check(
            &[("a", 1)],
            "1 label, 5 of each of two categories are needed",
        );
        check(
            &[("a", 2), ("b", 1)],
            "3 labels, 5 of each of two categories are needed",
        );
        check(
            &[("a", 9)],
            "9 labels, 5 of each of two categories are needed",
        );
        check(
            &[("a", 5), ("b", 5)],
            "10 labels wait for the model to be trained",
        );
    }
}
