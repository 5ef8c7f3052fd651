//! The HTTP of reports and results.

use super::error::ReportsError;
use super::intake::MAX_REPORT_BYTES;
use super::store::Reports;
use super::upload::Upload;
use crate::accounts::{Caller, require};
use crate::history::place_of_result;
use crate::projects::Projects;
use crate::web::{self, ApiError, ApiResult, Json, PageQuery, Path, Query, page_of};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use testhide_protocol::api::{Outcome, Page, Problem, ProjectPermission, Report, TestResult};
use testhide_protocol::{ReportId, ResultId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of reports and results, below `/api/v3`.
pub fn routes(reports: Reports, projects: Projects) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_reports, upload_report))
        .routes(routes!(get_report))
        .routes(routes!(list_results))
        .routes(routes!(get_result))
        .with_state(Handles { reports, projects })
}

/// Whether the body may be a report, by its headers: refuses forms and pages, and a length above the limit, before a byte is read.
///
/// # Errors
/// [`ReportsError::ContentType`], [`ReportsError::TooLarge`].
pub fn require_report_type(headers: &HeaderMap) -> Result<(), ReportsError> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if headers.contains_key(header::CONTENT_TYPE) {
        let kind = text(header::CONTENT_TYPE).unwrap_or("?");
        let essence = kind
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        let known = [
            "application/xml",
            "text/xml",
            "application/json",
            "application/octet-stream",
            "application/zip",
            "text/plain",
        ];
        let taken = known.contains(&essence.as_str())
            || essence.ends_with("+xml")
            || essence.ends_with("+json");
        // XHTML and pictures are XML too, and no reports.
        if !taken || essence == "application/xhtml+xml" || essence.starts_with("image/") {
            return Err(ReportsError::ContentType(
                essence.chars().take(100).collect(),
            ));
        }
    }
    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > MAX_REPORT_BYTES) {
        return Err(ReportsError::TooLarge {
            limit: MAX_REPORT_BYTES,
        });
    }
    Ok(())
}

/// The `Idempotency-Key` of a request, if it has one.
///
/// # Errors
/// [`ReportsError::Invalid`] for a key that is not plain text.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ReportsError> {
    let invalid = || ReportsError::Invalid {
        field: "Idempotency-Key",
        most: super::upload::KEY_MAX,
    };
    let key = headers
        .get("idempotency-key")
        .map(|key| key.to_str().map_err(|_| invalid()))
        .transpose()?;
    match key {
        Some(key) if key.is_empty() || key.len() > super::upload::KEY_MAX => Err(invalid()),
        key => Ok(key.map(str::to_owned)),
    }
}

#[derive(Clone)]
struct Handles {
    reports: Reports,
    projects: Projects,
}

/// Runs what waits for disk reads where it holds up nobody.
async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, ReportsError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(read).await {
        Ok(answer) => Ok(answer?),
        Err(error) => Err(ApiError::internal(&error)),
    }
}

#[derive(Deserialize)]
struct UploadQuery {
    name: Option<String>,
    branch: Option<String>,
    commit: Option<String>,
}

/// Uploads a test report: JUnit XML, Testhide's own dialect of it, or CTRF JSON. The body is the file.
#[utoipa::path(
    post, path = "/projects/{project}/reports", tag = "reports", security(("bearer" = [])),
    request_body(content = Vec<u8>, content_type = "application/xml", description = "the file; also application/json, application/octet-stream"),
    params(
        ("project" = String, Path, description = "id or name"),
        ("name" = Option<String>, Query, description = "file name; `report` when absent"),
        ("branch" = Option<String>, Query, description = "branch; what the report says when absent"),
        ("commit" = Option<String>, Query, description = "commit; what the report says when absent"),
        ("Idempotency-Key" = Option<String>, Header, description = "an upload that comes again under the same key answers the same report"),
    ),
    responses(
        (status = 200, description = "the report that an earlier upload under this key stored", body = Report),
        (status = 201, description = "the new report", body = Report),
        (status = 400, description = "the body broke off", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs EXECUTE in the project", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such project for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "the key was used for another report", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "larger than 512 MiB", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "not the content type of a report", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "not a report, or broken before its first test; with the line", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "the disk is getting full", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn upload_report(
    State(handles): State<Handles>,
    Caller(principal): Caller,
    Path(project): Path<String>,
    Query(query): Query<UploadQuery>,
    headers: HeaderMap,
    web::Upload(body): web::Upload,
) -> ApiResult<(StatusCode, Json<Report>)> {
    let project = handles.projects.resolve(&principal, &project)?;
    require(&principal, ProjectPermission::Execute, project.id)?;
    require_report_type(&headers)?;
    let upload = Upload {
        name: query.name,
        branch: query.branch,
        commit: query.commit,
        idempotency_key: idempotency_key(&headers)?,
    };
    let uploaded = handles
        .reports
        .upload(&principal, project.id, upload, body)
        .await?;
    let status = if uploaded.repeated {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok((status, Json(uploaded.report)))
}

/// Lists the reports of a project, newest first.
#[utoipa::path(
    get, path = "/projects/{project}/reports", tag = "reports", security(("bearer" = [])),
    params(
        ("project" = String, Path, description = "id or name"),
        ("limit" = Option<usize>, Query, description = "entries wanted, 1 to 1,000; 50 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "a page of reports", body = Page<Report>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such project for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid limit or cursor", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_reports(
    State(handles): State<Handles>,
    Caller(principal): Caller,
    Path(project): Path<String>,
    Query(query): Query<PageQuery>,
) -> ApiResult<Json<Page<Report>>> {
    let project = handles.projects.resolve(&principal, &project)?;
    let limit = query.limit()?;
    let page = handles
        .reports
        .of_project(project.id, query.after()?, limit + 1)?;
    Ok(Json(page_of(page, limit, |report| report.id)))
}

/// Shows a report.
#[utoipa::path(
    get, path = "/reports/{id}", tag = "reports", security(("bearer" = [])),
    params(("id" = ReportId, Path, description = "the report's id")),
    responses(
        (status = 200, description = "the report", body = Report),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such report for the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_report(
    State(handles): State<Handles>,
    Caller(principal): Caller,
    Path(id): Path<ReportId>,
) -> ApiResult<Json<Report>> {
    Ok(Json(handles.reports.resolve(&principal, id)?))
}

#[derive(Deserialize)]
struct ResultsQuery {
    outcome: Option<Outcome>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Lists the results of a report in the order of the file, without captured output and with long texts shortened.
#[utoipa::path(
    get, path = "/reports/{id}/results", tag = "reports", security(("bearer" = [])),
    params(
        ("id" = ReportId, Path, description = "the report's id"),
        ("outcome" = Option<Outcome>, Query, description = "only results that ended so"),
        ("limit" = Option<usize>, Query, description = "entries wanted, 1 to 1,000; 50 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "a page of results", body = Page<TestResult>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such report for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid outcome, limit or cursor", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_results(
    State(handles): State<Handles>,
    Caller(principal): Caller,
    Path(id): Path<ReportId>,
    Query(query): Query<ResultsQuery>,
) -> ApiResult<Json<Page<TestResult>>> {
    let report = handles.reports.resolve(&principal, id)?.id;
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let (limit, after) = (page.limit()?, page.after()?);
    let reports = handles.reports;
    let results = reading(move || reports.results(report, query.outcome, after, limit + 1)).await?;
    Ok(Json(page_of(results, limit, |result| result.id)))
}

/// Shows a result with all its details.
#[utoipa::path(
    get, path = "/results/{id}", tag = "reports", security(("bearer" = [])),
    params(("id" = ResultId, Path, description = "the result's id")),
    responses(
        (status = 200, description = "the result", body = TestResult),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such result for the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_result(
    State(handles): State<Handles>,
    Caller(principal): Caller,
    Path(id): Path<ResultId>,
) -> ApiResult<Json<TestResult>> {
    let missing = || ReportsError::ResultNotFound(id);
    let (report, _) = place_of_result(id).ok_or_else(missing)?;
    handles
        .reports
        .resolve(&principal, report)
        .map_err(|error| match error {
            ReportsError::NotFound(_) => missing(),
            other => other,
        })?;
    let reports = handles.reports;
    Ok(Json(reading(move || reports.result(id)).await?))
}
