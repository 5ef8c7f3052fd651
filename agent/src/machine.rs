//! What the owner of a machine allows an agent there.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::run::Limits;

/// What the owner of a machine allows an agent there. The default is no limit, and nothing that is cleaned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MachineRules {
    /// What each attempt may use.
    pub limits: Limits,
    /// Free bytes below which old workspaces and homes are deleted.
    pub min_free_bytes: u64,
    /// Directories that may be emptied when that was not enough.
    pub directories_to_clean: Vec<PathBuf>,
    /// Names of processes that are ended when no build runs.
    pub stray_processes: Vec<String>,
}
