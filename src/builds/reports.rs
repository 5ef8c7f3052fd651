//! A report that somebody uploads for a build.

use super::error::BuildsError;
use super::store::{Builds, load, save};
use crate::accounts::Principal;
use crate::reports::{self, Uploaded};
use crate::storage::StoredFile;
use std::sync::Arc;
use testhide_protocol::api::ProjectPermission;

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
        let now = self.clock.now();
        self.storage
            .write(move |wtxn| {
                let report = reports::store(wtxn, &prepared, now)?;
                if report.id == prepared.id() {
                    let mut record = load(wtxn, record.id)?;
                    record.add_report(prepared.counts());
                    save(wtxn, &record)?;
                }
                let repeated = report.id != prepared.id();
                Ok(Uploaded { report, repeated })
            })
            .await
    }
}
