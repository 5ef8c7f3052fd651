//! One test with what belongs to it: variants, last failure, failing streak, aliases.

use super::aliases;
use super::error::HistoryError;
use super::identity::{place_and_name, without_parameters};
use super::lane::{Scope, each_run};
use super::model::{LightRun, RunPlace};
use super::runs::page;
use super::store::{BY_NAME, GOES_ON_AS, History, Loaded, TESTS, load, load_alone, name_start};
use super::view::shown;
use crate::storage::Transaction;
use testhide_protocol::TestId;
use testhide_protocol::api::{Outcome, TestDetails, TestRun, TestVariant};

/// Runs that are looked at for the last failure.
const MAX_RUNS: usize = 10_000;

/// Variants that are shown.
const MAX_VARIANTS: usize = 200;

/// Names that are looked at for them: those that begin as this one does.
const MAX_NAMES: usize = 5_000;

impl History {
    /// One test with what belongs to it, whoever asks.
    ///
    /// # Errors
    /// [`HistoryError::TestNotFound`], failures of the store.
    pub fn details(&self, id: TestId) -> Result<TestDetails, HistoryError> {
        self.storage.read(|rtxn| {
            let loaded = load(rtxn, id)?;
            let variants = variants(rtxn, &loaded)?;
            let aliases = aliases::of_test(rtxn, &loaded)?;
            let Late { failure, streak } = late(rtxn, &loaded)?;
            let last_failure = match failure {
                Some(place) => at(rtxn, &loaded, place)?,
                None => None,
            };
            Ok(TestDetails {
                test: shown(loaded.id, loaded.test, &loaded.tally),
                variants,
                last_failure,
                fail_streak: streak,
                aliases,
            })
        })
    }
}

/// What the last runs of a test tell.
#[derive(Default)]
struct Late {
    failure: Option<RunPlace>,
    streak: u64,
}

fn late<T: Transaction>(txn: &T, loaded: &Loaded) -> Result<Late, HistoryError> {
    let mut late = Late::default();
    if loaded.tally.failures == 0 {
        return Ok(late);
    }
    let mut branch = None;
    let mut streak = Streak::default();
    let mut looked_at = 0;
    each_run(txn, loaded, &Scope::default(), RunPlace::NEWEST, |run| {
        looked_at += 1;
        if run.outcome.is_failure() {
            late.failure = late.failure.or(Some(run.place));
        }
        if *branch.get_or_insert(run.context.branch) == run.context.branch {
            streak.add(run);
        }
        (late.failure.is_none() || !streak.ended) && looked_at < MAX_RUNS
    })?;
    late.streak = streak.length();
    Ok(late)
}

/// Failing reports in a row, newest first. A report failed when one run of the test in it did.
#[derive(Default)]
struct Streak {
    reports: u64,
    batch: u64,
    failed: bool,
    passed: bool,
    ended: bool,
}

impl Streak {
    fn add(&mut self, run: &LightRun) {
        let failed = run.outcome.is_failure();
        if self.ended || !(failed || run.outcome == Outcome::Passed) {
            return;
        }
        if run.place.batch != self.batch {
            self.close();
            self.batch = run.place.batch;
        }
        self.failed |= failed;
        self.passed |= !failed;
    }

    fn close(&mut self) {
        self.reports += u64::from(self.failed);
        self.ended = self.passed && !self.failed;
        (self.failed, self.passed) = (false, false);
    }

    fn length(mut self) -> u64 {
        if !self.ended {
            self.close();
        }
        self.reports
    }
}

fn at<T: Transaction>(
    txn: &T,
    loaded: &Loaded,
    place: RunPlace,
) -> Result<Option<TestRun>, HistoryError> {
    let behind = RunPlace {
        row: place.row.saturating_add(1),
        ..place
    };
    let page = page(txn, loaded, &Scope::default(), Some(behind), 1)?;
    Ok(page.runs.first().map(TestRun::from))
}

/// The others of a test's family, found by what their names begin with.
fn variants<T: Transaction>(txn: &T, loaded: &Loaded) -> Result<Vec<TestVariant>, HistoryError> {
    let test = &loaded.test;
    let (_, name) = place_and_name(&test.display, test.file.as_deref());
    let parameters = name.len() - without_parameters(name).len();
    let start = &test.display[..test.display.len() - parameters];
    let (names, tests, renamed) = (BY_NAME.read(txn)?, TESTS.read(txn)?, GOES_ON_AS.read(txn)?);
    let from = (test.project, name_start(start), TestId::from_bytes([0; 16]));
    let mut found = Vec::new();
    for row in names.prefix_from(&test.project, &from)?.take(MAX_NAMES) {
        let ((_, of_name, id), name) = row?;
        let begins = start.len().min(of_name.len());
        if of_name[..begins] != from.1[..begins] || found.len() == MAX_VARIANTS {
            break;
        }
        let mine = id == loaded.id || renamed.contains(&(test.project, id))?;
        if mine || !name.starts_with(start.as_bytes()) {
            continue;
        }
        if tests
            .get(&id)?
            .is_some_and(|other| other.family == test.family)
        {
            let (other, tally) = load_alone(txn, id)?;
            found.push(TestVariant {
                id,
                display_name: other.display,
                last_outcome: tally.last_outcome,
            });
        }
    }
    Ok(found)
}
