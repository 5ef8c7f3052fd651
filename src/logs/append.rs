//! First half of an append: check and count a batch of chunks, and put their bytes into the volumes.

use super::error::LogsError;
use super::line::Shape;
use super::page::Logs;
use crate::kit::off_thread;
use crate::storage::VolumeRef;
use testhide_protocol::wire::{Chunk, decompress_chunk};

/// A chunk whose bytes are on disk and which no state points to yet.
#[derive(Debug, Clone)]
pub struct PlacedChunk {
    pub(super) chunk: Chunk,
    pub(super) shape: Shape,
    pub(super) place: VolumeRef,
}

impl PlacedChunk {
    /// First raw byte's place in the log.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.chunk.offset
    }

    /// Step that wrote it, as its agent says.
    #[must_use]
    pub fn step(&self) -> u32 {
        self.chunk.step
    }
}

impl Logs {
    /// Checks `chunks`, counts their lines and stores their bytes; [`super::append`] then makes them part of a log.
    ///
    /// # Errors
    /// [`LogsError::Chunk`] for a chunk that does not hold what it says (nothing is stored), failures of the store.
    pub async fn place(&self, chunks: Vec<Chunk>) -> Result<Vec<PlacedChunk>, LogsError> {
        let counting = off_thread(move || {
            let mut counted = Vec::with_capacity(chunks.len());
            for chunk in chunks {
                chunk.check()?;
                let raw = decompress_chunk(chunk.offset, chunk.raw_len, &chunk.data)?;
                counted.push((Shape::of(&raw), chunk));
            }
            Ok::<_, LogsError>(counted)
        });
        let counted = counting.await.expect("counting lines does not panic")?;
        let parts = counted
            .iter()
            .map(|(_, chunk)| chunk.data.clone())
            .collect();
        let places = self.volumes.append(parts).await?;
        let placed = counted
            .into_iter()
            .zip(places)
            .map(|((shape, mut chunk), place)| {
                chunk.data.clear();
                PlacedChunk {
                    chunk,
                    shape,
                    place,
                }
            });
        Ok(placed.collect())
    }
}
