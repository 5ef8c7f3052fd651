//! The grammar of the command line, one file a noun. Knows what can be said, not what it does.

mod agent;
#[cfg(test)]
mod args_tests;
mod audit;
mod backup;
mod build;
mod command;
mod doctor;
mod gate;
mod global;
mod job;
mod login;
mod project;
mod report;
mod search;
mod serve;
mod session;
mod test;
mod token;
mod tui;
mod user;

pub(in crate::cli) use agent::{AgentMetrics, AgentName, AgentNoun, ChangeAgent};
pub(in crate::cli) use audit::{AuditCommand, AuditFilter, ExportAudit, ListAudit, VerifyAudit};
pub(in crate::cli) use backup::{Backup, Restore, Verify};
pub(in crate::cli) use build::List as ListBuilds;
pub(in crate::cli) use build::{
    ArtifactCommand, BuildCommand, Cancel, Compare, Get, Log, Trigger, Wait,
};
pub(in crate::cli) use command::{Cli, Command, ConfigCommand};
pub(in crate::cli) use doctor::Doctor;
pub(in crate::cli) use gate::{Create as CreateGate, GateCommand, RuleArgs, Update as UpdateGate};
pub(in crate::cli) use global::GlobalArgs;
pub(in crate::cli) use job::{Create as CreateJob, JobCommand, Update as UpdateJob};
pub(in crate::cli) use login::Login;
pub(in crate::cli) use project::{
    Create as CreateProject, ProjectCommand, Update as UpdateProject,
};
pub(in crate::cli) use report::{
    CompareReports, Convert, FailOn, ListReports, Merge, Push, ReportCommand, Show, Validate,
};
pub(in crate::cli) use search::{Events, Search};
pub(in crate::cli) use serve::ServeArgs;
pub(in crate::cli) use session::{ChangePassword, PasswordCommand, ResetPassword, SessionCommand};
pub(in crate::cli) use test::{
    FailureCommand, Label, ListAliases, ListTests, TestCommand, TestHistory,
};
pub(in crate::cli) use token::{Create as CreateToken, TokenCommand};
pub(in crate::cli) use tui::Tui;
pub(in crate::cli) use user::{Create as CreateUser, Grant, Named as UserName, UserCommand};
