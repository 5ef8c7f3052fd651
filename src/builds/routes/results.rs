//! A build's reports and results.

use super::Builds;
use crate::accounts::Caller;
use crate::reports::{MAX_REPORT_BYTES, idempotency_key, require_report_type};
use crate::web::{ApiError, ApiResult, Json, PageQuery, Path, Query, Upload, page_of};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Deserialize;
use testhide_protocol::api::{Outcome, Page, Problem, ProjectPermission, Report, TestResult};

/// Lists the reports of a build, oldest first.
#[utoipa::path(
    get, path = "/builds/{build}/reports", tag = "reports", security(("bearer" = [])),
    params(("build" = String, Path, description = "id or number")),
    responses(
        (status = 200, description = "all of them, in one page", body = Page<Report>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such build for the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_build_reports(
    State(builds): State<Builds>,
    Caller(principal): Caller,
    Path(build): Path<String>,
) -> ApiResult<Json<Page<Report>>> {
    let record = builds.resolve(&principal, &build)?;
    Ok(Json(Page {
        items: builds.reports.of_build(record.id)?,
        next: None,
    }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UploadQuery {
    name: Option<String>,
}

/// Stores a test report for a build. The body is the file itself; its format is found by its content.
#[utoipa::path(
    post, path = "/builds/{build}/reports", tag = "reports", security(("bearer" = [])),
    params(
        ("build" = String, Path, description = "id or number"),
        ("name" = Option<String>, Query, description = "file name, for people"),
        ("Idempotency-Key" = Option<String>, Header, description = "an upload that comes again under the same key answers the same report"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "the report that an earlier upload under this key stored", body = Report),
        (status = 201, description = "stored", body = Report),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs EXECUTE in the project", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such build for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "the file is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "the content type cannot be a report", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "the file is not a report, with line and reason", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "the disk is getting full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn add_build_report(
    State(builds): State<Builds>,
    Caller(principal): Caller,
    Path(build): Path<String>,
    Query(query): Query<UploadQuery>,
    headers: HeaderMap,
    Upload(body): Upload,
) -> ApiResult<(StatusCode, Json<Report>)> {
    // Permission first: a stranger's gigabytes are not even read.
    builds.resolve_for(&principal, &build, ProjectPermission::Execute)?;
    require_report_type(&headers)?;
    let key = idempotency_key(&headers)?;
    let file = builds.reports.intake(body, MAX_REPORT_BYTES).await?;
    let uploaded = builds
        .add_report(
            &principal,
            &build,
            query.name.unwrap_or_default(),
            file,
            key,
        )
        .await?;
    let status = if uploaded.repeated {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(uploaded.report)))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ResultsQuery {
    outcome: Option<Outcome>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Lists the results of a build's last attempt, report by report.
#[utoipa::path(
    get, path = "/builds/{build}/results", tag = "reports", security(("bearer" = [])),
    params(
        ("build" = String, Path, description = "id or number"),
        ("outcome" = Option<Outcome>, Query, description = "only this outcome"),
        ("limit" = Option<usize>, Query, description = "entries wanted, 1 to 1,000; 50 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "a page of results", body = Page<TestResult>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such build for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid outcome, limit or cursor", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_build_results(
    State(builds): State<Builds>,
    Caller(principal): Caller,
    Path(build): Path<String>,
    Query(query): Query<ResultsQuery>,
) -> ApiResult<Json<Page<TestResult>>> {
    let record = builds.resolve(&principal, &build)?;
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let (limit, after) = (page.limit()?, page.after()?);
    let reports = builds.reports.clone();
    let reading = tokio::task::spawn_blocking(move || {
        reports.results_of_build(
            record.id,
            Some(record.attempt),
            query.outcome,
            after,
            limit + 1,
        )
    });
    let results = reading
        .await
        .map_err(|error| ApiError::internal(&error))??;
    Ok(Json(page_of(results, limit, |result| result.id)))
}
