//! The index itself: add, remove, search, save.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::{fs, thread};

use parking_lot::{Mutex, RwLock};
use usearch::{Index, IndexOptions, MetricKind, ScalarKind};

use super::VectorError;
use super::permits::Permits;
use super::snapshot::{self, Found};

/// Room that an empty index starts with: a few hundred kilobytes.
const MIN_CAPACITY: usize = 256;

/// Up to this many vectors every one is compared: about a millisecond at 256 dimensions, and always exact. The graph
/// pays off above.
const EXACT_UP_TO: usize = 4_096;

/// Vectors by key, searched by cosine distance. One handle is shared by all threads.
///
/// A search never sees half a change: adding and removing wait for running searches and hold up new ones for the
/// fraction of a millisecond that they take. (The engine would let searches read a graph while it is being rewired;
/// its base layer takes no locks for that, so we do.)
///
/// All calls block; from async code they belong on a blocking thread.
pub struct VectorIndex {
    dimensions: usize,
    directory: PathBuf,
    engine: RwLock<Index>,
    permits: Permits,
    searches: usize,
    cursor: AtomicU64,
    /// Two saves at once would write the same temporary file.
    saving: Mutex<()>,
}

/// Where the content of a freshly opened index came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// There was no snapshot: the index is empty.
    Fresh,
    /// The snapshot was whole and is loaded.
    Loaded,
    /// The snapshot could not be used, for the reason given: the index is empty and must be filled again.
    Rebuilt(String),
}

impl VectorIndex {
    /// Opens the index in `directory`, which is created when missing, for vectors of `dimensions` numbers.
    ///
    /// A damaged snapshot, or one of another kind, is not an error: the index starts empty and says so. The file stays
    /// until the next [`save`](Self::save).
    ///
    /// # Errors
    /// When the directory cannot be made, the file cannot be read, or memory for the index cannot be had.
    pub fn open(directory: &Path, dimensions: usize) -> Result<(Self, Opened), VectorError> {
        fs::create_dir_all(directory)
            .map_err(|error| VectorError::io("create", directory, error))?;
        let searches = thread::available_parallelism()
            .map_or(4, |count| count.get() * 2)
            .clamp(4, 64);
        let (engine, cursor, opened) = match snapshot::read(directory, dimensions)? {
            Found::Nothing => (empty_engine(dimensions)?, 0, Opened::Fresh),
            Found::Unusable(reason) => (empty_engine(dimensions)?, 0, Opened::Rebuilt(reason)),
            Found::Whole(snapshot) => match loaded_engine(dimensions, snapshot.payload()) {
                Ok(engine) => (engine, snapshot.cursor, Opened::Loaded),
                Err(error) => (
                    empty_engine(dimensions)?,
                    0,
                    Opened::Rebuilt(error.to_string()),
                ),
            },
        };
        reserve(&engine, engine.size().max(MIN_CAPACITY), searches)?;
        let index = Self {
            dimensions,
            directory: directory.to_path_buf(),
            engine: RwLock::new(engine),
            permits: Permits::new(searches),
            searches,
            cursor: AtomicU64::new(cursor),
            saving: Mutex::new(()),
        };
        Ok((index, opened))
    }

    /// The sequence number of the last event whose vectors are in the snapshot on disk; zero when there is none. After
    /// opening, everything later has to be added again.
    pub fn cursor(&self) -> u64 {
        self.cursor.load(Ordering::Acquire)
    }

    /// How many vectors the index holds.
    pub fn len(&self) -> usize {
        self.engine.read().size()
    }

    /// Whether the index holds no vector.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Stores `vector` under `key` in place of an earlier one. Adding the same pair again changes nothing.
    ///
    /// # Errors
    /// When the vector has the wrong length or no direction, or the key is `u64::MAX`: nothing changed. When the engine
    /// fails: an earlier vector of this key may be gone.
    pub fn add(&self, key: u64, vector: &[f32]) -> Result<(), VectorError> {
        self.check(vector)?;
        if key == u64::MAX {
            return Err(VectorError::ReservedKey(key));
        }
        let engine = self.engine.write();
        if engine.contains(key) {
            let mut known = vec![0.0_f32; self.dimensions];
            engine
                .get(key, &mut known)
                .map_err(|error| VectorError::engine("read a vector", &error))?;
            if known == vector {
                return Ok(());
            }
            engine
                .remove(key)
                .map_err(|error| VectorError::engine("replace a vector", &error))?;
        }
        if engine.size() >= engine.capacity() {
            reserve(&engine, engine.capacity() * 2, self.searches)?;
        }
        engine
            .add(key, vector)
            .map_err(|error| VectorError::engine("add a vector", &error))
    }

    /// Removes the vector of `key`; whether there was one.
    ///
    /// # Errors
    /// When the engine cannot note the free place: the vector is still there.
    pub fn remove(&self, key: u64) -> Result<bool, VectorError> {
        let engine = self.engine.write();
        engine
            .remove(key)
            .map(|count| count > 0)
            .map_err(|error| VectorError::engine("remove a vector", &error))
    }

    /// Up to `count` nearest vectors as (key, cosine distance within 0 and 2), nearest first, equal ones by key.
    ///
    /// Exact while the index is small, approximate above.
    ///
    /// # Errors
    /// When the vector has the wrong length or no direction.
    pub fn search(&self, vector: &[f32], count: usize) -> Result<Vec<(u64, f32)>, VectorError> {
        self.check(vector)?;
        let _permit = self.permits.take();
        let engine = self.engine.read();
        let count = count.min(engine.size());
        let matches = if engine.size() <= EXACT_UP_TO {
            engine.exact_search(vector, count)
        } else {
            engine.search(vector, count)
        };
        let matches = matches.map_err(|error| VectorError::engine("search", &error))?;
        Ok(ranked(&matches.keys, &matches.distances))
    }

    /// Like [`search`](Self::search), among the keys that `accept` says yes to. The rarer those are in a large index, the
    /// more of it is looked at.
    ///
    /// `accept` must not call this index: a waiting [`add`](Self::add) would make both wait for ever.
    ///
    /// # Errors
    /// When the vector has the wrong length or no direction.
    pub fn search_filtered(
        &self,
        vector: &[f32],
        count: usize,
        accept: impl Fn(u64) -> bool,
    ) -> Result<Vec<(u64, f32)>, VectorError> {
        self.check(vector)?;
        let _permit = self.permits.take();
        let engine = self.engine.read();
        if engine.size() <= EXACT_UP_TO {
            let matches = engine
                .exact_search(vector, engine.size())
                .map_err(|error| VectorError::engine("search", &error))?;
            let mut ranked = ranked(&matches.keys, &matches.distances);
            ranked.retain(|(key, _)| accept(*key));
            ranked.truncate(count);
            return Ok(ranked);
        }
        // A panic must not travel through the engine's own frames: that would end the process.
        let panic: Cell<Option<Box<dyn Any + Send>>> = Cell::new(None);
        let guarded = |key: u64| {
            catch_unwind(AssertUnwindSafe(|| accept(key))).unwrap_or_else(|payload| {
                panic.set(Some(payload));
                false
            })
        };
        let matches = engine.filtered_search(vector, count.min(engine.size()), guarded);
        if let Some(payload) = panic.take() {
            resume_unwind(payload);
        }
        let matches = matches.map_err(|error| VectorError::engine("search", &error))?;
        Ok(ranked(&matches.keys, &matches.distances))
    }

    /// Writes a snapshot that holds everything up to the event `cursor`, synced, in place of the last one.
    ///
    /// Searches go on meanwhile; changes wait while the content is copied in memory, not while it is written.
    ///
    /// # Errors
    /// When the disk or memory is full: the last snapshot and [`cursor`](Self::cursor) are unchanged.
    pub fn save(&self, cursor: u64) -> Result<(), VectorError> {
        let _saving = self.saving.lock();
        let payload = {
            let engine = self.engine.read();
            let mut payload = vec![0; engine.serialized_length()];
            engine
                .save_to_buffer(&mut payload)
                .map_err(|error| VectorError::engine("serialise the index", &error))?;
            payload
        };
        snapshot::write(&self.directory, self.dimensions, cursor, &payload)?;
        self.cursor.store(cursor, Ordering::Release);
        Ok(())
    }

    fn check(&self, vector: &[f32]) -> Result<(), VectorError> {
        if vector.len() != self.dimensions {
            return Err(VectorError::WrongDimensions {
                expected: self.dimensions,
                actual: vector.len(),
            });
        }
        let square: f32 = vector.iter().map(|value| value * value).sum();
        // Tiny and huge vectors whose square leaves the range of f32 have no usable direction either.
        if square.is_normal() {
            Ok(())
        } else {
            Err(VectorError::NoDirection)
        }
    }
}

fn empty_engine(dimensions: usize) -> Result<Index, VectorError> {
    // Half-precision kinds are several times slower without the engine's SIMD library, which is not built in.
    let options = IndexOptions {
        dimensions,
        metric: MetricKind::Cos,
        quantization: ScalarKind::F32,
        ..IndexOptions::default()
    };
    Index::new(&options).map_err(|error| VectorError::engine("create the index", &error))
}

fn loaded_engine(dimensions: usize, payload: &[u8]) -> Result<Index, VectorError> {
    let engine = empty_engine(dimensions)?;
    engine
        .load_from_buffer(payload)
        .map_err(|error| VectorError::engine("load the snapshot", &error))?;
    let same_kind = engine.dimensions() == dimensions
        && engine.metric_kind() == MetricKind::Cos
        && engine.scalar_kind() == ScalarKind::F32
        && !engine.multi();
    if same_kind {
        Ok(engine)
    } else {
        Err(VectorError::engine(
            "load the snapshot",
            &"it was made with other options",
        ))
    }
}

fn reserve(engine: &Index, capacity: usize, searches: usize) -> Result<(), VectorError> {
    engine
        .reserve_capacity_and_threads(capacity, searches)
        .map_err(|error| VectorError::engine("grow the index", &error))
}

/// Pairs keys and distances. Rounding can carry a distance slightly below zero; ties are settled by key.
fn ranked(keys: &[u64], distances: &[f32]) -> Vec<(u64, f32)> {
    let mut ranked: Vec<(u64, f32)> = keys
        .iter()
        .zip(distances)
        .map(|(key, distance)| (*key, distance.clamp(0.0, 2.0)))
        .collect();
    ranked.sort_by(|left, right| left.1.total_cmp(&right.1).then(left.0.cmp(&right.0)));
    ranked
}

#[cfg(test)]
#[path = "vector_index_tests.rs"]
mod tests;
