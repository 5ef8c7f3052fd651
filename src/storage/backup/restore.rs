//! Use case: make a data directory from an archive.

use super::manifest::{Manifest, Progress};
use super::target::Target;
use super::verify::read_whole;
use crate::storage::StorageError;
use std::path::Path;

/// Makes the data directory `dir` from the archive at `path`. The archive is verified on the way, and the directory can be opened
/// only after this has answered `Ok`; then it is synced.
///
/// # Errors
/// [`StorageError::Io`] when `dir` is not absent or empty, which leaves it as it is; as [`verify`](super::verify()) for an archive that
/// is not whole, and failures of the disk, which leave `dir` empty or absent. A restore that is killed leaves a directory that
/// no testhide opens.
pub fn restore(
    path: &Path,
    dir: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Manifest, StorageError> {
    let mut target = Target::new(dir)?;
    let mut total = 0;
    let manifest = read_whole(
        path,
        &mut |name, rows| target.put(name, rows),
        &mut |step| {
            total = step.total_bytes.unwrap_or_default();
            progress(step);
        },
    )?;
    target.finish(&mut |entry| {
        progress(Progress {
            entry,
            done_bytes: total,
            total_bytes: Some(total),
        });
    })?;
    Ok(manifest)
}
