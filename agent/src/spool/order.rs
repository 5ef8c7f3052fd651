//! What the agent tells a runner through the spool directory: what to do, and when to stop.

use serde::{Deserialize, Serialize};
use testhide_protocol::wire::Assignment;

use crate::machine::MachineRules;

/// `assignment.json`: everything that a runner has to know beside its directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    /// What to run.
    pub(crate) assignment: Assignment,
    /// How.
    pub(crate) settings: Settings,
}

/// What the attempts of one agent have in common.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// What the machine's owner allows.
    pub(crate) machine: MachineRules,
    /// How long a checkout may take.
    pub(crate) git_limit_seconds: u64,
    /// The most bytes that an attempt keeps on this machine before its steps wait.
    pub(crate) spool_bytes: u64,
    /// How long an attempt goes on after its agent is gone.
    pub(crate) orphan_after_ms: u64,
}

/// Why an attempt is to stop, the softest first. A later, harder order takes the place of an earlier one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopOrder {
    /// Somebody cancelled the build: post steps still run.
    Cancel(String),
    /// The agent ends.
    Shutdown,
    /// The server has taken the lease back: nothing that follows matters to anybody.
    Abandon,
}

/// The most bytes of a reason that a runner is told.
const MAX_REASON: usize = 1024;

impl StopOrder {
    /// A cancel whose reason fits into the slot.
    pub(crate) fn cancel(mut reason: String) -> Self {
        let end = reason.floor_char_boundary(MAX_REASON);
        reason.truncate(end);
        Self::Cancel(reason)
    }
}
