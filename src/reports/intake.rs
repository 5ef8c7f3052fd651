//! The body of an upload goes into the volumes as it arrives.

use super::error::ReportsError;
use super::store::Reports;
use crate::storage::{FileWriter, StoredFile};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use std::fmt::Display;

/// Largest report that is taken.
pub const MAX_REPORT_BYTES: u64 = 512 * 1024 * 1024;

impl Reports {
    /// Streams a body of at most `limit` bytes into the volumes. The file is garbage until a report holds it.
    ///
    /// # Errors
    /// [`ReportsError::TooLarge`], [`ReportsError::Empty`], [`ReportsError::BrokenOff`], a disk that is getting full.
    pub async fn intake<S, E>(&self, body: S, limit: u64) -> Result<StoredFile, ReportsError>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Display,
    {
        let mut body = std::pin::pin!(body);
        let mut writer = FileWriter::new(self.volumes.clone(), limit);
        while let Some(part) = body.next().await {
            let part = part.map_err(|error| ReportsError::BrokenOff(error.to_string()))?;
            writer.write(&part).await?;
        }
        if writer.size() == 0 {
            return Err(ReportsError::Empty);
        }
        Ok(writer.finish().await?)
    }
}
