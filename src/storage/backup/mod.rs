//! Backup in one file: written while the server runs and writes, checked without a server, restored onto an empty directory.
//!
//! Owns the archive's format (`docs/backup-format.md`). Promises: a backup is one consistent moment of the state, with every
//! byte of the volumes that this moment refers to; an archive that was cut off or edited anywhere is recognised; a restore that
//! did not finish is never opened as a whole directory. Keys are deliberately absent: a backup holds no secret of this machine.

mod archive;
#[cfg(test)]
mod backup_tests;
mod manifest;
mod reader;
mod restore;
mod salvage;
mod target;
mod verify;
mod write;
mod writer;

pub use archive::ARCHIVE_VERSION;
pub use manifest::{BackupFile, BackupOptions, Entry, Header, Manifest, Progress};
pub(in crate::storage) use manifest::{table_name, volume_name};
pub use restore::restore;
pub use salvage::{Damage, Missing, Salvaged, salvage};
pub use target::is_unfinished_restore;
pub use verify::verify;
pub use write::write;
pub(in crate::storage) use writer::ArchiveWriter;
