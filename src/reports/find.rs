//! Finds reports.

use super::error::ReportsError;
use super::store::{BY_PROJECT, Reports, load, of_build};
use super::view::shown;
use crate::accounts::{Principal, require};
use crate::storage::{FileReader, StorageError};
use testhide_protocol::api::{ProjectPermission, Report};
use testhide_protocol::{BuildId, ProjectId, ReportId};

impl Reports {
    /// One report, whoever asks; for use inside the server.
    ///
    /// # Errors
    /// [`ReportsError::NotFound`], failures of the store.
    pub fn get(&self, id: ReportId) -> Result<Report, ReportsError> {
        self.storage
            .read(|rtxn| load(rtxn, id).map(|stored| shown(id, stored)))
    }

    /// One report, if `principal` may see its project.
    ///
    /// # Errors
    /// [`ReportsError::NotFound`] also for a report that the caller may not see.
    pub fn resolve(&self, principal: &Principal, id: ReportId) -> Result<Report, ReportsError> {
        let report = self.get(id)?;
        match require(principal, ProjectPermission::Read, report.project_id) {
            Ok(()) => Ok(report),
            Err(_) => Err(ReportsError::NotFound(id)),
        }
    }

    /// The reports of a build, by attempt and in the order of storing.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn of_build(&self, build: BuildId) -> Result<Vec<Report>, ReportsError> {
        self.storage.read(|rtxn| {
            let reports = of_build(rtxn, build, None)?;
            reports
                .into_iter()
                .map(|(_, id)| load(rtxn, id).map(|stored| shown(id, stored)))
                .collect()
        })
    }

    /// Up to `limit` reports of a project before `before` (or the newest), newest first.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn of_project(
        &self,
        project: ProjectId,
        before: Option<ReportId>,
        limit: usize,
    ) -> Result<Vec<Report>, ReportsError> {
        self.storage.read(|rtxn| {
            let table = BY_PROJECT.read(rtxn)?;
            let rows = match before {
                Some(before) => table.prefix_before(&project, &(project, before))?,
                None => table.prefix(&project)?,
            };
            let ids = rows
                .rev()
                .take(limit)
                .map(|row| row.map(|((_, id), ())| id));
            ids.collect::<Result<Vec<_>, StorageError>>()?
                .into_iter()
                .map(|id| load(rtxn, id).map(|stored| shown(id, stored)))
                .collect()
        })
    }

    /// Reads the file as it was sent.
    ///
    /// # Errors
    /// [`ReportsError::NotFound`], failures of the store.
    pub fn open(&self, id: ReportId) -> Result<FileReader, ReportsError> {
        let stored = self.storage.read(|rtxn| load(rtxn, id))?;
        Ok(FileReader::new(self.volumes.clone(), &stored.file))
    }
}
