//! A stopped server's directory, looked at to the last byte, and what is whole of a damaged one.
//!
//! Promises: nothing here changes a byte of the directory; every page in use is checked against its checksum, every row is read by
//! the table that owns it, and every byte that a row refers to is checked against its hash. A damaged page loses its own rows and no others.

mod check;
mod examine;
mod found;
mod pages;
mod salvage;

pub use check::TableCheck;
pub use examine::examine;
#[cfg(test)]
pub(super) use examine::examine_on;
pub use found::{Damage, Examination, FileFound};
pub(super) use pages::{HEADER, Head};
#[cfg(test)]
pub(super) use salvage::salvage_on;
pub use salvage::{Salvaged, salvage};
