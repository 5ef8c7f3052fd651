//! A redb database over a held file, that can be opened again in place.
//!
//! After a failure the database that failed is given up and a view of what is committed takes its place: reading goes on, writing is
//! refused. [`HeldDatabase::mend`] tries to open the file for writing again. A transaction that was open across such a change answers
//! [`StorageError::Unavailable`]. redb panics on some damaged files; here a panic of its becomes [`StorageError::Corrupt`].

use super::backend::{Access, Direct, Failure, Gate, HeldFile, Image, View, is_space};
use super::doctor::{HEADER, Head};
use super::error::StorageError;
use super::medium::Medium;
use parking_lot::RwLock;
use redb::{ReadableDatabase, RepairSession};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

/// One redb file of a data directory.
pub(super) struct HeldDatabase {
    /// Its name, for messages.
    name: String,
    cache: usize,
    file: Arc<HeldFile>,
    current: RwLock<Current>,
}

struct Current {
    database: Arc<Opened>,
    gate: Gate,
    /// Why it can only be read.
    trouble: Option<Failure>,
}

/// A database whose end, which may write and may panic, harms nobody.
struct Opened(Option<redb::Database>);

impl Opened {
    fn get(&self) -> &redb::Database {
        self.0.as_ref().expect("only the end takes it")
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let database = self.0.take();
        if catch_unwind(AssertUnwindSafe(|| drop(database))).is_err() {
            tracing::error!("redb panicked while it closed a file");
        }
    }
}

impl HeldDatabase {
    /// Opens the file at `path`, or makes it. On a full disk it opens all the same, to be read.
    ///
    /// # Errors
    /// [`StorageError::Locked`] with `dir` when another process holds the file; damage, and any other I/O error.
    pub(super) fn open(
        medium: &dyn Medium,
        path: &Path,
        dir: &Path,
        cache: usize,
    ) -> Result<Self, StorageError> {
        if !medium.exists(path) {
            let image = empty_image()?;
            medium
                .create(path, &image)
                .map_err(|source| create_error(path, source))?;
        }
        let backend = medium
            .open(path)
            .map_err(|source| open_error(path, dir, source))?;
        let file = Arc::new(HeldFile::new(backend));
        let name = name_of(path);
        let before = file.start::<HEADER>();
        let current = match open_direct(&file, &name, cache) {
            Ok(current) => {
                warn_if_rolled_back(before, &file, &name);
                current
            }
            Err(error) => {
                let Some(failure) = file.failure().filter(|failure| failure.is_space) else {
                    return Err(error);
                };
                let mut view = open_view(&file, &name, cache, |_| {})?;
                view.trouble = Some(failure);
                view
            }
        };
        Ok(Self {
            name,
            cache,
            file,
            current: RwLock::new(current),
        })
    }

    /// Opens the file at `path` to look at it; not a byte of it is changed, also when it needs repair.
    ///
    /// # Errors
    /// As [`HeldDatabase::open`].
    pub(super) fn look(
        medium: &dyn Medium,
        path: &Path,
        dir: &Path,
        cache: usize,
    ) -> Result<Self, StorageError> {
        Self::view(medium, path, dir, cache, |_| {})
    }

    /// As [`HeldDatabase::look`], but a file that needs repair is an error.
    ///
    /// # Errors
    /// As [`HeldDatabase::look`].
    pub(super) fn glance(
        medium: &dyn Medium,
        path: &Path,
        dir: &Path,
        cache: usize,
    ) -> Result<Self, StorageError> {
        Self::view(medium, path, dir, cache, RepairSession::abort)
    }

    fn view(
        medium: &dyn Medium,
        path: &Path,
        dir: &Path,
        cache: usize,
        on_repair: fn(&mut RepairSession),
    ) -> Result<Self, StorageError> {
        let backend = medium
            .open_to_read(path)
            .map_err(|source| open_error(path, dir, source))?;
        let file = Arc::new(HeldFile::new(backend));
        let name = name_of(path);
        let current = open_view(&file, &name, cache, on_repair)?;
        Ok(Self {
            name,
            cache,
            file,
            current: RwLock::new(current),
        })
    }

    /// Bytes of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.file.len().unwrap_or_default()
    }

    pub(super) fn begin_read(&self) -> Result<redb::ReadTransaction, StorageError> {
        let database = self.current.read().database.clone();
        guarded(&self.name, || Ok(database.get().begin_read()?))
    }

    /// Begins the one write; only the file's writer thread calls this.
    pub(super) fn begin_write(&self) -> Result<redb::WriteTransaction, StorageError> {
        let current = self.current.read();
        if let Some(trouble) = &current.trouble {
            return Err(self.unavailable(trouble));
        }
        let database = current.database.clone();
        drop(current);
        guarded(&self.name, || Ok(database.get().begin_write()?))
    }

    /// Why the file cannot be written now; `None` when it can.
    pub(super) fn trouble(&self) -> Option<Failure> {
        let trouble = self.current.read().trouble.clone();
        trouble.or_else(|| self.file.failure())
    }

    /// The error of a write that is refused because of `trouble`.
    pub(super) fn unavailable(&self, trouble: &Failure) -> StorageError {
        StorageError::Unavailable {
            file: self.name.clone(),
            what: trouble.what.clone(),
        }
    }

    /// Gives up the database after a failure, said in `what` where the file does not know a better reason. Reading goes on by a view. Only
    /// the file's writer thread calls this.
    pub(super) fn give_up(&self, what: &str) -> Failure {
        let (known, gate) = {
            let current = self.current.read();
            (current.trouble.clone(), current.gate.clone())
        };
        if let Some(trouble) = known {
            return trouble;
        }
        let trouble = self.file.failure().unwrap_or_else(|| Failure {
            what: what.to_owned(),
            is_space: false,
        });
        tracing::error!(
            storage.file = self.name,
            "`{}` is read-only until it can be written again: {}",
            self.name,
            trouble.what
        );
        gate.set(Access::Read);
        match open_view(&self.file, &self.name, self.cache, |_| {}) {
            Ok(mut view) => {
                view.trouble = Some(trouble.clone());
                self.replace(view);
            }
            Err(error) => {
                tracing::error!("`{}` cannot be read either: {error}", self.name);
                // What is in the old one's memory still can.
                self.current.write().trouble = Some(trouble.clone());
            }
        }
        trouble
    }

    /// Lets new transactions begin in `next`. Those of the database before end: it is closed for good before anybody writes again.
    fn replace(&self, next: Current) {
        let before = std::mem::replace(&mut *self.current.write(), next);
        before.gate.set(Access::Nothing);
    }

    /// Opens the file for writing again, when it cannot be written now. Only its writer thread calls this.
    ///
    /// # Errors
    /// [`StorageError::Unavailable`] while that does not succeed; [`StorageError::Corrupt`] when the file is damaged.
    pub(super) fn mend(&self) -> Result<(), StorageError> {
        let Some(trouble) = self.trouble() else {
            return Ok(());
        };
        self.give_up(&trouble.what);
        let mended = self
            .file
            .settle()
            .map_err(|error| self.unavailable(&Failure::of(&error)))
            .and_then(|()| open_direct(&self.file, &self.name, self.cache));
        match mended {
            Ok(direct) => {
                self.replace(direct);
                tracing::info!(
                    storage.file = self.name,
                    "`{}` can be written again",
                    self.name
                );
                Ok(())
            }
            Err(error @ StorageError::Corrupt { .. }) => Err(error),
            Err(error) => {
                let trouble = self.file.failure().unwrap_or_else(|| Failure {
                    what: error.to_string(),
                    is_space: false,
                });
                let error = self.unavailable(&trouble);
                self.current.write().trouble = Some(trouble);
                Err(error)
            }
        }
    }

    /// Lets redb look at every page of the file.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] with what is wrong; [`StorageError::Unavailable`] while a transaction is open.
    pub(super) fn check(&mut self) -> Result<(), StorageError> {
        let name = self.name.clone();
        let current = self.current.get_mut();
        let opened = Arc::get_mut(&mut current.database).and_then(|opened| opened.0.as_mut());
        let database = opened.ok_or_else(|| StorageError::Unavailable {
            file: name.clone(),
            what: "it is being read".to_owned(),
        })?;
        guarded(&name, || {
            if database.check_integrity()? {
                Ok(())
            } else {
                Err(StorageError::corrupt(
                    &name,
                    "a checksum or the list of free pages is wrong",
                ))
            }
        })
    }
}

/// Runs what calls redb; a panic in it is damage of `name`.
pub(super) fn guarded<T>(
    name: &str,
    act: impl FnOnce() -> Result<T, StorageError>,
) -> Result<T, StorageError> {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| {
        let what = format!("redb panicked: {}", panic_text(&*panic));
        Err(StorageError::corrupt(name, what))
    })
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}

fn open_direct(file: &Arc<HeldFile>, name: &str, cache: usize) -> Result<Current, StorageError> {
    let gate = Gate::new(Access::Write);
    let backend = Direct {
        file: file.clone(),
        gate: gate.clone(),
    };
    build(backend, file, name, (cache, |_| {}), gate)
}

fn open_view(
    file: &Arc<HeldFile>,
    name: &str,
    cache: usize,
    on_repair: fn(&mut RepairSession),
) -> Result<Current, StorageError> {
    let gate = Gate::new(Access::Read);
    let backend = View::new(file.clone(), gate.clone())
        .map_err(|source| StorageError::io("read", name, source))?;
    build(backend, file, name, (cache, on_repair), gate)
}

fn build(
    backend: impl redb::StorageBackend,
    file: &HeldFile,
    name: &str,
    (cache, on_repair): (usize, fn(&mut RepairSession)),
    gate: Gate,
) -> Result<Current, StorageError> {
    // redb would make a new database of an empty file.
    if file.len().is_ok_and(|len| len == 0) {
        return Err(StorageError::corrupt(name, "the file is empty"));
    }
    let database = guarded(name, || {
        let mut builder = redb::Builder::new();
        builder.set_cache_size(cache);
        builder.set_repair_callback(on_repair);
        Ok(builder.create_with_backend(backend)?)
    });
    let database = database.map_err(|error| damage_of(error, name));
    if database.is_err() {
        // An end that was not reached must not reach the file later.
        gate.set(Access::Nothing);
    }
    Ok(Current {
        database: Arc::new(Opened(Some(database?))),
        gate,
        trouble: None,
    })
}

/// redb says of some damage that the data are not valid, or that the file ends too early.
fn damage_of(error: StorageError, name: &str) -> StorageError {
    match error {
        StorageError::Corrupt { what, .. } => StorageError::corrupt(name, what),
        other => other,
    }
}

fn open_error(path: &Path, dir: &Path, source: io::Error) -> StorageError {
    if source.kind() == io::ErrorKind::WouldBlock {
        return StorageError::Locked(dir.to_owned());
    }
    StorageError::io("open", path, source)
}

/// redb repairs a file that was not closed, and says nothing of a last commit that it gives up.
fn warn_if_rolled_back(before: Option<[u8; HEADER]>, file: &HeldFile, name: &str) {
    let heads = before.zip(file.start::<HEADER>());
    if heads.is_some_and(|(before, after)| Head::of(&before).was_rolled_back(&Head::of(&after))) {
        tracing::warn!(
            storage.file = name,
            "the last commit of `{name}` was not whole and was given up: nothing is lost when the machine lost power in the middle of it; \
             otherwise the file is damaged"
        );
    }
}

fn create_error(path: &Path, source: io::Error) -> StorageError {
    if is_space(&source) {
        return StorageError::Unavailable {
            file: name_of(path),
            what: source.to_string(),
        };
    }
    StorageError::io("create", path, source)
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// The bytes of a database without tables. redb writes a new file's header in two steps, and between them the file is neither empty nor
/// readable; so it is made here and put in place whole.
fn empty_image() -> Result<Vec<u8>, StorageError> {
    let image = Image::default();
    drop(redb::Builder::new().create_with_backend(image.clone())?);
    Ok(image.bytes())
}
