//! For simulations: an agent's process that can be killed, and a runner's hands on a real journal.
//!
//! Only with the feature `simulation`. What is here does with the spool what the real runner does, at the moments that a script chooses.

use std::path::{Path, PathBuf};
use std::time::Duration;

use testhide_protocol::Timestamp;
use testhide_protocol::api::Stream;
use testhide_protocol::wire::{Assignment, AttemptEnd, Lease, RecordBody, Segment};
use tokio_util::sync::CancellationToken;

use crate::agent::{Agent, Machine, serve};
use crate::error::AgentError;
use crate::spool::{Journal, RawChunk, RunnerLock, SpoolDir, SpoolError};

pub use crate::spool::{Boot, StopOrder};
pub use crate::threads::keep_to_this_thread;

/// Serves as [`crate::run`] does, without looking at the machine's load. When `kill` fires everything of it stops where it is, as with
/// `kill -9`; it has stopped when this returns.
///
/// # Errors
/// As [`crate::run`].
pub async fn run(
    agent: Agent,
    shutdown: CancellationToken,
    kill: CancellationToken,
) -> Result<(), AgentError> {
    serve(agent, shutdown, kill, Machine::Simulated).await
}

/// Whose attempt a directory of the spool holds.
#[must_use]
pub fn lease_of(spool: &Path) -> Option<Lease> {
    SpoolDir::at(spool).map(|dir| dir.lease())
}

/// An attempt whose runner is a script. The right to write its journal ends with the value.
pub struct ScriptedAttempt {
    dir: SpoolDir,
    assignment: Assignment,
    journal: Journal,
    _lock: RunnerLock,
}

impl ScriptedAttempt {
    /// Takes the order in `spool` and begins the journal.
    ///
    /// # Errors
    /// When somebody else writes the journal, there is no order, or the disk refuses it.
    pub fn open(spool: &Path, boot: Boot) -> Result<Self, SpoolError> {
        let not_there = || SpoolError::at(spool)(std::io::ErrorKind::NotFound.into());
        let dir = SpoolDir::at(spool).ok_or_else(not_there)?;
        let lock = dir.lock()?.ok_or_else(not_there)?;
        let assignment = dir.take_order()?.assignment;
        let journal = Journal::create(dir.clone(), boot)?;
        Ok(Self {
            dir,
            assignment,
            journal,
            _lock: lock,
        })
    }

    /// The same with segments of another size.
    #[must_use]
    pub fn with_segments_of(mut self, bytes: u64) -> Self {
        self.journal = self.journal.with_segments_of(bytes);
        self
    }

    /// What is to be done.
    #[must_use]
    pub fn assignment(&self) -> &Assignment {
        &self.assignment
    }

    /// What the agent orders.
    #[must_use]
    pub fn stop_order(&self) -> Option<StopOrder> {
        self.dir.stop_order()
    }

    /// Appends output.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn output(
        &mut self,
        step: u32,
        time: Timestamp,
        elapsed: Duration,
        parts: &[(Stream, Vec<u8>)],
    ) -> Result<(), SpoolError> {
        let segment = |(stream, bytes): &(Stream, Vec<u8>)| Segment {
            stream: *stream,
            len: u32::try_from(bytes.len()).expect("a script says little at once"),
        };
        self.journal.append_chunk(RawChunk {
            bytes: parts
                .iter()
                .flat_map(|(_, bytes)| bytes.iter().copied())
                .collect(),
            segments: parts.iter().map(segment).collect(),
            step,
            time,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        })
    }

    /// Puts the bytes of a file into the spool; its record is to follow.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn put_file(&mut self, number: u32, bytes: &[u8]) -> Result<PathBuf, SpoolError> {
        let path = self.dir.file(number);
        std::fs::write(&path, bytes).map_err(SpoolError::at(&path))?;
        Ok(path)
    }

    /// Appends a record.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn record(&mut self, body: &RecordBody) -> Result<(), SpoolError> {
        self.journal.append_record(body)
    }

    /// Whether something that was written waits for a sync for a second.
    #[must_use]
    pub fn is_sync_due(&self) -> bool {
        self.journal
            .sync_due_in()
            .is_some_and(|time| time.is_zero())
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn sync(&mut self) -> Result<(), SpoolError> {
        self.journal.sync()
    }

    /// Writes the attempt's end.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub fn end(&mut self, end: AttemptEnd) -> Result<(), SpoolError> {
        self.journal.end(end, None)
    }
}
