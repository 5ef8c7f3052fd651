//! Reads what is known of a build. What cannot be read is said in words and no rule holds by it; only a store that is closing is an
//! error, since the next start reads it.

use super::check::BUILDS_MAX;
use super::error::GatesError;
use super::facts::{BaseHistory, Facts, TestFact};
use super::findings::findings_of;
use super::handle::Gates;
use super::merge::merge;
use super::rules::DEFAULT_BUILDS;
use crate::builds::BuildRecord;
use crate::history::{self, HistoryError, Run, RunPlace};
use crate::storage::ReadTxn;
use std::collections::BTreeMap;
use testhide_protocol::api::{Finding, GateRule, Report, Source};
use testhide_protocol::{BuildId, JobId, ReportId, TestId, Timestamp};

/// Failing tests whose history is read; a build in which more fail has other troubles, and the rest counts as new.
const MAX_COMPARED: usize = 10_000;

/// Runs of a test that are read at once: as many as a rule looks back by default, and a few more, since a build can have several.
const PAGE: usize = DEFAULT_BUILDS as usize + 5;

/// Pages of a test's runs after which the search for older builds ends.
const MAX_PAGES: usize = 50;

/// The branch that others come from, where no job says otherwise.
const MAIN: &str = "main";

impl Gates {
    /// Everything that `rules` need to know of a build. Blocks for disk reads.
    pub(super) fn gather(
        &self,
        record: &BuildRecord,
        rules: &[&GateRule],
    ) -> Result<Facts, GatesError> {
        let default_branch = self.default_branch(record.job)?;
        let (reports, mut doubt) = match known(self.reports_of(record))? {
            Ok((reports, doubt)) => (reports, doubt),
            Err(why) => (Vec::new(), Some(why)),
        };
        let tests = match known(self.tests_of(record, &reports))? {
            Ok(tests) => tests,
            Err(why) => {
                doubt = Some(why);
                Vec::new()
            }
        };
        let failing: Vec<TestId> = tests
            .iter()
            .filter(|test| test.outcome.is_failure())
            .map(|test| test.id)
            .collect();
        let mut base = BTreeMap::new();
        for (branch, builds) in branches(rules, &default_branch) {
            let history = self.base_history(record.id, &reports, &failing, &branch, builds);
            base.insert(branch, known(history)?);
        }
        let took =
            |(start, end): (Timestamp, Timestamp)| end.millis_since(start).max(0).unsigned_abs();
        Ok(Facts {
            state: record.state,
            duration_ms: record.started_at.zip(record.finished_at).map(took),
            default_branch,
            tests,
            doubt,
            base,
            findings: self.findings(record)?,
        })
    }

    fn default_branch(&self, job: JobId) -> Result<String, GatesError> {
        let source = self
            .jobs
            .get(job)?
            .and_then(|job| job.definition.source_management);
        let branch = source.and_then(|Source::Git { branch, .. }| branch);
        Ok(branch.unwrap_or_else(|| MAIN.to_owned()))
    }

    /// The reports of the present attempt, and why they may not tell of all tests.
    fn reports_of(
        &self,
        record: &BuildRecord,
    ) -> Result<(Vec<Report>, Option<String>), GatesError> {
        let mut reports = self.reports.of_build(record.id)?;
        let earlier = reports.iter().filter_map(|report| report.attempt).max();
        reports.retain(|report| report.attempt == Some(record.attempt));
        let counted = self.builds.counted(record.id, record.attempt)?;
        let partial = |report: &&Report| counted.get(&report.id).is_some_and(|one| one.partial);
        let shown = |report: &Report| report.name.chars().take(100).collect::<String>();
        let doubt = if reports.is_empty() {
            Some(match earlier {
                Some(earlier) => format!(
                    "attempt {} has no report, the last ones are of attempt {earlier}",
                    record.attempt
                ),
                None => "the build has no report".to_owned(),
            })
        } else if let Some(report) = reports.iter().find(|report| report.truncated) {
            Some(format!("report `{}` broke off", shown(report)))
        } else if let Some(report) = reports.iter().find(partial) {
            let name = shown(report);
            Some(format!("report `{name}` is what a killed reporter left"))
        } else if record.unread_files() > 0 {
            Some(format!(
                "{} of its files could not be read",
                record.unread_files()
            ))
        } else {
            None
        };
        Ok((reports, doubt))
    }

    /// The tests of some reports, each once.
    fn tests_of(
        &self,
        record: &BuildRecord,
        reports: &[Report],
    ) -> Result<Vec<TestFact>, GatesError> {
        let counted = self.builds.counted(record.id, record.attempt)?;
        let mut rows = Vec::new();
        for report in reports {
            let turn = counted.get(&report.id).map_or(0, |report| report.turn);
            let of_report = self.reports.compact_rows(report.id)?;
            rows.extend(of_report.into_iter().map(|row| {
                let test = TestFact {
                    id: row.test,
                    name: row.display_name,
                    outcome: row.outcome,
                    recovered: row.recovered,
                    duration_ms: row.duration_ms,
                };
                (turn, test)
            }));
        }
        Ok(merge(rows))
    }

    /// When `failing` tests failed last on `branch`, in builds whose reports were stored before those of this build: the same
    /// question has the same answer whenever it is asked.
    fn base_history(
        &self,
        build: BuildId,
        reports: &[Report],
        failing: &[TestId],
        branch: &str,
        builds: u32,
    ) -> Result<BaseHistory, GatesError> {
        let rtxn = self.storage.begin_read()?;
        let mut before = None;
        for report in reports {
            let place = history::place_of_report(&rtxn, report.id)?;
            before = before.into_iter().chain(place).min();
        }
        let mut found = BaseHistory::default();
        for test in failing.iter().take(MAX_COMPARED) {
            if let Some(ago) = failed_ago(&rtxn, build, *test, branch, before, builds)? {
                found.failed_ago.insert(*test, ago);
            }
        }
        Ok(found)
    }

    fn findings(&self, record: &BuildRecord) -> Result<Result<Vec<Finding>, String>, GatesError> {
        let build = known(self.builds.show(record.clone()).map_err(GatesError::from))?;
        Ok(build.and_then(|build| findings_of(&build)))
    }
}

/// How many builds ago `test` failed last on `branch`; the inner `None` when it did not in the last `builds` that report it, the outer
/// when the branch does not know it.
fn failed_ago(
    rtxn: &ReadTxn,
    build: BuildId,
    test: TestId,
    branch: &str,
    mut before: Option<RunPlace>,
    builds: u32,
) -> Result<Option<Option<u32>>, GatesError> {
    let mut seen: Vec<Of> = Vec::new();
    for _ in 0..MAX_PAGES {
        let page = match history::runs(rtxn, test, Some(branch), before, PAGE) {
            Ok(page) => page,
            Err(HistoryError::TestNotFound(_)) => break,
            Err(error) => return Err(error.into()),
        };
        for run in &page.runs {
            let source = Of::from(run);
            if source == Of::Build(build) {
                continue;
            }
            if !seen.contains(&source) {
                if seen.len() == builds as usize {
                    return Ok(Some(None));
                }
                seen.push(source);
            }
            if run.outcome.is_failure() {
                let ago = seen.iter().position(|other| *other == source);
                return Ok(Some(ago.and_then(|ago| u32::try_from(ago + 1).ok())));
            }
        }
        if page.next.is_none() {
            break;
        }
        before = page.next;
    }
    Ok((!seen.is_empty()).then_some(None))
}

/// What a run counts with: its build, or where there is none its report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Build(BuildId),
    Report(ReportId),
}

impl From<&Run> for Of {
    fn from(run: &Run) -> Self {
        match &run.origin.build {
            Some(build) => Self::Build(build.id),
            None => Self::Report(run.report),
        }
    }
}

/// The branches that rules compare with, each with the most builds that one of them looks back.
fn branches(rules: &[&GateRule], default_branch: &str) -> BTreeMap<String, u32> {
    let mut wanted: BTreeMap<String, u32> = BTreeMap::new();
    for rule in rules {
        if let GateRule::NoNewFailures {
            base_branch,
            builds,
        } = rule
        {
            let branch = base_branch.as_deref().unwrap_or(default_branch);
            let most = wanted.entry(branch.to_owned()).or_default();
            *most = (*most).max(builds.unwrap_or(DEFAULT_BUILDS).min(BUILDS_MAX));
        }
    }
    wanted
}

/// What was read, or in words why it cannot be read.
fn known<T>(read: Result<T, GatesError>) -> Result<Result<T, String>, GatesError> {
    match read {
        Ok(value) => Ok(Ok(value)),
        Err(error) if error.is_temporary() => Err(error),
        Err(error) => {
            tracing::warn!("a gate could not read all it needs: {error}");
            Ok(Err(error.to_string()))
        }
    }
}
