//! Deletion where the standard library's is all there is: it does not follow links, either.

use std::fs;
use std::io;
use std::path::Path;

use super::Undeleted;

/// Deletes `path` and everything below it; a link itself. What is not there is deleted already.
///
/// # Errors
/// What stays.
pub(crate) fn remove(path: &Path) -> Result<(), Undeleted> {
    let removed = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
    };
    removed.map_err(|error| Undeleted::one(path.display().to_string(), error))
}

/// Deletes everything in the folder `path`.
///
/// # Errors
/// What stays; also when `path` is no folder.
pub(crate) fn empty(path: &Path) -> Result<(), Undeleted> {
    let here = |error| Undeleted::one(path.display().to_string(), error);
    for entry in fs::read_dir(path).map_err(here)? {
        remove(&entry.map_err(here)?.path())?;
    }
    Ok(())
}
