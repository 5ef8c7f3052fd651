//! Aliases: proposed by the server, decided by people.
//!
//! Nothing is rewritten: an accepted alias is a sign that leads from the old test to the new one, and every reader of runs
//! follows it. So it can be taken back, and reports that still name the old test count for the new one.

use super::error::HistoryError;
use super::lane::Scope;
use super::model::{RunPlace, StoredAlias};
use super::rules::Proposal;
use super::runs::page;
use super::store::{
    ALIASES, ALIASES_OF_PROJECT, ALIASES_OF_TEST, GOES_ON_AS, Loaded, WAS_BEFORE, goes_on_as,
    load_alone,
};
use crate::accounts::{Principal, require};
use crate::events;
use crate::kit::Clock;
use crate::storage::{Storage, StorageError, Transaction, WriteTxn};
use std::collections::{BTreeMap, BTreeSet};
use testhide_protocol::api::{AliasEnd, AliasState, Event, ProjectPermission, TestAlias};
use testhide_protocol::{AliasId, ProjectId, ReportId, TestId, Timestamp};

/// Aliases that one test shows.
const MAX_OF_TEST: usize = 50;

/// Aliases of tests; clones share them.
#[derive(Clone)]
pub struct Aliases {
    storage: Storage,
    clock: Clock,
}

/// Where a page of aliases ended: milliseconds of the proposal, and the alias.
pub(super) type AliasPlace = (u64, AliasId);

/// What somebody says of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// They are one test.
    Accept,
    /// They are two.
    Reject,
    /// What was said before does not count any more.
    Undo,
}

impl Aliases {
    /// The aliases in `storage`.
    #[must_use]
    pub fn new(storage: Storage, clock: Clock) -> Self {
        Self { storage, clock }
    }

    /// Decides about an alias. Saying again what it is already changes nothing.
    ///
    /// # Errors
    /// [`HistoryError::AliasNotFound`] also for one that the caller may not see, a refusal without WRITE,
    /// [`HistoryError::AliasConflict`] when the old test goes on as another one already or the two would lead to each other.
    pub async fn decide(
        &self,
        principal: &Principal,
        id: AliasId,
        decision: Decision,
    ) -> Result<TestAlias, HistoryError> {
        let alias = self.storage.read(|rtxn| visible(rtxn, principal, id))?;
        require(principal, ProjectPermission::Write, alias.project)?;
        let (who, now) = (principal.username.clone(), self.clock.now());
        self.storage
            .write(move |wtxn| decide(wtxn, id, decision, &who, now))
            .await?;
        self.storage.read(|rtxn| {
            let alias = ALIASES.read(rtxn)?.get(&id)?;
            shown(rtxn, id, alias.ok_or(HistoryError::AliasNotFound(id))?)
        })
    }

    /// Up to `limit` aliases of a project in one state after a place, the newest first; and where the next page begins.
    pub(super) fn list(
        &self,
        project: ProjectId,
        state: AliasState,
        before: Option<AliasPlace>,
        limit: usize,
    ) -> Result<(Vec<TestAlias>, Option<AliasPlace>), HistoryError> {
        let prefix = (project, number(state));
        self.storage.read(|rtxn| {
            let table = ALIASES_OF_PROJECT.read(rtxn)?;
            let rows = match before {
                Some((time, id)) => table.prefix_before(&prefix, &(project, prefix.1, time, id))?,
                None => table.prefix(&prefix)?,
            };
            let mut found = Vec::new();
            let mut last = None;
            for row in rows.rev() {
                let ((_, _, time, id), ()) = row?;
                if found.len() == limit {
                    return Ok((found, last));
                }
                last = Some((time, id));
                if let Some(alias) = ALIASES.read(rtxn)?.get(&id)? {
                    found.push(shown(rtxn, id, alias)?);
                }
            }
            Ok((found, None))
        })
    }
}

/// Stores proposals that nobody made before, each with its event; answers how many those were. What people said of an earlier one of the
/// same two tests stays.
///
/// # Errors
/// Failures of the store; the caller's transaction must not be committed then.
pub fn store_proposals(
    wtxn: &WriteTxn,
    project: ProjectId,
    report: ReportId,
    proposals: &[Proposal],
    now: Timestamp,
) -> Result<usize, StorageError> {
    let mut new = 0;
    for proposal in proposals {
        let id = alias_id(project, proposal.old, proposal.new);
        if ALIASES.read(wtxn)?.contains(&id)? {
            continue;
        }
        let alias = StoredAlias {
            project,
            old: proposal.old,
            new: proposal.new,
            state: AliasState::Proposed,
            change: proposal.change,
            score: proposal.score,
            reasons: proposal.reasons.clone(),
            rivals: proposal.rivals,
            report,
            proposed_at: now,
            decided_at: None,
            decided_by: None,
        };
        put(wtxn, id, &alias, None)?;
        let mut of_test = ALIASES_OF_TEST.write(wtxn)?;
        of_test.put(&(alias.old, id), &())?;
        of_test.put(&(alias.new, id), &())?;
        drop(of_test);
        let event = Event::TestAliasProposed { alias: id };
        events::append(wtxn, now, Some(project), &event)?;
        new += 1;
    }
    Ok(new)
}

/// Aliases that lead to or from a test or one of its old names, at most fifty.
pub(super) fn of_test<T: Transaction>(
    txn: &T,
    loaded: &Loaded,
) -> Result<Vec<TestAlias>, HistoryError> {
    let (table, aliases) = (ALIASES_OF_TEST.read(txn)?, ALIASES.read(txn)?);
    let mut ids = BTreeSet::new();
    for member in &loaded.members {
        for row in table.prefix(member)?.take(MAX_OF_TEST) {
            let ((_, id), ()) = row?;
            ids.insert(id);
        }
    }
    let mut found = Vec::new();
    for id in ids.into_iter().take(MAX_OF_TEST) {
        if let Some(alias) = aliases.get(&id)? {
            found.push(shown(txn, id, alias)?);
        }
    }
    Ok(found)
}

fn visible<T: Transaction>(
    txn: &T,
    principal: &Principal,
    id: AliasId,
) -> Result<StoredAlias, HistoryError> {
    let alias = ALIASES.read(txn)?.get(&id)?;
    alias
        .filter(|alias| require(principal, ProjectPermission::Read, alias.project).is_ok())
        .ok_or(HistoryError::AliasNotFound(id))
}

fn decide(
    wtxn: &WriteTxn,
    id: AliasId,
    decision: Decision,
    who: &str,
    now: Timestamp,
) -> Result<(), HistoryError> {
    let before = ALIASES
        .read(wtxn)?
        .get(&id)?
        .ok_or(HistoryError::AliasNotFound(id))?;
    let state = match decision {
        Decision::Accept => AliasState::Accepted,
        Decision::Reject => AliasState::Rejected,
        Decision::Undo => AliasState::Proposed,
    };
    if before.state == state {
        return Ok(());
    }
    let (project, old, new) = (before.project, before.old, before.new);
    if before.state == AliasState::Accepted {
        GOES_ON_AS.write(wtxn)?.remove(&(project, old))?;
        WAS_BEFORE.write(wtxn)?.remove(&(project, new, old))?;
    }
    if state == AliasState::Accepted {
        let conflict = |what: String| Err(HistoryError::AliasConflict(what));
        let mut table = GOES_ON_AS.write(wtxn)?;
        if let Some(other) = table.get(&(project, old))? {
            let other = TestId::from_bytes(other);
            return conflict(format!("the old test goes on as `{other}` already"));
        }
        table.put(&(project, old), &new.bytes())?;
        drop(table);
        if leads_back(wtxn, project, old)? {
            return conflict("the two tests would lead to each other".to_owned());
        }
        WAS_BEFORE.write(wtxn)?.put(&(project, new, old), &())?;
    }
    let decided = state != AliasState::Proposed;
    let after = StoredAlias {
        state,
        decided_at: decided.then_some(now),
        decided_by: decided.then(|| who.to_owned()),
        ..before.clone()
    };
    put(wtxn, id, &after, Some(&before))?;
    let event = Event::TestAliasDecided { alias: id, state };
    events::append(wtxn, now, Some(project), &event)?;
    Ok(())
}

/// Whether the way from `start` comes back to it. The transaction is thrown away then.
fn leads_back<T: Transaction>(
    txn: &T,
    project: ProjectId,
    start: TestId,
) -> Result<bool, StorageError> {
    let table = GOES_ON_AS.read(txn)?;
    let mut at = start;
    while let Some(next) = table.get(&(project, at))? {
        at = TestId::from_bytes(next);
        if at == start {
            return Ok(true);
        }
    }
    Ok(false)
}

fn put(
    wtxn: &WriteTxn,
    id: AliasId,
    alias: &StoredAlias,
    before: Option<&StoredAlias>,
) -> Result<(), StorageError> {
    ALIASES.write(wtxn)?.put(&id, alias)?;
    let key = |alias: &StoredAlias| {
        let time = u64::try_from(alias.proposed_at.0).unwrap_or(0);
        (alias.project, number(alias.state), time, id)
    };
    let mut of_project = ALIASES_OF_PROJECT.write(wtxn)?;
    if let Some(before) = before {
        of_project.remove(&key(before))?;
    }
    of_project.put(&key(alias), &())
}

/// The same two tests give the same id, so a proposal is made once.
fn alias_id(project: ProjectId, old: TestId, new: TestId) -> AliasId {
    let bytes = super::numbering::test_id(project, &old.bytes(), &[&new.to_string()]).bytes();
    AliasId::from_bytes(bytes)
}

fn number(state: AliasState) -> u8 {
    match state {
        AliasState::Proposed => 0,
        AliasState::Accepted => 1,
        AliasState::Rejected => 2,
    }
}

/// An alias with the ends of both histories.
fn shown<T: Transaction>(
    txn: &T,
    id: AliasId,
    alias: StoredAlias,
) -> Result<TestAlias, HistoryError> {
    Ok(TestAlias {
        id,
        project_id: alias.project,
        state: alias.state,
        change: alias.change,
        score: alias.score,
        reasons: alias.reasons,
        rivals: alias.rivals,
        old: end(txn, alias.old, End::Last)?,
        new: end(txn, alias.new, End::First)?,
        report_id: alias.report,
        proposed_at: alias.proposed_at,
        decided_at: alias.decided_at,
        decided_by: alias.decided_by,
    })
}

/// Which run of a test stands for the end of its history that is of interest.
#[derive(Clone, Copy)]
enum End {
    First,
    Last,
}

/// One of the two tests, by its own runs alone.
fn end<T: Transaction>(txn: &T, id: TestId, which: End) -> Result<AliasEnd, HistoryError> {
    let (test, tally) = load_alone(txn, id)?;
    let loaded = Loaded {
        id,
        first_batch: test.first_batch,
        members: vec![id],
        test,
        tally,
    };
    let before = match which {
        End::First => Some(RunPlace {
            batch: loaded.first_batch + 1,
            row: 0,
        }),
        End::Last => None,
    };
    let run = page(txn, &loaded, &Scope::default(), before, 1)?.runs.pop();
    Ok(AliasEnd {
        test_id: id,
        display_name: loaded.test.display,
        file: loaded.test.file,
        runs: tally.runs,
        failures: tally.failures,
        first_seen_at: loaded.test.first_seen_at,
        last_seen_at: tally.last_seen_at,
        last_outcome: tally.last_outcome,
        run: run.as_ref().map(Into::into),
    })
}

/// Where the old names of a project's tests lead; for comparing reports of before and after.
///
/// # Errors
/// Failures of the store.
pub fn renamed_tests<T: Transaction>(
    txn: &T,
    project: ProjectId,
) -> Result<BTreeMap<TestId, TestId>, StorageError> {
    let mut all = BTreeMap::new();
    for row in GOES_ON_AS.read(txn)?.prefix(&project)? {
        let ((_, old), _) = row?;
        all.insert(old, goes_on_as(txn, project, old)?);
    }
    Ok(all)
}
