//! Finds files of the workspace and copies them to the spool. Links are not followed, neither to files nor to folders: a build may
//! deliver what it made, not what the agent's machine holds.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use globset::{GlobBuilder, GlobMatcher};
use testhide_protocol::Timestamp;
use testhide_protocol::wire::{FileKind, RecordBody, clean_file_path};
use tokio::runtime::Handle;

use super::bundle::{self, Folders, Wanted};
use super::context::{Outcome, StepContext};
use super::salvage;
use crate::clock;
use crate::run::stop::Stop;
use crate::spool::{JournalWriter, SpoolDir, is_full};

/// The most files that one step delivers.
const MAX_FILES: usize = 10_000;

/// The most entries that are looked at: a bound for a workspace that was made to be endless.
const MAX_ENTRIES: usize = 2_000_000;

/// How much is copied between two looks at whether to stop.
const COPY_PART: u64 = 8 * 1024 * 1024;

/// What to deliver.
pub(super) struct Collection {
    /// Which files, below the workspace.
    pub(super) glob: String,
    /// Where they are kept.
    pub(super) folder: String,
    /// What they are.
    pub(super) kind: FileKind,
}

/// Delivers files; a step that finds none has failed.
pub(super) async fn collect(collection: Collection, context: &mut StepContext<'_>) -> Outcome {
    let (matcher, folder) = match (matcher(&collection.glob), folder(&collection.folder)) {
        (Ok(matcher), Ok(folder)) => (matcher, folder),
        (Err(message), _) | (_, Err(message)) => return Outcome::failed(None, message),
    };
    let wanted = match collection.kind {
        FileKind::Report => Wanted::reports(matcher),
        FileKind::Artifact => Wanted::files(matcher),
    };
    let enough = Arc::new(AtomicBool::new(false));
    let worker = Worker {
        root: context.workspace.dir.clone(),
        matcher: wanted,
        folder,
        kind: collection.kind,
        glob: collection.glob.clone(),
        began: context.began,
        spool: context.spool.clone(),
        journal: context.log.journal().clone(),
        step: context.index,
        first_file: *context.next_file,
        enough: Arc::clone(&enough),
        runtime: Handle::current(),
    };
    let mut work = tokio::task::spawn_blocking(move || worker.run());
    let mut cut_short: Option<Option<Stop>> = None;
    let result = loop {
        tokio::select! {
            result = &mut work => break result,
            stop = context.stop.stopped(), if cut_short.is_none() => cut_short = Some(Some(stop)),
            () = context.deadline.passed(), if cut_short.is_none() => cut_short = Some(None),
        }
        enough.store(true, Ordering::Relaxed);
    };
    let (count, salvaged, result) =
        result.unwrap_or_else(|error| (0, 0, Err(io::Error::other(error))));
    *context.next_file += count;
    match (result, cut_short) {
        (_, Some(Some(stop))) => Outcome::stopped(&stop),
        (_, Some(None)) => Outcome::timed_out("ended by the time limit of the build".to_owned()),
        (Err(error), None) => Outcome::failed(None, format!("files cannot be copied: {error}")),
        (Ok(()), None) if count == 0 => {
            Outcome::failed(None, format!("no file matches `{}`", collection.glob))
        }
        (Ok(()), None) if salvaged > 0 => {
            let words = format!(
                "{count} file(s), {salvaged} put together from what a killed reporter left"
            );
            Outcome::passed(None, Some(words))
        }
        (Ok(()), None) if count == 1 => Outcome::passed(None, Some("1 file".to_owned())),
        (Ok(()), None) => Outcome::passed(None, Some(format!("{count} files"))),
    }
}

/// Walks and copies, on a thread that may wait for the disk.
struct Worker {
    root: PathBuf,
    matcher: Wanted,
    folder: String,
    kind: FileKind,
    glob: String,
    /// Older leftovers are not of this attempt.
    began: Timestamp,
    spool: SpoolDir,
    journal: JournalWriter,
    step: u32,
    first_file: u32,
    enough: Arc<AtomicBool>,
    runtime: Handle,
}

impl Worker {
    /// How many files were delivered, how many of them were put together here, and what ended it.
    fn run(&self) -> (u32, u32, io::Result<()>) {
        let (mut count, mut salvaged) = (0, 0);
        let result = find(&self.root, &self.matcher, &self.enough).and_then(|mut files| {
            let mut refused = None;
            if self.kind == FileKind::Report {
                files.retain(|file| !salvage::is_chunk(file));
                salvaged = self.salvage(&files)?;
                count += salvaged;
            }
            for path in files {
                if self.enough.load(Ordering::Relaxed) {
                    break;
                }
                if let Err(words) = self.kept_name(&path) {
                    refused.get_or_insert(words);
                    continue;
                }
                // A file that is gone or has become something else since it was found is no file of this build.
                if self.deliver(&path, self.first_file + count)? {
                    count += 1;
                }
            }
            refused.map_or(Ok(()), |words| Err(io::Error::other(words)))
        });
        (count, salvaged, result)
    }

    /// Delivers what killed reporters left, before the reports that were found whole; answers how many files that makes.
    fn salvage(&self, reports: &[PathBuf]) -> io::Result<u32> {
        let mut count = 0;
        let all = salvage::find(&self.root, &self.glob, self.began, reports, &self.enough)?;
        for leftovers in all {
            let Ok(path) = self.kept_name(&leftovers.report) else {
                continue;
            };
            let number = self.first_file + count;
            let file = self.spool.file(number);
            let write = || salvage::write_file(&leftovers, &file, &self.enough);
            let (size, tests) = self.when_the_disk_takes_it(number, write)?;
            if tests == 0 {
                drop(fs::remove_file(file));
                continue;
            }
            let record = RecordBody::File {
                file: number,
                kind: self.kind,
                step: self.step,
                path,
                size,
                modified_at: Some(clock::timestamp(leftovers.modified)),
                partial: true,
            };
            self.runtime.block_on(self.journal.record(record));
            count += 1;
        }
        Ok(count)
    }

    /// The path under which a file is kept.
    fn kept_name(&self, path: &Path) -> Result<String, String> {
        let mut relative = name(path.strip_prefix(&self.root).unwrap_or(path));
        if bundle::is_bundle(path) {
            if relative.is_empty() {
                "allure-results".clone_into(&mut relative);
            }
            relative.push_str(".zip");
        }
        let path = if self.folder.is_empty() {
            relative
        } else {
            format!("{}/{relative}", self.folder)
        };
        check_name(&path).map(|()| path)
    }

    /// Waits until the spool has room for what is at `path`; says whether it has.
    fn wait_for_room(&self, path: &Path) -> bool {
        let bytes = size_of(path).unwrap_or(0);
        self.journal.wait_for_file(bytes, || self.is_over())
    }

    /// The same as [`Self::copy`], which is tried again while the disk is full.
    fn copy_when_there_is_room(
        &self,
        path: &Path,
        number: u32,
    ) -> io::Result<Option<(u64, Option<SystemTime>)>> {
        if !self.wait_for_room(path) {
            return Ok(None);
        }
        let copied = self.when_the_disk_takes_it(number, || self.copy(path, number));
        if !matches!(copied, Ok(Some(_))) {
            // Half a file, of which no record tells, would keep its room.
            drop(fs::remove_file(self.spool.file(number)));
        }
        copied
    }

    /// Makes the file with this number, again and again while the disk is full.
    fn when_the_disk_takes_it<T>(
        &self,
        number: u32,
        make: impl Fn() -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            match make() {
                Err(error) if is_full(&error) && !self.is_over() => {
                    // What is half there takes room.
                    drop(fs::remove_file(self.spool.file(number)));
                    self.journal.wait_for_disk(|| self.is_over());
                }
                result => return result,
            }
        }
    }

    fn is_over(&self) -> bool {
        self.enough.load(Ordering::Relaxed)
    }

    /// Puts a file, or a folder of results as an archive, into the spool: its size and when it was written.
    fn copy(&self, path: &Path, number: u32) -> io::Result<Option<(u64, Option<SystemTime>)>> {
        let target = self.spool.file(number);
        if bundle::is_bundle(path) {
            return bundle::write(path, &target, open, &self.enough);
        }
        let Some(mut source) = open(path)? else {
            return Ok(None);
        };
        let modified = source.metadata()?.modified().ok();
        let mut copy = File::create(target)?;
        let mut size = 0;
        loop {
            let part = io::copy(&mut (&mut source).take(COPY_PART), &mut copy)?;
            size += part;
            if part < COPY_PART {
                // On the disk before its record: a loss of power that took the file would take the log behind it, too.
                copy.sync_data()?;
                return Ok(Some((size, modified)));
            }
            if self.enough.load(Ordering::Relaxed) {
                return Ok(None);
            }
        }
    }

    fn deliver(&self, path: &Path, number: u32) -> io::Result<bool> {
        let Some((size, modified)) = self.copy_when_there_is_room(path, number)? else {
            return Ok(false);
        };
        let modified_at = modified.map(clock::timestamp);
        let path = self.kept_name(path).map_err(io::Error::other)?;
        let (kind, step) = (self.kind, self.step);
        let record = RecordBody::File {
            file: number,
            kind,
            step,
            path,
            size,
            modified_at,
            partial: false,
        };
        self.runtime.block_on(self.journal.record(record));
        Ok(true)
    }
}

/// Bytes of a file, or of everything in a folder of results.
fn size_of(path: &Path) -> io::Result<u64> {
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    fs::read_dir(path)?.try_fold(0, |sum, entry| Ok(sum + entry?.metadata()?.len()))
}

/// Whether the server keeps a file under this name as it is.
fn check_name(path: &str) -> Result<(), String> {
    let is_plain = !path.contains('\\') && clean_file_path(path).as_deref() == Some(path);
    if is_plain {
        return Ok(());
    }
    let shown: String = path.chars().take(100).collect();
    Err(format!(
        "the name `{}` is longer than 1024 bytes, or holds `..`, a backslash or control characters",
        shown.escape_debug()
    ))
}

/// Every matching file, sorted by path.
fn find(root: &Path, matcher: &Wanted, enough: &AtomicBool) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut known = Folders::default();
    let mut seen = 0;
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            seen += 1;
            if seen > MAX_ENTRIES {
                return Err(io::Error::other(format!(
                    "the workspace holds more than {MAX_ENTRIES} entries"
                )));
            }
            // Of the entry itself: a link is neither a file nor a folder here.
            let kind = entry.file_type()?;
            let path = entry.path();
            if kind.is_dir() {
                if entry.file_name() != ".git" {
                    if matcher.folder(root, &path) {
                        found.push(path.clone());
                    }
                    folders.push(path);
                }
            } else if kind.is_file()
                && let Some(unit) = matcher.file(root, path, &mut known)
                && found.last() != Some(&unit)
            {
                found.push(unit);
                if found.len() > MAX_FILES {
                    return Err(io::Error::other(format!(
                        "more than {MAX_FILES} files match"
                    )));
                }
            }
        }
        if enough.load(Ordering::Relaxed) {
            break;
        }
    }
    found.sort();
    // A folder that is named, and files in it.
    found.dedup();
    Ok(found)
}

/// Opens a file that is a file; nothing when it is none any more.
pub(super) fn open(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        // Not through a link, and without waiting for the other end of a pipe.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        options.custom_flags(i32::try_from(flags).unwrap_or_default());
    }
    match options.open(path) {
        Ok(file) => Ok(file.metadata()?.is_file().then_some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        #[cfg(unix)]
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn matcher(glob: &str) -> Result<GlobMatcher, String> {
    let inside = glob.strip_prefix("./").unwrap_or(glob);
    if inside.is_empty()
        || inside.starts_with(['/', '\\'])
        || inside.split(['/', '\\']).any(|part| part == "..")
    {
        return Err(format!("the glob `{glob}` is not below the workspace"));
    }
    // A folder may be named with a slash at its end.
    let inside = inside.trim_end_matches('/');
    let glob = GlobBuilder::new(inside).literal_separator(true).build();
    Ok(glob.map_err(|error| error.to_string())?.compile_matcher())
}

/// A folder's name as kept: relative, with `/`.
fn folder(target: &str) -> Result<String, String> {
    let parts: Vec<_> = target
        .split(['/', '\\'])
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if target.starts_with(['/', '\\'])
        || parts.iter().any(|part| *part == ".." || part.contains(':'))
    {
        return Err(format!("the target `{target}` is not a relative folder"));
    }
    Ok(parts.join("/"))
}

/// A file's name as kept.
fn name(relative: &Path) -> String {
    let parts: Vec<_> = relative
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::tests::Scratch;
    use std::os::unix::fs::symlink;

    #[test]
    fn files_are_found_below_the_workspace_and_not_through_links() {
        let scratch = Scratch::new();
        let root = scratch.path().join("workspace");
        let outside = scratch.path().join("outside");
        for file in [
            "a.xml",
            "reports/b.xml",
            "x/reports/c.xml",
            "x/reports/deep/d.xml",
            ".git/e.xml",
            "allure/a-result.json",
            "allure/1-attachment.txt",
            "allure/notes.txt",
            "shots/1-attachment.txt",
        ] {
            fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
            fs::write(root.join(file), file).unwrap();
        }
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("secret.xml"), "secret").unwrap();
        symlink(&outside, root.join("linked")).unwrap();
        symlink(outside.join("secret.xml"), root.join("reports/secret.xml")).unwrap();
        let check = |glob: &str, expected: &[&str]| {
            let wanted = Wanted::reports(matcher(glob).unwrap());
            let found = find(&root, &wanted, &AtomicBool::new(false)).unwrap();
            let names: Vec<_> = found
                .iter()
                .map(|path| name(path.strip_prefix(&root).unwrap()))
                .collect();
            assert_eq!(names, expected, "{glob}");
        };
        check("*.xml", &["a.xml"]);
        check("./a.xml", &["a.xml"]);
        check("**/reports/*.xml", &["reports/b.xml", "x/reports/c.xml"]);
        check(
            "**/*.xml",
            &[
                "a.xml",
                "reports/b.xml",
                "x/reports/c.xml",
                "x/reports/deep/d.xml",
            ],
        );
        check("none/*", &[]);
        // Files of Allure stand for their folder, and it may be named itself.
        check("allure", &["allure"]);
        check("allure/", &["allure"]);
        check("allure/*", &["allure", "allure/notes.txt"]);
        check("allure/*-result.json", &["allure"]);
        check("shots/*", &["shots/1-attachment.txt"]);
        assert!(open(&root.join("reports/secret.xml")).unwrap().is_none());
        assert!(open(&root).unwrap().is_none());
    }

    #[test]
    fn a_name_that_the_server_would_refuse_or_change_is_refused_here() {
        let check = |path: &str, expected: bool| {
            assert_eq!(check_name(path).is_ok(), expected, "{path:?}");
        };
        check("out/a b.xml", true);
        check("..a/b..", true);
        check(&"x".repeat(1024), true);
        check(&"x".repeat(1025), false);
        check("a\nb", false);
        check("a\\b", false);
        check("a/../b", false);
        check("C:/b", false);
    }

    #[test]
    fn names_stay_inside() {
        for glob in ["", "/etc/*", "../x", "a/../../x", "[", "..\\x"] {
            assert!(matcher(glob).is_err(), "{glob}");
        }
        let check = |target: &str, expected: Option<&str>| {
            assert_eq!(folder(target).ok().as_deref(), expected, "{target}");
        };
        check("", Some(""));
        check("build_logs/", Some("build_logs"));
        check("./a//b", Some("a/b"));
        check("/etc", None);
        check("a/../..", None);
        check("C:\\x", None);
    }
}
