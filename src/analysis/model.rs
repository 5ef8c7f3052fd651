//! Stored shapes of verdicts, labels, models and vectors.

use super::essence::{Essence, cut};
use super::rules::{Judgement, METHOD};
use crate::history::Run;
use crate::ml::{Classifier, Signature};
use crate::storage::Record;
use serde::{Deserialize, Serialize};
use testhide_protocol::api::{FlakyPair, KnownSince, RunRef, Verdict, VerdictKind};
use testhide_protocol::{BuildId, ProjectId, ResultId, TestId, Timestamp, UserId};

/// Characters of a test's name that are kept here; reports hold all of it.
const MAX_NAME: usize = 300;

/// A verdict, under (report, row).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredVerdict {
    pub test: TestId,
    pub display_name: String,
    /// Whether the result itself failed; a recovered one did not.
    pub failed: bool,
    pub signature: Option<Signature>,
    pub essence: Essence,
    pub run: StoredRun,
    pub kind: VerdictKind,
    pub reason: String,
    pub since: Option<(StoredRun, u64)>,
    pub pairs: Vec<StoredPair>,
    pub method: String,
}
impl Record for StoredVerdict {}

/// A run that something refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredRun {
    pub result: ResultId,
    /// Id, number and attempt.
    pub build: Option<(BuildId, u64, u32)>,
    pub time: Timestamp,
}

/// Two runs of one commit with different outcomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredPair {
    pub commit: String,
    pub failed: StoredRun,
    pub passed: StoredRun,
}

/// What somebody said of a failure, under (project, result). It holds what a model learns from, so that it outlives the report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredLabel {
    pub category: String,
    pub by: UserId,
    pub username: String,
    pub at: Timestamp,
    pub test: TestId,
    pub signature: Option<Signature>,
    pub essence: Essence,
}
impl Record for StoredLabel {}

/// What training made of a project's labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredTraining {
    /// Changes of labels that it knows.
    pub changes: u64,
    pub trained_at: Timestamp,
    /// Absent while there is too little to learn from.
    pub model: Option<StoredModel>,
}
impl Record for StoredTraining {}

/// A model with what is known about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredModel {
    /// Names of the classifier's categories.
    pub categories: Vec<String>,
    pub classifier: Classifier,
    pub samples: u32,
    /// Right predictions and all predictions on samples that were set aside.
    pub hold_out: Option<(u32, u32)>,
}

/// What a vector stands for, under its key: all failures of one test with one signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredVector {
    pub project: ProjectId,
    pub test: TestId,
    pub signature: Option<Signature>,
    /// The failure that the vector was made of.
    pub first: ResultId,
}
impl Record for StoredVector {}

impl StoredVerdict {
    /// The verdict on a run.
    pub(super) fn new(
        run: &Run,
        display_name: &str,
        essence: Essence,
        judgement: &Judgement,
    ) -> Self {
        Self {
            test: run.test,
            display_name: cut(display_name, MAX_NAME).to_owned(),
            failed: run.outcome.is_failure(),
            signature: run.signature,
            essence,
            run: run.into(),
            kind: judgement.kind,
            reason: judgement.reason.clone(),
            since: judgement
                .since
                .as_ref()
                .map(|since| ((&since.first).into(), since.times)),
            pairs: judgement
                .pairs
                .iter()
                .map(|pair| StoredPair {
                    commit: pair.commit.clone(),
                    failed: (&pair.failed).into(),
                    passed: (&pair.passed).into(),
                })
                .collect(),
            method: METHOD.to_owned(),
        }
    }

    /// As the API shows it.
    pub(super) fn verdict(&self) -> Verdict {
        let pair = |pair: &StoredPair| FlakyPair {
            commit: pair.commit.clone(),
            failed: pair.failed.into(),
            passed: pair.passed.into(),
        };
        Verdict {
            kind: self.kind,
            reason: self.reason.clone(),
            known_since: self.since.map(|(first, times)| KnownSince {
                first: first.into(),
                times,
            }),
            flaky_pairs: self.pairs.iter().map(pair).collect(),
            method: self.method.clone(),
        }
    }
}

impl From<&Run> for StoredRun {
    fn from(run: &Run) -> Self {
        let build = run
            .origin
            .build
            .as_ref()
            .map(|build| (build.id, build.number, build.attempt));
        Self {
            result: run.result(),
            build,
            time: run.time,
        }
    }
}

impl From<StoredRun> for RunRef {
    fn from(run: StoredRun) -> Self {
        Self {
            result_id: run.result,
            build_id: run.build.map(|(id, ..)| id),
            build_number: run.build.map(|(_, number, _)| number),
            attempt: run.build.map(|(.., attempt)| attempt),
            time: run.time,
        }
    }
}
