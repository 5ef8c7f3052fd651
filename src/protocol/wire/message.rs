//! Control messages between agent and server.

use crate::api::{HostMetrics, JobDefinition, StepState};
use crate::{AgentId, BuildId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The protocol that this crate speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// The right to run one attempt of one build.
///
/// `fence` grows with every lease the server gives; a message under an older fence than the stored one is refused,
/// so a late answer of a lost agent is harmless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// Build.
    pub build: BuildId,
    /// Attempt, counts from 1.
    pub attempt: u32,
    /// Fencing number.
    pub fence: u64,
}

/// Work for an agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The right to run it.
    pub lease: Lease,
    /// Build number.
    pub build_number: u64,
    /// Name of the job.
    pub job_name: String,
    /// Name of the project.
    pub project_name: String,
    /// What to do. Read without the fields that a newer server may add; a kind of step that is not known is an error.
    #[serde(deserialize_with = "super::definition::lenient")]
    pub definition: JobDefinition,
    /// Branch.
    pub branch: String,
    /// Commit; the branch's head when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Parameters, defaults filled in.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// Seconds after which the attempt ends as `timed_out`.
    pub timeout_seconds: u32,
}

/// What kind of file a record delivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A test report to parse.
    Report,
    /// A file to keep.
    Artifact,
}

/// How an attempt ended, as its agent saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptEnd {
    /// Every step succeeded.
    Passed,
    /// A step failed.
    Failed,
    /// A cancel ended it.
    Cancelled,
    /// A time limit ended it.
    TimedOut,
    /// The agent could not run it to its end (restart of the agent, broken disk): infrastructure, not the code.
    Interrupted,
}

/// One entry of an attempt's journal, log chunks apart (these travel as binary frames).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum RecordBody {
    /// The commit that was checked out.
    SourceResolved {
        /// Full hash.
        commit: String,
    },
    /// A step began.
    StepStarted {
        /// Index; post steps follow the steps.
        step: u32,
        /// Agent's clock.
        time: Timestamp,
    },
    /// A step ended (or was skipped).
    StepFinished {
        /// Index.
        step: u32,
        /// How.
        status: StepState,
        /// Exit code of its process.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        exit_code: Option<i32>,
        /// In words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// By the agent's monotonic clock.
        duration_ms: u64,
    },
    /// A file, whose bytes were sent before as [`crate::wire::Frame::File`] parts under the same number.
    File {
        /// Number of the file in this attempt, counts from 0.
        file: u32,
        /// What it is.
        kind: FileKind,
        /// Step that delivers it.
        step: u32,
        /// Path as kept, with `/`, relative, no `..`.
        path: String,
        /// Bytes.
        size: u64,
        /// BLAKE3 is computed by the server; this is when the file was last written, by the agent's clock.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        modified_at: Option<Timestamp>,
        /// Whether the agent put it together from what a killed reporter left.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        partial: bool,
    },
    /// Failures that a reporter printed while a step ran, in the order of printing, each test once. Before the step's
    /// `StepFinished`, in as many records as they need.
    FailuresPrinted {
        /// Index of the step.
        step: u32,
        /// Some of them.
        failures: Vec<PrintedFailure>,
        /// How many were left out because there were too many.
        #[serde(default)]
        more: u64,
    },
    /// The attempt ended; the last record of a journal.
    Ended {
        /// How.
        end: AttemptEnd,
        /// In words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// Raw bytes of the whole log: the server has them all or refuses the record.
        log_bytes: u64,
    },
    /// A record of a newer agent: it takes its place in the journal and changes nothing.
    #[serde(other)]
    Unknown,
}

/// A failure that a reporter printed to the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrintedFailure {
    /// What reports are compared by: the first 8 bytes of SHA-256 over the node id as printed, hex. It stays the same where secrets are
    /// masked in texts.
    pub key: String,
    /// Node id, to be shown.
    pub nodeid: String,
    /// The reporter's id of the failure.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fail_id: String,
}

/// Most failures that an agent tells of in one attempt.
pub const MAX_PRINTED_FAILURES: usize = 10_000;

/// From the agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AgentMessage {
    /// Answer to the challenge; the first frame.
    Hello {
        /// Protocol the agent speaks.
        protocol: u32,
        /// Who.
        agent: AgentId,
        /// Ed25519 over [`challenge_text`], hex.
        signature: String,
        /// Version of the program.
        version: String,
        /// Operating system and architecture.
        platform: String,
        /// Labels.
        labels: Vec<String>,
        /// Builds it runs at once.
        capacity: u32,
        /// Attempts that it still holds (running, or ended and not wholly delivered).
        holding: Vec<Lease>,
    },
    /// "I am here", every few seconds.
    Heartbeat {
        /// Agent's clock.
        time: Timestamp,
        /// How its machine is; with about every other heartbeat.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metrics: Option<HostMetrics>,
    },
    /// An entry of an attempt's journal.
    Record {
        /// Under which right.
        lease: Lease,
        /// Place in the journal, counts from 1, shared with chunks.
        seq: u64,
        /// What.
        body: RecordBody,
    },
    /// The agent cannot take an assignment (it is stopping, or its disk is full). The build waits for another; the agent is given nothing
    /// more until it connects anew.
    Declined {
        /// Which.
        lease: Lease,
        /// Why.
        reason: String,
    },
}

/// Where to go on with one held attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// Which.
    pub lease: Lease,
    /// Last journal record that is stored.
    pub seq: u64,
    /// Whether that record is the attempt's end: then it is delivered, and only then may its journal go.
    #[serde(default)]
    pub ended: bool,
    /// Raw bytes of the log that are stored: an agent whose disk has lost what the server has goes on behind them.
    #[serde(default)]
    pub log_bytes: u64,
}

/// From the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The first frame.
    Challenge {
        /// Protocol the server speaks.
        protocol: u32,
        /// Random, hex.
        nonce: String,
        /// Server's clock.
        time: Timestamp,
    },
    /// The agent is who it says.
    Welcome {
        /// Seconds between heartbeats.
        heartbeat_seconds: u32,
        /// Where to go on with what the agent holds.
        resume: Vec<Resume>,
    },
    /// The connection ends; `retry` says whether to come back.
    Refused {
        /// Stable code.
        code: String,
        /// One sentence.
        reason: String,
        /// Whether trying again may help.
        retry: bool,
    },
    /// "I am here", every few seconds.
    Heartbeat {
        /// Server's clock.
        time: Timestamp,
    },
    /// Work.
    Assign {
        /// What.
        assignment: Box<Assignment>,
    },
    /// Journal records up to and with `seq` are on disk.
    Ack {
        /// Which attempt.
        lease: Lease,
        /// Last stored record.
        seq: u64,
    },
    /// Stop this attempt, then deliver its end.
    Cancel {
        /// Which.
        lease: Lease,
        /// Shown in the log.
        reason: String,
    },
    /// The right is gone: stop, deliver nothing, forget.
    Abandon {
        /// Which.
        lease: Lease,
        /// Why.
        reason: String,
    },
    /// The server ends in order; come back after this time.
    GoAway {
        /// Milliseconds.
        retry_after_ms: u64,
    },
}

/// As much of [`ServerMessage::Assign`] as any agent can read: enough to decline what it cannot do.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum UnreadableAssignment {
    /// Work.
    Assign {
        /// What.
        assignment: UnreadableWork,
    },
}

/// As much of an [`Assignment`] as any agent can read.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UnreadableWork {
    /// The right to run it.
    pub lease: Lease,
}

/// The bytes an agent signs to answer a challenge.
#[must_use]
pub fn challenge_text(nonce: &str, agent: AgentId) -> Vec<u8> {
    format!("testhide agent challenge v{PROTOCOL_VERSION}\n{nonce}\n{agent}").into_bytes()
}
