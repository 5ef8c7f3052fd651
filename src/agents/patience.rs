//! Waiting for a disk that is full or failed: what an agent delivers is tried again until there is room, and its connection stays.
//!
//! Meanwhile nothing is acknowledged, and no more is read from the agent than waits already; heartbeats go on both ways.

use crate::builds::BuildsError;
use crate::logs::LogsError;
use crate::reports::ReportsError;
use crate::storage::StorageError;
use std::time::Duration;

/// How often a full disk is asked again. The disk guard asks the system as often.
const AGAIN: Duration = Duration::from_secs(1);

/// An error that may say that nothing can be written now.
pub(super) trait MayBeReadOnly {
    /// Whether it says so.
    fn is_read_only(&self) -> bool;
}

impl MayBeReadOnly for StorageError {
    fn is_read_only(&self) -> bool {
        Self::is_read_only(self)
    }
}

impl MayBeReadOnly for LogsError {
    fn is_read_only(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_read_only())
    }
}

impl MayBeReadOnly for BuildsError {
    fn is_read_only(&self) -> bool {
        Self::is_read_only(self)
    }
}

impl MayBeReadOnly for ReportsError {
    fn is_read_only(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_read_only())
    }
}

/// Does `work` again and again until the disk takes it; answers its first other outcome.
pub(super) async fn patiently<T, E, W>(mut work: impl FnMut() -> W) -> Result<T, E>
where
    E: MayBeReadOnly,
    W: Future<Output = Result<T, E>>,
{
    loop {
        match work().await {
            Err(error) if error.is_read_only() => tokio::time::sleep(AGAIN).await,
            outcome => return outcome,
        }
    }
}
