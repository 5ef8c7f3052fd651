//! What differs between two builds or reports.

use super::super::error::BuildsError;
use super::Builds;
use crate::accounts::{Caller, Principal};
use crate::web::{ApiError, ApiResult, Json, Query};
use axum::extract::State;
use serde::Deserialize;
use testhide_protocol::ReportId;
use testhide_protocol::api::{Comparison, Problem};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CompareQuery {
    base: String,
    head: String,
}

/// Says what differs between two builds or reports, by test identity. A build stands for the reports of its last attempt that has any.
/// Each list holds its first 1,000 tests; `counts` says how many there are.
#[utoipa::path(
    get, path = "/compare", tag = "reports", security(("bearer" = [])),
    params(
        ("base" = String, Query, description = "id or number of the build before, or id of a report"),
        ("head" = String, Query, description = "id or number of the build after, or id of a report"),
    ),
    responses(
        (status = 200, description = "the differences", body = Comparison),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such build or report for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "one of the two is missing in the query", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn compare(
    State(builds): State<Builds>,
    Caller(principal): Caller,
    Query(query): Query<CompareQuery>,
) -> ApiResult<Json<Comparison>> {
    let comparing = tokio::task::spawn_blocking(move || {
        let base = builds.compared(&principal, &query.base)?;
        let head = builds.compared(&principal, &query.head)?;
        Ok(builds.reports.compare_stored(&base, &head)?)
    });
    let compared: Result<Comparison, ApiError> = comparing
        .await
        .map_err(|error| ApiError::internal(&error))?;
    Ok(Json(compared?))
}

impl Builds {
    /// The reports that a build or a report stands for, each with the attempt of its tests that it tells of.
    fn compared(
        &self,
        principal: &Principal,
        text: &str,
    ) -> Result<Vec<(ReportId, u32)>, ApiError> {
        let missing = match self.resolve(principal, text) {
            Ok(record) => {
                let (attempt, reports) = self.reports.compared_of_build(record.id)?;
                let counted = self.counted(record.id, attempt)?;
                let turn =
                    |report: &ReportId| counted.get(report).map_or(0, |counted| counted.turn);
                return Ok(reports
                    .into_iter()
                    .map(|report| (report, turn(&report)))
                    .collect());
            }
            Err(missing @ BuildsError::NotFound(_)) => missing,
            Err(error) => return Err(error.into()),
        };
        let Ok(report) = text.parse::<ReportId>() else {
            return Err(missing.into());
        };
        Ok(vec![(self.reports.resolve(principal, report)?.id, 0)])
    }
}
