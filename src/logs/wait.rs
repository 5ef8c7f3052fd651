//! Waiting for what a log does not have yet. All who wait for one log share one look at the store a commit.

use super::page::Logs;
use super::store::head;
use crate::storage::StorageError;
use std::time::Duration;
use testhide_protocol::BuildId;

/// Least time between two looks at a line that has not ended: a progress bar that moves a hundred times a second is shown five times.
const RUNNING_EVERY: Duration = Duration::from_millis(200);

/// What a follower waits for. The end of the log always ends the wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// A line that has ended.
    pub line: u64,
    /// Any byte behind this many, for those who show the line that is being written.
    pub bytes_beyond: Option<u64>,
}

impl Wanted {
    /// A line that has ended.
    #[must_use]
    pub fn line(line: u64) -> Self {
        Self {
            line,
            bytes_beyond: None,
        }
    }
}

impl Logs {
    /// Returns once the log has what is `wanted`, is complete, the server is to end, or `patience` is over.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn wait_for(
        &self,
        build: BuildId,
        attempt: u32,
        wanted: Wanted,
        patience: Duration,
    ) -> Result<(), StorageError> {
        let reader = self.readers.enter(build, attempt);
        let read = |rtxn: &_| head(rtxn, build, attempt);
        let closing = self.viewers.closing();
        let wait_until = async |bytes_beyond: Option<u64>| {
            let reached = |head: &super::LogHead| {
                head.complete
                    || head.lines() >= wanted.line
                    || bytes_beyond.is_some_and(|known| head.bytes > known)
            };
            tokio::select! {
                found = reader.head.until(&self.storage, read, reached) => found.map(Some),
                () = closing.cancelled() => Ok(None),
            }
        };
        let waiting = async {
            let found = wait_until(wanted.bytes_beyond).await?;
            let only_grew = found.is_some_and(|head| !head.complete && head.lines() < wanted.line);
            if only_grew {
                return tokio::time::timeout(RUNNING_EVERY, wait_until(None))
                    .await
                    .map_or(Ok(()), |found| found.map(drop));
            }
            Ok(())
        };
        tokio::time::timeout(patience, waiting)
            .await
            .unwrap_or(Ok(()))
    }
}
