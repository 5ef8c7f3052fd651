//! Files that are read line by line.

use crate::reports::parse::format::Format;

/// Looks at the first lines of a file.
pub(super) fn look_at_lines(_head: &[u8]) -> Option<Format> {
    None
}
