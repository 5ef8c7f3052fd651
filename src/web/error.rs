//! The one shape of every refusal: RFC 9457 problem documents with a stable code.

use crate::storage::StorageError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use testhide_protocol::api::Problem;

/// What handlers answer.
pub type ApiResult<T> = Result<T, ApiError>;

/// A refusal or failure on its way to the client.
#[derive(Debug, Clone)]
pub struct ApiError {
    status: u16,
    code: &'static str,
    detail: String,
    hint: Option<String>,
    line: Option<u64>,
    retry_after_seconds: Option<u32>,
}

impl ApiError {
    /// A refusal with its status, stable code and one human sentence.
    #[must_use]
    pub fn new(status: u16, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            hint: None,
            line: None,
            retry_after_seconds: None,
        }
    }

    /// 400: the request does not make sense.
    #[must_use]
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(400, code, detail)
    }

    /// 401: who are you?
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(401, "not_authenticated", "this needs a valid access or API token")
            .hint("send `Authorization: Bearer TOKEN`; log in with POST /api/v3/auth/login or `testhide login`")
    }

    /// 403: seen, but not allowed.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(403, "not_allowed", detail)
    }

    /// 404: there is none, or the caller may not see it.
    #[must_use]
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(404, code, detail)
    }

    /// 409: it is in the way of what is there.
    #[must_use]
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(409, code, detail)
    }

    /// 422: well-formed, but a value is not one that can be.
    #[must_use]
    pub fn invalid(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(422, code, detail)
    }

    /// 500: a defect or a broken disk; logged here, told without details.
    #[must_use]
    pub fn internal(cause: &dyn std::fmt::Display) -> Self {
        tracing::error!("request failed: {cause}");
        Self::new(
            500,
            "internal",
            "the server failed to do this; its log says why",
        )
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the line of the input.
    #[must_use]
    pub fn at_line(mut self, line: Option<u64>) -> Self {
        self.line = line;
        self
    }

    /// Adds `Retry-After`.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }
}

impl From<StorageError> for ApiError {
    fn from(error: StorageError) -> Self {
        match &error {
            StorageError::ReadOnly { .. } => {
                Self::new(503, "disk_full", error.to_string()).retry_after(10)
            }
            StorageError::Unavailable { .. } => {
                Self::new(503, "store_unavailable", error.to_string()).retry_after(2)
            }
            StorageError::NoRoom { .. } => Self::new(507, "no_room", error.to_string()),
            StorageError::Closing => {
                Self::new(503, "closing", "the server is restarting; try again").retry_after(2)
            }
            _ => Self::internal(&error),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let problem = Problem {
            kind: format!("/api/v3/documentation#{}", self.code),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            code: self.code.to_owned(),
            detail: self.detail,
            hint: self.hint,
            line: self.line,
        };
        let body = serde_json::to_vec(&problem).expect("a problem is plain text and numbers");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_by_itself_says_when_to_ask_again() {
        let check = |error: StorageError, status: u16, code: &str, retry: Option<&str>| {
            let error = ApiError::from(error);
            assert_eq!((error.status(), error.code()), (status, code));
            let response = error.into_response();
            let after = response.headers().get(header::RETRY_AFTER);
            assert_eq!(after.and_then(|value| value.to_str().ok()), retry, "{code}");
        };
        let unavailable = StorageError::Unavailable {
            file: "state.redb".into(),
            what: "no space".into(),
        };
        check(unavailable, 503, "store_unavailable", Some("2"));
        let read_only = StorageError::ReadOnly {
            free_mb: 1,
            floor_mb: 2,
        };
        check(read_only, 503, "disk_full", Some("10"));
        check(StorageError::Closing, 503, "closing", Some("2"));
        let damaged = StorageError::Corrupt {
            table: "builds".into(),
            what: "is empty".into(),
        };
        check(damaged, 500, "internal", None);
    }
}
