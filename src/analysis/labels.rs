//! Somebody says what the cause of a failure was.

use super::cause::category;
use super::error::AnalysisError;
use super::essence::Essence;
use super::handle::{Analysis, blocking};
use super::model::StoredLabel;
use super::store::put_label;
use crate::accounts::{Principal, require};
use crate::events;
use testhide_protocol::ResultId;
use testhide_protocol::api::{Event, FailureVerdict, ProjectPermission};

impl Analysis {
    /// Gives a failure a category, over an earlier one; answers what is said of the failure now. The same category once more
    /// leaves no event.
    ///
    /// # Errors
    /// [`AnalysisError::ResultNotFound`] also for a result that the caller may not see, [`AnalysisError::Refused`] without WRITE,
    /// [`AnalysisError::NotAFailure`], [`AnalysisError::InvalidCategory`].
    pub async fn label(
        &self,
        principal: &Principal,
        id: ResultId,
        given: &str,
    ) -> Result<FailureVerdict, AnalysisError> {
        let report = self.report_of(principal, id)?;
        let project = report.project_id;
        require(principal, ProjectPermission::Write, project)?;
        let given = category(given)
            .ok_or(AnalysisError::InvalidCategory)?
            .to_owned();
        let this = self.clone();
        let result = blocking(move || Ok(this.reports.result(id)?)).await?;
        if !(result.outcome.is_failure() || result.recovered) {
            return Err(AnalysisError::NotAFailure(id));
        }
        let label = StoredLabel {
            category: given.clone(),
            by: principal.user,
            username: principal.username.clone(),
            at: self.clock.now(),
            test: result.test_id,
            signature: result.signature.parse().ok(),
            essence: Essence::of(
                result.kind.as_deref(),
                result.message.as_deref(),
                result.trace.as_deref(),
            ),
        };
        self.storage
            .write(move |wtxn| {
                if put_label(wtxn, project, id, &label)? {
                    let event = Event::FailureLabelled {
                        result: id,
                        category: given.clone(),
                    };
                    events::append(wtxn, label.at, Some(project), &event)?;
                }
                Ok::<_, AnalysisError>(())
            })
            .await?;
        self.verdict_of(principal, id).await
    }
}
