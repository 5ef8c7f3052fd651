//! From an agent's frames to applied journals: bulk bytes to the volumes first, then one transaction a lease.

use super::incoming::Incoming;
use super::store::Agents;
use crate::artifacts::clean_path;
use crate::builds::{BuildsError, Entry, JournalBatch};
use crate::storage::{FileError, FileWriter, StorageError, StoredFile};
use futures_util::future::join_all;
use std::collections::HashMap;
use std::sync::Arc;
use testhide_protocol::AgentId;
use testhide_protocol::wire::{Chunk, FileKind, Lease, RecordBody};

/// Files that one agent may have open at once.
const MAX_OPEN_FILES: usize = 32;

/// What became of one lease's frames.
#[derive(Debug)]
pub(super) enum Applied {
    /// Stored up to this record.
    Stored { lease: Lease, seq: u64 },
    /// The agent has no right to it (any more).
    Abandon { lease: Lease, reason: String },
}

/// Why a session cannot go on; the agent keeps what was not acknowledged and comes back.
#[derive(Debug, thiserror::Error)]
pub(super) enum Halt {
    /// The agent does not keep to the protocol.
    #[error("{0}")]
    Protocol(String),
    /// The store refuses; later it may not.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Applies the journals of one session.
pub(super) struct Journals {
    agents: Agents,
    agent: AgentId,
    files: HashMap<(Lease, u32), FileWriter>,
}

/// A record whose bytes may still be in memory.
enum Pending {
    Chunk(Chunk),
    Entry(Entry),
}

impl Journals {
    pub(super) fn new(agents: Agents, agent: AgentId) -> Self {
        Self {
            agents,
            agent,
            files: HashMap::new(),
        }
    }

    /// Applies what arrived, in order for each lease.
    pub(super) async fn take(&mut self, frames: Vec<Incoming>) -> Result<Vec<Applied>, Halt> {
        let mut leases: Vec<(Lease, Vec<(u64, Pending)>)> = Vec::new();
        let mut applied = Vec::new();
        for frame in frames {
            let (lease, seq, pending) = match frame {
                Incoming::Heartbeat | Incoming::Declined { .. } => continue,
                Incoming::FilePart {
                    lease,
                    file,
                    offset,
                    data,
                } => {
                    self.file_part(lease, file, offset, &data).await?;
                    continue;
                }
                Incoming::Chunk { lease, seq, chunk } => (lease, seq, Pending::Chunk(chunk)),
                Incoming::Record { lease, seq, body } => match self.record(lease, body).await? {
                    Ok(entry) => (lease, seq, Pending::Entry(entry)),
                    Err(reason) => {
                        applied.push(self.give_up(lease, reason).await?);
                        continue;
                    }
                },
            };
            match leases.iter_mut().find(|(own, _)| *own == lease) {
                Some((_, entries)) => entries.push((seq, pending)),
                None => leases.push((lease, vec![(seq, pending)])),
            }
        }
        let applying = leases
            .into_iter()
            .map(|(lease, pending)| self.apply(lease, pending));
        for outcome in join_all(applying).await {
            applied.push(outcome?);
        }
        Ok(applied)
    }

    async fn apply(&self, lease: Lease, pending: Vec<(u64, Pending)>) -> Result<Applied, Halt> {
        let mut chunks = Vec::new();
        for (_, pending) in &pending {
            if let Pending::Chunk(chunk) = pending {
                chunks.push(chunk.clone());
            }
        }
        let placed = if chunks.is_empty() {
            Vec::new()
        } else {
            match self.agents.logs.place(chunks).await {
                Ok(placed) => placed,
                Err(crate::logs::LogsError::Storage(error)) => return Err(error.into()),
                Err(error) => return self.give_up(lease, error.to_string()).await,
            }
        };
        let mut placed = placed.into_iter();
        let mut entries = Vec::with_capacity(pending.len());
        for (seq, pending) in pending {
            let entry = match pending {
                Pending::Entry(entry) => entry,
                Pending::Chunk(_) => match placed.next() {
                    Some(chunk) => Entry::Chunk(chunk),
                    None => {
                        return Err(Halt::Protocol(
                            "a chunk was lost on the way to its volume".to_owned(),
                        ));
                    }
                },
            };
            entries.push((seq, entry));
        }
        match self
            .agents
            .builds
            .apply(self.agent, JournalBatch { lease, entries })
            .await
        {
            Ok(seq) => Ok(Applied::Stored { lease, seq }),
            Err(BuildsError::Storage(error)) => Err(error.into()),
            Err(BuildsError::LeaseGone(reason)) => Ok(Applied::Abandon {
                lease,
                reason: reason.to_owned(),
            }),
            Err(error) => self.give_up(lease, error.to_string()).await,
        }
    }

    /// The agent broke an attempt's journal: the attempt is lost, not the agent.
    async fn give_up(&self, lease: Lease, reason: String) -> Result<Applied, Halt> {
        tracing::warn!(agent.id = %self.agent, build.id = %lease.build, "journal of build {} is refused: {reason}", lease.build);
        let held = self
            .agents
            .builds
            .leases_of(self.agent)
            .map_err(|error| Halt::Protocol(error.to_string()))?;
        if let Some(held) = held.into_iter().find(|held| held.lease == lease) {
            let words = format!("its agent sent what cannot be: {reason}");
            self.agents
                .builds
                .lose(held, words)
                .await
                .map_err(|error| Halt::Protocol(error.to_string()))?;
        }
        Ok(Applied::Abandon { lease, reason })
    }

    async fn file_part(
        &mut self,
        lease: Lease,
        file: u32,
        offset: u64,
        data: &[u8],
    ) -> Result<(), Halt> {
        let key = (lease, file);
        if offset == 0 {
            if self.files.len() >= MAX_OPEN_FILES && !self.files.contains_key(&key) {
                return Err(Halt::Protocol(format!(
                    "more than {MAX_OPEN_FILES} files are open"
                )));
            }
            let writer = FileWriter::new(self.agents.volumes.clone(), self.agents.max_file_bytes);
            self.files.insert(key, writer);
        }
        let Some(writer) = self.files.get_mut(&key) else {
            return Err(Halt::Protocol(format!(
                "file {file} does not begin at its start"
            )));
        };
        if writer.size() != offset {
            return Err(Halt::Protocol(format!(
                "file {file} has a gap at byte {offset}"
            )));
        }
        writer.write(data).await.map_err(file_halt)
    }

    /// Turns a record into an entry; the inner error gives up the attempt.
    async fn record(
        &mut self,
        lease: Lease,
        body: RecordBody,
    ) -> Result<Result<Entry, String>, Halt> {
        let RecordBody::File {
            file,
            kind,
            step,
            path,
            size,
            ..
        } = body
        else {
            return Ok(Ok(Entry::Body(body)));
        };
        let path = match clean_path(&path) {
            Ok(path) => path,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let stored = match self.files.remove(&(lease, file)) {
            Some(writer) => writer.finish().await.map_err(file_halt)?,
            None if size == 0 => empty_file(),
            // The record may be one that is stored already; if it is not, the lease's journal says so.
            None => {
                return Ok(Ok(Entry::Body(RecordBody::File {
                    file,
                    kind,
                    step,
                    path,
                    size,
                    modified_at: None,
                })));
            }
        };
        if stored.size != size {
            return Ok(Err(format!(
                "file `{path}` has {} bytes, its record says {size}",
                stored.size
            )));
        }
        match kind {
            FileKind::Artifact => Ok(Ok(Entry::Artifact { path, file: stored })),
            FileKind::Report => self.report(lease, step, path, stored).await,
        }
    }

    async fn report(
        &self,
        lease: Lease,
        step: u32,
        path: String,
        file: StoredFile,
    ) -> Result<Result<Entry, String>, Halt> {
        let record = match self.agents.builds.get(lease.build) {
            Ok(record) => record,
            Err(error) => return Ok(Err(error.to_string())),
        };
        match self
            .agents
            .reports
            .prepare(record.origin(), path.clone(), file.clone())
            .await
        {
            Ok(prepared) => Ok(Ok(Entry::Report(Arc::new(prepared)))),
            Err(crate::reports::ReportsError::Storage(error)) => Err(error.into()),
            Err(error) => Ok(Ok(Entry::Unreadable {
                step,
                path,
                file,
                reason: error.to_string(),
            })),
        }
    }
}

fn file_halt(error: FileError) -> Halt {
    match error {
        FileError::Storage(error) => error.into(),
        FileError::TooLarge { .. } => Halt::Protocol(error.to_string()),
    }
}

fn empty_file() -> StoredFile {
    StoredFile {
        size: 0,
        blake3: *blake3::hash(b"").as_bytes(),
        parts: Vec::new(),
    }
}
