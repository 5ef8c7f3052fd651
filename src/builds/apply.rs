//! An agent's journal becomes facts: each record once, in order.

use super::error::BuildsError;
use super::findings;
use super::finish::end_attempt;
use super::lifecycle::{Against, Fact};
use super::model::{AttemptRecord, BuildRecord};
use super::outlook::Outlook;
use super::store::{ATTEMPTS, Builds, LEASES, REPORT_FACTS, load, save};
use crate::artifacts::{self, ArtifactRecord};
use crate::events;
use crate::kit::off_thread;
use crate::logs::{self, Appended, PlacedChunk};
use crate::reports::{self, PreparedReport};
use crate::storage::{StoredFile, WriteTxn};
use std::sync::Arc;
use testhide_protocol::api::{Event, StepState};
use testhide_protocol::wire::{AttemptEnd, Lease, RecordBody};
use testhide_protocol::{AgentId, ArtifactId, Timestamp};

/// Longest text that is kept of what an agent says in words.
const MAX_WORDS: usize = 2000;

/// One journal record, with its bulk bytes already on disk.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A stretch of the log.
    Chunk(PlacedChunk),
    /// A step or the end.
    Body(RecordBody),
    /// A report that was read.
    Report {
        /// It.
        report: Arc<PreparedReport>,
        /// Step that delivered it.
        step: u32,
        /// When its file was written, by the agent's clock.
        modified_at: Option<Timestamp>,
        /// Whether the agent put it together from what a killed reporter left.
        partial: bool,
    },
    /// A report file that could not be read; the file is kept.
    Unreadable {
        /// Step that delivered it.
        step: u32,
        /// Its path.
        path: String,
        /// Its bytes.
        file: StoredFile,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that is not kept. Its step fails, and the build does not pass.
    Refused {
        /// Step that delivered it.
        step: u32,
        /// Why, as a sentence that names the file.
        reason: String,
    },
    /// A file to keep.
    Artifact {
        /// Its path, clean.
        path: String,
        /// Its bytes.
        file: StoredFile,
    },
}

/// Consecutive records of one attempt.
#[derive(Debug, Clone)]
pub struct JournalBatch {
    /// Under which right.
    pub lease: Lease,
    /// Records with their place in the journal.
    pub entries: Vec<(u64, Entry)>,
}

impl Builds {
    /// Applies a batch in one transaction; answers the last record that is stored now. Records that are stored already are
    /// left out, so a batch may come any number of times.
    ///
    /// # Errors
    /// [`BuildsError::LeaseGone`] when `agent` does not hold the lease, [`BuildsError::Journal`] when a record does not follow the
    /// one before; nothing of the batch is stored then.
    pub async fn apply(&self, agent: AgentId, batch: JournalBatch) -> Result<u64, BuildsError> {
        let batch = Arc::new(batch);
        if !batch.needs_outlook() {
            let applied = self.apply_with(agent, batch, None).await?;
            return applied.map(|(seq, _)| seq).ok_or(BuildsError::Raced);
        }
        let build = batch.lease.build;
        let turn = self.tallies.turn(build);
        let mut kept = turn.lock().await;
        let (seq, ended) = loop {
            let (builds, before, looked_at) = (self.clone(), kept.take(), batch.clone());
            let looking = off_thread(move || builds.outlook(&looked_at, before));
            let (outlook, tally) = looking
                .await
                .map_err(|error| BuildsError::panicked(&error))??;
            let outlook = Some(Arc::new(outlook));
            let applied = self.apply_with(agent, batch.clone(), outlook).await?;
            if let Some(applied) = applied {
                *kept = Some(tally);
                break applied;
            }
        };
        if ended {
            self.tallies.forget(build);
            self.wake();
        }
        Ok(seq)
    }

    /// Applies a batch; `None` when the build is not as `outlook` has seen it: nothing is stored then.
    async fn apply_with(
        &self,
        agent: AgentId,
        batch: Arc<JournalBatch>,
        outlook: Option<Arc<Outlook>>,
    ) -> Result<Option<(u64, bool)>, BuildsError> {
        let now = self.clock.now();
        self.storage
            .write(move |wtxn| apply_batch(wtxn, agent, &batch, outlook.as_deref(), now))
            .await
    }
}

fn apply_batch(
    wtxn: &WriteTxn,
    agent: AgentId,
    batch: &JournalBatch,
    outlook: Option<&Outlook>,
    now: Timestamp,
) -> Result<Option<(u64, bool)>, BuildsError> {
    let lease = batch.lease;
    let attempt = ATTEMPTS.read(wtxn)?.get(&(lease.build, lease.attempt))?;
    let Some(attempt) =
        attempt.filter(|attempt| attempt.agent == agent && attempt.fence == lease.fence)
    else {
        return Err(BuildsError::LeaseGone("it was never this agent's"));
    };
    let last = batch.entries.last().map_or(0, |(seq, _)| *seq);
    let held = LEASES.read(wtxn)?.get(&(agent, lease.build))?;
    if held.is_none_or(|held| held.fence != lease.fence) {
        let known = attempt.ended_by_agent() && last <= attempt.journal_seq;
        return if known {
            Ok(Some((attempt.journal_seq, false)))
        } else {
            Err(BuildsError::LeaseGone("it ended"))
        };
    }
    let record = load(wtxn, lease.build)?;
    if outlook.is_some_and(|outlook| !outlook.holds(&record, Some(&attempt))) {
        return Ok(None);
    }
    let mut applying = Applying {
        wtxn,
        now,
        outlook,
        record,
        attempt,
        appended: None,
        end: None,
    };
    let mut chunks = Vec::new();
    for (seq, entry) in &batch.entries {
        if *seq <= applying.attempt.journal_seq {
            continue;
        }
        if *seq != applying.attempt.journal_seq + 1 || applying.end.is_some() {
            let reason = format!("it should be {}", applying.attempt.journal_seq + 1);
            return Err(BuildsError::Journal { seq: *seq, reason });
        }
        if let Entry::Chunk(chunk) = entry {
            chunks.push(chunk.clone());
        } else {
            applying.append_log(&std::mem::take(&mut chunks))?;
            applying.entry(*seq, entry)?;
        }
        applying.attempt.journal_seq = *seq;
    }
    applying.append_log(&chunks)?;
    applying.finish().map(Some)
}

/// The facts of one attempt while its records are applied to them.
struct Applying<'a> {
    wtxn: &'a WriteTxn,
    now: Timestamp,
    outlook: Option<&'a Outlook>,
    record: BuildRecord,
    attempt: AttemptRecord,
    appended: Option<Appended>,
    end: Option<(AttemptEnd, Option<String>)>,
}

impl Applying<'_> {
    fn append_log(&mut self, chunks: &[PlacedChunk]) -> Result<(), BuildsError> {
        if chunks.is_empty() {
            return Ok(());
        }
        let added = logs::append(self.wtxn, self.record.id, self.record.attempt, chunks)?;
        self.appended = match (self.appended, added) {
            (Some(before), Some(added)) => Some(Appended {
                from: before.from,
                ..added
            }),
            (before, added) => added.or(before),
        };
        Ok(())
    }

    fn entry(&mut self, seq: u64, entry: &Entry) -> Result<(), BuildsError> {
        match entry {
            Entry::Chunk(_) => Ok(()),
            Entry::Body(body) => self.body(seq, body),
            Entry::Report { report, .. } => self.report(seq, report),
            Entry::Unreadable {
                step,
                path,
                file,
                reason,
            } => {
                self.record.unreadable_reports += 1;
                if let Some(step) = self.attempt.steps.get_mut(*step as usize) {
                    step.message = Some(cut(format!("report `{path}` cannot be read: {reason}")));
                }
                self.keep(path.clone(), file.clone())
            }
            Entry::Refused { step, reason } => {
                self.record.unreadable_reports += 1;
                self.step(seq, *step, |kept| {
                    kept.state = StepState::Failed;
                    kept.message.get_or_insert_with(|| cut(reason.clone()));
                })
            }
            Entry::Artifact { path, file } => self.keep(path.clone(), file.clone()),
        }
    }

    /// Stores a report. One that is older than the attempt is kept as a file: it tells of another run.
    fn report(&mut self, seq: u64, report: &PreparedReport) -> Result<(), BuildsError> {
        let facts = self
            .outlook
            .and_then(|outlook| outlook.arrivals.get(&seq))
            .ok_or(BuildsError::Raced)?;
        let place = (self.record.id, self.record.attempt, self.record.reports);
        REPORT_FACTS.write(self.wtxn)?.put(&place, facts)?;
        self.record.reports += 1;
        if facts.stale {
            return self.keep(report.name().to_owned(), report.file().clone());
        }
        reports::store(self.wtxn, report, self.now)?;
        self.record.reports_pending += 1;
        Ok(())
    }

    fn keep(&mut self, path: String, file: StoredFile) -> Result<(), BuildsError> {
        let artifact = ArtifactRecord {
            id: ArtifactId::generate(),
            project: self.record.project,
            build: self.record.id,
            attempt: self.record.attempt,
            path: path.clone(),
            file,
            created_at: self.now,
        };
        artifacts::keep(self.wtxn, &artifact)?;
        self.event(&Event::ArtifactStored {
            build: self.record.id,
            path,
        })
    }

    fn body(&mut self, seq: u64, body: &RecordBody) -> Result<(), BuildsError> {
        match body {
            RecordBody::SourceResolved { commit } => {
                let plain =
                    commit.len() <= 64 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
                if !plain {
                    return Err(BuildsError::Journal {
                        seq,
                        reason: "the commit is not a hash".to_owned(),
                    });
                }
                self.record.commit = Some(commit.clone());
                Ok(())
            }
            RecordBody::StepStarted { step, time } => {
                self.step(seq, *step, |kept| {
                    kept.state = StepState::Running;
                    kept.started_at = Some(*time);
                })?;
                self.step_event(*step, StepState::Running)
            }
            RecordBody::StepFinished {
                step,
                status,
                exit_code,
                message,
                duration_ms,
            } => {
                let mut shown = *status;
                self.step(seq, *step, |kept| {
                    // A refused file has failed the step already, whatever its agent thinks of it.
                    if kept.state == StepState::Failed && *status == StepState::Passed {
                        shown = StepState::Failed;
                    }
                    kept.state = shown;
                    kept.exit_code = *exit_code;
                    kept.duration_ms = Some(*duration_ms);
                    if let Some(message) = message {
                        kept.message.get_or_insert_with(|| cut(message.clone()));
                    }
                })?;
                self.step_event(*step, shown)
            }
            RecordBody::FailuresPrinted { step, failures, .. } => {
                findings::keep_printed(self.wtxn, &self.record, &mut self.attempt, *step, failures)
            }
            RecordBody::Unknown => Ok(()),
            RecordBody::File { .. } => Err(BuildsError::Journal {
                seq,
                reason: "the file's bytes did not arrive".to_owned(),
            }),
            RecordBody::Ended {
                end,
                message,
                log_bytes,
            } => {
                let stored = logs::head(self.wtxn, self.record.id, self.record.attempt)?.bytes;
                if stored != *log_bytes {
                    let reason = format!("the log has {stored} bytes, its end says {log_bytes}");
                    return Err(BuildsError::Journal { seq, reason });
                }
                self.end = Some((*end, message.clone().map(cut)));
                Ok(())
            }
        }
    }

    fn step(
        &mut self,
        seq: u64,
        step: u32,
        change: impl FnOnce(&mut super::model::StepRecord),
    ) -> Result<(), BuildsError> {
        match self.attempt.steps.get_mut(step as usize) {
            Some(kept) => {
                change(kept);
                Ok(())
            }
            None => Err(BuildsError::Journal {
                seq,
                reason: format!("there is no step {step}"),
            }),
        }
    }

    fn step_event(&self, step: u32, status: StepState) -> Result<(), BuildsError> {
        self.event(&Event::StepChanged {
            build: self.record.id,
            attempt: self.record.attempt,
            step,
            status,
        })
    }

    fn event(&self, event: &Event) -> Result<(), BuildsError> {
        events::append(self.wtxn, self.now, Some(self.record.project), event)?;
        Ok(())
    }

    /// Stores what the records changed; answers how far the journal is and whether the attempt ended.
    fn finish(mut self) -> Result<(u64, bool), BuildsError> {
        if let Some(Appended { from, to, lines }) = self.appended {
            let (build, attempt) = (self.record.id, self.record.attempt);
            self.event(&Event::LogAppended {
                build,
                attempt,
                from,
                to,
                lines,
            })?;
        }
        let seq = self.attempt.journal_seq;
        self.attempt.ended_in_order = self.end.is_some();
        ATTEMPTS
            .write(self.wtxn)?
            .put(&(self.record.id, self.record.attempt), &self.attempt)?;
        if let Some(outlook) = self.outlook {
            self.record.counts = outlook.counts;
        }
        let Some((end, message)) = self.end else {
            save(self.wtxn, &self.record)?;
            return Ok((seq, false));
        };
        // Of an attempt that was broken off, nothing has to fit.
        if !matches!(end, AttemptEnd::Cancelled | AttemptEnd::Interrupted) {
            let baseline = self.outlook.and_then(|outlook| outlook.baseline.as_ref());
            findings::tell(self.wtxn, &mut self.record, &self.attempt, baseline)?;
        }
        let against = Against {
            failing_tests: self.record.against(),
            inconsistent: self.record.is_inconsistent(),
        };
        let reason = message.or_else(|| {
            self.record
                .reason_for(end, against.failing_tests, &self.attempt)
        });
        let fact = Fact::Ended { end, against };
        end_attempt(self.wtxn, &mut self.record, fact, reason, self.now)?;
        Ok((seq, true))
    }
}

fn cut(text: String) -> String {
    if text.len() <= MAX_WORDS {
        text
    } else {
        text.chars().take(MAX_WORDS / 4).collect()
    }
}
