//! Which of the tests that are gone goes on as which of the tests that came: pure.
//!
//! A test *moved* when its name stands in another file or class, and was *renamed* when another name stands in the same place; a
//! test that did both at once is not found. What it did then counts too: the same failures, a similar duration, the same outcome. Only
//! pairs that are near the best for both sides are proposed, and where several are, each says so.

use super::identity::{place_and_name, without_parameters};
use crate::ml::Signature;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use testhide_protocol::TestId;
use testhide_protocol::api::{AliasChange, Outcome};

/// Least score of a proposal. A moved test with a similar duration and outcome has 0.85; a renamed one needs a name that is three
/// quarters the same, or the same failure.
const LEAST: f32 = 0.75;

/// Pairs within this of the best one are about as likely.
const MARGIN: f32 = 0.1;

/// Tests of one name, or of one place, that are compared with each other; where there are more, nobody could choose.
const MAX_ALIKE: usize = 50;

/// Proposals for one test that came.
const MAX_RIVALS: usize = 3;

/// Durations that differ by less are alike: that is noise of any machine.
const NOISE_MS: u64 = 50;

/// A test that is gone or came.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The test.
    pub test: TestId,
    /// What people call it.
    pub display: String,
    /// Its file, where known.
    pub file: Option<String>,
    /// How its run at the step ended.
    pub outcome: Outcome,
    /// Milliseconds of that run.
    pub duration_ms: Option<u64>,
    /// Signatures of its failures, of late.
    pub signatures: BTreeSet<Signature>,
}

/// Two tests that may be one.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The one that is gone.
    pub old: TestId,
    /// The one that came.
    pub new: TestId,
    /// What changed.
    pub change: AliasChange,
    /// 0 to 1.
    pub score: f32,
    /// What is alike, a sentence each.
    pub reasons: Vec<String>,
    /// Other proposals for either of them.
    pub rivals: u32,
}

/// Pairs tests that are gone with tests that came, the likeliest first. The order of the candidates does not matter.
#[must_use]
pub fn propose(gone: &[Candidate], came: &[Candidate]) -> Vec<Proposal> {
    let (gone, came) = (named(gone), named(came));
    let mut pairs: Vec<Proposal> = Vec::new();
    let by = |tests: &[Named<'_>], key: fn(&Named<'_>) -> String| {
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (number, test) in tests.iter().enumerate() {
            groups.entry(key(test)).or_default().push(number);
        }
        groups
    };
    let keys: [fn(&Named<'_>) -> String; 2] = [
        |test| test.name.to_owned(),
        |test| {
            format!(
                "{}\0{}",
                test.test.file.as_deref().unwrap_or_default(),
                test.place
            )
        },
    ];
    for key in keys {
        let (old, new) = (by(&gone, key), by(&came, key));
        for (group, old) in &old {
            let Some(new) = new.get(group) else { continue };
            if old.len() > MAX_ALIKE || new.len() > MAX_ALIKE {
                continue;
            }
            for old in old {
                pairs.extend(new.iter().filter_map(|new| pair(&gone[*old], &came[*new])));
            }
        }
    }
    choose(pairs)
}

/// A candidate with the parts of its name.
struct Named<'a> {
    test: &'a Candidate,
    place: &'a str,
    /// With parameters.
    name: &'a str,
}

fn named(tests: &[Candidate]) -> Vec<Named<'_>> {
    fn one(test: &Candidate) -> Named<'_> {
        let (place, name) = place_and_name(&test.display, test.file.as_deref());
        Named { test, place, name }
    }
    tests.iter().map(one).collect()
}

fn pair(old: &Named<'_>, new: &Named<'_>) -> Option<Proposal> {
    if old.test.test == new.test.test {
        return None;
    }
    let same_place = old.test.file == new.test.file && old.place == new.place;
    let mut reasons = Vec::new();
    let (change, mut score) = if old.name == new.name && !same_place {
        reasons.push("the name is the same".to_owned());
        let mut score = 0.70;
        if last_part(old.place, '.') == last_part(new.place, '.') && !old.place.is_empty() {
            reasons.push("the class has the same name".to_owned());
            score += 0.10;
        } else if file_name(old.test) == file_name(new.test) && old.test.file.is_some() {
            reasons.push("the file has the same name".to_owned());
            score += 0.10;
        }
        (AliasChange::Moved, score)
    } else if same_place && old.name != new.name {
        let (old_base, new_base) = (without_parameters(old.name), without_parameters(new.name));
        // Other parameters are another variant, not another name.
        if old_base == new_base || old.name[old_base.len()..] != new.name[new_base.len()..] {
            return None;
        }
        let alike = likeness(old_base, new_base);
        reasons.push(format!(
            "the place is the same, and {:.0} % of the name",
            alike * 100.0
        ));
        (AliasChange::Renamed, 0.35 + 0.40 * alike)
    } else {
        return None;
    };
    if old
        .test
        .signatures
        .iter()
        .any(|one| new.test.signatures.contains(one))
    {
        reasons.push("both failed in the same way".to_owned());
        score += 0.15;
    }
    if alike_durations(old.test.duration_ms, new.test.duration_ms) {
        reasons.push("they take about as long".to_owned());
        score += 0.10;
    }
    if old.test.outcome == new.test.outcome {
        reasons.push(format!("both {}", ended(old.test.outcome)));
        score += 0.05;
    }
    (score >= LEAST).then(|| Proposal {
        old: old.test.test,
        new: new.test.test,
        change,
        score: score.min(1.0),
        reasons,
        rivals: 0,
    })
}

/// Keeps the pairs that are near the best one of both of their tests.
fn choose(mut pairs: Vec<Proposal>) -> Vec<Proposal> {
    pairs.sort_by(|one, two| {
        let score = two.score.partial_cmp(&one.score).unwrap_or(Ordering::Equal);
        score.then_with(|| (one.old, one.new).cmp(&(two.old, two.new)))
    });
    let mut best: BTreeMap<TestId, f32> = BTreeMap::new();
    for pair in &pairs {
        for test in [pair.old, pair.new] {
            best.entry(test).or_insert(pair.score);
        }
    }
    pairs.retain(|pair| {
        let near = |test: &TestId| {
            best.get(test)
                .is_none_or(|best| pair.score >= best - MARGIN)
        };
        near(&pair.old) && near(&pair.new)
    });
    let mut count: BTreeMap<TestId, u32> = BTreeMap::new();
    for pair in &pairs {
        for test in [pair.old, pair.new] {
            *count.entry(test).or_default() += 1;
        }
    }
    let mut listed: BTreeMap<TestId, usize> = BTreeMap::new();
    pairs.retain_mut(|pair| {
        pair.rivals = count[&pair.old] + count[&pair.new] - 2;
        let listed = listed.entry(pair.new).or_default();
        *listed += 1;
        *listed <= MAX_RIVALS
    });
    pairs
}

fn last_part(place: &str, separator: char) -> &str {
    let place = place.rsplit("::").next().unwrap_or(place);
    place.rsplit(separator).next().unwrap_or(place)
}

fn file_name(test: &Candidate) -> Option<&str> {
    test.file.as_deref().map(|file| last_part(file, '/'))
}

fn alike_durations(one: Option<u64>, two: Option<u64>) -> bool {
    let (Some(one), Some(two)) = (one, two) else {
        return false;
    };
    one.abs_diff(two) <= NOISE_MS || one.max(two) <= one.min(two).saturating_mul(2)
}

fn ended(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed | Outcome::Error => "failed",
        Outcome::Skipped => "were skipped",
        Outcome::KnownIssue => "failed as expected",
        Outcome::NotRun => "did not run",
    }
}

/// How alike two names are, 0 to 1: Sørensen-Dice over pairs of neighbouring letters and digits, without case.
fn likeness(one: &str, two: &str) -> f32 {
    let pairs = |name: &str| {
        let letters: Vec<char> = name
            .chars()
            .filter(|letter| letter.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .take(200)
            .collect();
        let mut pairs: Vec<(char, char)> = letters.windows(2).map(|two| (two[0], two[1])).collect();
        pairs.sort_unstable();
        pairs
    };
    let (one, two) = (pairs(one), pairs(two));
    let all = one.len() + two.len();
    if all == 0 {
        return 0.0;
    }
    let (mut at, mut common) = (0, 0);
    for pair in &one {
        at += two[at..].partition_point(|other| other < pair);
        if two.get(at) == Some(pair) {
            common += 1;
            at += 1;
        }
    }
    (2 * common) as f32 / all as f32
}

#[cfg(test)]
mod tests {
    use super::{Candidate, likeness, propose};
    use crate::history::identify;
    use crate::history::test_id;
    use crate::ml::Signature;
    use proptest::prelude::*;
    use testhide_protocol::ProjectId;
    use testhide_protocol::TestId;
    use testhide_protocol::api::{AliasChange, Outcome};

    const PROJECT: ProjectId = ProjectId(uuid::Uuid::max());

    fn test(nodeid: &str, ms: u64, failure: Option<u8>) -> Candidate {
        let identity = identify(Some(nodeid), None, "", "");
        Candidate {
            test: test_id(PROJECT, &identity.key, &[]),
            display: identity.display,
            file: identity.file,
            outcome: if failure.is_some() {
                Outcome::Failed
            } else {
                Outcome::Passed
            },
            duration_ms: Some(ms),
            signatures: failure
                .map(|kind| Signature::from_bytes([kind; 16]))
                .into_iter()
                .collect(),
        }
    }

    fn check(gone: &[&str], came: &[&str], expected: &[(&str, &str, AliasChange, u32)]) {
        let tests = |names: &[&str]| {
            names
                .iter()
                .map(|name| test(name, 20, None))
                .collect::<Vec<_>>()
        };
        let (gone, came) = (tests(gone), tests(came));
        let name = |id: TestId| {
            let of = gone
                .iter()
                .chain(&came)
                .find(|test| test.test == id)
                .unwrap();
            of.display.clone()
        };
        let found: Vec<_> = propose(&gone, &came)
            .into_iter()
            .map(|pair| (name(pair.old), name(pair.new), pair.change, pair.rivals))
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|(old, new, change, rivals)| {
                ((*old).to_owned(), (*new).to_owned(), *change, *rivals)
            })
            .collect();
        let sorted = |mut pairs: Vec<(String, String, AliasChange, u32)>| {
            pairs.sort_by(|one, two| (&one.0, &one.1).cmp(&(&two.0, &two.1)));
            pairs
        };
        assert_eq!(sorted(found), sorted(expected));
    }

    #[test]
    fn proposals() {
        use AliasChange::{Moved, Renamed};
        check(
            &["a.py::T::test_x"],
            &["b.py::T::test_x"],
            &[("a.py::T::test_x", "b.py::T::test_x", Moved, 0)],
        );
        check(
            &["a.py::T::test_x[1]", "a.py::T::test_x[2]"],
            &["a.py::U::test_x[1]", "a.py::U::test_x[2]"],
            &[
                ("a.py::T::test_x[1]", "a.py::U::test_x[1]", Moved, 0),
                ("a.py::T::test_x[2]", "a.py::U::test_x[2]", Moved, 0),
            ],
        );
        check(
            &["a.py::test_login_works"],
            &["a.py::test_login_still_works"],
            &[(
                "a.py::test_login_works",
                "a.py::test_login_still_works",
                Renamed,
                0,
            )],
        );
        // Nothing alike, another variant, both name and place.
        check(&["a.py::test_login"], &["a.py::test_checkout_total"], &[]);
        check(&["a.py::test_x[1]"], &["a.py::test_x[2]"], &[]);
        check(
            &["a.py::test_login_works"],
            &["b.py::test_login_still_works"],
            &[],
        );
        check(&[], &["b.py::test_x"], &[]);
        // Two candidates: both are told, and that they are two.
        check(
            &["a.py::T::test_x"],
            &["b.py::T::test_x", "c.py::T::test_x"],
            &[
                ("a.py::T::test_x", "b.py::T::test_x", Moved, 1),
                ("a.py::T::test_x", "c.py::T::test_x", Moved, 1),
            ],
        );
    }

    #[test]
    fn what_a_test_did_decides_between_two() {
        let gone = [test("a.py::T::test_x", 20, Some(7))];
        let came = [
            test("b.py::T::test_x", 20, Some(7)),
            test("c.py::T::test_x", 900, None),
        ];
        let found = propose(&gone, &came);
        assert_eq!(
            (found.len(), found[0].new, found[0].rivals),
            (1, came[0].test, 0)
        );
        assert!(
            found[0]
                .reasons
                .iter()
                .any(|reason| reason.contains("same way")),
            "{found:?}"
        );
    }

    fn tests_of(files: &'static str) -> impl Strategy<Value = Vec<Candidate>> {
        let one = (
            proptest::string::string_regex(files).unwrap(),
            "test_[a-c]{1,3}(\\[[12]\\])?",
            0u64..300,
            proptest::option::of(0u8..3),
        );
        proptest::collection::vec(one, 0..25).prop_map(|rows| {
            let mut tests: Vec<Candidate> = rows
                .iter()
                .map(|(file, name, ms, failure)| test(&format!("{file}.py::{name}"), *ms, *failure))
                .collect();
            tests.sort_by_key(|test| test.test);
            tests.dedup_by_key(|test| test.test);
            tests
        })
    }

    proptest! {
        #[test]
        fn a_proposal_names_one_that_is_gone_and_one_that_came(gone in tests_of("[a-b]{1,2}"), came in tests_of("[c-d]{1,2}|a")) {
            let came: Vec<Candidate> = came.into_iter().filter(|new| gone.iter().all(|old| old.test != new.test)).collect();
            let found = propose(&gone, &came);
            for pair in &found {
                prop_assert!(gone.iter().any(|test| test.test == pair.old));
                prop_assert!(came.iter().any(|test| test.test == pair.new));
                prop_assert!((super::LEAST..=1.0).contains(&pair.score));
                prop_assert!(!pair.reasons.is_empty());
                let others = found.iter().filter(|other| (other.old == pair.old) != (other.new == pair.new)).count();
                prop_assert!(pair.rivals as usize >= others, "who has rivals says so");
                // Without rivals a proposal is the only one for both.
                prop_assert!(pair.rivals > 0 || others == 0);
            }
            let turned = |tests: &[Candidate]| tests.iter().rev().cloned().collect::<Vec<_>>();
            prop_assert_eq!(&found, &propose(&turned(&gone), &turned(&came)));
        }

        #[test]
        fn a_moved_file_is_found_whole(names in proptest::collection::btree_set("test_[a-z]{6,9}", 1..20)) {
            let in_file = |file: &str| names.iter().map(|name| test(&format!("{file}.py::{name}"), 20, None)).collect::<Vec<_>>();
            let (old, new) = (in_file("old/a"), in_file("new/a"));
            let found = propose(&old, &new);
            prop_assert_eq!(found.len(), names.len());
            for (old, new) in old.iter().zip(&new) {
                prop_assert!(found.iter().any(|pair| pair.old == old.test && pair.new == new.test && pair.rivals == 0));
            }
        }

        #[test]
        fn likeness_is_a_measure(one in ".{0,12}", two in ".{0,12}") {
            let alike = likeness(&one, &two);
            prop_assert!((0.0..=1.0).contains(&alike));
            prop_assert_eq!(alike, likeness(&two, &one));
        }
    }
}
