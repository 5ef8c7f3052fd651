//! The agent protocol: control messages as JSON text frames, bytes as binary frames with a fixed header.
//!
//! The agent connects outwards; the server opens with [`ServerMessage::Challenge`], the agent answers with
//! [`AgentMessage::Hello`], signed. From then on everything that an attempt produces (log chunks, step
//! results, files, its end) is one ordered **journal** on the agent's disk: record `seq` 1, 2, 3, … The server applies
//! each record once, in order, in the same transaction in which it remembers the number, and acknowledges it after
//! the commit. After any break the agent goes on from the last acknowledged record; a record that the server
//! has already is ignored. `docs/wire-format.md` describes every frame.

mod chunk;
mod definition;
mod frame;
mod message;
mod path;

pub use chunk::{
    Chunk, ChunkError, MAX_CHUNK_RAW, MAX_CHUNK_WIRE, Segment, compress_chunk, decompress_chunk,
};
pub use frame::{Frame, FrameError, MAX_FILE_PART};
pub use message::{
    AgentMessage, Assignment, AttemptEnd, FileKind, Lease, MAX_PRINTED_FAILURES, PROTOCOL_VERSION,
    PrintedFailure, RecordBody, Resume, ServerMessage, UnreadableAssignment, UnreadableWork,
    challenge_text,
};
pub use path::clean_file_path;
