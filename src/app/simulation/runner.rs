//! A runner: plays a script into the real journal, and writes down what it has written.

use super::machine::Machine;
use super::net::pass;
use super::script::{Script, StepScript, What};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use testhide_agent::simulation::{ScriptedAttempt, StopOrder};
use testhide_protocol::api::{StepState, Stream};
use testhide_protocol::wire::{AttemptEnd, FileKind, Lease, RecordBody};
use tokio::time::Instant;

/// How often a runner looks whether it is to stop, and syncs.
const LOOK: Duration = Duration::from_secs(1);

/// Files up to this size are taken by the server.
const TAKEN: usize = 400_000;

/// What a runner has written.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempted {
    /// Its log.
    pub(super) bytes: Vec<u8>,
    /// Of the log, what was synced.
    pub(super) synced: usize,
    /// Lengths of its journal's files when they were synced.
    pub(super) files_synced: BTreeMap<PathBuf, u64>,
    /// Its files that the server takes, with their hashes.
    pub(super) files: BTreeMap<String, [u8; 32]>,
    /// Whether a file was one that the server does not take.
    pub(super) has_too_large: bool,
    pub(super) fate: Fate,
}

/// What became of a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Fate {
    #[default]
    Running,
    /// It wrote its end.
    Ended(AttemptEnd),
    /// It died, or was told to forget it; what it wrote is there.
    Died,
    /// It died with its machine; what was not synced may be gone.
    PowerLost { synced: usize },
}

/// A script while it is played.
pub(super) struct Playing<'a> {
    pub(super) machine: Machine,
    pub(super) attempt: &'a mut ScriptedAttempt,
    pub(super) lease: Lease,
    pub(super) path: PathBuf,
    pub(super) began: Instant,
    pub(super) step: u32,
    pub(super) files: u32,
}

impl Playing<'_> {
    pub(super) async fn steps(&mut self, script: &Script) -> Result<(), StopOrder> {
        for (number, step) in script.steps.iter().enumerate() {
            self.step = u32::try_from(number).expect("a few steps");
            let time = self.machine.now();
            self.record(&RecordBody::StepStarted {
                step: self.step,
                time,
            });
            self.acts(step).await?;
            self.sync();
            self.record(&RecordBody::StepFinished {
                step: self.step,
                status: if step.passes {
                    StepState::Passed
                } else {
                    StepState::Failed
                },
                exit_code: Some(i32::from(!step.passes)),
                message: None,
                duration_ms: 1,
            });
        }
        Ok(())
    }

    async fn acts(&mut self, step: &StepScript) -> Result<(), StopOrder> {
        for act in &step.acts {
            self.wait(act.after).await?;
            match &act.what {
                What::Output(parts) => self.output(parts),
                What::File { path, bytes } => self.file(path, bytes),
            }
        }
        Ok(())
    }

    async fn wait(&mut self, time: Duration) -> Result<(), StopOrder> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            pass(left.min(LOOK)).await;
            if self.attempt.is_sync_due() {
                self.sync();
            }
            if let Some(order) = self.attempt.stop_order() {
                return Err(order);
            }
            if left <= LOOK {
                return Ok(());
            }
        }
    }

    fn output(&mut self, parts: &[(Stream, Vec<u8>)]) {
        let (time, elapsed) = (self.machine.now(), self.began.elapsed());
        let written = self.attempt.output(self.step, time, elapsed, parts);
        written.expect("the disk has room");
        self.note(|attempted| {
            for (_, bytes) in parts {
                attempted.bytes.extend_from_slice(bytes);
            }
        });
    }

    pub(super) fn say(&mut self, words: &str) {
        self.output(&[(Stream::System, words.as_bytes().to_vec())]);
    }

    fn file(&mut self, path: &str, bytes: &[u8]) {
        let number = self.files;
        self.files += 1;
        // What the journal names is on the disk.
        self.attempt
            .put_file(number, bytes)
            .expect("the disk has room");
        let path = format!("{}/{path}", self.lease.attempt);
        self.record(&RecordBody::File {
            file: number,
            kind: FileKind::Artifact,
            step: self.step,
            path: path.clone(),
            size: bytes.len() as u64,
            modified_at: None,
            partial: false,
        });
        let hash = *blake3::hash(bytes).as_bytes();
        self.note(|attempted| {
            if bytes.len() > TAKEN {
                attempted.has_too_large = true;
            } else {
                attempted.files.insert(path, hash);
            }
        });
    }

    fn record(&mut self, body: &RecordBody) {
        self.attempt.record(body).expect("the disk has room");
    }

    fn sync(&mut self) {
        self.attempt.sync().expect("the disk has room");
        let lengths: BTreeMap<PathBuf, u64> = journal_files(&self.path)
            .into_iter()
            .map(|path| (path.clone(), length_of(&path)))
            .collect();
        self.note(|attempted| {
            attempted.synced = attempted.bytes.len();
            attempted.files_synced = lengths;
        });
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut Attempted)) {
        self.machine.note(self.lease, change);
    }
}

pub(super) fn journal_files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .map(|entries| {
            entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .collect()
        })
        .unwrap_or_default();
    files.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("journal"))
    });
    files.sort();
    files
}

pub(super) fn length_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}
