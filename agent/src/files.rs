//! The agent's own small files: written whole or not at all, for this user alone.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::error::AgentError;

/// Makes the agent's directory.
pub(crate) fn make_dir(dir: &Path) -> Result<(), AgentError> {
    fs::create_dir_all(dir).map_err(AgentError::file(dir))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
            .map_err(AgentError::file(dir))?;
    }
    Ok(())
}

/// Writes a file: beside it, synced, then over it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), AgentError> {
    let beside = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let written = options.open(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written
        .and_then(|()| fs::rename(&beside, path))
        .map_err(AgentError::file(path))
}
