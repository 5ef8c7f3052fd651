//! An agent's journal becomes facts: each record once, in order.

use super::batch::{AppliedBatch, Entry, JournalBatch};
use super::checks::{self, Fault};
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
use testhide_protocol::wire::{AttemptEnd, RecordBody};
use testhide_protocol::{AgentId, ArtifactId, Timestamp};

impl Builds {
    /// Applies a batch in one transaction. Records that are stored already are
    /// left out, so a batch may come any number of times.
    ///
    /// # Errors
    /// [`BuildsError::LeaseGone`] when `agent` does not hold the lease, [`BuildsError::Journal`] when a record does not follow the
    /// one before; nothing of the batch is stored then.
    pub async fn apply(
        &self,
        agent: AgentId,
        batch: JournalBatch,
    ) -> Result<AppliedBatch, BuildsError> {
        let batch = Arc::new(batch);
        if !batch.needs_outlook() {
            let applied = self.apply_with(agent, batch, None).await?;
            return applied.ok_or(BuildsError::Raced);
        }
        let build = batch.lease.build;
        let turn = self.tallies.turn(build);
        let mut kept = turn.lock().await;
        let applied = loop {
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
        if applied.ended {
            self.tallies.forget(build);
            self.wake();
        }
        Ok(applied)
    }

    /// Applies a batch; `None` when the build is not as `outlook` has seen it: nothing is stored then.
    async fn apply_with(
        &self,
        agent: AgentId,
        batch: Arc<JournalBatch>,
        outlook: Option<Arc<Outlook>>,
    ) -> Result<Option<AppliedBatch>, BuildsError> {
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
) -> Result<Option<AppliedBatch>, BuildsError> {
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
            Ok(Some(AppliedBatch {
                seq: attempt.journal_seq,
                doubts: Vec::new(),
                ended: false,
            }))
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
        doubts: Vec::new(),
        end: None,
    };
    let mut chunks = Vec::new();
    for (seq, entry) in &batch.entries {
        if *seq <= applying.attempt.journal_seq {
            continue;
        }
        if *seq != applying.attempt.journal_seq + 1 || applying.end.is_some() {
            let reason = format!("it should be {}", applying.attempt.journal_seq + 1);
            return Err(BuildsError::Journal {
                seq: *seq,
                fault: Fault::Order,
                reason,
            });
        }
        if let Entry::Chunk(chunk) = entry {
            applying.chunk(*seq, chunk.step())?;
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
    doubts: Vec<String>,
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
            Entry::Refused { step, reason } => self.refuse_file(seq, *step, reason),
            Entry::Report { step, .. }
            | Entry::Unreadable { step, .. }
            | Entry::Artifact { step, .. }
                if self.attempt.files >= checks::MAX_FILES =>
            {
                let reason = format!("the attempt has more than {} files", checks::MAX_FILES);
                self.refuse_file(seq, *step, &reason)
            }
            Entry::Report { report, step, .. } => {
                self.file(seq, *step)?;
                self.report(seq, report)
            }
            Entry::Unreadable {
                step,
                path,
                file,
                reason,
            } => {
                self.file(seq, *step)?;
                self.record.unreadable_reports += 1;
                self.step(seq, *step, |kept| {
                    let text = format!("report `{path}` cannot be read: {reason}");
                    kept.message = Some(checks::words(&text));
                })?;
                self.keep(path.clone(), file.clone())
            }
            Entry::Artifact { step, path, file } => {
                self.file(seq, *step)?;
                self.keep(path.clone(), file.clone())
            }
        }
    }

    /// A stretch of the log came, said to be of `step`.
    fn chunk(&self, seq: u64, step: u32) -> Result<(), BuildsError> {
        if checks::is_step_of_log(step, &self.attempt.steps) {
            return Ok(());
        }
        Err(BuildsError::Journal {
            seq,
            fault: Fault::Value,
            reason: format!("there is no step {step}"),
        })
    }

    /// A file of `step` comes to be kept.
    fn file(&mut self, seq: u64, step: u32) -> Result<(), BuildsError> {
        self.attempt.files += 1;
        self.step(seq, step, |_| {})
    }

    /// A file is not kept: its step fails, and the build does not pass.
    fn refuse_file(&mut self, seq: u64, step: u32, reason: &str) -> Result<(), BuildsError> {
        self.record.unreadable_reports += 1;
        self.step(seq, step, |kept| {
            kept.state = StepState::Failed;
            kept.message.get_or_insert_with(|| checks::words(reason));
        })
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
        checks::check(body, &self.attempt.steps)
            .map_err(|(fault, reason)| BuildsError::Journal { seq, fault, reason })?;
        match body {
            RecordBody::SourceResolved { commit } => {
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
                let (duration_ms, doubt) =
                    checks::believed_duration(*duration_ms, self.attempt.started_at, self.now);
                self.doubts.extend(doubt);
                self.step(seq, *step, |kept| {
                    // A refused file has failed the step already, whatever its agent thinks of it.
                    if kept.state == StepState::Failed && *status == StepState::Passed {
                        shown = StepState::Failed;
                    }
                    kept.state = shown;
                    kept.exit_code = *exit_code;
                    kept.duration_ms = Some(duration_ms);
                    if let Some(message) = message {
                        kept.message.get_or_insert_with(|| checks::words(message));
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
                fault: Fault::Order,
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
                    let fault = Fault::Log;
                    return Err(BuildsError::Journal { seq, fault, reason });
                }
                self.end = Some((*end, message.as_deref().map(checks::words)));
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
                fault: Fault::Value,
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

    /// Stores what the records changed.
    fn finish(mut self) -> Result<AppliedBatch, BuildsError> {
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
        let applied = AppliedBatch {
            seq: self.attempt.journal_seq,
            doubts: std::mem::take(&mut self.doubts),
            ended: self.end.is_some(),
        };
        self.attempt.ended_in_order = applied.ended;
        ATTEMPTS
            .write(self.wtxn)?
            .put(&(self.record.id, self.record.attempt), &self.attempt)?;
        if let Some(outlook) = self.outlook {
            self.record.counts = outlook.counts;
        }
        let Some((end, message)) = self.end else {
            save(self.wtxn, &self.record)?;
            return Ok(applied);
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
        Ok(applied)
    }
}
