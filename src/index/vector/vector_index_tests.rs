//! The index against a plain list: exactness, change, concurrency, snapshots and damage to them.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const DIMENSIONS: usize = 16;

/// A vector that looks random and is the same each time.
fn vector(seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
    };
    (0..DIMENSIONS).map(|_| next()).collect()
}

fn distance(left: &[f32], right: &[f32]) -> f32 {
    let dot = |left: &[f32], right: &[f32]| -> f32 {
        left.iter()
            .zip(right)
            .map(|(left, right)| left * right)
            .sum()
    };
    1.0 - dot(left, right) / (dot(left, left) * dot(right, right)).sqrt()
}

/// The nearest keys by comparing all.
fn nearest(
    all: &BTreeMap<u64, Vec<f32>>,
    query: &[f32],
    count: usize,
    accept: impl Fn(u64) -> bool,
) -> Vec<u64> {
    let mut ranked: Vec<(f32, u64)> = all
        .iter()
        .filter(|(key, _)| accept(**key))
        .map(|(key, vector)| (distance(vector, query), *key))
        .collect();
    ranked.sort_by(|left, right| left.0.total_cmp(&right.0).then(left.1.cmp(&right.1)));
    ranked.into_iter().take(count).map(|(_, key)| key).collect()
}

fn keys(found: &[(u64, f32)]) -> Vec<u64> {
    found.iter().map(|(key, _)| *key).collect()
}

fn open(directory: &TempDir) -> (VectorIndex, Opened) {
    VectorIndex::open(directory.path(), DIMENSIONS).unwrap()
}

fn filled(directory: &TempDir, count: u64) -> (VectorIndex, BTreeMap<u64, Vec<f32>>) {
    let (index, _) = open(directory);
    let all: BTreeMap<u64, Vec<f32>> = (0..count).map(|key| (key, vector(key))).collect();
    for (key, vector) in &all {
        index.add(*key, vector).unwrap();
    }
    (index, all)
}

#[test]
fn an_empty_index_finds_nothing() {
    let directory = TempDir::new().unwrap();
    let (index, opened) = open(&directory);
    assert_eq!(
        (opened, index.cursor(), index.len(), index.is_empty()),
        (Opened::Fresh, 0, 0, true)
    );
    assert_eq!(index.search(&vector(1), 5).unwrap(), []);
    assert_eq!(index.search_filtered(&vector(1), 5, |_| true).unwrap(), []);
    assert!(!index.remove(1).unwrap());
}

#[test]
fn small_sets_are_searched_exactly() {
    let directory = TempDir::new().unwrap();
    let (index, all) = filled(&directory, 700);
    for query in (10_000..10_040).map(vector) {
        assert_eq!(
            keys(&index.search(&query, 12).unwrap()),
            nearest(&all, &query, 12, |_| true)
        );
        let odd = |key: u64| key % 2 == 1;
        assert_eq!(
            keys(&index.search_filtered(&query, 12, odd).unwrap()),
            nearest(&all, &query, 12, odd)
        );
    }
    assert_eq!(index.search(&vector(3), 1).unwrap()[0].0, 3);
    assert_eq!(index.search(&vector(3), 0).unwrap(), []);
    assert_eq!(index.search(&vector(3), usize::MAX).unwrap().len(), 700);
    assert_eq!(index.search_filtered(&vector(3), 5, |_| false).unwrap(), []);
}

#[test]
fn large_sets_are_searched_through_the_graph() {
    let directory = TempDir::new().unwrap();
    let count = EXACT_UP_TO as u64 + 500;
    let (index, all) = filled(&directory, count);
    for key in 0..500 {
        assert!(index.remove(key).unwrap());
    }
    for key in 0..600 {
        index.add(key, &all[&key]).unwrap();
    }
    assert_eq!(index.len() as u64, count);
    let (mut found, mut wanted) = (0, 0);
    for query in (100_000..100_060).map(vector) {
        for (result, truth) in [
            (
                index.search(&query, 10),
                nearest(&all, &query, 10, |_| true),
            ),
            (
                index.search_filtered(&query, 10, |key| key % 3 == 0),
                nearest(&all, &query, 10, |key| key % 3 == 0),
            ),
        ] {
            let result = keys(&result.unwrap());
            wanted += truth.len();
            found += truth.iter().filter(|key| result.contains(key)).count();
        }
    }
    assert!(found * 100 >= wanted * 90, "recall {found} of {wanted}");
    let rare = index
        .search_filtered(&vector(7), 10, |key| key == 4_321 || key == 17)
        .unwrap();
    assert_eq!(rare.len(), 2);
    let panic = catch_unwind(AssertUnwindSafe(|| {
        index.search_filtered(&vector(7), 10, |_| panic!("no answer"))
    }));
    assert!(panic.is_err());
    assert_eq!(
        index.search(&vector(9), 1).unwrap()[0].0,
        9,
        "the index works on after a filter's panic"
    );
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let directory = TempDir::new().unwrap();
    let (index, _) = open(&directory);
    for wrong in [&[][..], &[1.0; DIMENSIONS - 1], &[1.0; DIMENSIONS + 1]] {
        let expected = format!(
            "the vector has {} dimensions, the index has {DIMENSIONS}",
            wrong.len()
        );
        assert_eq!(index.add(1, wrong).unwrap_err().to_string(), expected);
        assert_eq!(index.search(wrong, 1).unwrap_err().to_string(), expected);
        assert_eq!(
            index
                .search_filtered(wrong, 1, |_| true)
                .unwrap_err()
                .to_string(),
            expected
        );
    }
    for value in [0.0, f32::NAN, f32::INFINITY, f32::MAX, 1e-30] {
        assert!(
            matches!(
                index.add(1, &[value; DIMENSIONS]),
                Err(VectorError::NoDirection)
            ),
            "{value}"
        );
    }
    assert!(matches!(
        index.add(u64::MAX, &vector(1)),
        Err(VectorError::ReservedKey(u64::MAX))
    ));
    assert!(index.is_empty());
}

#[test]
fn many_threads_add_remove_search_and_save_at_once() {
    let directory = TempDir::new().unwrap();
    let (index, mut all) = filled(&directory, 300);
    let searched = AtomicUsize::new(0);
    let searchers = index.searches * 2 + 8;
    thread::scope(|scope| {
        for writer in 0..4_u64 {
            let index = &index;
            scope.spawn(move || {
                for key in (1_000 + writer * 500)..(1_500 + writer * 500) {
                    index.add(key, &vector(key)).unwrap();
                    if key % 5 == 0 {
                        index.remove(key).unwrap();
                    }
                }
            });
        }
        for searcher in 0..searchers as u64 {
            let (index, searched) = (&index, &searched);
            scope.spawn(move || {
                for round in 0..50 {
                    let key = (searcher * 50 + round) % 300;
                    let found = index.search(&vector(key), 3).unwrap();
                    assert_eq!((found.len(), found[0].0), (3, key));
                    searched.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| (1..=5).for_each(|cursor| index.save(cursor).unwrap()));
    });
    assert_eq!(searched.load(Ordering::Relaxed), searchers * 50);
    all.extend(
        (1_000..3_000)
            .filter(|key| key % 5 != 0)
            .map(|key| (key, vector(key))),
    );
    assert_eq!(index.len(), all.len());
    let query = vector(77_777);
    assert_eq!(
        keys(&index.search(&query, 20).unwrap()),
        nearest(&all, &query, 20, |_| true)
    );
}

#[test]
fn a_snapshot_round_trips() {
    let directory = TempDir::new().unwrap();
    let (index, mut all) = filled(&directory, 600);
    for key in 0..100 {
        index.remove(key).unwrap();
        all.remove(&key);
    }
    index.save(41).unwrap();
    assert_eq!(index.cursor(), 41);
    index.add(5, &vector(5)).unwrap();
    drop(index);

    let (index, opened) = open(&directory);
    assert_eq!(
        (opened, index.cursor(), index.len()),
        (Opened::Loaded, 41, 500)
    );
    let query = vector(77_777);
    assert_eq!(
        keys(&index.search(&query, 20).unwrap()),
        nearest(&all, &query, 20, |_| true)
    );
    for key in 0..100 {
        index.add(key, &vector(key)).unwrap();
    }
    index.save(42).unwrap();
    drop(index);
    let (index, opened) = open(&directory);
    assert_eq!(
        (opened, index.cursor(), index.len()),
        (Opened::Loaded, 42, 600)
    );
    assert_eq!(index.search(&vector(50), 1).unwrap()[0].0, 50);
    assert_eq!(
        fs::read_dir(directory.path()).unwrap().count(),
        1,
        "no temporary file is left"
    );
}

#[test]
fn an_empty_index_round_trips() {
    let directory = TempDir::new().unwrap();
    let (index, _) = open(&directory);
    index.save(7).unwrap();
    let (index, opened) = open(&directory);
    assert_eq!(
        (opened, index.cursor(), index.len()),
        (Opened::Loaded, 7, 0)
    );
    index.add(1, &vector(1)).unwrap();
    assert_eq!(index.search(&vector(1), 2).unwrap().len(), 1);
}

#[test]
fn a_damaged_snapshot_starts_empty_and_says_why() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("vectors.snapshot");
    let check = |bytes: &[u8], expected: &str| {
        fs::write(&path, bytes).unwrap();
        let (index, opened) = open(&directory);
        let Opened::Rebuilt(reason) = opened else {
            panic!("opened a damaged snapshot: {expected}")
        };
        assert!(reason.contains(expected), "{reason}");
        assert_eq!((index.cursor(), index.len()), (0, 0));
        index.add(1, &vector(1)).unwrap();
        assert_eq!(index.search(&vector(1), 1).unwrap().len(), 1);
    };
    let (index, _) = filled(&directory, 50);
    index.save(9).unwrap();
    let whole = fs::read(&path).unwrap();

    check(b"", "0 bytes");
    check(
        b"not an index at all, but long enough to have a header, sixty-four bytes.",
        "format",
    );
    check(&whole[..whole.len() - 1], "bytes");
    check(&whole[..40], "40 bytes");
    check(&[whole.as_slice(), b"x"].concat(), "bytes");
    for position in (8..whole.len()).step_by(97) {
        let mut damaged = whole.clone();
        damaged[position] ^= 0x10;
        check(&damaged, "the snapshot");
    }
    // A whole file whose payload the engine cannot read, and one of another size.
    snapshot::write(directory.path(), DIMENSIONS, 3, b"garbage").unwrap();
    check(&fs::read(&path).unwrap(), "failed to load the snapshot");
    fs::write(&path, &whole).unwrap();
    let (other, opened) = VectorIndex::open(directory.path(), DIMENSIONS * 2).unwrap();
    assert_eq!(
        opened,
        Opened::Rebuilt("the snapshot has 16 dimensions, 32 are wanted".to_owned())
    );
    other.save(1).unwrap();
    assert_eq!(
        VectorIndex::open(directory.path(), DIMENSIONS * 2)
            .unwrap()
            .1,
        Opened::Loaded
    );
}

#[derive(Debug, Clone)]
enum Step {
    Add(u64, u64),
    Remove(u64),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0..12_u64, 0..40_u64).prop_map(|(key, seed)| Step::Add(key, seed)),
        3 => (0..12_u64).prop_map(Step::Remove),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn it_behaves_like_a_map(steps in prop::collection::vec(step(), 1..60)) {
        let directory = TempDir::new().unwrap();
        let (mut index, _) = open(&directory);
        let mut model: BTreeMap<u64, Vec<f32>> = BTreeMap::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Add(key, seed) => {
                    index.add(key, &vector(seed)).unwrap();
                    model.insert(key, vector(seed));
                }
                Step::Remove(key) => prop_assert_eq!(index.remove(key).unwrap(), model.remove(&key).is_some()),
                Step::Reopen => {
                    index.save(number as u64).unwrap();
                    drop(index);
                    let opened;
                    (index, opened) = open(&directory);
                    prop_assert_eq!((opened, index.cursor()), (Opened::Loaded, number as u64));
                }
            }
            prop_assert_eq!(index.len(), model.len());
            let query = vector(500);
            let mut found = keys(&index.search(&query, 99).unwrap());
            let mut expected: Vec<u64> = model.keys().copied().collect();
            prop_assert_eq!(index.search_filtered(&query, 99, |_| true).unwrap().len(), expected.len());
            found.sort_unstable();
            expected.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
