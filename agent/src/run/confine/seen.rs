//! What an agent found at its start, kept for who asks later from another place: `machine.json`.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::cgroup::Base;
use super::limits::Means;
use crate::error::AgentError;
use crate::files;

/// What an agent has to hold its steps with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// By which means limits are held.
    pub(crate) means: Means,
    /// The controllers of its cgroups, or why it has none.
    pub(crate) cgroup: Result<String, String>,
}

impl Seen {
    /// Makes this process's cgroups ready and looks.
    pub(crate) fn prepare() -> Self {
        let base = Base::prepare();
        match &base {
            Ok(base) => {
                tracing::info!(cgroup = %base.dir().display(), controllers = base.controllers(), "attempts have cgroups");
            }
            Err(why) => tracing::info!(why, "attempts have no cgroups"),
        }
        Self {
            means: Means::of(base.as_ref().ok()),
            cgroup: base.map(|base| base.controllers().to_owned()),
        }
    }

    /// Keeps it in the agent's directory.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn save(&self, dir: &Path) -> Result<(), AgentError> {
        let text = serde_json::to_vec(self).expect("plain data");
        files::write(&dir.join("machine.json"), &text)
    }

    /// What the agent in `dir` found at its last start, if it was ever started.
    pub(crate) fn load(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(dir.join("machine.json")).ok()?).ok()
    }
}
