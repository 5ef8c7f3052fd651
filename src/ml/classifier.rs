//! Categories of texts, learned from labelled samples: multinomial logistic regression with calibrated confidence.
//!
//! Confidence is a softmax with a temperature that is fitted on samples the model has not seen (Guo et al., "On
//! Calibration of Modern Neural Networks", ICML 2017); where there are too few samples to set some aside, the model says
//! so by having no hold-out figures.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::features::Features;
use super::hashing::scramble;
use super::weights::{HoldOut, Sample, Weights, fit, softmax};

/// With one category there is nothing to tell apart.
pub const MIN_CATEGORIES: usize = 2;

/// Below this a category is remembered, not learned.
pub const MIN_SAMPLES_PER_CATEGORY: usize = 5;

/// The fit takes some seconds of one core at this size and grows with it. Of more samples, categories above an even
/// share are cut down to it.
const MAX_SAMPLES: usize = 1_000;

/// One in this many distinct samples of a category is held out.
const HOLD_OUT_EVERY: usize = 5;

/// Fewer held-out samples than this say nothing about confidence, so none are held out.
const MIN_HOLD_OUT: usize = 10;

/// What [`train`] made of the samples.
#[derive(Debug, Clone, PartialEq)]
pub enum Training {
    /// There was enough to learn from.
    Trained(Classifier),
    /// There was not, or it could not be fitted; nothing was learned.
    NotEnough {
        /// Categories that have enough samples.
        have: usize,
        /// Categories that must have enough samples.
        need: usize,
        /// What is missing, in words for people.
        reason: String,
    },
}

/// A category and how sure the model is of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The most probable category.
    pub category: u32,
    /// Its probability, within 0 and 1.
    pub confidence: f32,
}

/// A trained model. It can be stored with serde; reading checks that its parts fit together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Weights", into = "Weights")]
pub struct Classifier {
    weights: Weights,
}

/// Learns to tell categories apart. Categories with fewer than five samples are left out; fewer than two others are
/// [`Training::NotEnough`].
///
/// The result depends on the samples and `seed` alone, not on their order. Copies of one text stay on one side of the
/// hold-out, since a check on texts already learned proves nothing.
pub fn train(samples: &[(Features, u32)], seed: u64) -> Training {
    let mut by_category: BTreeMap<u32, Vec<&Features>> = BTreeMap::new();
    for (features, category) in samples {
        by_category.entry(*category).or_default().push(features);
    }
    let sizes: BTreeMap<u32, usize> = by_category
        .iter()
        .map(|(category, members)| (*category, members.len()))
        .collect();
    by_category.retain(|_, members| members.len() >= MIN_SAMPLES_PER_CATEGORY);
    if by_category.len() < MIN_CATEGORIES {
        return Training::NotEnough {
            have: by_category.len(),
            need: MIN_CATEGORIES,
            reason: what_is_missing(&sizes),
        };
    }

    let total: usize = by_category.values().map(Vec::len).sum();
    let share = largest_share(total, by_category.len());
    let mut all: Vec<Sample<'_>> = Vec::new();
    for (category, members) in by_category {
        let mut shuffled: Vec<Sample<'_>> = members
            .into_iter()
            .map(|features| Sample {
                rank: scramble(features.fingerprint() ^ scramble(seed)),
                features,
                category,
            })
            .collect();
        shuffled.sort_by_key(|sample| sample.rank);
        shuffled.truncate(share);
        all.extend(shuffled);
    }

    let (learned, held_out) = split(&all);
    let checkable = held_out.len() >= MIN_HOLD_OUT && tell_apart(&learned);
    let checked = checkable.then(|| fit(&learned).calibrated(&held_out));
    let mut weights = fit(&all);
    if let Some(checked) = checked {
        weights.temperature = checked.temperature;
        weights.hold_out = checked.hold_out;
    }
    let have = weights.categories.len();
    match Classifier::try_from(weights) {
        Ok(classifier) => Training::Trained(classifier),
        Err(_) => Training::NotEnough {
            have,
            need: MIN_CATEGORIES,
            reason: "the samples led to no finite weights".to_owned(),
        },
    }
}

impl Classifier {
    /// The most probable category of a sample. Features without any word get the most frequent category with its share.
    pub fn predict(&self, features: &Features) -> Prediction {
        let probabilities = self.probabilities(features);
        let (category, confidence) = probabilities[0];
        Prediction {
            category,
            confidence,
        }
    }

    /// All categories with their probabilities, most probable first; they sum to one.
    pub fn probabilities(&self, features: &Features) -> Vec<(u32, f32)> {
        let weights = &self.weights;
        let probabilities = if features.is_empty() {
            weights.shares()
        } else {
            softmax(&weights.scores(features), weights.temperature)
        };
        let mut ranked: Vec<(u32, f32)> = weights
            .categories
            .iter()
            .copied()
            .zip(probabilities)
            .collect();
        ranked.sort_by(|left, right| right.1.total_cmp(&left.1));
        ranked
    }

    /// Categories the model can name, ascending.
    pub fn categories(&self) -> &[u32] {
        &self.weights.categories
    }

    /// Samples the model was trained on.
    pub fn samples(&self) -> u32 {
        self.weights.counts.iter().sum()
    }

    /// How a model from four fifths of the samples did on the last fifth; `None` when there were too few to set aside,
    /// and confidence is then not calibrated.
    pub fn hold_out(&self) -> Option<HoldOut> {
        self.weights.hold_out
    }
}

/// How many samples of one category are taken.
fn largest_share(total: usize, categories: usize) -> usize {
    if total <= MAX_SAMPLES {
        total
    } else {
        (MAX_SAMPLES / categories).max(MIN_SAMPLES_PER_CATEGORY)
    }
}

fn what_is_missing(sizes: &BTreeMap<u32, usize>) -> String {
    let mut reason = format!(
        "at least {MIN_CATEGORIES} categories with {MIN_SAMPLES_PER_CATEGORY} labelled samples each are needed"
    );
    if sizes.is_empty() {
        reason.push_str("; there are no labelled samples");
        return reason;
    }
    let enough = sizes
        .values()
        .filter(|size| **size >= MIN_SAMPLES_PER_CATEGORY)
        .count();
    let largest = sizes
        .values()
        .filter(|size| **size < MIN_SAMPLES_PER_CATEGORY)
        .max();
    reason.push_str(&format!(
        "; of {} labelled, {enough} have that many",
        sizes.len()
    ));
    if let Some(largest) = largest {
        reason.push_str(&format!(", the next has {largest}"));
    }
    reason
}

/// Whether samples are of more than one category. Copies under several labels may all have been set aside.
fn tell_apart(samples: &[Sample<'_>]) -> bool {
    samples
        .iter()
        .any(|sample| sample.category != samples[0].category)
}

/// Sets aside every fifth distinct text of each category.
fn split<'a>(samples: &'a [Sample<'a>]) -> (Vec<Sample<'a>>, Vec<Sample<'a>>) {
    let mut seen: BTreeMap<u32, BTreeSet<u64>> = BTreeMap::new();
    for sample in samples {
        seen.entry(sample.category).or_default().insert(sample.rank);
    }
    let held: BTreeSet<u64> = seen
        .values()
        .flat_map(|ranks| {
            ranks
                .iter()
                .skip(HOLD_OUT_EVERY - 1)
                .step_by(HOLD_OUT_EVERY)
        })
        .copied()
        .collect();
    let copy = |sample: &Sample<'a>| Sample {
        rank: sample.rank,
        features: sample.features,
        category: sample.category,
    };
    let (held_out, learned): (Vec<Sample<'a>>, Vec<Sample<'a>>) = samples
        .iter()
        .map(copy)
        .partition(|sample| held.contains(&sample.rank));
    (learned, held_out)
}

/// Stored weights whose parts do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stored classifier weights are inconsistent")]
pub(super) struct InconsistentWeights;

impl TryFrom<Weights> for Classifier {
    type Error = InconsistentWeights;

    fn try_from(weights: Weights) -> Result<Self, InconsistentWeights> {
        if weights.are_sound() {
            Ok(Self { weights })
        } else {
            Err(InconsistentWeights)
        }
    }
}

impl From<Classifier> for Weights {
    fn from(classifier: Classifier) -> Self {
        classifier.weights
    }
}

#[cfg(test)]
#[path = "classifier_tests.rs"]
mod tests;
