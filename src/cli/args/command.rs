//! The nouns.

use super::agent::AgentNoun;
use super::audit::AuditCommand;
use super::backup::{Backup, Restore, Verify};
use super::build::{ArtifactCommand, BuildCommand};
use super::doctor::Doctor;
use super::gate::GateCommand;
use super::global::GlobalArgs;
use super::job::JobCommand;
use super::login::Login;
use super::project::ProjectCommand;
use super::report::ReportCommand;
use super::search::{Events, Search};
use super::serve::{DemoArgs, ServeArgs};
use super::session::{PasswordCommand, SessionCommand};
use super::test::{FailureCommand, TestCommand};
use super::token::TokenCommand;
use super::tui::Tui;
use super::user::UserCommand;
use clap::{Parser, Subcommand};

/// testhide runs a team's tests and tells people what the failures mean
#[derive(Debug, Parser)]
#[command(
    name = "testhide",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    before_help = "Example:\n  testhide build trigger shop/unit --branch main --follow",
    after_help = "Exit codes: 0 ok, 1 what was asked about failed, 2 usage, 3 not found, 4 not allowed, 5 conflict,\n6 server not reachable (try again), 7 timeout, 130 interrupted.\nResults go to stdout, messages to stderr."
)]
pub(in crate::cli) struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

/// What to do, or to what.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Command {
    /// Run the server
    #[command(
        before_help = "Example:\n  testhide serve --data-dir /var/lib/testhide --listen 0.0.0.0:8000"
    )]
    Serve(ServeArgs),
    /// Run a sample project on a server and an agent, from the trigger to the verdicts
    #[command(before_help = "Example:\n  testhide demo")]
    Demo(DemoArgs),
    /// Log in and keep an API token for this machine
    #[command(
        before_help = "Example:\n  testhide login --server https://testhide.example.com --username anna"
    )]
    Login(Login),
    /// Revoke this machine's token and forget it
    #[command(before_help = "Example:\n  testhide logout")]
    Logout,
    /// Show who the server takes you for
    #[command(before_help = "Example:\n  testhide whoami")]
    Whoami,
    /// People and what they may do
    #[command(subcommand, before_help = "Example:\n  testhide user create anna")]
    User(UserCommand),
    /// Your password
    #[command(subcommand, before_help = "Example:\n  testhide password change")]
    Password(PasswordCommand),
    /// Your sessions
    #[command(subcommand, before_help = "Example:\n  testhide session list")]
    Session(SessionCommand),
    /// Your API tokens
    #[command(
        subcommand,
        before_help = "Example:\n  testhide token create ci --expires-in-days 90"
    )]
    Token(TokenCommand),
    /// Projects
    #[command(subcommand, before_help = "Example:\n  testhide project create shop")]
    Project(ProjectCommand),
    /// Jobs: what builds do
    #[command(
        subcommand,
        before_help = "Example:\n  testhide job create shop unit --file job.json"
    )]
    Job(JobCommand),
    /// Builds: trigger, watch, understand
    #[command(subcommand, before_help = "Example:\n  testhide build show 421")]
    Build(BuildCommand),
    /// Quality gates: what builds have to hold
    #[command(
        subcommand,
        before_help = "Example:\n  testhide gate create shop release --pass-rate 99.5 --no-new-failures"
    )]
    Gate(GateCommand),
    /// Files kept from builds
    #[command(
        subcommand,
        before_help = "Example:\n  testhide artifact get 0198c1a2-7f3e-7abc-8def-0123456789ab -o report.html"
    )]
    Artifact(ArtifactCommand),
    /// Test reports
    #[command(
        subcommand,
        before_help = "Example:\n  testhide report push target/junit.xml --project shop --branch main"
    )]
    Report(ReportCommand),
    /// Tests over time
    #[command(
        subcommand,
        before_help = "Example:\n  testhide test list shop --query cart"
    )]
    Test(TestCommand),
    /// Failures: why, since when, and what they look like
    #[command(
        subcommand,
        before_help = "Example:\n  testhide failure show 0198c1a2-7f3e-7abc-8def-0123456789ab"
    )]
    Failure(FailureCommand),
    /// Search all logs and failures
    #[command(before_help = "Example:\n  testhide search 'connection refused' branch:main")]
    Search(Search),
    /// What happened, in order
    #[command(before_help = "Example:\n  testhide events --after 1200 -f --json")]
    Events(Events),
    /// Agents: run one here, or see those of the server
    #[command(subcommand, before_help = "Example:\n  testhide agent list")]
    Agent(AgentNoun),
    /// Who did what, and who was refused
    #[command(subcommand, before_help = "Example:\n  testhide audit list")]
    Audit(AuditCommand),
    /// Write everything into one file
    #[command(before_help = "Example:\n  testhide backup testhide-2026-03-20.backup")]
    Backup(Backup),
    /// Check a backup; needs no server
    #[command(before_help = "Example:\n  testhide verify testhide-2026-03-20.backup")]
    Verify(Verify),
    /// Make a data directory from a backup; needs no server
    #[command(
        before_help = "Example:\n  testhide restore testhide-2026-03-20.backup --data-dir /var/lib/testhide"
    )]
    Restore(Restore),
    /// Look for damage in a stopped server's data directory
    #[command(before_help = "Example:\n  testhide doctor --data-dir /var/lib/testhide")]
    Doctor(Doctor),
    /// Builds, logs and failures on one screen
    #[command(before_help = "Example:\n  testhide tui --readonly")]
    Tui(Tui),
    /// Settings of the server
    #[command(subcommand, before_help = "Example:\n  testhide config show")]
    Config(ConfigCommand),
    /// Show the version
    #[command(before_help = "Example:\n  testhide version --json")]
    Version,
}

/// `config …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ConfigCommand {
    /// Show every setting, where it comes from and what it does
    #[command(
        before_help = "Example:\n  testhide config show --config /etc/testhide/testhide.toml"
    )]
    Show(ServeArgs),
    /// Check that the settings can be read, and name variables that have no effect
    #[command(before_help = "Example:\n  testhide config check --config testhide.toml")]
    Check(ServeArgs),
}
