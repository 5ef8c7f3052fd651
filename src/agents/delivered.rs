//! Files of an attempt: their parts to a volume as they come, the record behind them to what is applied.

use super::journal::{Batch, Halt, Journals, Pending};
use super::patience::patiently;
use super::receiving::Receiving;
use super::refusal::{Breach, RefusalKind};
use super::store::Agents;
use crate::builds::Entry;
use crate::reports::MAX_REPORT_BYTES;
use crate::storage::{FileError, StoredFile};
use std::sync::Arc;
use testhide_protocol::Timestamp;
use testhide_protocol::wire::{FileKind, Lease, RecordBody, clean_file_path};

impl Journals {
    /// Takes a part of a file; a file that begins anew replaces what came of it.
    ///
    /// # Errors
    /// A part that does not follow the one before, too many open files, failures of the store.
    pub(super) async fn file_part(
        &mut self,
        lease: Lease,
        file: u32,
        offset: u64,
        data: &[u8],
    ) -> Result<(), Halt> {
        let key = (lease, file);
        if offset == 0 {
            if self.files.len() >= self.max_open && !self.files.contains_key(&key) {
                let reason = format!("more than {} files are open", self.max_open);
                return Err(Breach::new(RefusalKind::FileGap, reason).into());
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
            let reason = format!("file {file} does not begin at its start");
            return Err(Breach::new(RefusalKind::FileGap, reason).into());
        };
        if receiving.size() != offset {
            let reason = format!("file {file} has a gap at byte {offset}");
            return Err(Breach::new(RefusalKind::FileGap, reason).into());
        }
        Ok(receiving.write(data).await?)
    }

    /// Turns a record into what is to be applied.
    ///
    /// # Errors
    /// Failures of the store.
    pub(super) async fn record(
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
            let breach = Breach::new(RefusalKind::BadPath, reason.clone());
            self.agents.refused(&self.peer, &breach).await;
            return Ok(Pending::Entry(Entry::Refused { step, reason }));
        };
        let arrived = receiving.as_ref().map_or(0, Receiving::size);
        if receiving.is_some() && arrived != size {
            let reason = format!("file `{path}` has {arrived} bytes, its record says {size}");
            return Ok(Pending::Broken(Breach::new(RefusalKind::FileGap, reason)));
        }
        let limit = match kind {
            FileKind::Report => MAX_REPORT_BYTES.min(self.agents.max_file_bytes),
            FileKind::Artifact => self.agents.max_file_bytes,
        };
        if arrived > limit {
            return Ok(self.too_large(step, &path, limit).await);
        }
        let stored = match receiving {
            Some(receiving) => match receiving.finish().await {
                Ok(stored) => stored,
                Err(FileError::TooLarge { limit }) => {
                    return Ok(self.too_large(step, &path, limit).await);
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
            FileKind::Artifact => Ok(Pending::Entry(Entry::Artifact {
                step,
                path,
                file: stored,
            })),
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
            Err(error) => {
                let breach = Breach::new(RefusalKind::BadValue, error.to_string());
                return Ok(Pending::Broken(breach));
            }
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
        let prepared = patiently(|| {
            let (origin, printed) = (origin.clone(), printed.clone());
            let reports = &self.agents.reports;
            reports.prepare_with(origin, path.clone(), file.clone(), printed)
        })
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

    async fn too_large(&self, step: u32, path: &str, limit: u64) -> Pending {
        let reason = format!("file `{path}` is larger than {} MB", limit / (1024 * 1024));
        let breach = Breach::new(RefusalKind::TooLarge, reason.clone());
        self.agents.refused(&self.peer, &breach).await;
        Pending::Entry(Entry::Refused { step, reason })
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

fn empty_file() -> StoredFile {
    StoredFile {
        size: 0,
        blake3: *blake3::hash(b"").as_bytes(),
        parts: Vec::new(),
    }
}
