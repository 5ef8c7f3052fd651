//! The truth on disk: `state.redb` for small facts, `volumes/` for bulk bytes, one writer for each.
//!
//! Owns the directory's lock, the format's version and its upgrades, the codec of records, group commit, and the backup
//! archive. Promises: what [`Storage::write`] or [`Volumes::append`] has answered `Ok` to is synced; a directory of a newer
//! format or one that another process holds is refused before a byte is changed. No other module names redb.

pub mod backup;
mod codec;
mod database;
mod disk;
mod error;
mod file;
mod key;
mod open;
mod table;
mod thread;
mod upgrade;
mod volumes;
mod watched;
mod writer;
#[cfg(test)]
mod writer_tests;

pub use codec::{Record, Value};
pub use database::{ReadTxn, Storage, WriteTxn};
pub use disk::{DiskGuard, DiskState, Floors};
pub use error::StorageError;
pub use file::{FileError, FileReader, FileWriter, StoredFile};
pub use key::{Key, KeyBuilder, KeyReader};
pub use open::{FORMAT_VERSION, OpenOptions};
pub use table::{Rows, Table, TableHandle, Transaction};
pub use volumes::{VolumeRef, Volumes};
pub use watched::Watched;
