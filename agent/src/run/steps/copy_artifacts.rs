//! `copy_artifacts`: keeps files of the workspace.

use testhide_protocol::wire::FileKind;

use super::collect::{Collection, collect};
use super::context::{Outcome, StepContext};

/// Delivers every file that matches `source`, to be kept under `target`.
pub(super) async fn run(source: &str, target: &str, context: &mut StepContext<'_>) -> Outcome {
    collect(
        Collection {
            glob: source.to_owned(),
            folder: target.to_owned(),
            kind: FileKind::Artifact,
        },
        context,
    )
    .await
}
