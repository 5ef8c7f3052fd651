//! Deletion by folder handles, on Unix.

use std::ffi::{CStr, CString};
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::Undeleted;

/// Folders that are open at once. What lies deeper is moved to the top first: a tree of 10,000 levels would need as many handles.
const DEEPEST: usize = 64;

/// Deletes `path` and everything below it; a link itself. What is not there is deleted already.
///
/// # Errors
/// What stays.
pub(crate) fn remove(path: &Path) -> Result<(), Undeleted> {
    let here = |error| Undeleted::one(path.display().to_string(), error);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(here(error)),
        Ok(metadata) if !metadata.is_dir() => return fs::remove_file(path).map_err(here),
        Ok(_) => {}
    }
    empty(path)?;
    fs::remove_dir(path).map_err(here)
}

/// Deletes everything in the folder `path`.
///
/// # Errors
/// What stays; also when `path` is no folder or a link to one.
pub(crate) fn empty(path: &Path) -> Result<(), Undeleted> {
    let here = |errno: Errno| Undeleted::one(path.display().to_string(), errno);
    let top = openat(CWD, path, FOLDER, Mode::empty()).or_else(|errno| match errno {
        Errno::ACCESS => {
            open_up(CWD, path)?;
            openat(CWD, path, FOLDER, Mode::empty())
        }
        errno => Err(errno),
    });
    let top = Frame::new(top.map_err(here)?, CString::default()).map_err(here)?;
    Sweep {
        frames: vec![top],
        moved: 0,
        undeleted: None,
    }
    .run()
}

/// A folder that is opened, never through a link.
const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// A folder that is being emptied.
struct Frame {
    folder: Dir,
    /// In the folder above.
    name: CString,
    /// Whether something went in this scan: then another may find what the system left out of it.
    progress: bool,
    /// Entries below that stay, by this scan.
    stays: u64,
    /// Whether it was made writable already.
    opened_up: bool,
}

impl Frame {
    fn new(folder: OwnedFd, name: CString) -> rustix::io::Result<Self> {
        Ok(Self {
            folder: Dir::new(folder)?,
            name,
            progress: false,
            stays: 0,
            opened_up: false,
        })
    }

    /// Deletes an entry; makes the folder writable for that when it has to.
    fn unlink(&mut self, name: &CStr, flags: AtFlags) -> rustix::io::Result<()> {
        let mut result = unlinkat(self.folder.fd()?, name, flags);
        if matches!(result, Err(Errno::ACCESS | Errno::PERM)) && !self.opened_up {
            self.opened_up = true;
            if rustix::fs::fchmod(self.folder.fd()?, Mode::RWXU).is_ok() {
                result = unlinkat(self.folder.fd()?, name, flags);
            }
        }
        self.progress |= result.is_ok();
        result
    }

    /// Opens a folder in this one.
    fn open(&self, name: &CStr) -> rustix::io::Result<OwnedFd> {
        match open_on_this_mount(&self.folder, name) {
            Err(Errno::ACCESS) => {
                open_up(self.folder.fd()?, name)?;
                open_on_this_mount(&self.folder, name)
            }
            result => result,
        }
    }

    /// Begins from the first entry again.
    fn rescan(&mut self) {
        self.folder.rewind();
        self.progress = false;
        self.stays = 0;
    }
}

struct Sweep {
    /// The folders from the top to where the work is.
    frames: Vec<Frame>,
    /// Folders that were moved to the top, for their names.
    moved: u64,
    /// The first entry that stays.
    undeleted: Option<(CString, Errno)>,
}

impl Sweep {
    fn run(mut self) -> Result<(), Undeleted> {
        let mut stays = 0;
        while let Some(frame) = self.frames.last_mut() {
            match frame.folder.read() {
                Some(Ok(entry)) if matches!(entry.file_name().to_bytes(), b"." | b"..") => {}
                Some(Ok(entry)) => {
                    let name = entry.file_name().to_owned();
                    if let Err(errno) = self.delete(&name, entry.file_type()) {
                        self.keep(name, errno);
                    }
                }
                Some(Err(errno)) => {
                    let name = frame.name.clone();
                    self.keep(name, errno);
                    stays = self.leave();
                }
                None => stays = self.leave(),
            }
        }
        match self.undeleted {
            Some((first, errno)) if stays > 0 => Err(Undeleted {
                count: stays,
                first: first.to_string_lossy().into_owned(),
                why: errno.into(),
            }),
            _ => Ok(()),
        }
    }

    /// Deletes an entry of the current folder, or goes into it.
    fn delete(&mut self, name: &CStr, kind: FileType) -> rustix::io::Result<()> {
        let depth = self.frames.len();
        let frame = self.frames.last_mut().expect("a folder is open");
        let kind = match kind {
            FileType::Unknown => {
                let stat = statat(frame.folder.fd()?, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            kind => kind,
        };
        if kind != FileType::Directory {
            return match frame.unlink(name, AtFlags::empty()) {
                Err(Errno::NOENT) => Ok(()),
                result => result,
            };
        }
        match frame.unlink(name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::NOTEMPTY | Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        if depth >= DEEPEST {
            return self.move_up(name);
        }
        let folder = Frame::new(frame.open(name)?, name.to_owned())?;
        self.frames.push(folder);
        Ok(())
    }

    /// Moves a folder of the current one to the top, where the top's next scan finds it.
    fn move_up(&mut self, name: &CStr) -> rustix::io::Result<()> {
        let [top, .., current] = &mut self.frames[..] else {
            unreachable!("only a deep folder is moved up");
        };
        let mut may_open_up = true;
        loop {
            self.moved += 1;
            let fresh = format!(".testhide-moved-{}", self.moved);
            match renameat(current.folder.fd()?, name, top.folder.fd()?, fresh.as_str()) {
                Ok(()) => break,
                // The name is taken by something that is deleted later.
                Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
                // Its entry `..` changes, so that it has to be writable itself.
                Err(Errno::ACCESS) if may_open_up => {
                    may_open_up = false;
                    open_up(current.folder.fd()?, name)?;
                }
                Err(errno) => return Err(errno),
            }
        }
        current.progress = true;
        top.progress = true;
        Ok(())
    }

    /// The current folder is read to its end: deletes it, or reads it again. Gives how many entries stay below it.
    fn leave(&mut self) -> u64 {
        let mut frame = self.frames.pop().expect("a folder is open");
        let stays = frame.stays;
        let Some(above) = self.frames.last_mut() else {
            if frame.progress {
                frame.rescan();
                self.frames.push(frame);
            }
            return stays;
        };
        match above.unlink(&frame.name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::NOTEMPTY | Errno::EXIST) if frame.progress => {
                frame.rescan();
                self.frames.push(frame);
            }
            Err(Errno::NOTEMPTY | Errno::EXIST) if stays > 0 => above.stays += stays,
            Err(errno) => {
                let name = frame.name;
                self.keep(name, errno);
            }
        }
        stays
    }

    fn keep(&mut self, name: CString, errno: Errno) {
        self.undeleted.get_or_insert((name, errno));
        if let Some(frame) = self.frames.last_mut() {
            frame.stays += 1;
        }
    }
}

/// Opens a folder, unless something is mounted there.
fn open_on_this_mount(above: &Dir, name: &CStr) -> rustix::io::Result<OwnedFd> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{ResolveFlags, openat2};
        let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
        match openat2(above.fd()?, name, FOLDER, Mode::empty(), resolve) {
            // An old kernel, or a sandbox that does not know the call.
            Err(Errno::NOSYS | Errno::PERM) => {}
            result => return result,
        }
    }
    let folder = openat(above.fd()?, name, FOLDER, Mode::empty())?;
    if rustix::fs::fstat(&folder)?.st_dev == above.stat()?.st_dev {
        Ok(folder)
    } else {
        Err(Errno::XDEV)
    }
}

/// Gives this user every right to a folder, which may not be a link.
fn open_up<P: rustix::path::Arg>(above: impl std::os::fd::AsFd, name: P) -> rustix::io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = openat(above, name, flags, Mode::empty())?;
        // A handle without the right to read takes no `fchmod`, but has a name.
        let path = format!("/proc/self/fd/{}", folder.as_raw_fd());
        rustix::fs::chmod(path, Mode::RWXU)
    }
    #[cfg(not(target_os = "linux"))]
    rustix::fs::chmodat(above, name, Mode::RWXU, AtFlags::SYMLINK_NOFOLLOW)
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
