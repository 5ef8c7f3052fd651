//! Leases of agents that are gone: the pass that gives them up.
//!
//! Only monotonic time decides, and only time in which the server could have heard of an end: a jump of the wall clock, a server that was
//! away, stopped or read-only, or an agent that was away cost nobody a build.

use super::error::AgentsError;
use super::store::Agents;
use crate::builds::HeldLease;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use testhide_protocol::api::AgentMode;
use testhide_protocol::wire::Lease;

/// How much longer than its time limit an attempt may hold its lease before the server stops believing its agent.
const OVERTIME: Duration = Duration::from_secs(10 * 60);

/// Time between two passes after which the server itself was away: its process was stopped, or its machine was paused or moved. What
/// agents said meanwhile may not have been read yet.
const PAUSE: Duration = Duration::from_secs(15);

/// Finds attempts that nobody works on any more.
#[derive(Clone)]
pub struct Reconcile {
    agents: Agents,
    lost_after: Duration,
    watch: Arc<Mutex<Watch>>,
}

/// What earlier passes saw, on the monotonic clock.
#[derive(Default)]
struct Watch {
    /// The first pass, or the first after a time in which nobody could be heard.
    began: Option<Duration>,
    /// When a pass last began or went on to its next lease.
    last: Option<Duration>,
    /// When each lease was seen first.
    seen: HashMap<Lease, Duration>,
}

impl Watch {
    /// A pass begins or goes on; says whether agents had their time to come back.
    fn begin(&mut self, now: Duration, lost_after: Duration) -> bool {
        let last = self.last.replace(now);
        let was_away = last.is_some_and(|last| now.saturating_sub(last) > PAUSE);
        if was_away {
            self.began = None;
        }
        let began = *self.began.get_or_insert(now);
        now.saturating_sub(began) >= lost_after
    }

    /// Remembers when each lease was seen first.
    fn see(&mut self, now: Duration, leases: &[HeldLease]) {
        let before = std::mem::take(&mut self.seen);
        self.seen = leases
            .iter()
            .map(|held| (held.lease, before.get(&held.lease).copied().unwrap_or(now)))
            .collect();
    }
}

impl Reconcile {
    /// Agents that are silent for `lost_after` are lost.
    #[must_use]
    pub fn new(agents: Agents, lost_after: Duration) -> Self {
        Self {
            agents,
            lost_after,
            watch: Arc::default(),
        }
    }

    /// Gives up every lease whose agent is lost, and every attempt far over its time; answers how many. Gives up nothing before agents
    /// had their time to come back after the first pass. A lease that cannot be given up does not stop the pass.
    ///
    /// # Errors
    /// The first failure of the store; everything else was done.
    pub async fn pass_once(&self) -> Result<usize, AgentsError> {
        let now = self.agents.clock.monotonic();
        let had_time = self.watch.lock().begin(now, self.lost_after);
        let (mut given_up, mut failed) = (0, self.agents.tell_late().await.err());
        let leases = self.agents.builds.leases()?;
        self.watch
            .lock()
            .see(self.agents.clock.monotonic(), &leases);
        if !had_time {
            return failed.map_or(Ok(0), Err);
        }
        for held in leases {
            let now = self.agents.clock.monotonic();
            if !self.watch.lock().begin(now, self.lost_after) {
                break;
            }
            match self.judge(held).await {
                Ok(is_lost) => given_up += usize::from(is_lost),
                Err(AgentsError::Builds(error)) if error.is_read_only() => {
                    // The server could not have taken anybody's word: its agents get their whole time again.
                    self.watch.lock().began = None;
                    return Err(error.into());
                }
                Err(error) => {
                    let number = held.number;
                    tracing::warn!(
                        build.number = number,
                        "failed to look after the lease of build {number}: {error}"
                    );
                    failed.get_or_insert(error);
                }
            }
        }
        failed.map_or(Ok(given_up), Err)
    }

    /// Gives one lease up if that is due; says whether it did.
    async fn judge(&self, held: HeldLease) -> Result<bool, AgentsError> {
        let live = &self.agents.live;
        let limit = self.agents.builds.time_limit(held.lease.build)?;
        let now = self.agents.clock.monotonic();
        let seen = self.watch.lock().seen.get(&held.lease).copied();
        let held_for = now.saturating_sub(seen.unwrap_or(now));
        let facts = Facts {
            silence: live.silence(held.agent),
            could_hear: live
                .connected_for(held.agent)
                .map(|connected| connected.min(held_for)),
            limit: Duration::from_secs(u64::from(limit.unwrap_or(0))),
        };
        let out = match self.agents.mode(held.agent)? {
            None => Some("its agent was removed"),
            Some(mode) if mode.mode == AgentMode::Disabled => Some("its agent was disabled"),
            Some(_) => limit.is_none().then_some("its build is not there"),
        };
        let reason = facts.reason(self.lost_after);
        let Some(reason) = out.map(str::to_owned).or(reason) else {
            return Ok(false);
        };
        tracing::warn!(
            build.number = held.number,
            "build {} is given up: {reason}",
            held.number
        );
        Ok(self.agents.builds.lose(held, reason).await?.is_some())
    }
}

/// What a lease is judged by.
#[derive(Debug, Clone, Copy)]
struct Facts {
    /// How long its agent has said nothing.
    silence: Duration,
    /// How long the server could have heard of the end: its agent connected without a break, the lease known.
    could_hear: Option<Duration>,
    /// How long the attempt may take.
    limit: Duration,
}

impl Facts {
    /// Why the lease is to be given up, if it is.
    fn reason(self, lost_after: Duration) -> Option<String> {
        if self.silence >= lost_after {
            let seconds = self.silence.as_secs();
            return Some(format!("its agent was lost: silent for {seconds} s"));
        }
        let is_over = self
            .could_hear
            .is_some_and(|could_hear| could_hear > self.limit + OVERTIME);
        is_over.then(|| "its agent did not end it in time".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_pause_of_the_server_agents_have_their_whole_time() {
        let seconds = Duration::from_secs;
        let mut watch = Watch::default();
        let mut pass = |now: u64| watch.begin(seconds(now), seconds(60));
        assert!(!pass(0));
        for now in (5..60).step_by(5) {
            assert!(!pass(now), "{now}");
        }
        assert!(pass(60) && pass(65) && pass(80), "a pass may be late");
        // Stopped for ten minutes: everybody seems silent for as long.
        assert!(!pass(680));
        for now in (685..740).step_by(5) {
            assert!(!pass(now), "{now}");
        }
        assert!(pass(740));
    }

    #[test]
    fn a_lease_is_given_up_for_silence_or_for_overtime_that_could_be_heard() {
        let check = |silence: u64, could_hear: Option<u64>, expected: Option<&str>| {
            let facts = Facts {
                silence: Duration::from_secs(silence),
                could_hear: could_hear.map(Duration::from_secs),
                limit: Duration::from_secs(100),
            };
            let reason = facts.reason(Duration::from_secs(60));
            assert_eq!(reason.as_deref(), expected, "{facts:?}");
        };
        let lost = Some("its agent was lost: silent for 60 s");
        check(0, Some(0), None);
        check(59, None, None);
        check(60, None, lost);
        check(60, Some(9999), lost);
        check(5, Some(700), None);
        check(5, Some(701), Some("its agent did not end it in time"));
    }
}
