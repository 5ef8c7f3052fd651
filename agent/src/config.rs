//! `config.json`: the agent's settings, under the names that operators know.

use std::fs;
use std::io;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::AgentError;
use crate::files;
use crate::machine::MachineRules;
use crate::run::Limits;

/// The settings of an agent. Unknown keys are errors; absent ones have their defaults.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct Config {
    /// The server: `ws://`, `wss://`, `http://` or `https://`, with or without `/ws/agent`.
    pub web_socket_url: String,
    /// The agent's name.
    pub instance_id: String,
    /// Kept for configurations of other agents: this one is updated by whoever installed it.
    pub update_check_interval_seconds: u64,
    /// Free gigabytes below which old workspaces and homes are deleted.
    pub min_disk_space_gb_for_cleanup: f64,
    /// Kept for configurations of other agents: this one writes its log to stderr.
    pub log_cleanup_days: u32,
    /// Kept for configurations of other agents: this one always comes back.
    pub max_disconnections_allowed: u32,
    /// Seconds that a checkout may take.
    pub git_checkout_timeout_seconds: u64,
    /// Kept for configurations of other agents: this one takes no snapshots.
    pub include_test_cases_in_snapshots: bool,
    /// Directories that may be emptied when the disk is short and no build runs.
    pub directories_to_clean: Vec<String>,
    /// Processes that are ended between builds.
    pub stray_process_names_to_kill: Vec<String>,
    /// Kept for configurations of other agents: steps bring the Python that they need.
    pub python_env: PythonEnv,
    /// Labels, beside the name, that jobs may ask for.
    pub labels: Vec<String>,
    /// Builds that run at once.
    pub capacity: u32,
    /// Megabytes of memory that the steps of a build may use.
    pub max_memory_mb: Option<NonZeroU64>,
    /// Processes and threads that the steps of a build may have at once.
    pub max_processes: Option<NonZeroU64>,
    /// Processor time that the steps of a build may use, in hundredths of one processor.
    pub max_cpu_percent: Option<NonZeroU64>,
    /// Megabytes that a file of a step may have.
    pub max_file_size_mb: Option<NonZeroU64>,
    /// Files that a process of a step may have open.
    pub max_open_files: Option<NonZeroU64>,
    /// How much lower than the agent's the priority of steps is, 0 to 19.
    pub step_niceness: u8,
    /// The most megabytes that wait here for the server, of all builds together. When they are reached, steps wait; nothing is dropped.
    pub max_spool_mb: u64,
    /// Minutes that a build goes on after its agent's process is gone.
    pub orphan_minutes: u64,
}

/// How Python steps get their interpreter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields, default)]
pub struct PythonEnv {
    /// Whether a missing Python is installed.
    pub auto_install_python: bool,
    /// Whether a missing pyenv is installed.
    pub auto_install_pyenv: bool,
    /// Whether `requirements.txt` is installed.
    pub auto_install_requirements: bool,
    /// Whether virtualenv takes the place of a missing venv.
    pub fallback_to_virtualenv: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            web_socket_url: String::new(),
            instance_id: String::new(),
            update_check_interval_seconds: 3600,
            min_disk_space_gb_for_cleanup: 10.0,
            log_cleanup_days: 5,
            max_disconnections_allowed: 1,
            git_checkout_timeout_seconds: 600,
            include_test_cases_in_snapshots: false,
            directories_to_clean: Vec::new(),
            stray_process_names_to_kill: Vec::new(),
            python_env: PythonEnv::default(),
            labels: Vec::new(),
            capacity: 1,
            max_memory_mb: None,
            max_processes: None,
            max_cpu_percent: None,
            max_file_size_mb: None,
            max_open_files: None,
            step_niceness: 5,
            max_spool_mb: 4096,
            orphan_minutes: 5,
        }
    }
}

impl Default for PythonEnv {
    fn default() -> Self {
        Self {
            auto_install_python: false,
            auto_install_pyenv: false,
            auto_install_requirements: true,
            fallback_to_virtualenv: true,
        }
    }
}

impl Config {
    /// Reads the configuration of the agent in `dir`.
    ///
    /// # Errors
    /// When there is none, or it says something unknown; the message names the line.
    pub fn load(dir: &Path) -> Result<Self, AgentError> {
        let path = path_in(dir);
        match fs::read(&path) {
            Ok(bytes) => {
                let parsed = serde_json::from_slice(&bytes);
                parsed.map_err(|error| AgentError::Invalid {
                    path,
                    why: error.to_string(),
                })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(AgentError::NotConfigured { path })
            }
            Err(error) => Err(AgentError::file(&path)(error)),
        }
    }

    /// Checks and writes the configuration of the agent in `dir`.
    ///
    /// # Errors
    /// When something cannot be used (nothing is written then), or the disk refuses it.
    pub fn save(&self, dir: &Path) -> Result<(), AgentError> {
        self.check()?;
        files::make_dir(dir)?;
        files::write(&path_in(dir), format!("{}\n", self.to_json()).as_bytes())
    }

    /// The file's text.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("settings are plain data")
    }

    /// What the owner allows on this machine.
    #[must_use]
    pub fn machine(&self) -> MachineRules {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a negative or absurd number of gigabytes becomes the nearest that there is"
        )]
        let min_free_bytes = (self.min_disk_space_gb_for_cleanup * f64::from(1 << 30)) as u64;
        MachineRules {
            limits: Limits {
                memory_mb: self.max_memory_mb,
                processes: self.max_processes,
                cpu_percent: self.max_cpu_percent,
                file_size_mb: self.max_file_size_mb,
                open_files: self.max_open_files,
                niceness: self.step_niceness.min(19),
            },
            min_free_bytes,
            directories_to_clean: self
                .directories_to_clean
                .iter()
                .map(PathBuf::from)
                .collect(),
            stray_processes: self.stray_process_names_to_kill.clone(),
        }
    }

    /// The keys that are not as they come, and that do nothing in this agent.
    #[must_use]
    pub fn without_effect(&self) -> Vec<&'static str> {
        let usual = Self::default();
        let keys = [
            (
                "UpdateCheckIntervalSeconds",
                self.update_check_interval_seconds != usual.update_check_interval_seconds,
            ),
            (
                "LogCleanupDays",
                self.log_cleanup_days != usual.log_cleanup_days,
            ),
            (
                "MaxDisconnectionsAllowed",
                self.max_disconnections_allowed != usual.max_disconnections_allowed,
            ),
            (
                "IncludeTestCasesInSnapshots",
                self.include_test_cases_in_snapshots != usual.include_test_cases_in_snapshots,
            ),
            ("PythonEnv", self.python_env != usual.python_env),
        ];
        let changed = keys.into_iter().filter(|(_, is_changed)| *is_changed);
        changed.map(|(key, _)| key).collect()
    }

    fn check(&self) -> Result<(), AgentError> {
        Addresses::of(&self.web_socket_url)?;
        let length = self.instance_id.chars().count();
        if !(1..=100).contains(&length) {
            return Err(AgentError::Usage(
                "an agent's name has 1 to 100 characters".to_owned(),
            ));
        }
        if self.step_niceness > 19 {
            return Err(AgentError::Usage("`StepNiceness` is 0 to 19".to_owned()));
        }
        if self.capacity == 0 {
            return Err(AgentError::Usage(
                "an agent's capacity is at least 1".to_owned(),
            ));
        }
        Ok(())
    }
}

/// Where the server is, derived from one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// The agents' WebSocket.
    pub(crate) web_socket: String,
    /// Below this is `/api`.
    pub(crate) http: String,
}

impl Addresses {
    /// The addresses of the server at `url`.
    ///
    /// # Errors
    /// When it is no address of a server.
    pub(crate) fn of(url: &str) -> Result<Self, AgentError> {
        let wrong = || {
            AgentError::Usage(format!(
                "`{url}` is not an address of a server such as `wss://testhide.example.com`"
            ))
        };
        let (scheme, rest) = url.trim().split_once("://").ok_or_else(wrong)?;
        let secure = match scheme {
            "wss" | "https" => "s",
            "ws" | "http" => "",
            _ => return Err(wrong()),
        };
        let rest = rest.trim_end_matches('/');
        let rest = rest
            .strip_suffix("/ws/agent")
            .unwrap_or(rest)
            .trim_end_matches('/');
        if rest.is_empty() || rest.starts_with('/') || rest.contains(['?', '#', ' ', '@']) {
            return Err(wrong());
        }
        Ok(Self {
            web_socket: format!("ws{secure}://{rest}/ws/agent"),
            http: format!("http{secure}://{rest}"),
        })
    }
}

/// The agent's directory when nothing else is said: `TESTHIDE_AGENT_DIR`, else `.testhide-agent` in the user's home.
///
/// # Errors
/// When neither is known.
pub fn default_dir() -> Result<PathBuf, AgentError> {
    if let Some(dir) = std::env::var_os("TESTHIDE_AGENT_DIR").filter(|dir| !dir.is_empty()) {
        return Ok(dir.into());
    }
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let home = home.ok_or_else(|| {
        AgentError::Usage("set TESTHIDE_AGENT_DIR: this user has no home".to_owned())
    })?;
    Ok(home.join(".testhide-agent"))
}

fn path_in(dir: &Path) -> PathBuf {
    dir.join("config.json")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Scratch;

    #[test]
    fn the_file_has_the_known_keys_and_defaults() {
        let config = Config {
            web_socket_url: "ws://localhost:8000".to_owned(),
            instance_id: "linux-1".to_owned(),
            ..Config::default()
        };
        let expected = serde_json::json!({
            "WebSocketUrl": "ws://localhost:8000", "InstanceId": "linux-1", "UpdateCheckIntervalSeconds": 3600,
            "MinDiskSpaceGbForCleanup": 10.0, "LogCleanupDays": 5, "MaxDisconnectionsAllowed": 1,
            "GitCheckoutTimeoutSeconds": 600, "IncludeTestCasesInSnapshots": false, "DirectoriesToClean": [],
            "StrayProcessNamesToKill": [],
            "PythonEnv": { "AutoInstallPython": false, "AutoInstallPyenv": false, "AutoInstallRequirements": true,
                           "FallbackToVirtualenv": true },
            "Labels": [], "Capacity": 1, "MaxMemoryMb": null, "MaxProcesses": null, "MaxCpuPercent": null,
            "MaxFileSizeMb": null, "MaxOpenFiles": null, "StepNiceness": 5, "MaxSpoolMb": 4096, "OrphanMinutes": 5,
        });
        assert!(config.without_effect().is_empty());
        assert_eq!(config.machine().min_free_bytes, 10 << 30);
        assert_eq!(serde_json::to_value(&config).unwrap(), expected);
        let scratch = Scratch::new();
        config.save(scratch.path()).unwrap();
        assert_eq!(Config::load(scratch.path()).unwrap(), config);
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let scratch = Scratch::new();
        fs::write(
            path_in(scratch.path()),
            "{\n  \"InstanceId\": \"a\",\n  \"Instance\": \"b\"\n}\n",
        )
        .unwrap();
        let message = Config::load(scratch.path()).unwrap_err().to_string();
        assert!(
            message.contains("`Instance`") && message.contains("line 3"),
            "{message}"
        );
    }

    #[test]
    fn an_address_in_any_of_its_forms() {
        let check = |url: &str, expected: Option<(&str, &str)>| {
            let got = Addresses::of(url).ok();
            let got = got
                .as_ref()
                .map(|addresses| (addresses.web_socket.as_str(), addresses.http.as_str()));
            assert_eq!(got, expected, "{url}");
        };
        check(
            "http://h:8000",
            Some(("ws://h:8000/ws/agent", "http://h:8000")),
        );
        check("wss://h/ws/agent", Some(("wss://h/ws/agent", "https://h")));
        check(
            "https://h/ci/",
            Some(("wss://h/ci/ws/agent", "https://h/ci")),
        );
        for url in [
            "",
            "h:8000",
            "ftp://h",
            "http://",
            "http:///x",
            "http://u:p@h",
        ] {
            check(url, None);
        }
    }
}
