//! Compares two builds.

use super::compare::compare;
use super::error::ReportsError;
use super::model::CompactRow;
use super::store::{Reports, of_build};
use testhide_protocol::BuildId;
use testhide_protocol::api::Comparison;

impl Reports {
    /// What differs between two builds, each by the reports of its last attempt that has any. Blocks for disk reads.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn compare_builds(&self, base: BuildId, head: BuildId) -> Result<Comparison, ReportsError> {
        Ok(compare(
            &self.rows_of_build(base)?,
            &self.rows_of_build(head)?,
        ))
    }

    fn rows_of_build(&self, build: BuildId) -> Result<Vec<CompactRow>, ReportsError> {
        let reports = self.storage.read(|rtxn| of_build(rtxn, build, None))?;
        let last = reports.last().map(|(attempt, _)| *attempt);
        let mut all = Vec::new();
        for (_, report) in reports.iter().filter(|(attempt, _)| Some(*attempt) == last) {
            all.extend(self.compact_rows(*report)?);
        }
        Ok(all)
    }
}
