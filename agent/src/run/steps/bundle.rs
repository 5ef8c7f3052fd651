//! Folders of Allure results among the files that match: each becomes one report.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use globset::GlobMatcher;

use crate::allure::{holds_results, is_allure_file, pack};

/// Which files are wanted, and what a match stands for.
pub(super) struct Wanted {
    matcher: GlobMatcher,
    bundles: bool,
}

/// The folder that was looked at last; a walk goes through one after the other.
#[derive(Default)]
pub(super) struct Folders(Option<(PathBuf, bool)>);

impl Wanted {
    /// Single files.
    pub(super) fn files(matcher: GlobMatcher) -> Self {
        Self {
            matcher,
            bundles: false,
        }
    }

    /// Reports: an Allure file stands for its folder, and such a folder may be named itself.
    pub(super) fn reports(matcher: GlobMatcher) -> Self {
        Self {
            matcher,
            bundles: true,
        }
    }

    /// What is delivered for a file, if it is wanted.
    pub(super) fn file(
        &self,
        root: &Path,
        path: PathBuf,
        folders: &mut Folders,
    ) -> Option<PathBuf> {
        if !self.matches(root, &path) {
            return None;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if self.bundles
            && is_allure_file(&name)
            && let Some(folder) = path.parent()
            && folders.hold_results(folder)
        {
            return Some(folder.to_owned());
        }
        Some(path)
    }

    /// Whether a folder is wanted as a whole.
    pub(super) fn folder(&self, root: &Path, path: &Path) -> bool {
        self.bundles && self.matches(root, path) && holds_results(path)
    }

    fn matches(&self, root: &Path, path: &Path) -> bool {
        self.matcher
            .is_match(path.strip_prefix(root).unwrap_or(path))
    }
}

impl Folders {
    fn hold_results(&mut self, folder: &Path) -> bool {
        match &self.0 {
            Some((known, holds)) if known == folder => *holds,
            _ => {
                let holds = holds_results(folder);
                self.0 = Some((folder.to_owned(), holds));
                holds
            }
        }
    }
}

/// Whether a match stands for a folder.
pub(super) fn is_bundle(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// Writes a folder's archive to `target`: its size and the time of its newest result. Nothing when it was cut short, or the
/// results are gone.
pub(super) fn write(
    folder: &Path,
    target: &Path,
    open: fn(&Path) -> io::Result<Option<File>>,
    enough: &AtomicBool,
) -> io::Result<Option<(u64, Option<SystemTime>)>> {
    let mut file = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(target)?;
    match pack(folder, &mut file, open, || enough.load(Ordering::Relaxed)) {
        Ok(packed) => {
            file.sync_data()?;
            Ok(Some((packed.size, packed.modified)))
        }
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::Interrupted | io::ErrorKind::NotFound
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
