//! Use cases: write, verify and restore a backup.

use super::args::{Backup, Restore, Verify};
use super::doctor::line_of;
use super::error::{CliError, Exit};
use super::interrupt::interruptible;
use super::output::{ProgressBar, bytes};
use super::session::Session;
use crate::app::tables;
use crate::storage::backup::{self, BackupOptions, Manifest, Progress};
use crate::storage::{OpenOptions, Salvaged, StorageError, examine, salvage as salvage_directory};
use serde_json::json;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// Writes a backup. A file has its name only when it is whole and, unless that is not wanted, read again to the last byte.
pub(super) async fn write(session: &Session, args: Backup) -> Result<(), CliError> {
    if args.file == Path::new("-") {
        if args.salvage {
            return Err(
                CliError::usage("what is saved of a damaged directory goes to a file")
                    .hint("name a file: what is missing is said on stdout"),
            );
        }
        return to_stdout(session, args).await;
    }
    if !args.force && args.file.exists() {
        return Err(CliError::new(
            Exit::Conflict,
            "file_exists",
            format!("`{}` is there already", args.file.display()),
        )
        .hint("take another name, or --force to replace it"));
    }
    interruptible(to_file(session, args)).await
}

/// Reads a backup to its last byte and says what is in it.
pub(super) async fn verify(session: &Session, args: Verify) -> Result<(), CliError> {
    let file = args.file.clone();
    let manifest = with_progress(session, "verifying", move |progress| {
        backup::verify(&file, progress)
    })
    .await?;
    session
        .out
        .show(&manifest, |_| summary(&args.file, "is whole", &manifest))
}

/// Makes a data directory from a backup.
pub(super) async fn restore(session: &Session, args: Restore) -> Result<(), CliError> {
    let (file, dir) = (args.file.clone(), args.data_dir.clone());
    if args.salvage {
        return salvage(session, file, dir).await;
    }
    let manifest = with_progress(session, "restoring", move |progress| {
        backup::restore(&file, &dir, progress)
    })
    .await?;
    let done = format!("is restored into `{}`", args.data_dir.display());
    session
        .out
        .show(&manifest, |_| summary(&args.file, &done, &manifest))
}

async fn salvage(session: &Session, file: PathBuf, dir: PathBuf) -> Result<(), CliError> {
    let found = with_progress(session, "salvaging", move |progress| {
        backup::salvage(&file, &dir, progress)
    })
    .await?;
    session.out.show(&found, |_| {
        let mut out = format!("{} entries were restored\n", found.entries.len());
        for damage in &found.damage {
            out.push_str(&format!("damaged at byte {}: {}\n", damage.at, damage.what));
        }
        match &found.missing {
            None => out.push_str("the manifest is gone: nobody can say what is missing\n"),
            Some(missing) => {
                for entry in missing {
                    out.push_str(&format!(
                        "missing from {}: {} of {} rows\n",
                        entry.name,
                        entry.rows - entry.restored,
                        entry.rows
                    ));
                }
            }
        }
        out
    })?;
    let is_whole = found.damage.is_empty() && found.missing.as_ref().is_some_and(Vec::is_empty);
    if is_whole {
        return Ok(());
    }
    Err(CliError::new(
        Exit::Failed,
        "backup_damaged",
        "the backup is damaged; what was whole is restored",
    ))
}

async fn to_file(session: &Session, args: Backup) -> Result<(), CliError> {
    let path = args.file.clone();
    let failed = |error: io::Error| CliError::file("write", &path, &error);
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let file = tempfile::Builder::new()
        .prefix(".testhide-backup-")
        .tempfile_in(dir)
        .map_err(failed)?;
    let mut missing = None;
    let mut file = match args.data_dir {
        Some(dir) if args.salvage => {
            let (file, salvaged) = from_damaged(session, dir, file).await?;
            missing = Some(salvaged.missing);
            file
        }
        Some(dir) => from_directory(session, dir, file).await?,
        None => from_server(session, file, &path).await?,
    };
    file.flush()
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed)?;
    let size = file.as_file().metadata().map_err(failed)?.len();
    let temporary = file.path().to_owned();
    let manifest = if args.no_verify {
        None
    } else {
        Some(
            with_progress(session, "verifying", move |progress| {
                backup::verify(&temporary, progress)
            })
            .await?,
        )
    };
    let kept = if args.force {
        file.persist(&path)
    } else {
        file.persist_noclobber(&path)
    };
    kept.map_err(|error| failed(error.error))?;
    sync_dir(dir).map_err(failed)?;
    let shown = json!({
        "file": path, "size": size, "verified": manifest.is_some(), "manifest": manifest, "missing": missing,
    });
    session.out.show(&shown, |_| {
        let mut out = match &manifest {
            Some(manifest) => summary(
                &path,
                &format!("is written and verified ({})", bytes(size)),
                manifest,
            ),
            None => format!(
                "{} is written ({}), not verified\n",
                path.display(),
                bytes(size)
            ),
        };
        for damage in missing.iter().flatten() {
            out.push_str(&format!("missing: {}\n", line_of(damage)));
        }
        out
    })?;
    match missing {
        Some(missing) if !missing.is_empty() => Err(CliError::new(
            Exit::Failed,
            "data_damaged",
            "the data directory is damaged; the backup holds what could be read",
        )),
        _ => Ok(()),
    }
}

/// Bytes of a running server, as they come.
async fn from_server(
    session: &Session,
    mut file: NamedTempFile,
    path: &Path,
) -> Result<NamedTempFile, CliError> {
    let mut download = session.bulk_client()?.download(&["backup"], &[]).await?;
    let bar = session.out.progress("receiving", download.expected());
    while let Some(part) = download.next().await? {
        file.write_all(&part)
            .map_err(|error| CliError::file("write", path, &error))?;
        bar.add(part.len() as u64);
    }
    Ok(file)
}

/// The store of a stopped server; one that runs holds its directory, which is exit code 5.
async fn from_directory(
    session: &Session,
    dir: PathBuf,
    file: NamedTempFile,
) -> Result<NamedTempFile, CliError> {
    let options = BackupOptions::new(session.out.now());
    // A copy of damaged rows would look whole: its checksums are those of the damage.
    let looked_at = dir.clone();
    let found = with_progress(session, "looking for damage", move |progress| {
        examine(&looked_at, &tables(), progress)
    })
    .await?;
    if let Some(first) = found.damage.first() {
        let what = format!("`{}` is damaged: {}", dir.display(), line_of(first));
        let hint = "`testhide doctor` names every place; --salvage writes a backup of all that can be read";
        return Err(CliError::new(Exit::Failed, "data_damaged", what).hint(hint));
    }
    with_progress(session, "reading", move |progress| {
        let mut file = file;
        write_store(&dir, &options, &mut file, progress)?;
        Ok(file)
    })
    .await
}

/// What can be read of a stopped server's damaged store.
async fn from_damaged(
    session: &Session,
    dir: PathBuf,
    file: NamedTempFile,
) -> Result<(NamedTempFile, Salvaged), CliError> {
    let options = BackupOptions::new(session.out.now());
    with_progress(session, "saving", move |progress| {
        let mut file = file;
        let salvaged = salvage_directory(&dir, &tables(), &options, &mut file, progress)?;
        Ok((file, salvaged))
    })
    .await
}

fn write_store(
    dir: &Path,
    options: &BackupOptions,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<(), StorageError> {
    // Opening would make a directory that is not there.
    if !dir.join("state.redb").is_file() {
        let source = io::Error::new(io::ErrorKind::NotFound, "there is no `state.redb` in it");
        return Err(StorageError::Io {
            action: "open data directory",
            path: dir.to_owned(),
            source,
        });
    }
    let (storage, volumes, _guard) = OpenOptions::new(dir).open()?;
    backup::write(&storage, &volumes, options, out, progress).map(drop)
}

async fn to_stdout(session: &Session, args: Backup) -> Result<(), CliError> {
    if session.out.is_terminal() {
        return Err(CliError::usage("a backup is not for a terminal")
            .hint("name a file, or send stdout somewhere else"));
    }
    if let Some(dir) = args.data_dir {
        let options = BackupOptions::new(session.out.now());
        return with_progress(session, "reading", move |progress| {
            let mut stdout = io::stdout().lock();
            write_store(&dir, &options, &mut stdout, progress)
        })
        .await;
    }
    let mut download = session.bulk_client()?.download(&["backup"], &[]).await?;
    let bar = session.out.progress("receiving", download.expected());
    while let Some(part) = download.next().await? {
        session.out.write_bytes(&part)?;
        bar.add(part.len() as u64);
    }
    Ok(())
}

/// Runs blocking work on a thread of its own and shows how far it is.
pub(super) async fn with_progress<T: Send + 'static>(
    session: &Session,
    label: &str,
    work: impl FnOnce(&mut dyn FnMut(Progress<'_>)) -> Result<T, StorageError> + Send + 'static,
) -> Result<T, CliError> {
    let bar = session.out.progress(label, None);
    let done = tokio::task::spawn_blocking(move || work(&mut |step| show(&bar, step))).await;
    let result = done.map_err(|error| {
        CliError::new(
            Exit::Failed,
            "failed",
            format!("the work broke off: {error}"),
        )
    })?;
    Ok(result?)
}

fn show(bar: &ProgressBar, step: Progress<'_>) {
    if let Some(total) = step.total_bytes {
        bar.set_total(Some(total));
    }
    bar.set(step.done_bytes);
}

fn summary(path: &Path, what: &str, manifest: &Manifest) -> String {
    let raw: u64 = manifest.entries.iter().map(|entry| entry.raw_bytes).sum();
    let rows: u64 = manifest.entries.iter().map(|entry| entry.rows).sum();
    let header = &manifest.header;
    format!(
        "{} {what}\n  made {} by testhide {}, data format {}\n  {} entries, {rows} rows, {}\n",
        path.display(),
        header.created,
        super::output::clean(&header.testhide),
        header.storage_format,
        manifest.entries.len(),
        bytes(raw),
    )
}

#[cfg(unix)]
fn sync_dir(dir: &Path) -> io::Result<()> {
    std::fs::File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_dir(_dir: &Path) -> io::Result<()> {
    Ok(())
}
