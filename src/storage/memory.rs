//! A data directory in memory, for tests: it knows what is synced, writes down every I/O, can lose power at each of them, and can be full.
//!
//! [`MemoryDisk::after_kill`] is what a killed process leaves (everything written is there), [`MemoryDisk::after_power_cut`] what a machine
//! without power may leave: of what was not synced any part, in any order, cut at sectors of 512 bytes. A file that is made
//! ([`Medium::create`]) is there whole, as its real counterpart is.

use super::backend::Image;
use super::medium::Medium;
use parking_lot::Mutex;
use redb::StorageBackend;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

/// What a disk writes whole or not at all.
pub(crate) const SECTOR: usize = 512;

/// A change that was not synced when it was written.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Bytes at an offset.
    Write { offset: u64, bytes: Arc<[u8]> },
    /// A new length.
    Length(u64),
}

/// One line of a disk's trace.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// A file was made whole.
    Created(PathBuf, Arc<[u8]>),
    /// A file was changed.
    Changed(PathBuf, Change),
    /// A file was synced.
    Synced(PathBuf),
}

/// A file as it is on the platters and as it is seen.
#[derive(Debug, Clone, Default)]
pub(crate) struct Platter {
    /// What survives everything.
    pub(crate) synced: Vec<u8>,
    /// What came after, in order.
    pub(crate) pending: Vec<Change>,
}

impl Platter {
    /// Takes the next step of a trace.
    pub(crate) fn take(&mut self, change: Change) {
        self.pending.push(change);
    }

    /// Everything so far survives.
    pub(crate) fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            apply(&mut self.synced, &change);
        }
    }
}

/// Applies a change to a file's bytes.
pub(crate) fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(len) => bytes.resize(usize::try_from(*len).expect("fits"), 0),
        Change::Write { offset, bytes: new } => {
            let start = usize::try_from(*offset).expect("fits");
            if bytes.len() < start + new.len() {
                bytes.resize(start + new.len(), 0);
            }
            bytes[start..start + new.len()].copy_from_slice(new);
        }
    }
}

/// The file after a power cut: of what was not synced a part that `pick` chooses, in its order. `pick` is asked for each sector.
pub(crate) fn torn(
    platter: &Platter,
    order: &[usize],
    mut pick: impl FnMut(usize, usize) -> bool,
) -> Vec<u8> {
    let mut bytes = platter.synced.clone();
    for &number in order {
        match &platter.pending[number] {
            change @ Change::Length(_) => {
                if pick(number, 0) {
                    apply(&mut bytes, change);
                }
            }
            Change::Write { offset, bytes: new } => {
                let mut at = 0;
                let mut sector = 0;
                while at < new.len() {
                    let place = usize::try_from(*offset).expect("fits") + at;
                    let end = (at + SECTOR - place % SECTOR).min(new.len());
                    if pick(number, sector) {
                        let part = Change::Write {
                            offset: *offset + at as u64,
                            bytes: new[at..end].into(),
                        };
                        apply(&mut bytes, &part);
                    }
                    (at, sector) = (end, sector + 1);
                }
            }
        }
    }
    bytes
}

/// Numbers that look random and repeat with their seed.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub(crate) fn roll(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.roll() % end as u64).expect("fits")
    }

    /// The numbers up to `count`, in any order.
    pub(crate) fn shuffled(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            order.swap(at, self.below(at + 1));
        }
        order
    }
}

/// When writing fails.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum Room {
    /// Never.
    #[default]
    Endless,
    /// After so many further writes.
    For(u64),
}

/// Hears that a write failed.
#[derive(Default)]
struct Alarm(Option<Box<dyn Fn() + Send>>);

impl std::fmt::Debug for Alarm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Alarm({})", self.0.is_some())
    }
}

/// A disk in memory; clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryDisk(Arc<Mutex<Disk>>);

#[derive(Debug, Default)]
struct Disk {
    files: BTreeMap<PathBuf, Opened>,
    held: BTreeSet<PathBuf>,
    /// `None` when nothing is written down.
    trace: Option<Vec<Step>>,
    room: Room,
    alarm: Alarm,
    writes: u64,
}

#[derive(Debug, Clone, Default)]
struct Opened {
    platter: Platter,
    seen: Image,
}

impl MemoryDisk {
    /// A disk that holds `files`, all synced.
    pub(crate) fn of(files: BTreeMap<PathBuf, Vec<u8>>) -> Self {
        let files = files.into_iter().map(|(path, bytes)| {
            let opened = Opened {
                seen: Image::of(bytes.clone()),
                platter: Platter {
                    synced: bytes,
                    pending: Vec::new(),
                },
            };
            (path, opened)
        });
        let disk = Disk {
            files: files.collect(),
            ..Disk::default()
        };
        Self(Arc::new(Mutex::new(disk)))
    }

    /// Begins to write down every step.
    pub(crate) fn record(&self) {
        self.0.lock().trace = Some(Vec::new());
    }

    /// Steps written down so far.
    pub(crate) fn steps(&self) -> usize {
        self.0.lock().trace.as_ref().map_or(0, Vec::len)
    }

    /// What was written down.
    pub(crate) fn trace(&self) -> Vec<Step> {
        self.0.lock().trace.clone().unwrap_or_default()
    }

    /// Calls `alarm`, once, before the next write fails; it must leave the disk alone.
    pub(crate) fn when_full(&self, alarm: impl Fn() + Send + 'static) {
        self.0.lock().alarm = Alarm(Some(Box::new(alarm)));
    }

    /// Says when writing fails from now on.
    pub(crate) fn set_room(&self, room: Room) {
        self.0.lock().room = room;
    }

    /// Writes, new lengths, syncs and new files so far, those that failed included.
    pub(crate) fn writes(&self) -> u64 {
        self.0.lock().writes
    }

    /// Every file as a process sees it.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let disk = self.0.lock();
        let files = disk.files.iter();
        files
            .map(|(path, file)| (path.clone(), file.seen.bytes()))
            .collect()
    }

    /// The disk after the process was killed. What it still does goes to the disk before, not to this one.
    pub(crate) fn after_kill(&self) -> Self {
        let disk = self.0.lock();
        let files = disk.files.iter().map(|(path, file)| {
            let own = Opened {
                platter: file.platter.clone(),
                seen: Image::of(file.seen.bytes()),
            };
            (path.clone(), own)
        });
        let killed = Disk {
            files: files.collect(),
            trace: disk.trace.is_some().then(Vec::new),
            ..Disk::default()
        };
        Self(Arc::new(Mutex::new(killed)))
    }

    /// The disk after the machine lost power: of what was not synced a part that `dice` choose.
    pub(crate) fn after_power_cut(&self, dice: &mut Dice) -> Self {
        let disk = self.0.lock();
        let files = disk.files.iter().map(|(path, file)| {
            let order = dice.shuffled(file.platter.pending.len());
            let kept = dice.below(5) as u64;
            (
                path.clone(),
                torn(&file.platter, &order, |_, _| dice.roll() % 4 < kept),
            )
        });
        Self::of(files.collect())
    }
}

impl Disk {
    /// Counts a write; fails when there is no room.
    fn write(&mut self) -> io::Result<()> {
        self.writes += 1;
        match &mut self.room {
            Room::Endless => Ok(()),
            Room::For(0) => {
                if let Some(alarm) = self.alarm.0.take() {
                    alarm();
                }
                Err(io::ErrorKind::StorageFull.into())
            }
            Room::For(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    fn note(&mut self, step: impl FnOnce() -> Step) {
        if let Some(trace) = &mut self.trace {
            trace.push(step());
        }
    }

    fn file(&mut self, path: &Path) -> io::Result<&mut Opened> {
        self.files
            .get_mut(path)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Medium for MemoryDisk {
    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageBackend>> {
        let mut disk = self.0.lock();
        let seen = disk.file(path)?.seen.clone();
        if !disk.held.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(MemoryFile {
            disk: self.clone(),
            path: path.to_owned(),
            seen,
        }))
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn StorageBackend>> {
        self.open(path)
    }

    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.0.lock();
        disk.write()?;
        disk.note(|| Step::Created(path.to_owned(), bytes.into()));
        let opened = Opened {
            platter: Platter {
                synced: bytes.to_vec(),
                pending: Vec::new(),
            },
            seen: Image::of(bytes.to_vec()),
        };
        disk.files.insert(path.to_owned(), opened);
        Ok(())
    }

    fn make_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.lock().files.contains_key(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.0.lock();
        let inside = disk.files.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }

    fn age(&self, _: &Path) -> Duration {
        Duration::ZERO
    }
}

#[derive(Debug)]
struct MemoryFile {
    disk: MemoryDisk,
    path: PathBuf,
    seen: Image,
}

impl MemoryFile {
    fn change(&self, change: Change) -> io::Result<()> {
        let mut disk = self.disk.0.lock();
        disk.write()?;
        match &change {
            Change::Write { offset, bytes } => self.seen.write(*offset, bytes)?,
            Change::Length(len) => self.seen.set_len(*len)?,
        }
        disk.note(|| Step::Changed(self.path.clone(), change.clone()));
        disk.file(&self.path)?.platter.take(change);
        Ok(())
    }
}

impl StorageBackend for MemoryFile {
    fn len(&self) -> io::Result<u64> {
        self.seen.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.seen.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Change::Length(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut disk = self.disk.0.lock();
        if let Err(full) = disk.write() {
            // As file systems do: what could not be written is still seen, and no later sync writes it.
            disk.file(&self.path)?.platter.pending.clear();
            return Err(full);
        }
        disk.note(|| Step::Synced(self.path.clone()));
        disk.file(&self.path)?.platter.sync();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Change::Write {
            offset,
            bytes: data.into(),
        })
    }
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        self.disk.0.lock().held.remove(&self.path);
    }
}

/// Waits for a future on this thread, also inside a runtime.
pub(super) fn wait_in_place<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}
