//! How many tests a build of its kind usually has, and which of them are not there this time.
//!
//! Builds of one kind have the same job, branch and parameters. The last five of them that came to an end of their own and had tests are
//! asked, and their median counts: one broken build in between changes nothing, and a suite that was made smaller on purpose is
//! told of twice and then believed. A branch without builds is compared with the job's own branch.

use super::error::BuildsError;
use super::model::BuildRecord;
use super::rules::far_fewer;
use super::store::{BUILDS, BY_JOB, Builds};
use super::tally::{Tally, counted_reports};
use crate::reports::Names;
use crate::storage::Transaction;
use std::collections::{BTreeSet, HashSet};
use testhide_protocol::BuildId;
use testhide_protocol::api::{BuildState, Source};

/// Builds whose median is the usual number.
const BUILDS_ASKED: usize = 5;

/// Builds that are looked at to find them.
const BUILDS_SEEN: usize = 500;

/// Names of missing tests that are kept, the first in their order.
const SHOWN: usize = 20;

/// What there used to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Baseline {
    /// Median of their tests.
    pub usual: u64,
    /// Whom that speaks of, as the subject of a sentence.
    pub builds: String,
    /// How the number came about.
    pub median: String,
    /// Tests of the last of them that are not in this build.
    pub missing: Names,
}

impl Builds {
    /// What there used to be before `record`, of which `tally` knows the tests. Blocks for disk reads.
    ///
    /// # Errors
    /// Failures of the store.
    pub(super) fn baseline(
        &self,
        record: &BuildRecord,
        tally: &Tally,
    ) -> Result<Option<Baseline>, BuildsError> {
        let own = match &record.definition().source_management {
            Some(Source::Git { branch, .. }) => branch.clone(),
            None => None,
        };
        let own = own.unwrap_or_else(|| "main".to_owned());
        let mut earlier = self
            .storage
            .read(|rtxn| earlier(rtxn, record, &record.branch))?;
        let mut branch = &record.branch;
        if earlier.is_empty() && own != record.branch {
            earlier = self
                .storage
                .read(|rtxn| self::earlier(rtxn, record, &own))?;
            branch = &own;
        }
        let mut totals: Vec<u64> = earlier.iter().map(|build| build.counts.total).collect();
        totals.sort_unstable();
        let Some(usual) = totals.get(totals.len() / 2).copied() else {
            return Ok(None);
        };
        let mut baseline = Baseline {
            usual,
            builds: match totals.len() {
                1 => format!("the last build of `{}` on `{branch}`", record.job_name),
                count => format!(
                    "the last {count} builds of `{}` on `{branch}`",
                    record.job_name
                ),
            },
            median: if totals.len() == 1 {
                "one build"
            } else {
                "median"
            }
            .to_owned(),
            missing: Names::default(),
        };
        if far_fewer(tally.counts().total, usual)
            && let Some(build) = earlier.iter().find(|build| build.counts.total >= usual)
        {
            baseline.missing = self.missing(build, tally)?;
        }
        Ok(Some(baseline))
    }

    /// Tests of `build` that are not in `tally`, by name.
    fn missing(&self, build: &BuildRecord, tally: &Tally) -> Result<Names, BuildsError> {
        let reports = self
            .storage
            .read(|rtxn| counted_reports(rtxn, build.id, build.attempt))?;
        // Of the names only those that are shown are kept: a build may have millions of tests, in each of many reports.
        let (mut missing, mut first) = (HashSet::new(), BTreeSet::new());
        for (_, facts) in reports {
            let Some(report) = facts.report else { continue };
            for row in self.reports.compact_rows(report)? {
                if tally.contains(row.test) || !missing.insert(row.test) {
                    continue;
                }
                first.insert((row.display_name, row.test));
                if first.len() > SHOWN {
                    first.pop_last();
                }
            }
        }
        let mut names: Names = first.iter().map(|(name, _)| name.as_str()).collect();
        names.count = missing.len() as u64;
        Ok(names)
    }
}

/// The last builds of the kind of `record` on `branch` that came to an end of their own and had tests, newest first.
fn earlier<T: Transaction>(
    txn: &T,
    record: &BuildRecord,
    branch: &str,
) -> Result<Vec<BuildRecord>, BuildsError> {
    let builds = BUILDS.read(txn)?;
    let numbers = BY_JOB.read(txn)?;
    let mut found = Vec::new();
    let before = numbers.prefix_before(&record.job, &(record.job, record.number))?;
    for row in before.rev().take(BUILDS_SEEN) {
        let Some(build) = builds.get(&BuildId::from_bytes(row?.1))? else {
            continue;
        };
        let ended = matches!(build.state, BuildState::Passed | BuildState::Failed);
        let same = build.branch == branch && build.parameters == record.parameters;
        if ended && same && build.counts.total > 0 {
            found.push(build);
            if found.len() == BUILDS_ASKED {
                break;
            }
        }
    }
    Ok(found)
}
