//! A build in short: pure.

use super::essence::cut;
use super::model::StoredVerdict;
use std::collections::{BTreeMap, BTreeSet};
use testhide_protocol::api::{Tps, VerdictKind};

/// Names of one kind that a build carries; it has its verdicts for the rest.
const MAX_NAMES: usize = 1_000;

/// Characters of one name.
const MAX_NAME: usize = 200;

/// The summary of a build with these verdicts and the causes of its failures, as far as they are known.
pub(super) fn summary<'a>(
    verdicts: impl IntoIterator<Item = &'a StoredVerdict>,
    causes: &[String],
) -> Tps {
    let mut names: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut failures = 0;
    for verdict in verdicts {
        failures += usize::from(verdict.failed);
        names
            .entry(verdict.kind.as_str())
            .or_default()
            .insert(cut(&verdict.display_name, MAX_NAME));
    }
    let of = |kind: VerdictKind| -> Vec<String> {
        let names = names.get(kind.as_str()).into_iter().flatten();
        names
            .take(MAX_NAMES)
            .map(|name| (*name).to_owned())
            .collect()
    };
    Tps {
        flaky_tests: of(VerdictKind::Flaky),
        new_failures: of(VerdictKind::New),
        known_failures: of(VerdictKind::Known),
        fixed: of(VerdictKind::Fixed),
        probable_cause: probable_cause(causes, failures),
        analysed: false,
    }
}

/// The category that at least half of the known causes share; two that share it evenly decide nothing.
fn probable_cause(causes: &[String], failures: usize) -> Option<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for cause in causes {
        *counts.entry(cause).or_default() += 1;
    }
    let (category, count) = counts.iter().max_by_key(|(_, count)| **count)?;
    let even = counts.values().filter(|other| *other == count).count() > 1;
    (!even && count * 2 >= causes.len())
        .then(|| format!("{category} ({count} of {failures} failures)"))
}

#[cfg(test)]
mod tests {
    use super::probable_cause;

    #[test]
    fn half_of_the_known_causes_decide() {
        let check = |causes: &[&str], expected: Option<&str>| {
            let causes: Vec<String> = causes.iter().map(|cause| (*cause).to_owned()).collect();
            assert_eq!(
                probable_cause(&causes, 9).as_deref(),
                expected,
                "{causes:?}"
            );
        };
        check(&[], None);
        check(&["a"], Some("a (1 of 9 failures)"));
        check(&["a", "b"], None);
        check(&["a", "b", "a"], Some("a (2 of 9 failures)"));
        check(&["a", "a", "b", "c"], Some("a (2 of 9 failures)"));
        check(&["a", "a", "b", "c", "d"], None);
    }
}
