//! The truth on disk: `state.redb` for small facts, `volumes/` for bulk bytes, one writer for each.
//!
//! Owns the directory's lock, the format's version and its upgrades, the codec of records, group commit, and the backup
//! archive. Promises: what [`Storage::write`] or [`Volumes::append`] has answered `Ok` to is synced; a directory of a newer
//! format or one that another process holds is refused before a byte is changed. No other module names redb.

mod backend;
pub mod backup;
mod codec;
mod database;
mod disk;
mod doctor;
mod error;
mod file;
#[cfg(test)]
mod flip_tests;
#[cfg(test)]
mod full_tests;
mod held;
mod key;
mod medium;
#[cfg(test)]
mod memory;
mod open;
#[cfg(test)]
mod power_tests;
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
pub use doctor::{Damage, Examination, FileFound, Salvaged, TableCheck, examine, salvage};
pub use error::StorageError;
pub use file::{FileError, FileReader, FileWriter, StoredFile};
pub use key::{Key, KeyBuilder, KeyReader};
#[cfg(test)]
pub(crate) use memory::{Dice, MemoryDisk, Room};
pub use open::{FORMAT_VERSION, OpenOptions};
pub use table::{Rows, Table, TableHandle, Transaction};
pub use volumes::{VolumeRef, Volumes};
pub use watched::Watched;
