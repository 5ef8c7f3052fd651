//! Bulk bytes: log chunks, attachments, artifacts. Append only, read by reference, deleted a whole file at a time.
//!
//! A volume is a redb file that holds one long byte string, cut into values a little under 64 KiB: redb gives a large value a run
//! of pages that is a power of two, so a value of 65,000 bytes costs 1.04 times its size and one of 66,000 costs 2.04 times.
//! One volume is open for writing; at about 1 GiB or after a day the next one begins. An append is synced before it is answered, and
//! only then may the state point to it; bytes nobody points to are garbage by construction.

mod append;
mod file;
mod handle;
mod read;

pub(in crate::storage) use file::{BYTES, VolumeFile, volume_path};
pub use handle::{VolumeRef, Volumes};
pub(in crate::storage) use read::{numbers_in, read_checked};
