//! From an agent's frames to applied journals: bulk bytes to the volumes first, then one transaction a lease.
//!
//! Nothing is written for a lease that the store does not have for this agent. A file that cannot be kept fails its step and nothing else;
//! while the disk has no room for files, the leases that deliver some wait, and the others go on.

use super::incoming::Incoming;
use super::receiving::Receiving;
use super::store::Agents;
use crate::builds::{BuildsError, Entry, JournalBatch};
use crate::reports::MAX_REPORT_BYTES;
use crate::storage::{FileError, StorageError, StoredFile};
use futures_util::future::join_all;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use testhide_protocol::wire::{Chunk, FileKind, Lease, RecordBody, clean_file_path};
use testhide_protocol::{AgentId, Timestamp};

/// Files that any agent may have open at once; one that runs more builds may have one for each.
const MIN_OPEN_FILES: usize = 32;

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

impl From<BuildsError> for Halt {
    fn from(error: BuildsError) -> Self {
        match error {
            BuildsError::Storage(error) => Self::Storage(error),
            error => Self::Protocol(error.to_string()),
        }
    }
}

/// Applies the journals of one session.
pub(super) struct Journals {
    agents: Agents,
    agent: AgentId,
    max_open: usize,
    files: HashMap<(Lease, u32), Receiving>,
    /// Leases that the store had for this agent when it was last asked.
    held: HashSet<Lease>,
    /// Leases whose next file the disk has no room for: nothing more of them is taken in this session.
    stuck: HashSet<Lease>,
}

/// A record whose bytes may still be in memory.
enum Pending {
    Chunk(Chunk),
    Entry(Entry),
    /// It cannot be; the attempt is given up after the records before it are stored.
    Broken(String),
}

/// Records of one lease, in order.
type Batch = Vec<(u64, Pending)>;

impl Journals {
    pub(super) fn new(agents: Agents, agent: AgentId, capacity: u32) -> Self {
        Self {
            agents,
            agent,
            max_open: MIN_OPEN_FILES.max(capacity as usize),
            files: HashMap::new(),
            held: HashSet::new(),
            stuck: HashSet::new(),
        }
    }

    /// Takes over what the store has for this agent, and forgets what came under other leases.
    pub(super) fn hold(&mut self, held: HashSet<Lease>) {
        self.files.retain(|(lease, _), _| held.contains(lease));
        self.held = held;
    }

    /// Whether a lease waits for room on the disk. It goes on only in a new session, in which its agent sends again what was not taken.
    pub(super) fn is_stuck(&self) -> bool {
        !self.stuck.is_empty()
    }

    /// Applies what arrived, in order for each lease.
    pub(super) async fn take(&mut self, frames: Vec<Incoming>) -> Result<Vec<Applied>, Halt> {
        let mut batches: Vec<(Lease, Batch)> = Vec::new();
        let mut foreign: BTreeMap<Lease, u64> = BTreeMap::new();
        let mut asked = false;
        for frame in frames {
            let (lease, seq) = match &frame {
                Incoming::Heartbeat(_) | Incoming::Declined { .. } => continue,
                Incoming::FilePart { lease, .. } => (*lease, 0),
                Incoming::Chunk { lease, seq, .. } | Incoming::Record { lease, seq, .. } => {
                    (*lease, *seq)
                }
            };
            if self.stuck.contains(&lease) {
                continue;
            }
            if !self.held.contains(&lease) && !asked {
                asked = true;
                let held = self.agents.builds.leases_of(self.agent)?;
                self.hold(held.into_iter().map(|held| held.lease).collect());
            }
            if !self.held.contains(&lease) {
                let last = foreign.entry(lease).or_default();
                *last = seq.max(*last);
                continue;
            }
            let batch = match batches.iter().position(|(own, _)| *own == lease) {
                Some(place) => place,
                None => {
                    batches.push((lease, Batch::new()));
                    batches.len() - 1
                }
            };
            let batch = &mut batches[batch].1;
            if matches!(batch.last(), Some((_, Pending::Broken(_)))) {
                continue;
            }
            match self.read(lease, frame, batch).await {
                Ok(Some(pending)) => batch.push((seq, pending)),
                Ok(None) => {}
                Err(Halt::Storage(error @ StorageError::NoRoom { .. })) => {
                    tracing::warn!(build.id = %lease.build, "files of build {} wait: {error}", lease.build);
                    self.stuck.insert(lease);
                    self.forget_files(lease);
                }
                Err(halt) => return Err(halt),
            }
        }
        let mut applied = Vec::new();
        for (lease, last) in foreign {
            applied.push(self.answer_foreign(lease, last)?);
        }
        let applying = batches
            .into_iter()
            .filter(|(_, batch)| !batch.is_empty())
            .map(|(lease, batch)| self.apply(lease, batch));
        for outcome in join_all(applying).await {
            applied.push(outcome?);
        }
        for outcome in &applied {
            if let Applied::Abandon { lease, .. } = outcome {
                self.forget_files(*lease);
            }
        }
        Ok(applied)
    }

    fn forget_files(&mut self, lease: Lease) {
        self.files.retain(|(own, _), _| *own != lease);
    }

    /// Frames under a lease that the store does not have for this agent: only an end that it said itself is still acknowledged.
    fn answer_foreign(&self, lease: Lease, last: u64) -> Result<Applied, Halt> {
        match self.agents.builds.ended_at(self.agent, lease)? {
            Some(seq) if last <= seq => Ok(Applied::Stored { lease, seq }),
            _ => {
                let reason = "its lease is not held".to_owned();
                Ok(Applied::Abandon { lease, reason })
            }
        }
    }

    /// Turns a frame into what is to be applied; a part of a file is nothing yet.
    async fn read(
        &mut self,
        lease: Lease,
        frame: Incoming,
        before: &Batch,
    ) -> Result<Option<Pending>, Halt> {
        match frame {
            Incoming::Heartbeat(_) | Incoming::Declined { .. } => Ok(None),
            Incoming::FilePart {
                file, offset, data, ..
            } => {
                self.file_part(lease, file, offset, &data).await?;
                Ok(None)
            }
            Incoming::Chunk { chunk, .. } => Ok(Some(Pending::Chunk(chunk))),
            Incoming::Record { body, .. } => self.record(lease, body, before).await.map(Some),
        }
    }

    async fn apply(&self, lease: Lease, mut batch: Batch) -> Result<Applied, Halt> {
        let broken = match batch.pop_if(|(_, pending)| matches!(pending, Pending::Broken(_))) {
            Some((_, Pending::Broken(reason))) => Some(reason),
            _ => None,
        };
        let stored = if batch.is_empty() {
            None
        } else {
            Some(self.store(lease, batch).await?)
        };
        match (stored, broken) {
            (None | Some(Applied::Stored { .. }), Some(reason)) => {
                self.give_up(lease, reason).await
            }
            (Some(applied), _) => Ok(applied),
            (None, None) => Err(Halt::Protocol("there is nothing to apply".to_owned())),
        }
    }

    async fn store(&self, lease: Lease, batch: Batch) -> Result<Applied, Halt> {
        let mut chunks = Vec::new();
        for (_, pending) in &batch {
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
        let mut entries = Vec::with_capacity(batch.len());
        for (seq, pending) in batch {
            let entry = match pending {
                Pending::Entry(entry) => entry,
                Pending::Broken(_) => continue,
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
        let held = self.agents.builds.leases_of(self.agent)?;
        if let Some(held) = held.into_iter().find(|held| held.lease == lease) {
            let words = format!("its agent sent what cannot be: {reason}");
            self.agents.builds.lose(held, words).await?;
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
            if self.files.len() >= self.max_open && !self.files.contains_key(&key) {
                return Err(Halt::Protocol(format!(
                    "more than {} files are open",
                    self.max_open
                )));
            }
            let Agents {
                volumes,
                max_file_bytes,
                ..
            } = &self.agents;
            self.files
                .insert(key, Receiving::new(volumes.clone(), *max_file_bytes));
        }
        let Some(receiving) = self.files.get_mut(&key) else {
            return Err(Halt::Protocol(format!(
                "file {file} does not begin at its start"
            )));
        };
        if receiving.size() != offset {
            return Err(Halt::Protocol(format!(
                "file {file} has a gap at byte {offset}"
            )));
        }
        Ok(receiving.write(data).await?)
    }

    /// Turns a record into what is to be applied.
    async fn record(
        &mut self,
        lease: Lease,
        body: RecordBody,
        before: &Batch,
    ) -> Result<Pending, Halt> {
        let RecordBody::File {
            file,
            kind,
            step,
            path,
            size,
            modified_at,
            partial,
        } = body
        else {
            return Ok(Pending::Entry(Entry::Body(body)));
        };
        let receiving = self.files.remove(&(lease, file));
        let Some(path) = clean_file_path(&path) else {
            let shown: String = path.chars().take(100).collect();
            let reason = format!(
                "file `{}` cannot be kept under its name",
                shown.escape_debug()
            );
            return Ok(Pending::Entry(Entry::Refused { step, reason }));
        };
        let arrived = receiving.as_ref().map_or(0, Receiving::size);
        if receiving.is_some() && arrived != size {
            let reason = format!("file `{path}` has {arrived} bytes, its record says {size}");
            return Ok(Pending::Broken(reason));
        }
        let limit = match kind {
            FileKind::Report => MAX_REPORT_BYTES.min(self.agents.max_file_bytes),
            FileKind::Artifact => self.agents.max_file_bytes,
        };
        if arrived > limit {
            return Ok(Pending::Entry(too_large(step, &path, limit)));
        }
        let stored = match receiving {
            Some(receiving) => match receiving.finish().await {
                Ok(stored) => stored,
                Err(FileError::TooLarge { limit }) => {
                    return Ok(Pending::Entry(too_large(step, &path, limit)));
                }
                Err(FileError::Storage(error)) => return Err(error.into()),
            },
            None if size == 0 => empty_file(),
            // The record may be one that is stored already; if it is not, the lease's journal says so.
            None => {
                return Ok(Pending::Entry(Entry::Body(RecordBody::File {
                    file,
                    kind,
                    step,
                    path,
                    size,
                    modified_at,
                    partial,
                })));
            }
        };
        match kind {
            FileKind::Artifact => Ok(Pending::Entry(Entry::Artifact { path, file: stored })),
            FileKind::Report => {
                let file = Delivered {
                    step,
                    path,
                    file: stored,
                    modified_at,
                    partial,
                };
                self.report(lease, file, before).await
            }
        }
    }

    async fn report(
        &self,
        lease: Lease,
        delivered: Delivered,
        before: &Batch,
    ) -> Result<Pending, Halt> {
        let Delivered {
            step,
            path,
            file,
            modified_at,
            partial,
        } = delivered;
        let mut origin = match self.agents.builds.get(lease.build) {
            Ok(record) => record.origin(),
            Err(error) => return Ok(Pending::Broken(error.to_string())),
        };
        // The commit that was checked out may not be stored yet.
        let resolved = before.iter().rev().find_map(|(_, pending)| match pending {
            Pending::Entry(Entry::Body(RecordBody::SourceResolved { commit })) => Some(commit),
            _ => None,
        });
        if let Some(commit) = resolved {
            origin.commit = Some(commit.clone());
        }
        let bodies = before.iter().filter_map(|(_, pending)| match pending {
            Pending::Entry(Entry::Body(body)) => Some(body),
            _ => None,
        });
        let printed = match self.agents.builds.printed(lease, bodies) {
            Ok(printed) => printed,
            Err(error) => return Err(error.into()),
        };
        let prepared = self
            .agents
            .reports
            .prepare_with(origin, path.clone(), file.clone(), printed)
            .await;
        match prepared {
            Ok(prepared) => Ok(Pending::Entry(Entry::Report {
                report: Arc::new(prepared),
                step,
                modified_at,
                partial,
            })),
            Err(crate::reports::ReportsError::Storage(error)) => Err(error.into()),
            Err(error) => Ok(Pending::Entry(Entry::Unreadable {
                step,
                path,
                file,
                reason: error.to_string(),
            })),
        }
    }
}

/// A report file as it arrived.
struct Delivered {
    step: u32,
    path: String,
    file: StoredFile,
    modified_at: Option<Timestamp>,
    partial: bool,
}

fn too_large(step: u32, path: &str, limit: u64) -> Entry {
    let reason = format!("file `{path}` is larger than {} MB", limit / (1024 * 1024));
    Entry::Refused { step, reason }
}

fn empty_file() -> StoredFile {
    StoredFile {
        size: 0,
        blake3: *blake3::hash(b"").as_bytes(),
        parts: Vec::new(),
    }
}
