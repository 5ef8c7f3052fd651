//! What can go wrong with reports, and how HTTP says it.

use super::parse::ParseError;
use crate::accounts::Refusal;
use crate::history::HistoryError;
use crate::projects::ProjectsError;
use crate::storage::{FileError, StorageError};
use crate::web::ApiError;
use testhide_protocol::{ReportId, ResultId};

/// A failure around reports; nothing of the report is stored.
#[derive(Debug, thiserror::Error)]
pub enum ReportsError {
    /// There is no report of that id, or the caller may not see it.
    #[error("there is no report `{0}`")]
    NotFound(ReportId),
    /// There is no result of that id, or the caller may not see it.
    #[error("there is no result `{0}`")]
    ResultNotFound(ResultId),
    /// The file cannot be read as a report.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The body has no bytes.
    #[error("the report is empty")]
    Empty,
    /// The body is larger than the limit.
    #[error("the report is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The sender stopped half-way.
    #[error("the body broke off: {0}")]
    BrokenOff(String),
    /// A content type that no report has.
    #[error("content type `{0}` is not one of a report")]
    ContentType(String),
    /// A branch, commit, name or key that cannot be one.
    #[error("{field} has to be 1 to {most} characters without control characters")]
    Invalid {
        /// What it is.
        field: &'static str,
        /// Most characters.
        most: usize,
    },
    /// The same `Idempotency-Key` came with another report.
    #[error("this Idempotency-Key was used for another report")]
    KeyReused,
    /// The parser's thread ended without an answer.
    #[error("reading the report failed: {0}")]
    Panicked(String),
    /// The caller may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Its project.
    #[error(transparent)]
    Projects(#[from] ProjectsError),
    /// The history refused.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<FileError> for ReportsError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::TooLarge { limit } => Self::TooLarge { limit },
            FileError::Storage(error) => Self::Storage(error),
        }
    }
}

impl From<ReportsError> for ApiError {
    fn from(error: ReportsError) -> Self {
        let text = error.to_string();
        match error {
            ReportsError::NotFound(_) => Self::not_found("report_not_found", text),
            ReportsError::ResultNotFound(_) => Self::not_found("result_not_found", text),
            ReportsError::Parse(error) => unreadable(&error),
            ReportsError::Empty => {
                Self::invalid("report_empty", text).hint("send the file as the body of the request")
            }
            ReportsError::TooLarge { .. } => Self::new(413, "body_too_large", text),
            ReportsError::BrokenOff(_) => Self::bad_request("body_broken_off", text),
            ReportsError::ContentType(_) => Self::new(415, "not_a_report", text).hint(
                "send the file itself as `application/xml` or `application/json`, not as a form (curl: `--data-binary @FILE -H 'Content-Type: application/xml'`)",
            ),
            ReportsError::Invalid { .. } => Self::invalid("invalid_field", text),
            ReportsError::KeyReused => Self::conflict("idempotency_key_reused", text),
            ReportsError::Panicked(_) => Self::internal(&text),
            ReportsError::Refused(refusal) => refusal.into(),
            ReportsError::Projects(error) => error.into(),
            ReportsError::History(error) => error.into(),
            ReportsError::Storage(error) => error.into(),
        }
    }
}

fn unreadable(error: &ParseError) -> ApiError {
    let code = match error {
        ParseError::NotRecognised { .. } => "report_not_recognised",
        ParseError::DoctypeRefused { .. } => "report_refused",
        ParseError::Broken { .. } => "report_broken",
        ParseError::Stopped { .. } | ParseError::Input { .. } => return ApiError::internal(error),
    };
    ApiError::invalid(code, error.to_string()).at_line(Some(error.line()))
}
