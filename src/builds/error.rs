//! What can go wrong with builds.

use super::checks::Fault;
use super::lifecycle::IllegalMove;
use crate::accounts::Refusal;
use crate::artifacts::ArtifactsError;
use crate::jobs::JobsError;
use crate::logs::LogsError;
use crate::projects::ProjectsError;
use crate::reports::ReportsError;
use crate::storage::{FileError, StorageError};
use crate::web::ApiError;
use testhide_protocol::api::BuildState;

/// A failure around builds.
#[derive(Debug, thiserror::Error)]
pub enum BuildsError {
    /// There is none of that id or number, or the caller may not see it.
    #[error("there is no build `{0}`")]
    NotFound(String),
    /// The build has no such attempt.
    #[error("build {number} has no attempt {attempt}")]
    NoAttempt {
        /// Number.
        number: u64,
        /// Attempt.
        attempt: u32,
    },
    /// The job is disabled.
    #[error("job `{0}` is disabled")]
    JobDisabled(String),
    /// The trigger sets a parameter that the job does not declare.
    #[error("job `{job}` declares no parameter `{parameter}`")]
    UnknownParameter {
        /// Job.
        job: String,
        /// Parameter.
        parameter: String,
    },
    /// A branch, commit or value that cannot be one.
    #[error("{0}")]
    Invalid(String),
    /// It is over already.
    #[error("build {number} is over already: {state}")]
    Finished {
        /// Number.
        number: u64,
        /// State.
        state: BuildState,
    },
    /// The same `Idempotency-Key` came with another request.
    #[error("this Idempotency-Key was used for another request")]
    KeyReused,
    /// What an agent sent under a lease that it does not hold (any more).
    #[error("lease is not held: {0}")]
    LeaseGone(&'static str),
    /// What an agent sent does not follow what it sent before.
    #[error("journal record {seq} is refused: {reason}")]
    Journal {
        /// Record.
        seq: u64,
        /// What is wrong with it.
        fault: Fault,
        /// Why.
        reason: String,
    },
    /// What was worked out for it does not hold any more; trying again helps.
    #[error("the build changed meanwhile")]
    Raced,
    /// A thread that read for it ended early.
    #[error("failed to read a build's reports: {0}")]
    Panicked(String),
    /// The caller may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Its job.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// Its project.
    #[error(transparent)]
    Projects(#[from] ProjectsError),
    /// Logs.
    #[error(transparent)]
    Logs(LogsError),
    /// Reports.
    #[error(transparent)]
    Reports(ReportsError),
    /// Artifacts.
    #[error(transparent)]
    Artifacts(ArtifactsError),
    /// Files.
    #[error(transparent)]
    File(FileError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl BuildsError {
    /// Whether nothing can be written now, because the disk is full. What was asked for can be asked for again.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_read_only())
    }

    /// A reading thread ended early.
    pub(super) fn panicked(error: &tokio::task::JoinError) -> Self {
        Self::Panicked(error.to_string())
    }
}

/// A failure of the store is one whatever stood between: only so is a full disk waited for, and nobody blamed for it.
macro_rules! from_beside {
    ($($kind:ident in $error:ident),*) => {
        $(impl From<$error> for BuildsError {
            fn from(error: $error) -> Self {
                match error {
                    $error::Storage(error) => Self::Storage(error),
                    other => Self::$kind(other),
                }
            }
        })*
    };
}

from_beside!(
    Logs in LogsError,
    Reports in ReportsError,
    Artifacts in ArtifactsError,
    File in FileError
);

impl From<IllegalMove> for BuildsError {
    fn from(error: IllegalMove) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<BuildsError> for ApiError {
    fn from(error: BuildsError) -> Self {
        let text = error.to_string();
        match error {
            BuildsError::NotFound(_) => Self::not_found("build_not_found", text),
            BuildsError::NoAttempt { .. } => Self::not_found("attempt_not_found", text),
            BuildsError::JobDisabled(_) => Self::conflict("job_disabled", text)
                .hint("enable it with `testhide job update JOB --enable` or over the API"),
            BuildsError::UnknownParameter { .. } => Self::invalid("unknown_parameter", text),
            BuildsError::Invalid(_) => Self::invalid("invalid_build", text),
            BuildsError::Finished { .. } => Self::conflict("build_finished", text),
            BuildsError::KeyReused => Self::conflict("idempotency_key_reused", text),
            BuildsError::LeaseGone(_) | BuildsError::Journal { .. } => {
                Self::conflict("lease_gone", text)
            }
            BuildsError::Raced => Self::conflict("build_changed", text),
            BuildsError::Panicked(_) => Self::internal(&text),
            BuildsError::Refused(refusal) => refusal.into(),
            BuildsError::Jobs(error) => error.into(),
            BuildsError::Projects(error) => error.into(),
            BuildsError::Logs(error) => error.into(),
            BuildsError::Reports(error) => error.into(),
            BuildsError::Artifacts(error) => error.into(),
            BuildsError::File(FileError::TooLarge { limit }) => Self::new(
                413,
                "body_too_large",
                format!("the file is larger than {limit} bytes"),
            ),
            BuildsError::File(FileError::Storage(error)) | BuildsError::Storage(error) => {
                error.into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_one_whoever_saw_it() {
        let full = || StorageError::ReadOnly {
            free_mb: 1,
            floor_mb: 2,
        };
        let errors = [
            BuildsError::from(full()),
            LogsError::from(full()).into(),
            ReportsError::from(full()).into(),
            ArtifactsError::from(full()).into(),
            FileError::from(full()).into(),
        ];
        for error in errors {
            assert!(error.is_read_only(), "{error:?}");
        }
        assert!(!BuildsError::from(LogsError::LineZero).is_read_only());
    }
}
