//! The feed: what happened, in order.

use crate::api::{AgentMode, AliasState, BuildState, StepState};
use crate::{
    AgentId, AliasId, BuildId, GateId, JobId, ProjectId, ReportId, ResultId, Timestamp, UserId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Something that happened. Facts are in the store; an event says where to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// A user was made.
    UserCreated {
        /// Who.
        user: UserId,
    },
    /// A project was made.
    ProjectCreated {
        /// Which.
        project: ProjectId,
    },
    /// A project was changed.
    ProjectChanged {
        /// Which.
        project: ProjectId,
    },
    /// A job was made.
    JobCreated {
        /// Which.
        job: JobId,
    },
    /// A job was changed.
    JobChanged {
        /// Which.
        job: JobId,
    },
    /// A quality gate was made.
    GateCreated {
        /// Which.
        gate: GateId,
    },
    /// A quality gate was changed.
    GateChanged {
        /// Which.
        gate: GateId,
    },
    /// A quality gate was removed.
    GateDeleted {
        /// Which.
        gate: GateId,
    },
    /// A build waits for an agent.
    BuildQueued {
        /// Which.
        build: BuildId,
        /// Its number.
        number: u64,
        /// The attempt that waits.
        attempt: u32,
    },
    /// An agent took a build.
    BuildStarted {
        /// Which.
        build: BuildId,
        /// Its number.
        number: u64,
        /// Attempt.
        attempt: u32,
        /// Who.
        agent: AgentId,
    },
    /// A step began or ended.
    StepChanged {
        /// Build.
        build: BuildId,
        /// Attempt.
        attempt: u32,
        /// Index of the step.
        step: u32,
        /// How it stands.
        status: StepState,
    },
    /// A log grew.
    LogAppended {
        /// Build.
        build: BuildId,
        /// Attempt.
        attempt: u32,
        /// First new byte.
        from: u64,
        /// Byte after the last new one.
        to: u64,
        /// Lines the log has now.
        lines: u64,
    },
    /// A file of a build was kept.
    ArtifactStored {
        /// Build.
        build: BuildId,
        /// Path under the build.
        path: String,
    },
    /// A cancel was asked for.
    BuildCancelRequested {
        /// Which.
        build: BuildId,
        /// Its number.
        number: u64,
    },
    /// An attempt ended because its agent was lost.
    AttemptLost {
        /// Build.
        build: BuildId,
        /// Its number.
        number: u64,
        /// Attempt.
        attempt: u32,
    },
    /// A build ended.
    BuildFinished {
        /// Which.
        build: BuildId,
        /// Its number.
        number: u64,
        /// Attempt.
        attempt: u32,
        /// How.
        status: BuildState,
    },
    /// A report was stored.
    ReportStored {
        /// Report.
        report: ReportId,
        /// Its build, when it has one.
        build: Option<BuildId>,
        /// Failures in it.
        failures: u64,
    },
    /// The verdicts of a report are there.
    VerdictsReached {
        /// Report.
        report: ReportId,
        /// Its build, when it has one.
        build: Option<BuildId>,
    },
    /// A build was held against its gates.
    GateEvaluated {
        /// Build.
        build: BuildId,
        /// Its number.
        number: u64,
        /// Attempt.
        attempt: u32,
        /// Whether every rule holds.
        passed: bool,
        /// Gates that were evaluated.
        gates: u64,
    },
    /// Somebody said what the cause of a failure was.
    FailureLabelled {
        /// Result.
        result: ResultId,
        /// Category.
        category: String,
    },
    /// A test seems to go on under another name.
    TestAliasProposed {
        /// Which.
        alias: AliasId,
    },
    /// Somebody said whether two tests are one, or took that back.
    TestAliasDecided {
        /// Which.
        alias: AliasId,
        /// What it is now.
        state: AliasState,
    },
    /// An agent got its identity.
    AgentEnrolled {
        /// Who.
        agent: AgentId,
    },
    /// An operator changed what an agent may do.
    AgentModeChanged {
        /// Who.
        agent: AgentId,
        /// What it may do now.
        mode: AgentMode,
    },
    /// An agent got a new key.
    AgentKeyRotated {
        /// Who.
        agent: AgentId,
    },
    /// An agent was removed.
    AgentRemoved {
        /// Who it was.
        agent: AgentId,
    },
    /// An agent connected.
    AgentConnected {
        /// Who.
        agent: AgentId,
    },
    /// An agent's connection ended.
    AgentDisconnected {
        /// Who.
        agent: AgentId,
    },
}

impl Event {
    /// The name on the wire.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::UserCreated { .. } => "user_created",
            Self::ProjectCreated { .. } => "project_created",
            Self::ProjectChanged { .. } => "project_changed",
            Self::JobCreated { .. } => "job_created",
            Self::JobChanged { .. } => "job_changed",
            Self::GateCreated { .. } => "gate_created",
            Self::GateChanged { .. } => "gate_changed",
            Self::GateDeleted { .. } => "gate_deleted",
            Self::BuildQueued { .. } => "build_queued",
            Self::BuildStarted { .. } => "build_started",
            Self::StepChanged { .. } => "step_changed",
            Self::LogAppended { .. } => "log_appended",
            Self::ArtifactStored { .. } => "artifact_stored",
            Self::BuildCancelRequested { .. } => "build_cancel_requested",
            Self::AttemptLost { .. } => "attempt_lost",
            Self::BuildFinished { .. } => "build_finished",
            Self::ReportStored { .. } => "report_stored",
            Self::VerdictsReached { .. } => "verdicts_reached",
            Self::GateEvaluated { .. } => "gate_evaluated",
            Self::FailureLabelled { .. } => "failure_labelled",
            Self::TestAliasProposed { .. } => "test_alias_proposed",
            Self::TestAliasDecided { .. } => "test_alias_decided",
            Self::AgentEnrolled { .. } => "agent_enrolled",
            Self::AgentModeChanged { .. } => "agent_mode_changed",
            Self::AgentKeyRotated { .. } => "agent_key_rotated",
            Self::AgentRemoved { .. } => "agent_removed",
            Self::AgentConnected { .. } => "agent_connected",
            Self::AgentDisconnected { .. } => "agent_disconnected",
        }
    }
}

/// An event with its place in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventRecord {
    /// Counts from 1 without gaps; resume with `after=SEQ`.
    pub seq: u64,
    /// When it was committed.
    pub time: Timestamp,
    /// The project it belongs to; absent for what belongs to the instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_id: Option<ProjectId>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// A follower of the event log inside the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Consumer {
    /// Name, e.g. `search`.
    pub name: String,
    /// Last event it has dealt with.
    pub cursor: u64,
    /// Events it has still to see.
    pub lag: u64,
    /// Events that kept failing and were set aside.
    pub parked: u64,
}

/// An event that kept failing in one consumer and was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParkedEvent {
    /// Consumer.
    pub consumer: String,
    /// Event.
    pub seq: u64,
    /// Last error.
    pub error: String,
    /// When it was set aside.
    pub parked_at: Timestamp,
}
