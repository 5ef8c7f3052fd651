//! A report that somebody uploads for a build.

use super::error::BuildsError;
use super::findings;
use super::outlook::Outlook;
use super::store::{ATTEMPTS, Builds, REPORT_FACTS, load, save};
use crate::accounts::Principal;
use crate::reports::{self, PreparedReport, Uploaded};
use crate::storage::{StoredFile, WriteTxn};
use std::sync::Arc;
use testhide_protocol::api::{BuildState, ProjectPermission};
use testhide_protocol::{BuildId, Timestamp};

impl Builds {
    /// Reads a file as a report of `build` and stores its results. The same `key` answers the same report.
    ///
    /// # Errors
    /// Permission (execute), [`BuildsError::NotFound`], a file that cannot be read (with line and reason); nothing is stored then.
    pub async fn add_report(
        &self,
        principal: &Principal,
        build: &str,
        name: String,
        file: StoredFile,
        key: Option<String>,
    ) -> Result<Uploaded, BuildsError> {
        let record = self.resolve_for(principal, build, ProjectPermission::Execute)?;
        let mut prepared = self.reports.prepare(record.origin(), name, file).await?;
        if let Some(key) = key {
            prepared = prepared.keyed(principal.user, key);
        }
        let prepared = Arc::new(prepared);
        let turn = self.tallies.turn(record.id);
        let mut kept = turn.lock().await;
        loop {
            let (builds, report, before) = (self.clone(), prepared.clone(), kept.take());
            let looking = tokio::task::spawn_blocking(move || {
                builds.outlook_of_upload(record.id, &report, before)
            });
            let (outlook, tally) = looking
                .await
                .map_err(|error| BuildsError::panicked(&error))??;
            let (report, now) = (prepared.clone(), self.clock.now());
            let stored = self
                .storage
                .write(move |wtxn| store_upload(wtxn, record.id, &report, &outlook, now))
                .await?;
            if let Some(uploaded) = stored {
                *kept = Some(tally).filter(|_| !uploaded.repeated);
                return Ok(uploaded);
            }
        }
    }
}

/// Stores an upload and what follows from it; `None` when the build is not as `outlook` has seen it: nothing is stored then.
fn store_upload(
    wtxn: &WriteTxn,
    build: BuildId,
    prepared: &PreparedReport,
    outlook: &Outlook,
    now: Timestamp,
) -> Result<Option<Uploaded>, BuildsError> {
    let mut record = load(wtxn, build)?;
    let attempt = ATTEMPTS.read(wtxn)?.get(&(build, record.attempt))?;
    if !outlook.holds(&record, attempt.as_ref()) {
        return Ok(None);
    }
    let report = reports::store(wtxn, prepared, now)?;
    let repeated = report.id != prepared.id();
    if !repeated {
        if let Some(facts) = outlook.arrivals.get(&0) {
            let place = (build, record.attempt, record.reports);
            REPORT_FACTS.write(wtxn)?.put(&place, facts)?;
            record.reports += 1;
            record.counts = outlook.counts;
        }
        record.reports_pending += 1;
        if matches!(
            record.state,
            BuildState::Passed | BuildState::Failed | BuildState::TimedOut
        ) && let Some(attempt) = &attempt
        {
            findings::tell(wtxn, &mut record, attempt, outlook.baseline.as_ref())?;
        }
        save(wtxn, &record)?;
    }
    Ok(Some(Uploaded { report, repeated }))
}
