//! The command line of the agent, for both binaries that carry it.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::agent::{Agent, run};
use crate::config::{Config, default_dir};
use crate::doctor::diagnose;
use crate::enroll::enroll;
use crate::error::AgentError;
use crate::runner::{Program, run_alone};

/// `agent …`
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Writes the agent's configuration, or shows it
    Config(ConfigArgs),
    /// Exchanges a one-time token for this agent's identity
    Enroll(EnrollArgs),
    /// Connects to the server and runs builds until it is stopped
    Run(RunArgs),
    /// Says what is wrong with this agent and its machine, and what to do about it
    Doctor(DoctorArgs),
    /// Runs one attempt; the agent starts this
    #[command(hide = true)]
    Attempt(AttemptArgs),
}

/// `agent config`
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Address of the server, e.g. wss://testhide.example.com
    #[arg(short, long, required_unless_present = "show")]
    url: Option<String>,
    /// Name of this agent
    #[arg(short, long, value_name = "NAME", required_unless_present = "show")]
    instance_id: Option<String>,
    /// A label that jobs may ask for; may be given more than once
    #[arg(long = "label", value_name = "LABEL")]
    labels: Vec<String>,
    /// How many builds run at once
    #[arg(long, value_name = "N")]
    capacity: Option<u32>,
    /// Print the configuration
    #[arg(short, long)]
    show: bool,
    #[command(flatten)]
    place: Place,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// `agent enroll`
#[derive(Debug, Args)]
pub struct EnrollArgs {
    /// The token; other users of this machine may see it while the command runs
    #[arg(long, env = "TESTHIDE_ENROLL_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A file that holds the token; `-` is the standard input
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// `agent run`
#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    place: Place,
}

/// `agent doctor`
#[derive(Debug, Args)]
pub struct DoctorArgs {
    #[command(flatten)]
    place: Place,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// `agent attempt`
#[derive(Debug, Args)]
pub struct AttemptArgs {
    /// The attempt's spool directory
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Where the agent keeps its files.
#[derive(Debug, Args)]
struct Place {
    /// The agent's directory; ~/.testhide-agent when absent
    #[arg(long, env = "TESTHIDE_AGENT_DIR", value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Place {
    fn dir(&self) -> Result<PathBuf, AgentError> {
        self.dir.clone().map_or_else(default_dir, Ok)
    }
}

/// Runs a command: results on stdout, messages on stderr. `shutdown` ends `agent run`. `before` is what stands before the agent's commands
/// on this program's command line.
pub async fn execute(
    command: AgentCommand,
    before: &[&str],
    shutdown: CancellationToken,
) -> ExitCode {
    let result = match command {
        AgentCommand::Config(args) => configure(args),
        AgentCommand::Enroll(args) => Box::pin(enroll_here(args)).await,
        AgentCommand::Run(args) => Box::pin(run_here(&args, before, shutdown)).await,
        AgentCommand::Attempt(args) => Box::pin(attempt_here(&args, shutdown)).await,
        AgentCommand::Doctor(args) => match Box::pin(diagnose_here(&args)).await {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::FAILURE,
            Err(error) => Err(error),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody listens when stderr is closed; the exit code still says it.
            drop(writeln!(io::stderr().lock(), "error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

fn configure(args: ConfigArgs) -> Result<(), AgentError> {
    let dir = args.place.dir()?;
    let existing = match Config::load(&dir) {
        Err(AgentError::NotConfigured { .. }) if !args.show || args.url.is_some() => {
            Config::default()
        }
        other => other?,
    };
    let changes = args.url.is_some() || args.instance_id.is_some();
    let config = Config {
        web_socket_url: args.url.unwrap_or(existing.web_socket_url),
        instance_id: args.instance_id.unwrap_or(existing.instance_id),
        labels: if args.labels.is_empty() {
            existing.labels
        } else {
            args.labels
        },
        capacity: args.capacity.unwrap_or(existing.capacity),
        ..existing
    };
    if changes {
        config.save(&dir)?;
    }
    if args.show || args.json {
        print(&config.to_json())
    } else {
        print(&format!(
            "configured agent `{}` in `{}`",
            config.instance_id,
            dir.display()
        ))
    }
}

async fn enroll_here(args: EnrollArgs) -> Result<(), AgentError> {
    let dir = args.place.dir()?;
    // The file first: the variable may be set for every command of a machine.
    let token = match (&args.token_file, args.token) {
        (Some(file), _) => read_token(file)?,
        (None, Some(token)) => token,
        (None, None) => {
            let how = "give the token with --token-file FILE (`-` is the standard input) or in TESTHIDE_ENROLL_TOKEN";
            return Err(AgentError::Usage(how.to_owned()));
        }
    };
    let agent_id = enroll(&dir, &token).await?;
    if args.json {
        print(&serde_json::json!({ "agent_id": agent_id }).to_string())
    } else {
        print(&format!("enrolled as agent {agent_id}"))
    }
}

async fn run_here(
    args: &RunArgs,
    before: &[&str],
    shutdown: CancellationToken,
) -> Result<(), AgentError> {
    let arguments = before.iter().chain(&["attempt"]);
    let itself = Program::this(arguments).map_err(AgentError::file(Path::new("this program")))?;
    let agent = Agent::open(&args.place.dir()?, Arc::new(itself))?;
    agent.prepare_machine()?;
    run(agent, shutdown).await
}

/// Prints what the doctor found; says whether nothing needs attention.
async fn diagnose_here(args: &DoctorArgs) -> Result<bool, AgentError> {
    let diagnosis = diagnose(&args.place.dir()?).await;
    print(&if args.json {
        serde_json::to_string_pretty(&diagnosis).expect("words are JSON")
    } else {
        diagnosis.to_string()
    })?;
    Ok(diagnosis.healthy)
}

async fn attempt_here(args: &AttemptArgs, shutdown: CancellationToken) -> Result<(), AgentError> {
    leave_session();
    run_alone(&args.dir, shutdown).await
}

/// Whoever ends the agent with its terminal or its process group does not mean its builds.
#[cfg(unix)]
fn leave_session() {
    if let Err(error) = rustix::process::setsid() {
        tracing::debug!(%error, "a runner stays in its session");
    }
}

#[cfg(not(unix))]
fn leave_session() {}

fn read_token(file: &Path) -> Result<String, AgentError> {
    let mut token = String::new();
    let read = if file.as_os_str() == "-" {
        io::stdin().lock().read_to_string(&mut token).map(|_| token)
    } else {
        std::fs::read_to_string(file)
    };
    let token = read.map_err(AgentError::file(file))?;
    if token.trim().is_empty() {
        let place = if file.as_os_str() == "-" {
            "the standard input".to_owned()
        } else {
            format!("`{}`", file.display())
        };
        let how = "`testhide agent token` makes one";
        return Err(AgentError::Usage(format!("{place} holds no token; {how}")));
    }
    Ok(token)
}

fn print(text: &str) -> Result<(), AgentError> {
    match writeln!(io::stdout().lock(), "{text}") {
        // `| head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(AgentError::file(Path::new("stdout"))),
    }
}
