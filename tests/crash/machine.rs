//! The processes: one server on a fixed port, some agents; all ended by their ids.

use super::driver::Driver;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The binary under test.
const TESTHIDE: &str = env!("CARGO_BIN_EXE_testhide");

/// A machine with a server and agents on it.
pub(crate) struct Machine {
    dir: TempDir,
    port: u16,
    server: Option<Child>,
    agents: Vec<Child>,
    setup_token: Option<String>,
}

impl Machine {
    /// Starts a server on an empty directory.
    pub(crate) async fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // The port must outlive the server, since agents come back to it.
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port")
            .port();
        let mut machine = Self {
            dir,
            port,
            server: None,
            agents: Vec::new(),
            setup_token: None,
        };
        machine.start_server().await;
        machine
    }

    /// Base address of the server.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The token for the first user, printed by the first start.
    pub(crate) fn setup_token(&mut self) -> String {
        self.setup_token
            .take()
            .expect("the first start prints a setup token")
    }

    /// A path that survives everything.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts the server and waits until it listens.
    pub(crate) async fn start_server(&mut self) {
        let errors = self.path("server.log");
        let mut command = Command::new(TESTHIDE);
        command
            .args([
                "serve",
                "--listen",
                &format!("127.0.0.1:{}", self.port),
                "--data-dir",
            ])
            .arg(self.path("data"))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("TESTHIDE_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(append_to(&errors));
        let mut server = command.spawn().expect("the server starts");
        let out = server.stdout.take().expect("its output is piped");
        let mut first = String::new();
        BufReader::new(out)
            .read_line(&mut first)
            .expect("its output can be read");
        let log = std::fs::read_to_string(&errors).unwrap_or_default();
        assert!(
            first.contains("listens on"),
            "the server did not start: {first}{}",
            last_lines(&log)
        );
        self.server = Some(server);
        if self.setup_token.is_none() {
            self.setup_token = self.wait_for_setup_token(&errors).await;
        }
    }

    async fn wait_for_setup_token(&self, errors: &Path) -> Option<String> {
        // Printed right after the address; a later start with users prints none.
        if self.path("user-made").exists() {
            return None;
        }
        loop {
            let log = std::fs::read_to_string(errors).expect("its log can be read");
            if let Some(token) = log
                .split_whitespace()
                .find(|word| word.starts_with("th_setup_"))
            {
                return Some(token.to_owned());
            }
            tokio::task::yield_now().await;
        }
    }

    /// Ends the server without a word to it.
    pub(crate) fn kill_server(&mut self) {
        let mut server = self.server.take().expect("the server runs");
        server.kill().expect("it can be killed");
        server.wait().expect("it ends");
    }

    /// Enrols and starts `count` agents.
    pub(crate) async fn start_agents(&mut self, driver: &Driver, count: usize) {
        for number in 0..count {
            let dir = self.path(&format!("agent-{number}"));
            let token = driver.enrolment_token().await;
            let name = format!("agent-{number}");
            self.agent(
                &dir,
                &[
                    "config",
                    "--url",
                    &self.address(),
                    "--instance-id",
                    &name,
                    "--capacity",
                    "2",
                ],
                "",
            );
            self.agent(&dir, &["enroll", "--token-file", "-"], &token);
            let agent = Command::new(TESTHIDE)
                .args(["agent", "run"])
                .env_clear()
                .env("PATH", std::env::var_os("PATH").unwrap_or_default())
                .env("TESTHIDE_AGENT_DIR", &dir)
                .env("HOME", self.dir.path())
                .env("TESTHIDE_LOG", "warn")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(append_to(&self.path("agents.log")))
                .spawn()
                .expect("the agent starts");
            self.agents.push(agent);
        }
    }

    fn agent(&self, dir: &Path, arguments: &[&str], input: &str) {
        let mut child = Command::new(TESTHIDE)
            .arg("agent")
            .args(arguments)
            .env("TESTHIDE_AGENT_DIR", dir)
            .env("HOME", self.dir.path())
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

    /// Ends everything.
    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        for child in self.agents.iter_mut().chain(self.server.as_mut()) {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Drop for Machine {
    #[expect(
        clippy::print_stderr,
        reason = "the only way to show the processes' logs of a failed test"
    )]
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            for name in ["server.log", "agents.log"] {
                let log = std::fs::read_to_string(self.path(name)).unwrap_or_default();
                eprintln!("--- {name}\n{}", last_lines(&log));
            }
        }
    }
}

fn append_to(path: &Path) -> Stdio {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .expect("a log file");
    Stdio::from(file)
}

fn last_lines(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}
