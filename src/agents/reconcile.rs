//! Leases of agents that are gone: the pass that gives them up.

use super::error::AgentsError;
use super::store::Agents;
use std::time::Duration;
use testhide_protocol::Timestamp;

/// How much longer than its time limit an attempt may hold its lease before the server stops believing its agent.
const OVERTIME_MILLIS: i64 = 10 * 60 * 1000;

/// Finds attempts that nobody works on any more.
#[derive(Clone)]
pub struct Reconcile {
    agents: Agents,
    lost_after: Duration,
}

impl Reconcile {
    /// Agents that are silent for `lost_after` are lost.
    #[must_use]
    pub fn new(agents: Agents, lost_after: Duration) -> Self {
        Self { agents, lost_after }
    }

    /// Gives up every lease whose agent is lost, and every attempt far over its time. Answers how many.
    ///
    /// # Errors
    /// Failures of the store; leases that were given up before stay so.
    pub async fn pass_once(&self, now: Timestamp) -> Result<usize, AgentsError> {
        let mut given_up = 0;
        for held in self.agents.builds.leases()? {
            let silence = self.agents.live.silence(held.agent);
            let limit = i64::from(self.agents.builds.time_limit(held.lease.build)?) * 1000;
            let reason = if silence >= self.lost_after {
                format!("its agent was lost: silent for {} s", silence.as_secs())
            } else if now.millis_since(held.claimed_at) > limit + OVERTIME_MILLIS {
                "its agent did not end it in time".to_owned()
            } else {
                continue;
            };
            tracing::warn!(
                build.number = held.number,
                "build {} is given up: {reason}",
                held.number
            );
            given_up += usize::from(self.agents.builds.lose(held, reason).await?.is_some());
        }
        Ok(given_up)
    }
}
