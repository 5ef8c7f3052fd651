//! The processes: one server that may go and come, agents that may too; all ended by their ids.

use super::processes;
use super::proxy::Proxy;
use super::settings::{PATIENCE, until};
use super::user::User;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

/// Puts a small disk of its own under the server, which ends with the server: no other process sees the mount.
const ON_SMALL_DISK: &str = r#"mount -t tmpfs -o "size=$1m" tmpfs "$2" && shift 2 && exec "$@""#;

/// A machine with a server and agents on it.
pub(crate) struct Machine {
    dir: TempDir,
    environment: Vec<(String, String)>,
    /// Megabytes of the server's own disk.
    small_disk: Option<u32>,
    server: Option<Child>,
    /// Where the server listens; nothing while it does not run.
    listens: watch::Sender<Option<SocketAddr>>,
    agents: Vec<Agent>,
}

struct Agent {
    dir: PathBuf,
    line: Proxy,
    process: Option<Child>,
}

impl Machine {
    /// Starts a server on an empty directory, with these settings.
    pub(crate) async fn start(environment: &[(&str, &str)]) -> Self {
        Self::start_with(None, environment).await
    }

    /// Starts a server on an empty disk of its own of so many megabytes.
    pub(crate) async fn start_on_small_disk(megabytes: u32, environment: &[(&str, &str)]) -> Self {
        Self::start_with(Some(megabytes), environment).await
    }

    async fn start_with(small_disk: Option<u32>, environment: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut machine = Self {
            dir: tempfile::tempdir().expect("a temporary directory"),
            environment: environment.iter().map(own).collect(),
            small_disk,
            server: None,
            listens: watch::channel(None).0,
            agents: Vec::new(),
        };
        fs::create_dir(machine.path("data")).expect("a directory");
        machine.start_server().await;
        machine
    }

    /// Where the server listens, as it goes and comes.
    pub(crate) fn server(&self) -> watch::Receiver<Option<SocketAddr>> {
        self.listens.subscribe()
    }

    /// The process number of the server.
    pub(crate) fn server_id(&self) -> u32 {
        let server = self.server.as_ref().and_then(Child::id);
        server.expect("the server runs")
    }

    /// The token for the first user, which a start without users prints right after the address.
    pub(crate) async fn setup_token(&self) -> String {
        let log = self.path("server.log");
        let find = || {
            let text = fs::read_to_string(&log).expect("its log can be read");
            let mut words = text.split_whitespace();
            words
                .find(|word| word.starts_with("th_setup_"))
                .map(str::to_owned)
        };
        until("the server prints a setup token", || find().is_some()).await;
        find().expect("it was there just now")
    }

    /// A path that survives everything.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the server and waits until it listens.
    pub(crate) async fn start_server(&mut self) {
        let data = self.path("data");
        let mut command = match self.small_disk {
            None => Command::new(testhide()),
            Some(megabytes) => {
                let mut command = in_own_mounts();
                command.args(["sh", "-c", ON_SMALL_DISK, "sh", &megabytes.to_string()]);
                command.arg(&data).arg(testhide());
                command
            }
        };
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
            .arg(&data);
        self.make_plain(&mut command, "server.log");
        let spawned = command
            .envs(self.environment.iter().cloned())
            .stdout(Stdio::piped())
            .spawn();
        let mut server = spawned.expect("the server starts");
        let out = server.stdout.take().expect("its output is piped");
        let mut first = String::new();
        let mut reading = BufReader::new(out);
        let read = tokio::time::timeout(PATIENCE, reading.read_line(&mut first)).await;
        read.expect("the server starts or ends")
            .expect("its output can be read");
        let address = first.trim().rsplit_once("listens on http://");
        let address = address.and_then(|(_, address)| address.parse().ok());
        assert!(
            address.is_some(),
            "the server did not start: {first}{}",
            last_lines(&self.path("server.log"))
        );
        self.server = Some(server);
        self.listens.send_replace(address);
    }

    /// Ends the server without a word to it.
    pub(crate) async fn kill_server(&mut self) {
        self.listens.send_replace(None);
        let mut server = self.server.take().expect("the server runs");
        server.kill().await.expect("it can be killed");
    }

    /// Asks the server to end, and waits until it has.
    pub(crate) async fn stop_server(&mut self) {
        self.listens.send_replace(None);
        let id = self.server_id();
        let mut server = self.server.take().expect("the server runs");
        processes::terminate(id);
        let ended = tokio::time::timeout(PATIENCE, server.wait()).await;
        let status = ended
            .expect("the server ends when asked")
            .expect("it is ours");
        assert!(status.success(), "the server ended with {status}");
    }

    /// Enrols and starts an agent with a line of its own; answers its place.
    pub(crate) async fn add_agent(&mut self, user: &User, capacity: u32) -> usize {
        let place = self.agents.len();
        let name = format!("agent-{place}");
        let agent = Agent {
            dir: self.path(&name),
            line: Proxy::start(self.server()).await,
            process: None,
        };
        let (address, capacity) = (agent.line.address(), capacity.to_string());
        let config = [
            "config",
            "--url",
            &address,
            "--instance-id",
            &name,
            "--capacity",
            &capacity,
        ];
        self.agent_command(&agent.dir, &config, "").await;
        leave_the_disk_alone(&agent.dir);
        let token = user.enrolment_token().await;
        let enroll = ["enroll", "--token-file", "-"];
        self.agent_command(&agent.dir, &enroll, &token).await;
        self.agents.push(agent);
        self.start_agent(place);
        place
    }

    async fn agent_command(&self, dir: &Path, arguments: &[&str], input: &str) {
        let mut command = Command::new(testhide());
        command.arg("agent").args(arguments);
        self.make_plain(&mut command, "agents.log");
        let mut child = command
            .env("TESTHIDE_AGENT_DIR", dir)
            .stdin(Stdio::piped())
            .spawn()
            .expect("the agent's command starts");
        let mut stdin = child.stdin.take().expect("its input is piped");
        // One that needs no input may have ended already.
        drop(stdin.write_all(input.as_bytes()).await);
        drop(stdin);
        let status = child.wait().await.expect("it ends");
        assert!(
            status.success(),
            "agent {arguments:?}: {}",
            last_lines(&self.path("agents.log"))
        );
    }

    /// Starts an agent that does not run.
    pub(crate) fn start_agent(&mut self, place: usize) {
        let mut command = Command::new(testhide());
        command.args(["agent", "run"]);
        self.make_plain(&mut command, "agents.log");
        let agent = &mut self.agents[place];
        let spawned = command.env("TESTHIDE_AGENT_DIR", &agent.dir).spawn();
        agent.process = Some(spawned.expect("the agent starts"));
    }

    /// Ends an agent without a word to it; what it runs goes on.
    pub(crate) async fn kill_agent(&mut self, place: usize) {
        let agent = self.agents[place].process.take();
        let killed = agent.expect("the agent runs").kill().await;
        killed.expect("it can be killed");
    }

    /// The process number of an agent.
    pub(crate) fn agent_id(&self, place: usize) -> u32 {
        let agent = self.agents[place].process.as_ref().and_then(Child::id);
        agent.expect("the agent runs")
    }

    /// The directory of an agent.
    pub(crate) fn agent_dir(&self, place: usize) -> &Path {
        &self.agents[place].dir
    }

    /// The line between an agent and the server.
    pub(crate) fn line(&self, place: usize) -> &Proxy {
        &self.agents[place].line
    }

    /// Waits until no agent has anything to deliver.
    pub(crate) async fn everything_delivered(&self) {
        let is_empty = |agent: &Agent| {
            let mut entries = fs::read_dir(agent.dir.join("spool")).expect("a spool");
            entries.next().is_none()
        };
        until("the spools are empty", || self.agents.iter().all(is_empty)).await;
    }

    /// Nothing of this process's own settings, except where programs are.
    fn make_plain(&self, command: &mut Command, log: &str) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path(log));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("TESTHIDE_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log file"))
            .kill_on_drop(true);
    }
}

impl Drop for Machine {
    #[expect(
        clippy::print_stderr,
        reason = "the only way to show the processes' logs of a failed test"
    )]
    fn drop(&mut self) {
        // Server, agents, runners and steps alike: each carries this directory, which nothing else on the system does.
        for process in processes::of(self.dir.path()) {
            processes::kill(process.id);
        }
        if std::thread::panicking() {
            for name in ["server.log", "agents.log"] {
                eprintln!("--- {name}\n{}", last_lines(&self.path(name)));
            }
        }
    }
}

/// The guard of the agent's disk would clean what a case looks at, and say so in the logs, on a machine that is nearly full.
fn leave_the_disk_alone(agent: &Path) {
    let path = agent.join("config.json");
    let text = fs::read_to_string(&path).expect("the agent was configured");
    let mut config: Value = serde_json::from_str(&text).expect("its configuration is JSON");
    config["MinDiskSpaceGbForCleanup"] = json!(0.0);
    fs::write(&path, config.to_string()).expect("its configuration can be changed");
}

/// Why no process of this user can have a disk of its own here, if so.
pub(crate) async fn no_small_disk() -> Option<String> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = in_own_mounts();
    command.args(["sh", "-c", ON_SMALL_DISK, "sh", "1"]);
    match command.arg(dir.path()).arg("true").output().await {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("`unshare` cannot be run: {error}")),
    }
}

/// Begins a command whose mounts nobody else sees.
fn in_own_mounts() -> Command {
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
}

/// The binary under test.
fn testhide() -> OsString {
    std::env::var_os("TESTHIDE_CRASH_BINARY")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_testhide").into())
}

fn last_lines(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
