//! The processes: one server on a port of its own, one agent; ended by their ids.

use super::client::Client;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The binary that is measured.
const TESTHIDE: &str = env!("CARGO_BIN_EXE_testhide");

/// How long a server may take to say that it listens, or to print its setup token.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server, perhaps with an agent, in a directory that goes with it.
pub(crate) struct Lab {
    dir: TempDir,
    port: u16,
    server: Option<Child>,
    agent: Option<Child>,
}

impl Lab {
    /// Starts a server on an empty directory and makes its first user.
    pub(crate) async fn start() -> (Self, Client) {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        let mut lab = Self {
            dir,
            port,
            server: None,
            agent: None,
        };
        lab.start_server();
        let token = lab.setup_token().await;
        let client = Client::set_up(&lab.address(), &token).await;
        (lab, client)
    }

    /// As [`Lab::start`], with an agent that runs `capacity` builds at once.
    pub(crate) async fn with_agent(capacity: u32) -> (Self, Client) {
        let (mut lab, client) = Self::start().await;
        let dir = lab.path("agent");
        let token = client.enrolment_token().await;
        let address = lab.address();
        let capacity = capacity.to_string();
        lab.agent_command(
            &dir,
            &[
                "config",
                "--url",
                &address,
                "--instance-id",
                "bench",
                "--capacity",
                &capacity,
            ],
            "",
        );
        lab.agent_command(&dir, &["enroll", "--token-file", "-"], &token);
        let agent = lab
            .command(&["agent", "run"])
            .env("TESTHIDE_AGENT_DIR", &dir)
            .stdout(Stdio::null())
            .stderr(lab.log_file("agent.log"))
            .spawn()
            .expect("the agent starts");
        lab.agent = Some(agent);
        (lab, client)
    }

    /// Base address of the server.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// A place in the lab's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the server; returns once it listens, with how long that took.
    pub(crate) fn start_server(&mut self) -> Duration {
        let began = Instant::now();
        let listen = format!("127.0.0.1:{}", self.port);
        let data = self.path("data");
        let mut server = self
            .command(&["serve", "--listen", &listen, "--data-dir"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(self.log_file("server.log"))
            .spawn()
            .expect("the server starts");
        let out = server.stdout.take().expect("its output is piped");
        let mut first = String::new();
        BufReader::new(out)
            .read_line(&mut first)
            .expect("its output can be read");
        assert!(
            first.contains("listens on"),
            "the server did not start: {first}{}",
            std::fs::read_to_string(self.path("server.log")).unwrap_or_default()
        );
        self.server = Some(server);
        began.elapsed()
    }

    /// Ends the server with `kill -9`.
    pub(crate) fn kill_server(&mut self) {
        end(&mut self.server);
    }

    /// Ends the agent.
    pub(crate) fn kill_agent(&mut self) {
        end(&mut self.agent);
    }

    /// Memory of the server in MB: `VmRSS` now, `VmHWM` the most since the last [`Lab::forget_peak`].
    pub(crate) fn server_mb(&self, field: &str) -> f64 {
        let server = self.server.as_ref().expect("the server runs");
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.id()))
            .expect("the server has a status");
        let line = status
            .lines()
            .find(|line| line.starts_with(field))
            .expect("a status names memory");
        let kilobytes: f64 = line
            .split_whitespace()
            .nth(1)
            .and_then(|word| word.parse().ok())
            .expect("memory is a number");
        kilobytes / 1024.0
    }

    /// Begins a new measurement of the most memory.
    pub(crate) fn forget_peak(&self) {
        let server = self.server.as_ref().expect("the server runs");
        let path = format!("/proc/{}/clear_refs", server.id());
        std::fs::write(path, "5").expect("the peak of an own process can be forgotten");
    }

    /// Bytes of all files of the data directory.
    pub(crate) fn data_bytes(&self) -> u64 {
        size_of(&self.path("data"))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(TESTHIDE);
        command
            .args(arguments)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("TESTHIDE_LOG", "warn")
            .stdin(Stdio::null());
        command
    }

    fn agent_command(&self, dir: &Path, arguments: &[&str], input: &str) {
        let mut child = self
            .command(&["agent"])
            .args(arguments)
            .env("TESTHIDE_AGENT_DIR", dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the agent's command starts");
        child
            .stdin
            .take()
            .expect("its input is piped")
            .write_all(input.as_bytes())
            .expect("it reads its input");
        assert!(
            child.wait().expect("it ends").success(),
            "agent {arguments:?}"
        );
    }

    fn log_file(&self, name: &str) -> Stdio {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(name))
            .expect("a log file");
        Stdio::from(file)
    }

    /// Printed right after the address.
    async fn setup_token(&self) -> String {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let log =
                std::fs::read_to_string(self.path("server.log")).expect("its log can be read");
            let token = log
                .split_whitespace()
                .find(|word| word.starts_with("th_setup_"));
            if let Some(token) = token {
                return token.to_owned();
            }
            tokio::task::yield_now().await;
        }
        panic!("the server prints no setup token");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        end(&mut self.agent);
        end(&mut self.server);
    }
}

fn end(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        drop(child.kill());
        drop(child.wait());
    }
}

fn size_of(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else {
        return std::fs::metadata(path).map_or(0, |file| file.len());
    };
    entries.flatten().map(|entry| size_of(&entry.path())).sum()
}
