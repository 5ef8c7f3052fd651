//! First half of an append: check and count a batch of chunks, and put their bytes into the volumes.

use super::error::LogsError;
use super::page::Logs;
use crate::storage::VolumeRef;
use testhide_protocol::wire::{Chunk, decompress_chunk};

/// A chunk whose bytes are on disk and which no state points to yet.
#[derive(Debug, Clone)]
pub struct PlacedChunk {
    pub(super) chunk: Chunk,
    pub(super) newlines: u64,
    pub(super) ends_with_newline: bool,
    pub(super) place: VolumeRef,
}

impl PlacedChunk {
    /// First raw byte's place in the log.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.chunk.offset
    }
}

impl Logs {
    /// Checks `chunks`, counts their lines and stores their bytes; [`super::append`] then makes them part of a log.
    ///
    /// # Errors
    /// [`LogsError::Chunk`] for a chunk that does not hold what it says (nothing is stored), failures of the store.
    pub async fn place(&self, chunks: Vec<Chunk>) -> Result<Vec<PlacedChunk>, LogsError> {
        let counting = tokio::task::spawn_blocking(move || {
            let mut counted = Vec::with_capacity(chunks.len());
            for chunk in chunks {
                chunk.check()?;
                let raw = decompress_chunk(chunk.offset, chunk.raw_len, &chunk.data)?;
                counted.push((count_newlines(&raw), raw.last() == Some(&b'\n'), chunk));
            }
            Ok::<_, LogsError>(counted)
        });
        let counted = counting.await.expect("counting lines does not panic")?;
        let parts = counted
            .iter()
            .map(|(_, _, chunk)| chunk.data.clone())
            .collect();
        let places = self.volumes.append(parts).await?;
        let placed = counted.into_iter().zip(places).map(
            |((newlines, ends_with_newline, mut chunk), place)| {
                chunk.data.clear();
                PlacedChunk {
                    chunk,
                    newlines,
                    ends_with_newline,
                    place,
                }
            },
        );
        Ok(placed.collect())
    }
}

/// Line ends in `raw`, in runs short enough for one-byte sums, which the compiler turns into wide instructions.
fn count_newlines(raw: &[u8]) -> u64 {
    raw.chunks(192)
        .map(|part| {
            u64::from(
                part.iter()
                    .fold(0u8, |sum, byte| sum + u8::from(*byte == b'\n')),
            )
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::count_newlines;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_what_a_plain_loop_counts(raw in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..2000)) {
            prop_assert_eq!(count_newlines(&raw), raw.iter().filter(|byte| **byte == b'\n').count() as u64);
        }
    }
}
