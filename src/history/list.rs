//! Finds tests.

use super::error::HistoryError;
use super::store::{BY_NAME, GOES_ON_AS, History, NameStart, load};
use super::view::shown;
use crate::accounts::{Principal, require};
use testhide_protocol::api::{ProjectPermission, Test};
use testhide_protocol::{ProjectId, TestId};

/// Tests that one page may look at; a page of rare matches ends early and has a next one.
const MAX_TESTS: usize = 20_000;

/// Where a page of tests ended: the start of the last name that was looked at, and its test.
pub(super) type TestPlace = (NameStart, TestId);

impl History {
    /// One test, by its id or that of an old name, whoever asks; for use inside the server.
    ///
    /// # Errors
    /// [`HistoryError::TestNotFound`], failures of the store.
    pub fn test(&self, id: TestId) -> Result<Test, HistoryError> {
        self.storage
            .read(|rtxn| load(rtxn, id).map(|found| shown(found.id, found.test, &found.tally)))
    }

    /// One test, if `principal` may see its project.
    ///
    /// # Errors
    /// [`HistoryError::TestNotFound`] also for a test that the caller may not see.
    pub fn resolve(&self, principal: &Principal, id: TestId) -> Result<Test, HistoryError> {
        let test = self.test(id)?;
        match require(principal, ProjectPermission::Read, test.project_id) {
            Ok(()) => Ok(test),
            Err(_) => Err(HistoryError::TestNotFound(id)),
        }
    }

    /// Up to `limit` tests of a project after a place, by name; only those whose name contains `part`, in any case. Answers also
    /// where the next page begins.
    pub(super) fn tests(
        &self,
        project: ProjectId,
        part: &str,
        after: Option<TestPlace>,
        limit: usize,
    ) -> Result<(Vec<Test>, Option<TestPlace>), HistoryError> {
        let part = part.to_lowercase();
        self.storage.read(|rtxn| {
            let (names, renamed) = (BY_NAME.read(rtxn)?, GOES_ON_AS.read(rtxn)?);
            let rows = match after {
                Some((start, test)) => names.prefix_after(&project, &(project, start, test))?,
                None => names.prefix(&project)?,
            };
            let mut found = Vec::new();
            let mut last = None;
            for (looked_at, row) in rows.enumerate() {
                let ((_, start, id), name) = row?;
                if found.len() == limit || looked_at == MAX_TESTS {
                    return Ok((found, last));
                }
                last = Some((start, id));
                if !part.is_empty()
                    && !String::from_utf8_lossy(&name)
                        .to_lowercase()
                        .contains(&part)
                {
                    continue;
                }
                // An old name is listed under the test that it goes on as.
                if !renamed.contains(&(project, id))? {
                    let loaded = load(rtxn, id)?;
                    found.push(shown(id, loaded.test, &loaded.tally));
                }
            }
            Ok((found, None))
        })
    }
}
