//! Allure results: one result file, or an archive of a folder of them.

mod archive;
mod container;
mod entries;
mod key;
mod result;
mod single;

pub use archive::parse_archive;
pub(super) use single::read;
