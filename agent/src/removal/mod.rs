//! Deletes what steps have left, whatever is in it.
//!
//! Never through a link, and never into another file system or a mount. Folders are gone through by their handles, so that neither
//! the length of a path nor the depth of nesting matters. Write-protected folders are opened up. What cannot be deleted stays and
//! is told of; nothing else stays because of it.

#[cfg_attr(not(unix), path = "plain.rs")]
mod sweep;
mod undeleted;

pub(crate) use sweep::{empty, remove};
pub(crate) use undeleted::Undeleted;
