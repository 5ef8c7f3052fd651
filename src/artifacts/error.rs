//! What can go wrong with artifacts.

use crate::storage::StorageError;
use crate::web::ApiError;
use testhide_protocol::ArtifactId;

/// A failure around artifacts.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactsError {
    /// There is none of that id.
    #[error("there is no artifact `{0}`")]
    NotFound(ArtifactId),
    /// A path that leaves its folder, or is none.
    #[error("`{0}` is not a path below the build")]
    Path(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<ArtifactsError> for ApiError {
    fn from(error: ArtifactsError) -> Self {
        match error {
            ArtifactsError::NotFound(_) => Self::not_found("artifact_not_found", error.to_string()),
            ArtifactsError::Path(_) => Self::invalid("invalid_path", error.to_string()),
            ArtifactsError::Storage(error) => error.into(),
        }
    }
}
