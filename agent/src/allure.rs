//! A folder of Allure results as one archive, because the server takes one file as one report.
//!
//! The archive is the same for the same files: names in order, no times of this machine. Only Allure's own files of the folder
//! itself are packed, and links are not followed.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// Results, containers and attachments of one folder.
const MAX_FILES: usize = 250_000;

/// Largest attachment that is packed. Larger ones (videos) are left out; the results still name them.
const MAX_ATTACHMENT: u64 = 32 * 1024 * 1024;

/// Bytes of the archive after which attachments are left out. The server takes reports of 512 MiB, and results go first.
const MAX_PACKED: u64 = 384 * 1024 * 1024;

/// What became of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Bytes of the archive.
    pub(crate) size: u64,
    /// When the newest result was written: the folder is as new as that.
    pub(crate) modified: Option<SystemTime>,
}

/// Packs the Allure results in `folder` with their attachments into `to`; answers how many bytes that makes.
///
/// # Errors
/// A folder without a result, more than 250,000 files, failures of the disk. What is in `to` is no archive then.
pub fn pack_allure_folder(folder: &Path, to: &mut File) -> io::Result<u64> {
    let open = |path: &Path| match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => File::open(path).map(Some),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    pack(folder, to, open, || false).map(|packed| packed.size)
}

/// Packs a folder. `open` opens a file that is one; `enough` says when to give up.
pub(crate) fn pack(
    folder: &Path,
    to: &mut File,
    open: impl Fn(&Path) -> io::Result<Option<File>>,
    enough: impl Fn() -> bool,
) -> io::Result<Packed> {
    let (results, attachments) = files_of(folder)?;
    let mut modified = None;
    let start = to.stream_position()?;
    let mut zip = ZipWriter::new(&mut *to);
    let mut packed = 0;
    let of_results = results.len();
    for (number, path) in results.iter().chain(&attachments).enumerate() {
        if enough() {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "stopped"));
        }
        let Some(file) = open(path)? else { continue };
        let metadata = file.metadata()?;
        let is_result = number < of_results;
        if is_result {
            modified = modified.max(metadata.modified().ok());
        } else if metadata.len() > MAX_ATTACHMENT || packed + metadata.len() > MAX_PACKED {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        zip.start_file(name, SimpleFileOptions::default())?;
        // As long as it was when it was opened: a file may still be growing.
        let copied = io::copy(&mut file.take(metadata.len()), &mut zip)?;
        // What it takes when it does not shrink.
        packed += if is_result { copied / 4 } else { copied };
    }
    zip.finish()?.flush()?;
    let size = to.stream_position()? - start;
    Ok(Packed { size, modified })
}

/// Whether a folder holds a result.
pub(crate) fn holds_results(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| {
        entries.flatten().any(|entry| {
            is_result(&entry.file_name().to_string_lossy())
                && entry.file_type().is_ok_and(|kind| kind.is_file())
        })
    })
}

/// Whether a file with this name belongs to a folder of Allure results.
pub(crate) fn is_allure_file(name: &str) -> bool {
    is_result(name)
        || ["-container.json", "-globals.json"]
            .iter()
            .any(|end| name.ends_with(end))
        || name.contains("-attachment")
        || matches!(
            name,
            "environment.properties" | "environment.xml" | "categories.json" | "executor.json"
        )
}

fn is_result(name: &str) -> bool {
    name.ends_with("-result.json")
}

/// Paths of the JSON files and of the attachments, each in order.
fn files_of(folder: &Path) -> io::Result<(Vec<PathBuf>, Vec<PathBuf>)> {
    let (mut results, mut attachments) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !is_allure_file(&name) || !entry.file_type()?.is_file() {
            continue;
        }
        if name.contains("-attachment") {
            attachments.push(entry.path());
        } else {
            results.push(entry.path());
        }
        if results.len() + attachments.len() > MAX_FILES {
            return Err(io::Error::other(format!(
                "more than {MAX_FILES} Allure files in one folder"
            )));
        }
    }
    let any = results
        .iter()
        .any(|path| is_result(&path.to_string_lossy()));
    if !any {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("no Allure result in `{}`", folder.display()),
        ));
    }
    results.sort();
    attachments.sort();
    Ok((results, attachments))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Scratch;

    fn packed(folder: &Path) -> io::Result<(u64, Vec<u8>)> {
        let mut file = tempfile::tempfile()?;
        let size = pack_allure_folder(folder, &mut file)?;
        let mut bytes = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut bytes)?;
        Ok((size, bytes))
    }

    #[test]
    fn a_folder_gives_the_same_archive_again() {
        let scratch = Scratch::new();
        let folder = scratch.path().join("allure-results");
        fs::create_dir_all(folder.join("nested")).unwrap();
        assert_eq!(packed(&folder).unwrap_err().kind(), io::ErrorKind::NotFound);
        for name in [
            "b-result.json",
            "a-result.json",
            "c-container.json",
            "1-attachment.png",
            "environment.properties",
            "notes.txt",
            "nested/d-result.json",
        ] {
            fs::write(folder.join(name), name).unwrap();
        }
        assert!(holds_results(&folder) && !holds_results(scratch.path()));
        let (size, bytes) = packed(&folder).unwrap();
        assert_eq!(size, bytes.len() as u64);
        assert_eq!(packed(&folder).unwrap().1, bytes);
        let mut archive = zip::ZipArchive::new(io::Cursor::new(bytes)).unwrap();
        let names: Vec<String> = (0..archive.len())
            .map(|number| {
                archive
                    .by_index(number)
                    .unwrap()
                    .name()
                    .unwrap()
                    .into_owned()
            })
            .collect();
        assert_eq!(
            names,
            [
                "a-result.json",
                "b-result.json",
                "c-container.json",
                "environment.properties",
                "1-attachment.png"
            ]
        );
    }

    #[test]
    #[cfg(unix)]
    fn links_and_large_attachments_stay_outside() {
        let scratch = Scratch::new();
        let folder = scratch.path().join("allure-results");
        fs::create_dir(&folder).unwrap();
        fs::write(scratch.path().join("secret"), "secret").unwrap();
        fs::write(folder.join("a-result.json"), "{}").unwrap();
        std::os::unix::fs::symlink(scratch.path().join("secret"), folder.join("b-result.json"))
            .unwrap();
        let video = File::create(folder.join("1-attachment.mp4")).unwrap();
        video.set_len(MAX_ATTACHMENT + 1).unwrap();
        let (_, bytes) = packed(&folder).unwrap();
        let archive = zip::ZipArchive::new(io::Cursor::new(bytes)).unwrap();
        assert_eq!(archive.len(), 1);
    }
}
