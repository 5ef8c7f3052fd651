//! The objects of `/api/v3` and of the live feed, one file a noun.
//!
//! Requests refuse unknown fields; answers may grow fields, and clients ignore those they do not know.

mod accounts;
mod agents;
mod aliases;
mod audit;
mod builds;
mod compare;
mod events;
mod findings;
mod gates;
mod history;
mod jobs;
mod logs;
mod page;
mod problem;
mod projects;
mod reports;
mod search;
mod verdicts;

pub use accounts::{
    ChangePassword, ChangeUser, CreateToken, CreateUser, GrantPermissions, Login, LoginAnswer,
    NewToken, PasswordReset, ProjectPermission, Refresh, ResetPassword, Session, Setup, Token,
    User,
};
pub use agents::{
    Agent, AgentConnection, AgentDetails, AgentLease, AgentMode, AgentRefusals, AgentTrouble,
    ChangeAgent, Enroll, Enrolled, HostMetrics, HostSample, NewEnrolment,
};
pub use aliases::{AliasChange, AliasEnd, AliasState, TestAlias};
pub use audit::{
    AuditActor, AuditActorKind, AuditChange, AuditEntry, AuditObject, AuditOutcome,
    AuditVerification,
};
pub use builds::{
    Artifact, Attempt, Build, BuildState, Cancel, StepResult, StepState, TestCounts, Tps, Trigger,
};
pub use compare::{ComparedCounts, ComparedTest, Comparison, Significance};
pub use events::{Consumer, Event, EventRecord, ParkedEvent};
pub use findings::{Finding, FindingKind};
pub use gates::{DurationOf, Gate, GateEvaluation, GateResult, GateRule, GateSummary, PutGate};
pub use history::{Test, TestDetails, TestRun, TestVariant};
pub use jobs::{CreateJob, Job, JobDefinition, ProviderKind, Source, Step, UpdateJob};
pub use logs::{LogLine, LogPage, Stream};
pub use page::Page;
pub use problem::Problem;
pub use projects::{CreateProject, Project, UpdateProject};
pub use reports::{Outcome, OutcomeCounts, ParseWarning, Report, TestResult};
pub use search::{SearchAnswer, SearchHit, SearchLine};
pub use verdicts::{
    BuildVerdicts, FailureVerdict, FlakyPair, KnownSince, LabelFailure, RootCause, RunRef,
    SimilarFailure, Verdict, VerdictKind,
};
