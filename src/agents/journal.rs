//! From an agent's frames to applied journals: bulk bytes to the volumes first, then one transaction a lease.
//!
//! Nothing is written for a lease that the store does not have for this agent. A file that cannot be kept fails its step and nothing else;
//! while the disk has no room for files, the leases that deliver some wait, and the others go on. While the disk has no room at all, all wait.

use super::connect::Peer;
use super::incoming::Incoming;
use super::patience::patiently;
use super::receiving::Receiving;
use super::refusal::{Breach, RefusalKind};
use super::store::Agents;
use crate::builds::{BuildsError, Entry, Fault, JournalBatch};
use crate::logs::LogsError;
use crate::storage::StorageError;
use futures_util::future::join_all;
use std::collections::{BTreeMap, HashMap, HashSet};
use testhide_protocol::wire::{Chunk, Lease};

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
    #[error("{}", .0.reason)]
    Breach(Breach),
    /// A defect of the server's own.
    #[error("{0}")]
    Failed(String),
    /// The store refuses; later it may not.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<BuildsError> for Halt {
    fn from(error: BuildsError) -> Self {
        match error {
            BuildsError::Storage(error) => Self::Storage(error),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<Breach> for Halt {
    fn from(breach: Breach) -> Self {
        Self::Breach(breach)
    }
}

/// What the agent did wrong when its journal is refused with `error`.
fn breach_of(error: &BuildsError) -> Breach {
    let kind = match error {
        BuildsError::Journal { fault, .. } => match fault {
            Fault::Order => RefusalKind::BadOrder,
            Fault::State => RefusalKind::ImpossibleState,
            Fault::Value => RefusalKind::BadValue,
            Fault::Log => RefusalKind::BadLog,
        },
        BuildsError::Logs(_) => RefusalKind::BadLog,
        _ => RefusalKind::BadValue,
    };
    Breach::new(kind, error.to_string())
}

/// Applies the journals of one session.
pub(super) struct Journals {
    pub(super) agents: Agents,
    pub(super) peer: Peer,
    pub(super) max_open: usize,
    pub(super) files: HashMap<(Lease, u32), Receiving>,
    /// Leases that the store had for this agent when it was last asked.
    held: HashSet<Lease>,
    /// Leases whose next file the disk has no room for: nothing more of them is taken in this session.
    stuck: HashSet<Lease>,
}

/// A record whose bytes may still be in memory.
pub(super) enum Pending {
    Chunk(Chunk),
    Entry(Entry),
    /// It cannot be; the attempt is given up after the records before it are stored.
    Broken(Breach),
}

/// Records of one lease, in order.
pub(super) type Batch = Vec<(u64, Pending)>;

impl Journals {
    pub(super) fn new(agents: Agents, peer: Peer, capacity: u32) -> Self {
        Self {
            agents,
            peer,
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
                let held = self.agents.builds.leases_of(self.peer.agent)?;
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
            applied.push(self.answer_foreign(lease, last).await?);
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
    async fn answer_foreign(&self, lease: Lease, last: u64) -> Result<Applied, Halt> {
        let (builds, agent) = (&self.agents.builds, self.peer.agent);
        match builds.ended_at(agent, lease)? {
            Some(seq) if last <= seq => return Ok(Applied::Stored { lease, seq }),
            _ => {}
        }
        // What comes late under a lease that was given up is no offence.
        if !builds.was_given(agent, lease)? {
            let reason = format!("a lease of build {} that it was never given", lease.build);
            let breach = Breach::new(RefusalKind::ForeignLease, reason);
            self.agents.refused(&self.peer, &breach).await;
        }
        let reason = "its lease is not held".to_owned();
        Ok(Applied::Abandon { lease, reason })
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
            Some((_, Pending::Broken(breach))) => Some(breach),
            _ => None,
        };
        let stored = if batch.is_empty() {
            None
        } else {
            Some(self.store(lease, batch).await?)
        };
        match (stored, broken) {
            (None | Some(Applied::Stored { .. }), Some(breach)) => {
                self.give_up(lease, breach).await
            }
            (Some(applied), _) => Ok(applied),
            (None, None) => Err(Halt::Failed("there is nothing to apply".to_owned())),
        }
    }

    async fn store(&self, lease: Lease, mut batch: Batch) -> Result<Applied, Halt> {
        // What is stored already costs the disk nothing, however often it comes.
        if let Some(stored) = self.agents.builds.journal_of(self.peer.agent, lease)? {
            batch.retain(|(seq, _)| *seq > stored);
            if batch.is_empty() {
                return Ok(Applied::Stored { lease, seq: stored });
            }
        }
        let mut chunks = Vec::new();
        for (_, pending) in &batch {
            if let Pending::Chunk(chunk) = pending {
                chunks.push(chunk.clone());
            }
        }
        let bytes = chunks.iter().map(|chunk| chunk.raw_len as usize).sum();
        // Readers see how busy the server is with this, and step back.
        let _delivery = self.agents.logs.viewers().delivery(bytes);
        let placed = if chunks.is_empty() {
            Vec::new()
        } else {
            match patiently(|| self.agents.logs.place(chunks.clone())).await {
                Ok(placed) => placed,
                Err(LogsError::Storage(error)) => return Err(error.into()),
                Err(error) => {
                    let breach = Breach::new(RefusalKind::BadLog, error.to_string());
                    return self.give_up(lease, breach).await;
                }
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
                        return Err(Halt::Failed(
                            "a chunk was lost on the way to its volume".to_owned(),
                        ));
                    }
                },
            };
            entries.push((seq, entry));
        }
        let batch = JournalBatch { lease, entries };
        let applying = || self.agents.builds.apply(self.peer.agent, batch.clone());
        match patiently(applying).await {
            Ok(applied) => {
                for doubt in applied.doubts {
                    let breach = Breach::new(RefusalKind::ImpossibleTime, doubt);
                    self.agents.refused(&self.peer, &breach).await;
                }
                let seq = applied.seq;
                Ok(Applied::Stored { lease, seq })
            }
            Err(BuildsError::Storage(error)) => Err(error.into()),
            Err(BuildsError::LeaseGone(reason)) => Ok(Applied::Abandon {
                lease,
                reason: reason.to_owned(),
            }),
            Err(error) => self.give_up(lease, breach_of(&error)).await,
        }
    }

    /// The agent broke an attempt's journal: the attempt is lost, not the agent.
    async fn give_up(&self, lease: Lease, breach: Breach) -> Result<Applied, Halt> {
        let agent = self.peer.agent;
        let reason = breach.reason.clone();
        self.agents.refused(&self.peer, &breach).await;
        tracing::warn!(agent.id = %agent, build.id = %lease.build, "journal of build {} is refused: {reason}", lease.build);
        let held = self.agents.builds.leases_of(self.peer.agent)?;
        if let Some(held) = held.into_iter().find(|held| held.lease == lease) {
            let words = format!("its agent sent what cannot be: {reason}");
            patiently(|| self.agents.builds.lose(held, words.clone())).await?;
        }
        Ok(Applied::Abandon { lease, reason })
    }
}
