//! A report that somebody uploads for a project.

use super::error::ReportsError;
use super::intake::MAX_REPORT_BYTES;
use super::prepare::{plain_name, request_of};
use super::store::{Reports, load};
use super::transact::{store, stored_under};
use super::view::shown;
use crate::accounts::{Principal, require};
use crate::history::Origin;
use bytes::Bytes;
use futures_util::Stream;
use std::fmt::Display;
use std::sync::Arc;
use testhide_protocol::ProjectId;
use testhide_protocol::api::{ProjectPermission, Report};

/// Longest branch or commit, in bytes.
const TEXT_MAX: usize = 4096;

/// Longest `Idempotency-Key`, in bytes.
pub(super) const KEY_MAX: usize = 255;

/// What is said of an upload beside its bytes.
#[derive(Debug, Clone, Default)]
pub struct Upload {
    /// File name.
    pub name: Option<String>,
    /// Branch; what the report says when absent.
    pub branch: Option<String>,
    /// Commit; what the report says when absent.
    pub commit: Option<String>,
    /// An upload that comes again under the same key answers the same report.
    pub idempotency_key: Option<String>,
}

/// What became of an upload.
#[derive(Debug, Clone)]
pub struct Uploaded {
    /// The report.
    pub report: Report,
    /// Whether an earlier upload under the same key had stored it.
    pub repeated: bool,
}

impl Reports {
    /// Takes a report for a project: streams, parses and stores it.
    ///
    /// # Errors
    /// Permission (execute) and what is said of the upload are checked before the body is read; then the errors of
    /// [`Reports::intake`], [`Reports::prepare`] and [`super::store`]. Nothing is stored then.
    pub async fn upload<S, E>(
        &self,
        principal: &Principal,
        project: ProjectId,
        upload: Upload,
        body: S,
    ) -> Result<Uploaded, ReportsError>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Display,
    {
        require(principal, ProjectPermission::Execute, project)?;
        let branch = plain("branch", upload.branch, TEXT_MAX)?.unwrap_or_default();
        let commit = plain("commit", upload.commit, TEXT_MAX)?;
        let key = match upload.idempotency_key {
            Some(key) => Some(
                plain("Idempotency-Key", Some(key), KEY_MAX)?
                    .ok_or(invalid("Idempotency-Key", KEY_MAX))?,
            ),
            None => None,
        };
        let name = upload
            .name
            .map(|name| plain_name(&name))
            .filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| "report".to_owned());
        let origin = Origin {
            project,
            build: None,
            branch,
            commit,
            agent: None,
        };

        let file = self.intake(body, MAX_REPORT_BYTES).await?;
        if let Some(key) = &key {
            let request = request_of(&origin, &name, &file);
            let earlier = self.storage.read(|rtxn| {
                let earlier = stored_under(rtxn, principal.user, key, &request)?;
                earlier
                    .map(|id| load(rtxn, id).map(|stored| shown(id, stored)))
                    .transpose()
            })?;
            if let Some(report) = earlier {
                return Ok(Uploaded {
                    report,
                    repeated: true,
                });
            }
        }
        let mut prepared = self.prepare(origin, name, file).await?;
        if let Some(key) = key {
            prepared = prepared.keyed(principal.user, key);
        }
        let id = prepared.id();
        let (prepared, now) = (Arc::new(prepared), self.clock.now());
        let report = self
            .storage
            .write(move |wtxn| store(wtxn, &prepared, now))
            .await?;
        Ok(Uploaded {
            repeated: report.id != id,
            report,
        })
    }
}

/// A text as it was given; an empty one counts as absent.
fn plain(
    field: &'static str,
    text: Option<String>,
    most: usize,
) -> Result<Option<String>, ReportsError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    if text.len() > most || text.chars().any(char::is_control) {
        return Err(invalid(field, most));
    }
    Ok(Some(text))
}

fn invalid(field: &'static str, most: usize) -> ReportsError {
    ReportsError::Invalid { field, most }
}
