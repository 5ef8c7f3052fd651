//! Use case: download a file kept from a build.

use super::args::Get;
use super::client::Download;
use super::error::{CliError, Exit};
use super::interrupt::interruptible;
use super::output::bytes;
use super::session::Session;
use serde_json::json;
use std::io::Write;
use std::path::Path;

/// Downloads a file to stdout or, whole or not at all, to a path.
pub(super) async fn get(session: &Session, args: &Get) -> Result<(), CliError> {
    let path = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    if path.is_none() && session.out.is_terminal() {
        return Err(CliError::usage("a file's bytes are not for a terminal")
            .hint("name a file with -o, or send stdout somewhere else"));
    }
    let id = args.id.to_string();
    let mut download = session
        .bulk_client()?
        .download(&["artifacts", &id], &[])
        .await?;
    let Some(path) = path else {
        while let Some(part) = download.next().await? {
            session.out.write_bytes(&part)?;
        }
        return Ok(());
    };
    interruptible(to_file(session, &mut download, path, "downloading")).await?;
    let size = download.read();
    session
        .out
        .show(&json!({ "file": path, "size": size }), |_| {
            format!("{} ({})\n", path.display(), bytes(size))
        })
}

/// Writes a download to `path`, which holds its old content until all of the new is there and synced.
pub(super) async fn to_file(
    session: &Session,
    download: &mut Download,
    path: &Path,
    label: &str,
) -> Result<(), CliError> {
    let failed = |error: std::io::Error| CliError::file("write", path, &error);
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".testhide-")
        .tempfile_in(dir)
        .map_err(failed)?;
    let bar = session.out.progress(label, download.expected());
    while let Some(part) = download.next().await? {
        file.write_all(&part).map_err(failed)?;
        bar.add(part.len() as u64);
    }
    if download
        .expected()
        .is_some_and(|expected| expected != download.read())
    {
        return Err(CliError::new(
            Exit::TryAgain,
            "unreachable",
            "the file broke off before its end",
        ));
    }
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
