//! The HTTP of the audit log: pages of it, whether it is whole, and all of it as lines.

use crate::accounts::{Caller, GlobalPermission, require_global};
use crate::audit::{Audit, Filter};
use crate::web::{ApiError, ApiResult, Cursor, Json, Query};
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use testhide_protocol::Timestamp;
use testhide_protocol::api::{AuditEntry, AuditOutcome, AuditVerification, Page, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Lines of an export that are read at once.
const LINES: usize = 1_000;

/// The routes of the audit log, below `/api/v3`.
pub fn audit_routes(audit: Audit) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_audit))
        .routes(routes!(verify_audit))
        .routes(routes!(export_audit))
        .with_state(audit)
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    actor: Option<String>,
    action: Option<String>,
    object: Option<String>,
    outcome: Option<AuditOutcome>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    limit: Option<usize>,
    cursor: Option<String>,
}

impl AuditQuery {
    fn filter(&self) -> Filter {
        Filter {
            actor: self.actor.clone(),
            action: self.action.clone(),
            object: self.object.clone(),
            outcome: self.outcome,
            from: self.from,
            until: self.until,
        }
    }
}

/// Lists the audit log, newest first. A page may be short or empty although older entries fit: `next` says where to go on.
#[utoipa::path(
    get, path = "/audit", tag = "audit", security(("bearer" = [])),
    params(
        ("actor" = Option<String>, Query, description = "who did it: kind (`user`, `token`, `agent`, `system`, `anonymous`), id or name"),
        ("action" = Option<String>, Query, description = "what was done: `agent.drained`, or `agent` for all about agents"),
        ("object" = Option<String>, Query, description = "what it was done to: kind, id or name"),
        ("outcome" = Option<String>, Query, description = "`ok` or `refused`"),
        ("from" = Option<String>, Query, description = "not before this time"),
        ("until" = Option<String>, Query, description = "before this time"),
        ("limit" = Option<usize>, Query, description = "entries wanted, 1 to 1,000; 50 when absent"),
        ("cursor" = Option<String>, Query, description = "from the `next` of the page before"),
    ),
    responses(
        (status = 200, description = "a page of entries", body = Page<AuditEntry>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs MONITORING_WRITE", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid query", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_audit(
    State(audit): State<Audit>,
    Caller(principal): Caller,
    Query(query): Query<AuditQuery>,
) -> ApiResult<Json<Page<AuditEntry>>> {
    require_global(&principal, GlobalPermission::MonitoringWrite)?;
    let limit = query.limit.unwrap_or(50);
    if !(1..=1000).contains(&limit) {
        let text = format!("limit {limit} is not between 1 and 1000");
        return Err(ApiError::invalid("invalid_limit", text));
    }
    let before = query.cursor.as_deref().map(Cursor::read).transpose()?;
    let found = audit.list(&query.filter(), before, limit)?;
    Ok(Json(Page {
        items: found.items,
        next: found.more_behind.map(|seq| Cursor::write(&seq)),
    }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyQuery {
    seq: Option<u64>,
    hash: Option<String>,
}

/// Checks that no entry of the audit log was changed or taken out. With `seq` and `hash` of an entry that was written down earlier it also
/// checks that nothing up to it was cut off.
#[utoipa::path(
    get, path = "/audit/verify", tag = "audit", security(("bearer" = [])),
    params(
        ("seq" = Option<u64>, Query, description = "number of a known entry"),
        ("hash" = Option<String>, Query, description = "its hash"),
    ),
    responses(
        (status = 200, description = "whether it is intact", body = AuditVerification),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs MONITORING_WRITE", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "one of `seq` and `hash` is missing", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn verify_audit(
    State(audit): State<Audit>,
    Caller(principal): Caller,
    Query(query): Query<VerifyQuery>,
) -> ApiResult<Json<AuditVerification>> {
    require_global(&principal, GlobalPermission::MonitoringWrite)?;
    let known = match (query.seq, query.hash) {
        (None, None) => None,
        (Some(seq), Some(hash)) => Some((seq, hash)),
        _ => {
            let text = "`seq` and `hash` belong together";
            return Err(ApiError::invalid("invalid_query", text));
        }
    };
    let checking = tokio::task::spawn_blocking(move || {
        let known = known.as_ref();
        audit.verify(known.map(|(seq, hash)| (*seq, hash.as_str())))
    });
    let checked = checking.await;
    Ok(Json(checked.map_err(|error| ApiError::internal(&error))??))
}

/// Gives the audit log as JSON lines, oldest first, each as it was hashed.
#[utoipa::path(
    get, path = "/audit/export", tag = "audit", security(("bearer" = [])),
    params(
        ("actor" = Option<String>, Query, description = "as in the list"),
        ("action" = Option<String>, Query, description = "as in the list"),
        ("object" = Option<String>, Query, description = "as in the list"),
        ("outcome" = Option<String>, Query, description = "as in the list"),
        ("from" = Option<String>, Query, description = "not before this time"),
        ("until" = Option<String>, Query, description = "before this time"),
    ),
    responses(
        (status = 200, description = "one entry a line", body = String, content_type = "application/x-ndjson"),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs MONITORING_WRITE", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid query", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn export_audit(
    State(audit): State<Audit>,
    Caller(principal): Caller,
    Query(query): Query<AuditQuery>,
) -> ApiResult<Response> {
    require_global(&principal, GlobalPermission::MonitoringWrite)?;
    if query.limit.is_some() || query.cursor.is_some() {
        let text = "an export has no pages: `limit` and `cursor` belong to the list";
        return Err(ApiError::invalid("invalid_query", text));
    }
    let filter = query.filter();
    let lines = stream::try_unfold(Some(0), move |after| {
        let (audit, filter) = (audit.clone(), filter.clone());
        async move {
            let Some(after) = after else { return Ok(None) };
            let found = audit.lines(&filter, after, LINES)?;
            let mut part = Vec::new();
            for line in found.items {
                part.extend_from_slice(&line);
                part.push(b'\n');
            }
            Ok::<_, crate::storage::StorageError>(Some((part, found.more_behind)))
        }
    });
    let kind = [(header::CONTENT_TYPE, "application/x-ndjson")];
    Ok((kind, Body::from_stream(lines)).into_response())
}
