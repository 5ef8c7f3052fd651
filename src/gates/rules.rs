//! Whether a rule holds, and the sentence that says so: pure.
//!
//! Two promises carry this file, and properties check them: a build of which nothing is known passes no rule, and a test that
//! fails instead of passing never makes a rule hold that did not.

use super::facts::{BaseHistory, Facts, TestFact};
use super::words::{counted, duration, named, percent};
use testhide_protocol::api::{BuildState, DurationOf, Finding, FindingKind, GateRule};

/// Builds of the base branch that count when a rule does not say.
pub(super) const DEFAULT_BUILDS: u32 = 10;

/// How a build stands against one rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct RuleResult {
    pub passed: bool,
    /// One sentence: what was expected and what was found.
    pub message: String,
    pub threshold: f64,
    /// Absent when it could not be known.
    pub actual: Option<f64>,
}

/// What a rule wants and what it sees, before anybody asks whether that is all there is to see.
struct Sight {
    holds: bool,
    expected: String,
    found: String,
    threshold: f64,
    actual: Option<f64>,
}

/// Decides one rule.
pub(super) fn evaluate(rule: &GateRule, facts: &Facts) -> RuleResult {
    let sight = look(rule, facts);
    let doubt = doubt(rule, facts);
    let mut message = format!("expected {}, found {}", sight.expected, sight.found);
    if let Some(doubt) = &doubt {
        match (sight.holds, sight.actual) {
            (true, _) => message.push_str(&format!(", but {doubt}")),
            (false, None) => message.push_str(&format!(" ({doubt})")),
            (false, Some(_)) => {}
        }
    }
    RuleResult {
        passed: sight.holds && doubt.is_none(),
        message,
        threshold: sight.threshold,
        actual: sight.actual,
    }
}

/// Why what is seen may not be all: then a rule that seems to hold does not.
fn doubt(rule: &GateRule, facts: &Facts) -> Option<String> {
    let ended = match facts.state {
        BuildState::Cancelled => Some("the build was cancelled"),
        BuildState::TimedOut => Some("the build was ended by its time limit"),
        BuildState::InfraLost => Some("the build lost its agent"),
        BuildState::Queued | BuildState::Running | BuildState::Passed | BuildState::Failed => None,
    };
    if let Some(ended) = ended {
        return Some(ended.to_owned());
    }
    match rule {
        GateRule::PassRate { .. }
        | GateRule::ZeroFailures {}
        | GateRule::NoNewFailures { .. }
        | GateRule::MaxFlakyCount { .. }
        | GateRule::MaxDuration {
            of: DurationOf::EachTest | DurationOf::AllTests,
            ..
        } => facts.doubt.clone(),
        // Enough tests are enough, however many more there may be.
        GateRule::MinTestCount { .. } => facts
            .doubt
            .clone()
            .filter(|_| !facts.tests.iter().any(TestFact::ran)),
        GateRule::MaxDuration {
            of: DurationOf::Build,
            ..
        }
        | GateRule::NoInconsistencies { .. } => None,
    }
}

fn look(rule: &GateRule, facts: &Facts) -> Sight {
    match rule {
        GateRule::PassRate {
            min_percent,
            include_skipped,
        } => pass_rate(facts, *min_percent, *include_skipped),
        GateRule::ZeroFailures {} => zero_failures(facts),
        GateRule::NoNewFailures {
            base_branch,
            builds,
        } => {
            let branch = base_branch.as_deref().unwrap_or(&facts.default_branch);
            no_new_failures(facts, branch, builds.unwrap_or(DEFAULT_BUILDS))
        }
        GateRule::MaxDuration {
            of: DurationOf::Build,
            max_ms,
        } => build_duration(facts, *max_ms),
        GateRule::MaxDuration {
            of: DurationOf::EachTest,
            max_ms,
        } => each_duration(facts, *max_ms),
        GateRule::MaxDuration {
            of: DurationOf::AllTests,
            max_ms,
        } => all_durations(facts, *max_ms),
        GateRule::MaxFlakyCount { max } => flaky_count(facts, *max),
        GateRule::MinTestCount {
            min,
            include_skipped,
        } => test_count(facts, *min, *include_skipped),
        GateRule::NoInconsistencies { kinds } => inconsistencies(facts, kinds),
    }
}

fn pass_rate(facts: &Facts, min: f64, include_skipped: bool) -> Sight {
    let expected = format!("a pass rate of at least {min} %");
    let (ran, failing) = (ran(facts), failing(facts));
    let skipped = facts.tests.len() - ran.len();
    let all = ran.len() + if include_skipped { skipped } else { 0 };
    if ran.is_empty() {
        return nothing_ran(expected, min);
    }
    let good = ran.len() - failing.len();
    let rate = 100.0 * number(good as u64) / number(all as u64);
    let holds = rate >= min;
    let mut what = if failing.is_empty() {
        format!("none of {} failed", counted(all as u64, "test"))
    } else {
        format!(
            "{} of {} failed",
            failing.len(),
            counted(all as u64, "test")
        )
    };
    if include_skipped && skipped > 0 {
        what.push_str(&format!(", {skipped} skipped"));
    }
    let names = if holds {
        String::new()
    } else {
        names(&failing)
    };
    Sight {
        holds,
        expected,
        found: format!("{} ({what}){names}", percent(rate)),
        threshold: min,
        actual: Some(rate),
    }
}

fn zero_failures(facts: &Facts) -> Sight {
    let expected = "no test that fails".to_owned();
    let (ran, failing) = (ran(facts), failing(facts));
    if ran.is_empty() {
        return nothing_ran(expected, 0.0);
    }
    let of = counted(ran.len() as u64, "test");
    Sight {
        holds: failing.is_empty(),
        expected,
        found: match failing.len() {
            0 => format!("none in {of}"),
            count => format!("{count} in {of}{}", names(&failing)),
        },
        threshold: 0.0,
        actual: Some(number(failing.len() as u64)),
    }
}

fn no_new_failures(facts: &Facts, branch: &str, builds: u32) -> Sight {
    let last = match builds {
        1 => "build".to_owned(),
        builds => format!("{builds} builds"),
    };
    let expected = format!("no failure that the last {last} on `{branch}` did not have");
    let (ran, failing) = (ran(facts), failing(facts));
    if ran.is_empty() {
        return nothing_ran(expected, 0.0);
    }
    let sight = |holds, found, actual| Sight {
        holds,
        expected: expected.clone(),
        found,
        threshold: 0.0,
        actual,
    };
    if failing.is_empty() {
        return sight(true, "no failure".to_owned(), Some(0.0));
    }
    let unread = Err("it was not read".to_owned());
    let history = match facts.base.get(branch).unwrap_or(&unread) {
        Ok(history) => history,
        Err(why) => {
            let found = format!(
                "{} and no history of `{branch}` to compare with: {why}",
                counted(failing.len() as u64, "failure")
            );
            return sight(false, found, None);
        }
    };
    let new: Vec<&TestFact> = failing
        .iter()
        .filter(|test| is_new(history, test, builds))
        .copied()
        .collect();
    let all = counted(failing.len() as u64, "failure");
    let found = match new.len() {
        0 => format!("{all}, none of them new"),
        count if history.failed_ago.is_empty() => {
            format!("{count}, none of them known on `{branch}`{}", names(&new))
        }
        count => format!("{count} among {all}{}", names(&new)),
    };
    sight(new.is_empty(), found, Some(number(new.len() as u64)))
}

fn is_new(history: &BaseHistory, test: &TestFact, builds: u32) -> bool {
    let ago = history.failed_ago.get(&test.id).copied().flatten();
    ago.is_none_or(|ago| ago > builds)
}

fn build_duration(facts: &Facts, max: u64) -> Sight {
    let took = facts.duration_ms;
    Sight {
        holds: took.is_some_and(|took| took <= max),
        expected: format!("a build of at most {}", duration(max)),
        found: match took {
            Some(took) => duration(took),
            None if facts.state.is_final() => "one that never ran".to_owned(),
            None => "one that has not ended".to_owned(),
        },
        threshold: number(max),
        actual: took.map(number),
    }
}

fn each_duration(facts: &Facts, max: u64) -> Sight {
    let expected = format!("no test of more than {}", duration(max));
    let ran = ran(facts);
    if ran.is_empty() {
        return nothing_ran(expected, number(max));
    }
    let mut slow: Vec<&TestFact> = ran
        .iter()
        .filter(|test| test.duration_ms.is_some_and(|took| took > max))
        .copied()
        .collect();
    slow.sort_by_key(|test| std::cmp::Reverse(test.duration_ms));
    let longest = ran.iter().filter_map(|test| test.duration_ms).max();
    let timeless = timeless(&ran);
    let found = if slow.is_empty() {
        unknown_or(&timeless, || {
            let longest = duration(longest.unwrap_or_default());
            format!(
                "none in {}, the longest took {longest}",
                counted(ran.len() as u64, "test")
            )
        })
    } else {
        let each = |test: &&TestFact| {
            let took = duration(test.duration_ms.unwrap_or_default());
            format!("{} ({took})", test.name).into()
        };
        format!("{}{}", slow.len(), named(slow.iter().map(each)))
    };
    Sight {
        holds: slow.is_empty() && timeless.is_empty(),
        expected,
        found,
        threshold: number(max),
        actual: longest
            .filter(|_| timeless.is_empty() || !slow.is_empty())
            .map(number),
    }
}

fn all_durations(facts: &Facts, max: u64) -> Sight {
    let expected = format!("tests that take at most {} together", duration(max));
    let ran = ran(facts);
    if ran.is_empty() {
        return nothing_ran(expected, number(max));
    }
    let timeless = timeless(&ran);
    let total = ran
        .iter()
        .filter_map(|test| test.duration_ms)
        .fold(0u64, u64::saturating_add);
    let holds = total <= max && timeless.is_empty();
    let known = || {
        format!(
            "{} in {}",
            duration(total),
            counted(ran.len() as u64, "test")
        )
    };
    Sight {
        holds,
        expected,
        found: if total > max {
            known()
        } else {
            unknown_or(&timeless, known)
        },
        threshold: number(max),
        actual: Some(number(total)).filter(|_| total > max || timeless.is_empty()),
    }
}

fn flaky_count(facts: &Facts, max: u64) -> Sight {
    let expected = format!(
        "at most {} that passed only after a failed attempt",
        counted(max, "test")
    );
    let ran = ran(facts);
    if ran.is_empty() {
        return nothing_ran(expected, number(max));
    }
    let recovered: Vec<&TestFact> = ran.iter().filter(|test| test.recovered).copied().collect();
    Sight {
        holds: recovered.len() as u64 <= max,
        expected,
        found: match recovered.len() {
            0 => format!("none in {}", counted(ran.len() as u64, "test")),
            count => format!("{count}{}", names(&recovered)),
        },
        threshold: number(max),
        actual: Some(number(recovered.len() as u64)),
    }
}

fn test_count(facts: &Facts, min: u64, include_skipped: bool) -> Sight {
    let ran = ran(facts).len();
    let count = if include_skipped {
        facts.tests.len()
    } else {
        ran
    };
    let skipped = facts.tests.len() - ran;
    let (what, beside) = match (include_skipped, skipped) {
        (true, _) => ("ran or were skipped", String::new()),
        (false, 0) => ("ran", String::new()),
        (false, skipped) => ("ran", format!(" and {skipped} skipped")),
    };
    Sight {
        holds: count as u64 >= min,
        expected: format!("at least {} that {what}", counted(min, "test")),
        found: format!("{count}{beside}"),
        threshold: number(min),
        // A report with no test in it is a fact; no report at all is none.
        actual: Some(number(count as u64)).filter(|_| count > 0 || facts.doubt.is_none()),
    }
}

fn inconsistencies(facts: &Facts, kinds: &[FindingKind]) -> Sight {
    let mut expected = "no finding".to_owned();
    for (place, kind) in kinds.iter().enumerate() {
        let before = if place == 0 { " of kind " } else { " or " };
        expected.push_str(&format!("{before}`{}`", kind.as_str()));
    }
    let sight = |holds, found, actual| Sight {
        holds,
        expected: expected.clone(),
        found,
        threshold: 0.0,
        actual,
    };
    let findings = match &facts.findings {
        Ok(findings) => findings,
        Err(why) => return sight(false, format!("no answer: {why}"), None),
    };
    let counts = |finding: &&Finding| kinds.is_empty() || kinds.contains(&finding.kind);
    let counted: Vec<&Finding> = findings.iter().filter(counts).collect();
    let each = |finding: &&Finding| {
        let (kind, message) = (finding.kind.as_str(), &finding.message);
        format!("`{kind}` ({message})").into()
    };
    let found = match counted.len() {
        0 => "none".to_owned(),
        count => format!("{count}{}", named(counted.iter().map(each))),
    };
    sight(
        counted.is_empty(),
        found,
        Some(number(counted.len() as u64)),
    )
}

/// Where a rule is about tests and none ran, nothing is known.
fn nothing_ran(expected: String, threshold: f64) -> Sight {
    Sight {
        holds: false,
        expected,
        found: "no test that ran".to_owned(),
        threshold,
        actual: None,
    }
}

fn ran(facts: &Facts) -> Vec<&TestFact> {
    facts.tests.iter().filter(|test| test.ran()).collect()
}

fn failing(facts: &Facts) -> Vec<&TestFact> {
    let fails = |test: &&TestFact| test.outcome.is_failure();
    facts.tests.iter().filter(fails).collect()
}

/// Tests that ran and of which no report says how long.
fn timeless<'a>(ran: &[&'a TestFact]) -> Vec<&'a TestFact> {
    let unknown = |test: &&&TestFact| test.duration_ms.is_none();
    ran.iter().filter(unknown).copied().collect()
}

fn unknown_or(timeless: &[&TestFact], known: impl FnOnce() -> String) -> String {
    match timeless.len() as u64 {
        0 => known(),
        count => format!(
            "{} without a duration{}",
            counted(count, "test"),
            names(timeless)
        ),
    }
}

fn names(tests: &[&TestFact]) -> String {
    named(tests.iter().map(|test| test.name.as_str().into()))
}

/// A count or a duration as the API's number; both are far below 2^53, from where on a number could be off by one.
fn number(count: u64) -> f64 {
    count as f64
}
