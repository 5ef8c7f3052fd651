//! The classifier on small made samples: what it learns, what it refuses, what it stores.

use proptest::prelude::*;

use super::*;

const NETWORK: u32 = 3;
const PRODUCT: u32 = 7;
const TIMEOUT: u32 = 11;

/// Words that tell a category, among words that do not.
fn sample(category: u32, number: u32) -> (Features, u32) {
    let telling: &[&str] = match category {
        NETWORK => &[
            "connection refused",
            "host unreachable",
            "reset by peer",
            "dns lookup",
        ],
        PRODUCT => &[
            "expected total",
            "assertion equal",
            "wrong sum",
            "order mismatch",
        ],
        _ => &["timed out", "deadline exceeded", "waited long", "no answer"],
    };
    let noise = [
        "cart", "invoice", "login", "search", "export", "mail", "stock",
    ];
    let pick = |words: &[&'static str], salt: u64| {
        let place = scramble(u64::from(number) + salt * 1_000 + u64::from(category) * 7) as usize
            % words.len();
        words[place]
    };
    let message = format!(
        "{} {} {} {}",
        pick(telling, 1),
        pick(&noise, 2),
        pick(telling, 3),
        pick(&noise, 4)
    );
    (Features::of(&[("message", &message)]), category)
}

fn samples(sizes: &[(u32, u32)]) -> Vec<(Features, u32)> {
    sizes
        .iter()
        .flat_map(|(category, size)| (0..*size).map(|number| sample(*category, number)))
        .collect()
}

fn trained(samples: &[(Features, u32)]) -> Classifier {
    match train(samples, 1) {
        Training::Trained(classifier) => classifier,
        Training::NotEnough { reason, .. } => panic!("{reason}"),
    }
}

#[test]
fn too_little_is_refused_in_words() {
    fn check(sizes: &[(u32, u32)], expected_have: usize, expected_end: &str) {
        match train(&samples(sizes), 1) {
            Training::NotEnough { have, need, reason } => {
                assert_eq!((have, need), (expected_have, 2), "{reason}");
                let start = "at least 2 categories with 5 labelled samples each are needed; ";
                assert_eq!(reason, format!("{start}{expected_end}"));
            }
            Training::Trained(_) => panic!("trained on {sizes:?}"),
        }
    }
    check(&[], 0, "there are no labelled samples");
    check(&[(NETWORK, 30)], 1, "of 1 labelled, 1 have that many");
    check(
        &[(NETWORK, 30), (PRODUCT, 4)],
        1,
        "of 2 labelled, 1 have that many, the next has 4",
    );
    check(
        &[(NETWORK, 4), (PRODUCT, 4), (TIMEOUT, 2)],
        0,
        "of 3 labelled, 0 have that many, the next has 4",
    );
}

#[test]
fn two_categories_of_five_are_learned_without_a_claim_about_accuracy() {
    let classifier = trained(&samples(&[(NETWORK, 5), (PRODUCT, 5), (TIMEOUT, 4)]));
    assert_eq!(classifier.categories(), [NETWORK, PRODUCT]);
    assert_eq!((classifier.samples(), classifier.hold_out()), (10, None));
    let prediction = classifier.predict(&Features::of(&[(
        "message",
        "connection refused host unreachable",
    )]));
    assert_eq!(prediction.category, NETWORK);
    assert!(prediction.confidence > 0.5 && prediction.confidence < 1.0);
}

#[test]
fn three_categories_are_learned_and_measured() {
    let classifier = trained(&samples(&[(NETWORK, 60), (PRODUCT, 60), (TIMEOUT, 60)]));
    let hold_out = classifier.hold_out().unwrap();
    assert!(hold_out.samples >= 20, "{hold_out:?}");
    assert!(hold_out.accuracy() > 0.9, "{hold_out:?}");
    let unseen: Vec<(Features, u32)> = [NETWORK, PRODUCT, TIMEOUT]
        .into_iter()
        .map(|category| sample(category, 9_999))
        .collect();
    for (features, category) in &unseen {
        let probabilities = classifier.probabilities(features);
        assert_eq!(probabilities[0].0, *category);
        assert!((probabilities.iter().map(|(_, share)| share).sum::<f32>() - 1.0).abs() < 1e-5);
    }
    let unknown = classifier.predict(&Features::of(&[("message", "42")]));
    assert_eq!(
        unknown.confidence,
        60.0 / 180.0,
        "nothing is known about an empty text"
    );
}

#[test]
fn confidence_follows_the_truth_when_labels_are_noise() {
    let mut samples = samples(&[(NETWORK, 80), (PRODUCT, 80)]);
    for (number, (_, category)) in samples.iter_mut().enumerate() {
        *category = if scramble(number as u64).is_multiple_of(2) {
            NETWORK
        } else {
            PRODUCT
        };
    }
    let classifier = trained(&samples);
    let sure: Vec<f32> = samples
        .iter()
        .map(|(features, _)| classifier.predict(features).confidence)
        .collect();
    let mean = sure.iter().sum::<f32>() / sure.len() as f32;
    assert!(
        mean < 0.65,
        "coin flips cannot be predicted, yet mean confidence is {mean}"
    );
}

#[test]
fn copies_of_one_text_are_never_on_both_sides() {
    let copies: Vec<(Features, u32)> = (0..200)
        .map(|number| sample(if number % 2 == 0 { NETWORK } else { PRODUCT }, 1))
        .collect();
    assert_eq!(
        trained(&copies).hold_out(),
        None,
        "two distinct texts leave nothing to check with"
    );
    let samples = samples(&[(NETWORK, 60), (PRODUCT, 60)]);
    let all: Vec<Sample<'_>> = samples
        .iter()
        .map(|(features, category)| Sample {
            rank: features.fingerprint(),
            features,
            category: *category,
        })
        .collect();
    let (learned, held_out) = split(&all);
    assert_eq!(learned.len() + held_out.len(), all.len());
    assert!(held_out.iter().all(|held| {
        learned
            .iter()
            .all(|sample| sample.features != held.features)
    }));
}

#[test]
fn a_model_survives_storage_and_damage_is_refused() {
    let classifier = trained(&samples(&[(NETWORK, 6), (PRODUCT, 6), (TIMEOUT, 6)]));
    let config = bincode::config::standard();
    let bytes = bincode::serde::encode_to_vec(&classifier, config).unwrap();
    let (read, _): (Classifier, usize) = bincode::serde::decode_from_slice(&bytes, config).unwrap();
    assert_eq!(read, classifier);

    let damaged = |change: fn(&mut Weights)| {
        let mut weights = classifier.weights.clone();
        change(&mut weights);
        Classifier::try_from(weights)
    };
    assert!(damaged(|_| ()).is_ok());
    assert!(damaged(|weights| weights.rows[1].truncate(3)).is_err());
    assert!(damaged(|weights| weights.intercepts.clear()).is_err());
    assert!(damaged(|weights| weights.categories.swap(0, 1)).is_err());
    assert!(damaged(|weights| weights.temperature = 0.0).is_err());
    assert!(damaged(|weights| weights.counts[0] = 0).is_err());
    assert!(damaged(|weights| weights.rows[0][0] = f32::NAN).is_err());
}

#[test]
fn only_too_many_samples_are_cut_to_an_even_share() {
    assert_eq!(largest_share(MAX_SAMPLES, 2), MAX_SAMPLES);
    assert_eq!(largest_share(MAX_SAMPLES + 1, 4), MAX_SAMPLES / 4);
    assert_eq!(
        largest_share(MAX_SAMPLES + 1, MAX_SAMPLES),
        MIN_SAMPLES_PER_CATEGORY
    );
}

#[test]
fn one_text_under_several_labels_is_survived() {
    // Whatever side the shared text falls on, one of the categories may be left with nothing to learn from.
    for seed in 0..5 {
        let mut mixed = samples(&[(PRODUCT, 60)]);
        let shared: Vec<Features> = mixed.iter().map(|(features, _)| features.clone()).collect();
        mixed.extend(shared.into_iter().map(|features| (features, NETWORK)));
        assert!(matches!(train(&mixed, seed), Training::Trained(_)));
        let one_text: Vec<(Features, u32)> = (0..60)
            .map(|number| {
                (
                    sample(PRODUCT, number % 6).0,
                    if number % 6 == 4 { NETWORK } else { PRODUCT },
                )
            })
            .collect();
        assert!(matches!(train(&one_text, seed), Training::Trained(_)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    #[test]
    fn the_order_of_samples_does_not_matter(sizes in prop::collection::vec(5_u32..16, 2..4), turn in any::<prop::sample::Index>()) {
        let sizes: Vec<(u32, u32)> = [NETWORK, PRODUCT, TIMEOUT].into_iter().zip(sizes).collect();
        let mut samples = samples(&sizes);
        let one = train(&samples, 5);
        let turn = turn.index(samples.len());
        samples.rotate_left(turn);
        prop_assert!(train(&samples, 5) == one);
    }
}
