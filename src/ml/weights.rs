//! The weights behind the classifier: fitting them, scoring with them, calibrating them.
//!
//! The fit is smartcore's; what it finds is copied into plain numbers of our own, so a stored model does not depend on
//! that library's format.

use serde::{Deserialize, Serialize};
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linear::logistic_regression::{LogisticRegression, LogisticRegressionParameters};

use super::features::{FEATURES, Features};

/// Strength of the pull of weights towards zero, for features of length one.
const PENALTY: f32 = 0.3;

/// The stored form: a row of weights and an intercept per category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Weights {
    pub(super) categories: Vec<u32>,
    pub(super) rows: Vec<Vec<f32>>,
    pub(super) intercepts: Vec<f32>,
    /// Samples of each category: all that is known about a text without words.
    pub(super) counts: Vec<u32>,
    /// Scores are divided by it: above one the raw model was too sure, below one not sure enough.
    pub(super) temperature: f32,
    pub(super) hold_out: Option<HoldOut>,
}

/// How a model did on samples it had not seen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HoldOut {
    /// Samples that were set aside.
    pub samples: u32,
    /// Samples among them whose category was predicted right.
    pub correct: u32,
}

impl HoldOut {
    /// The share of right predictions, within 0 and 1.
    pub fn accuracy(&self) -> f64 {
        f64::from(self.correct) / f64::from(self.samples.max(1))
    }
}

/// A labelled text on its way into a fit.
pub(super) struct Sample<'a> {
    /// Decides, with the seed, on which side of the hold-out it falls; equal for equal features.
    pub(super) rank: u64,
    pub(super) features: &'a Features,
    pub(super) category: u32,
}

/// Fits weights with temperature one. `samples` hold at least two categories.
pub(super) fn fit(samples: &[Sample<'_>]) -> Weights {
    let values: Vec<f32> = samples
        .iter()
        .flat_map(|sample| sample.features.0.iter().copied())
        .collect();
    let matrix = DenseMatrix::new(samples.len(), FEATURES, values, false)
        .expect("every sample has all features");
    let labels: Vec<u32> = samples.iter().map(|sample| sample.category).collect();
    let model = LogisticRegression::fit(
        &matrix,
        &labels,
        LogisticRegressionParameters::default().with_alpha(PENALTY),
    )
    .expect("rows match labels and there are two categories");

    let (coefficients, intercepts) = (model.coefficients(), model.intercept());
    let row = |index: usize| -> Vec<f32> {
        (0..FEATURES)
            .map(|column| *coefficients.get((index, column)))
            .collect()
    };
    let mut categories = model.classes().clone();
    let (mut rows, mut offsets): (Vec<Vec<f32>>, Vec<f32>) = if categories.len() == 2 {
        // One row is the score of the second category against the first, which then scores zero.
        (
            vec![vec![0.0; FEATURES], row(0)],
            vec![0.0, *intercepts.get((0, 0))],
        )
    } else {
        (0..categories.len())
            .map(|index| (row(index), *intercepts.get((index, 0))))
            .unzip()
    };
    let mut order: Vec<usize> = (0..categories.len()).collect();
    order.sort_by_key(|index| categories[*index]);
    categories = order.iter().map(|index| categories[*index]).collect();
    rows = order
        .iter()
        .map(|index| std::mem::take(&mut rows[*index]))
        .collect();
    offsets = order.iter().map(|index| offsets[*index]).collect();
    let count = |category: &u32| to_u32(labels.iter().filter(|label| *label == category).count());
    let counts = categories.iter().map(count).collect();
    Weights {
        categories,
        rows,
        intercepts: offsets,
        counts,
        temperature: 1.0,
        hold_out: None,
    }
}

impl Weights {
    /// The raw score of each category.
    pub(super) fn scores(&self, features: &Features) -> Vec<f32> {
        let dot = |row: &[f32]| -> f32 {
            row.iter()
                .zip(features.0.iter())
                .map(|(weight, value)| weight * value)
                .sum()
        };
        self.rows
            .iter()
            .zip(&self.intercepts)
            .map(|(row, intercept)| dot(row) + intercept)
            .collect()
    }

    /// The share of each category among the samples.
    pub(super) fn shares(&self) -> Vec<f32> {
        let all: u32 = self.counts.iter().sum();
        self.counts
            .iter()
            .map(|count| *count as f32 / all as f32)
            .collect()
    }

    /// Measures on `held_out` and finds the temperature that makes its true categories most likely.
    pub(super) fn calibrated(mut self, held_out: &[Sample<'_>]) -> Self {
        // A category whose texts were all set aside is unknown to this model and counts as wrong.
        let scored: Vec<(Vec<f32>, Option<usize>)> = held_out
            .iter()
            .map(|sample| {
                (
                    self.scores(sample.features),
                    self.categories.binary_search(&sample.category).ok(),
                )
            })
            .collect();
        let correct = scored
            .iter()
            .filter(|(scores, truth)| Some(largest(scores)) == *truth)
            .count();
        // A check without mistakes does not prove that there are none: as if each category had been seen once more
        // in every sample (Platt, "Probabilistic Outputs for Support Vector Machines", 1999).
        let doubt = 1.0 / (scored.len() + self.categories.len()) as f64;
        let loss = |temperature: f32| -> f64 {
            let mut loss = 0.0;
            for (scores, truth) in &scored {
                let Some(truth) = truth else { continue };
                for (index, probability) in softmax(scores, temperature).into_iter().enumerate() {
                    let target = if index == *truth {
                        1.0 - doubt * (self.categories.len() - 1) as f64
                    } else {
                        doubt
                    };
                    loss -= target * f64::from(probability.max(f32::MIN_POSITIVE)).ln();
                }
            }
            loss
        };
        // The loss has one valley. Eighty steps of 6 % cover 0.1 to 10; finer would be noise at these sample sizes.
        self.temperature = (0..=80)
            .map(|step| 10_f32.powf((step - 40) as f32 / 40.0))
            .min_by(|left, right| loss(*left).total_cmp(&loss(*right)))
            .expect("the range is not empty");
        self.hold_out = Some(HoldOut {
            samples: to_u32(held_out.len()),
            correct: to_u32(correct),
        });
        self
    }

    /// Whether the parts fit together and every number can be computed with. Stored bytes may hold anything.
    pub(super) fn are_sound(&self) -> bool {
        let count = self.categories.len();
        let shaped = count >= 2
            && self.categories.is_sorted_by(|left, right| left < right)
            && self.intercepts.len() == count
            && self.counts.len() == count
            && self.rows.len() == count
            && self.rows.iter().all(|row| row.len() == FEATURES);
        let counted = self
            .counts
            .iter()
            .all(|count| (1..=1_000_000).contains(count));
        let finite = self
            .rows
            .iter()
            .flatten()
            .chain(&self.intercepts)
            .chain([&self.temperature])
            .all(|number| number.is_finite());
        shaped && counted && finite && self.temperature > 0.0
    }
}

fn to_u32(count: usize) -> u32 {
    u32::try_from(count).expect("the number of samples is capped")
}

fn largest(scores: &[f32]) -> usize {
    (0..scores.len())
        .max_by(|left, right| scores[*left].total_cmp(&scores[*right]))
        .expect("a model has categories")
}

/// Scores as probabilities.
pub(super) fn softmax(scores: &[f32], temperature: f32) -> Vec<f32> {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let powers: Vec<f32> = scores
        .iter()
        .map(|score| ((score - highest) / temperature).exp())
        .collect();
    let sum: f32 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
