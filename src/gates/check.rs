//! What a gate can be. Pure.
//!
//! A gate is checked as a whole before it is stored, so that a mistake is seen by who makes it and not by a build that passes or
//! fails for it. Each complaint names its place the way the JSON has it.

use testhide_protocol::api::{GateRule, PutGate};

/// Most rules of a gate.
const RULES_MAX: usize = 20;

/// Most characters of a description.
const DESCRIPTION_MAX: usize = 1_000;

/// Most bytes of a branch, as builds have it.
const BRANCH_MAX: usize = 255;

/// Most builds of the base branch that a rule looks back.
pub(super) const BUILDS_MAX: u32 = 100;

/// Longest limit of time, a year.
const DURATION_MAX: u64 = 31_536_000_000;

/// Most tests that a rule can speak of, the most that a report can have.
const TESTS_MAX: u64 = 10_000_000;

/// A gate that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadGate {
    /// Its name.
    #[error(
        "a name has 1 to 100 characters out of letters, digits, `.`, `_`, `-`, is not dots alone and not an id"
    )]
    Name,
    /// Something else in it.
    #[error("`{place}` {what}")]
    Field {
        /// Where, e.g. `rules[2].min_percent`.
        place: String,
        /// What is wrong with it.
        what: String,
    },
}

/// Checks a whole gate but for its job, which only the store knows.
pub(super) fn check_gate(gate: &PutGate) -> Result<(), BadGate> {
    if !crate::projects::is_name(&gate.name) {
        return Err(BadGate::Name);
    }
    let length = gate.description.chars().count();
    ensure(length <= DESCRIPTION_MAX, "description", || {
        format!("has {length} characters, the most is {DESCRIPTION_MAX}")
    })?;
    let printable = |c: char| !c.is_control() || c == '\n';
    ensure(
        gate.description.chars().all(printable),
        "description",
        || "has control characters".to_owned(),
    )?;
    let count = gate.rules.len();
    ensure((1..=RULES_MAX).contains(&count), "rules", || {
        format!("are {count}; a gate has 1 to {RULES_MAX}")
    })?;
    for (index, rule) in gate.rules.iter().enumerate() {
        check_rule(rule, &format!("rules[{index}]"))?;
        let same = |earlier: &GateRule| subject(earlier) == subject(rule);
        if let Some(earlier) = gate.rules[..index].iter().position(same) {
            let kind = rule.kind();
            return Err(field(
                &format!("rules[{index}]"),
                format!("is about the same as `rules[{earlier}]`: one `{kind}` has to do"),
            ));
        }
    }
    Ok(())
}

fn check_rule(rule: &GateRule, place: &str) -> Result<(), BadGate> {
    match rule {
        GateRule::ZeroFailures {} => Ok(()),
        GateRule::PassRate { min_percent, .. } => {
            let good = (0.0..=100.0).contains(min_percent);
            ensure(good, &format!("{place}.min_percent"), || {
                format!("is {min_percent}, it has to be 0 to 100")
            })
        }
        GateRule::NoNewFailures {
            base_branch,
            builds,
        } => {
            if let Some(branch) = base_branch {
                check_branch(branch, &format!("{place}.base_branch"))?;
            }
            builds.map_or(Ok(()), |builds| {
                let place = format!("{place}.builds");
                check_range(u64::from(builds), 1, u64::from(BUILDS_MAX), &place)
            })
        }
        GateRule::MaxDuration { max_ms, .. } => {
            check_range(*max_ms, 1, DURATION_MAX, &format!("{place}.max_ms"))
        }
        GateRule::MaxFlakyCount { max } => check_range(*max, 0, TESTS_MAX, &format!("{place}.max")),
        GateRule::MinTestCount { min, .. } => {
            check_range(*min, 1, TESTS_MAX, &format!("{place}.min"))
        }
        GateRule::NoInconsistencies { kinds } => {
            for (index, kind) in kinds.iter().enumerate() {
                let place = format!("{place}.kinds[{index}]");
                ensure(!kinds[..index].contains(kind), &place, || {
                    format!("names `{}` a second time", kind.as_str())
                })?;
            }
            Ok(())
        }
    }
}

/// What a rule is about: two rules of a gate that are about the same would only be one that nobody reads.
fn subject(rule: &GateRule) -> (&'static str, String) {
    let about = match rule {
        GateRule::PassRate {
            include_skipped, ..
        }
        | GateRule::MinTestCount {
            include_skipped, ..
        } => include_skipped.to_string(),
        GateRule::NoNewFailures { base_branch, .. } => base_branch.clone().unwrap_or_default(),
        GateRule::MaxDuration { of, .. } => of.as_str().to_owned(),
        GateRule::ZeroFailures {}
        | GateRule::MaxFlakyCount { .. }
        | GateRule::NoInconsistencies { .. } => String::new(),
    };
    (rule.kind(), about)
}

fn check_branch(branch: &str, place: &str) -> Result<(), BadGate> {
    let good = (1..=BRANCH_MAX).contains(&branch.len())
        && !branch.starts_with('-')
        && !branch.chars().any(|c| c.is_control() || c == ' ');
    ensure(good, place, || "cannot be a branch".to_owned())
}

fn check_range(value: u64, least: u64, most: u64, place: &str) -> Result<(), BadGate> {
    ensure((least..=most).contains(&value), place, || {
        format!("is {value}, it has to be {least} to {most}")
    })
}

fn ensure(good: bool, place: &str, what: impl FnOnce() -> String) -> Result<(), BadGate> {
    if good {
        Ok(())
    } else {
        Err(field(place, what()))
    }
}

pub(super) fn field(place: &str, what: String) -> BadGate {
    BadGate::Field {
        place: place.to_owned(),
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::{BadGate, check_gate};
    use serde_json::{Value, json};

    /// The place that is complained about; empty when nothing is.
    fn place(name: &str, rules: &Value) -> String {
        let gate = json!({"name": name, "rules": rules});
        let gate = serde_json::from_value(gate).expect("the test's gate has the right shape");
        match check_gate(&gate) {
            Ok(()) => String::new(),
            Err(BadGate::Name) => "name".to_owned(),
            Err(BadGate::Field { place, .. }) => place,
        }
    }

    #[test]
    fn what_passes_and_what_is_complained_about() {
        let check = |rules: Value, expected: &str| {
            assert_eq!(place("release", &rules), expected, "{rules}");
        };
        let pass_rate = |percent: f64| json!({"type": "pass_rate", "min_percent": percent});
        let zero = json!({"type": "zero_failures"});
        let base = |branch: &str| json!({"type": "no_new_failures", "base_branch": branch});
        check(json!([]), "rules");
        check(json!(vec![zero.clone(); 21]), "rules");
        check(json!([pass_rate(0.0)]), "");
        check(json!([pass_rate(100.0), zero]), "");
        check(json!([zero, pass_rate(100.1)]), "rules[1].min_percent");
        check(json!([pass_rate(-0.5)]), "rules[0].min_percent");
        check(json!([zero, zero]), "rules[1]");
        check(json!([base("main"), base("release/1")]), "");
        check(json!([base("main"), base("main")]), "rules[1]");
        check(json!([base("")]), "rules[0].base_branch");
        check(json!([base("-x")]), "rules[0].base_branch");
        check(json!([base("a b")]), "rules[0].base_branch");
        let builds = |builds: u32| json!([{"type": "no_new_failures", "builds": builds}]);
        check(builds(1), "");
        check(builds(100), "");
        check(builds(0), "rules[0].builds");
        check(builds(101), "rules[0].builds");
        let most = |of: &str, ms: u64| json!({"type": "max_duration", "of": of, "max_ms": ms});
        check(
            json!([most("build", 1), most("each_test", 1), most("all_tests", 1)]),
            "",
        );
        check(
            json!([most("build", 1), {"type": "max_duration", "max_ms": 5}]),
            "rules[1]",
        );
        check(json!([most("build", 0)]), "rules[0].max_ms");
        check(json!([most("build", 31_536_000_001)]), "rules[0].max_ms");
        check(json!([{"type": "max_flaky_count", "max": 0}]), "");
        check(
            json!([{"type": "max_flaky_count", "max": 10_000_001}]),
            "rules[0].max",
        );
        check(
            json!([{"type": "min_test_count", "min": 0}]),
            "rules[0].min",
        );
        let least = json!({"type": "min_test_count", "min": 5});
        let all = json!({"type": "min_test_count", "min": 5, "include_skipped": true});
        check(json!([least, all]), "");
        let kinds = |kinds: &[&str]| json!([{"type": "no_inconsistencies", "kinds": kinds}]);
        check(kinds(&["zero_tests", "stale_report"]), "");
        check(kinds(&["zero_tests", "zero_tests"]), "rules[0].kinds[1]");
    }

    #[test]
    fn names_and_descriptions() {
        let zero = json!([{"type": "zero_failures"}]);
        assert_eq!(place("a/b", &zero), "name");
        assert_eq!(place("", &zero), "name");
        let check = |description: &str, good: bool| {
            let gate = json!({"name": "a", "description": description, "rules": zero});
            let gate = serde_json::from_value(gate).unwrap();
            assert_eq!(check_gate(&gate).is_ok(), good, "{description:?}");
        };
        check("two\nlines", true);
        check("\u{1b}[2J", false);
        check(&"ä".repeat(1_000), true);
        check(&"ä".repeat(1_001), false);
    }

    #[test]
    fn a_rule_with_a_field_that_nobody_knows_is_no_rule() {
        let check = |rule: Value, word: &str| {
            let gate = json!({"name": "a", "rules": [rule]});
            let error = serde_json::from_value::<testhide_protocol::api::PutGate>(gate)
                .expect_err("it cannot be")
                .to_string();
            assert!(error.contains(word), "{error}");
        };
        check(json!({"type": "zero_failures", "max": 3}), "max");
        check(
            json!({"type": "pass_rate", "min_percent": 5, "min": 3}),
            "`min`",
        );
        check(json!({"type": "pass_rate"}), "min_percent");
        check(json!({"type": "pass_rate", "min_percent": "95"}), "95");
        check(json!({"type": "all_green"}), "all_green");
        check(json!({"type": "max_duration", "max_ms": -1}), "-1");
        check(
            json!({"type": "max_duration", "max_ms": 1, "of": "job"}),
            "job",
        );
        check(
            json!({"type": "no_inconsistencies", "kinds": ["odd"]}),
            "odd",
        );
    }
}
