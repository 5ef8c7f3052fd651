//! Binary frames: log chunks and file parts behind a fixed big-endian header.
//!
//! ```text
//! 0   kind          u8    1 = log chunk, 2 = file part
//! 1   build         16 bytes
//! 17  attempt       u32
//! 21  fence         u64
//! 29  seq / file    u64   chunk: place in the journal; file part: number of the file
//! 37  offset        u64   first byte's place in the log or in the file
//! 45  chunk only: raw_len u32, step u32, time i64, elapsed_ms u64, segments u16, then per segment stream u8, len u32
//! …   payload
//! ```

use super::chunk::{Chunk, MAX_CHUNK_WIRE, Segment};
use super::message::Lease;
use crate::api::Stream;
use crate::{BuildId, Timestamp};
use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Most payload bytes in one file part.
pub const MAX_FILE_PART: usize = 256 * 1024;

const KIND_CHUNK: u8 = 1;
const KIND_FILE: u8 = 2;
const HEADER: usize = 45;
const CHUNK_HEADER: usize = 26;
const SEGMENT: usize = 5;

/// A binary frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A log chunk: a journal record of its own.
    Chunk {
        /// Under which right.
        lease: Lease,
        /// Place in the journal.
        seq: u64,
        /// The bytes.
        chunk: Chunk,
    },
    /// A part of a file; the file's journal record follows its last part.
    File {
        /// Under which right.
        lease: Lease,
        /// Number of the file in this attempt.
        file: u32,
        /// First byte's place in the file.
        offset: u64,
        /// The bytes.
        data: Bytes,
    },
}

/// A binary frame that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Shorter than its header says.
    #[error("binary frame ends inside its header")]
    Short,
    /// A kind, stream or size that the protocol does not know.
    #[error("binary frame has an unknown {0}")]
    Unknown(&'static str),
    /// A payload over its limit.
    #[error("binary frame's payload is over the limit")]
    TooLarge,
}

impl Frame {
    /// The frame's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Chunk { lease, seq, chunk } => {
                let segments = chunk.segments.len() * SEGMENT;
                let mut out = header(
                    KIND_CHUNK,
                    lease,
                    *seq,
                    chunk.offset,
                    CHUNK_HEADER + segments + chunk.data.len(),
                );
                out.put_u32(chunk.raw_len);
                out.put_u32(chunk.step);
                out.put_i64(chunk.time.0);
                out.put_u64(chunk.elapsed_ms);
                out.put_u16(
                    u16::try_from(chunk.segments.len())
                        .expect("a chunk's segments are counted by `check`"),
                );
                for segment in &chunk.segments {
                    out.put_u8(stream_code(segment.stream));
                    out.put_u32(segment.len);
                }
                out.put_slice(&chunk.data);
                out.freeze()
            }
            Self::File {
                lease,
                file,
                offset,
                data,
            } => {
                let mut out = header(KIND_FILE, lease, u64::from(*file), *offset, data.len());
                out.put_slice(data);
                out.freeze()
            }
        }
    }

    /// Reads a frame; copies no payload.
    ///
    /// # Errors
    /// [`FrameError`] for anything that [`Frame::encode`] would not have written. Lengths inside a chunk are checked by
    /// [`Chunk::check`].
    pub fn decode(mut bytes: Bytes) -> Result<Self, FrameError> {
        if bytes.len() < HEADER {
            return Err(FrameError::Short);
        }
        let kind = bytes.get_u8();
        let mut build = [0u8; 16];
        bytes.copy_to_slice(&mut build);
        let lease = Lease {
            build: BuildId::from_bytes(build),
            attempt: bytes.get_u32(),
            fence: bytes.get_u64(),
        };
        let number = bytes.get_u64();
        let offset = bytes.get_u64();
        match kind {
            KIND_CHUNK => {
                let chunk = decode_chunk(offset, bytes)?;
                Ok(Self::Chunk {
                    lease,
                    seq: number,
                    chunk,
                })
            }
            KIND_FILE => {
                if bytes.len() > MAX_FILE_PART {
                    return Err(FrameError::TooLarge);
                }
                let file = u32::try_from(number).map_err(|_| FrameError::Unknown("file number"))?;
                Ok(Self::File {
                    lease,
                    file,
                    offset,
                    data: bytes,
                })
            }
            _ => Err(FrameError::Unknown("kind")),
        }
    }
}

fn header(kind: u8, lease: &Lease, number: u64, offset: u64, rest: usize) -> BytesMut {
    let mut out = BytesMut::with_capacity(HEADER + rest);
    out.put_u8(kind);
    out.put_slice(&lease.build.bytes());
    out.put_u32(lease.attempt);
    out.put_u64(lease.fence);
    out.put_u64(number);
    out.put_u64(offset);
    out
}

fn decode_chunk(offset: u64, mut bytes: Bytes) -> Result<Chunk, FrameError> {
    if bytes.len() < CHUNK_HEADER {
        return Err(FrameError::Short);
    }
    let raw_len = bytes.get_u32();
    let step = bytes.get_u32();
    let time = Timestamp(bytes.get_i64());
    let elapsed_ms = bytes.get_u64();
    let count = usize::from(bytes.get_u16());
    if bytes.len() < count * SEGMENT {
        return Err(FrameError::Short);
    }
    let mut segments = Vec::with_capacity(count);
    for _ in 0..count {
        let stream = stream_of(bytes.get_u8()).ok_or(FrameError::Unknown("stream"))?;
        segments.push(Segment {
            stream,
            len: bytes.get_u32(),
        });
    }
    if bytes.len() > MAX_CHUNK_WIRE {
        return Err(FrameError::TooLarge);
    }
    Ok(Chunk {
        offset,
        raw_len,
        step,
        time,
        elapsed_ms,
        segments,
        data: bytes,
    })
}

fn stream_code(stream: Stream) -> u8 {
    match stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
        Stream::System => 3,
    }
}

fn stream_of(code: u8) -> Option<Stream> {
    match code {
        1 => Some(Stream::Stdout),
        2 => Some(Stream::Stderr),
        3 => Some(Stream::System),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{compress_chunk, decompress_chunk};
    use proptest::prelude::*;

    fn lease() -> impl Strategy<Value = Lease> {
        (any::<[u8; 16]>(), any::<u32>(), any::<u64>()).prop_map(|(build, attempt, fence)| Lease {
            build: BuildId::from_bytes(build),
            attempt,
            fence,
        })
    }

    proptest! {
        #[test]
        fn a_chunk_survives_the_wire(lease in lease(), seq in any::<u64>(), offset in 0u64..u64::MAX / 2,
                                     raw in proptest::collection::vec(any::<u8>(), 1..5000), cut in 0usize..5000) {
            let cut = cut % raw.len();
            let mut segments = vec![Segment { stream: Stream::Stderr, len: (raw.len() - cut) as u32 }];
            if cut > 0 {
                segments.insert(0, Segment { stream: Stream::Stdout, len: cut as u32 });
            }
            let chunk = Chunk { offset, raw_len: raw.len() as u32, step: 3, time: Timestamp(7), elapsed_ms: 9, segments,
                                data: compress_chunk(&raw) };
            prop_assert!(chunk.check().is_ok());
            let frame = Frame::Chunk { lease, seq, chunk: chunk.clone() };
            prop_assert_eq!(Frame::decode(frame.encode()), Ok(frame));
            prop_assert_eq!(decompress_chunk(offset, chunk.raw_len, &chunk.data), Ok(raw));
        }

        #[test]
        fn a_file_part_survives_the_wire(lease in lease(), file in any::<u32>(), offset in any::<u64>(),
                                         data in proptest::collection::vec(any::<u8>(), 0..500)) {
            let frame = Frame::File { lease, file, offset, data: data.into() };
            prop_assert_eq!(Frame::decode(frame.encode()), Ok(frame));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(Frame::Chunk { chunk, .. }) = Frame::decode(bytes.into()) {
                let checked = chunk.check();
                if checked.is_ok() {
                    prop_assert!(chunk.raw_len > 0);
                }
                drop(decompress_chunk(chunk.offset, chunk.raw_len, &chunk.data));
            }
        }
    }
}
