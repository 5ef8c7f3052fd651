//! Files that are whole or absent: write a temporary one, sync, rename, sync the directory.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// Writes `bytes` so that `path` holds either its old content or all of the new, even after a power cut.
///
/// # Errors
/// Any I/O error; `path` then holds its old content.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with_mode(path, 0o644, |file| file.write_all(bytes))
}

/// As [`write_atomic`], with content that `write` makes piece by piece; gives what it gives.
///
/// # Errors
/// Any I/O error, of `write` too; `path` then holds its old content.
pub fn write_atomic_with<T>(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
) -> io::Result<T> {
    write_with_mode(path, 0o644, |file| write(file))
}

/// As [`write_atomic`], readable by its owner alone.
///
/// # Errors
/// Any I/O error; `path` then holds its old content.
pub fn write_secret(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with_mode(path, 0o600, |file| file.write_all(bytes))
}

/// The content of a secret file, or `None` when there is no such file.
///
/// # Errors
/// Any I/O error, and a file that others may read.
pub fn read_secret(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if fs::metadata(path)?.permissions().mode() & 0o077 != 0 {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                format!(
                    "`{}` can be read by others; run `chmod 600` on it",
                    path.display()
                ),
            ));
        }
    }
    Ok(Some(bytes))
}

/// Makes a directory (and its parents) that only its owner may enter; an existing one stays as it is.
///
/// # Errors
/// Any I/O error.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

#[cfg_attr(not(unix), expect(unused_variables, reason = "only Unix has modes"))]
fn write_with_mode<T>(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut fs::File) -> io::Result<T>,
) -> io::Result<T> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".writing-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    let mut file = builder.tempfile_in(parent)?;
    let written = write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    #[cfg(unix)]
    fs::File::open(parent)?.sync_all()?;
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::{read_secret, write_secret};

    #[test]
    fn a_secret_is_private_and_replaced_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        assert_eq!(read_secret(&path).unwrap(), None);
        write_secret(&path, b"one").unwrap();
        write_secret(&path, b"two").unwrap();
        assert_eq!(read_secret(&path).unwrap().as_deref(), Some(&b"two"[..]));
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            1,
            "no temporary file stays"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        write_secret(&path, b"one").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(
            read_secret(&path)
                .unwrap_err()
                .to_string()
                .contains("chmod 600")
        );
    }
}
