//! Stored shape of artifacts, and the rule for their paths.

use super::error::ArtifactsError;
use crate::storage::{Record, StoredFile, VolumeRef};
use serde::{Deserialize, Serialize};
use testhide_protocol::api::Artifact;
use testhide_protocol::wire::clean_file_path;
use testhide_protocol::{ArtifactId, BuildId, ProjectId, Timestamp};

/// A kept file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRecord {
    /// Identity.
    pub id: ArtifactId,
    /// Its build's project.
    pub project: ProjectId,
    /// Its build.
    pub build: BuildId,
    /// Attempt it comes from.
    pub attempt: u32,
    /// Path under the build.
    pub path: String,
    /// Its bytes.
    pub file: StoredFile,
    /// When it was kept.
    pub created_at: Timestamp,
}
impl Record for ArtifactRecord {
    fn places(&self) -> Vec<VolumeRef> {
        self.file.parts.clone()
    }
}

impl From<ArtifactRecord> for Artifact {
    fn from(record: ArtifactRecord) -> Self {
        Self {
            id: record.id,
            build_id: record.build,
            attempt: record.attempt,
            path: record.path,
            size: record.file.size,
            blake3: crate::kit::to_hex(&record.file.blake3),
            created_at: record.created_at,
        }
    }
}

/// A path as it is kept: relative, with `/`, without `.` and `..`, without control characters.
///
/// # Errors
/// [`ArtifactsError::Path`] for everything else; agents are not trusted with paths.
pub fn clean_path(path: &str) -> Result<String, ArtifactsError> {
    clean_file_path(path).ok_or_else(|| ArtifactsError::Path(path.chars().take(100).collect()))
}

#[cfg(test)]
mod tests {
    use super::clean_path;
    use proptest::prelude::*;

    #[test]
    fn paths() {
        let check = |path: &str, expected: Option<&str>| {
            assert_eq!(clean_path(path).ok().as_deref(), expected, "{path:?}");
        };
        check("logs/a.log", Some("logs/a.log"));
        check("./logs//a.log", Some("logs/a.log"));
        check("logs\\a.log", Some("logs/a.log"));
        check("/etc/passwd", None);
        check("../a", None);
        check("a/../../b", None);
        check("C:\\a", None);
        check("a\nb", None);
        check("", None);
        check("./.", None);
    }

    proptest! {
        #[test]
        fn a_clean_path_never_leaves_its_folder(path in "[a./\\\\:]{0,20}") {
            if let Ok(clean) = clean_path(&path) {
                prop_assert!(!clean.starts_with('/') && clean.split('/').all(|part| !part.is_empty() && part != ".."));
                prop_assert_eq!(clean_path(&clean).ok(), Some(clean));
            }
        }
    }
}
