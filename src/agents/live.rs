//! Who is connected now. Memory only: after a restart of the server everybody has the full time to come back.

use super::store::SUSPECT_AFTER;
use crate::kit::Clock;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use testhide_protocol::{AgentId, Timestamp};
use tokio_util::sync::CancellationToken;

/// The sessions that are open, and when each agent was last heard.
pub(super) struct Live {
    clock: Clock,
    /// When this server began to listen, on the monotonic clock.
    since: Duration,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    sessions: HashMap<AgentId, Session>,
    heard: HashMap<AgentId, Heard>,
    last_number: u64,
}

struct Session {
    number: u64,
    name: String,
    labels: Vec<String>,
    /// Ends the session: a reconnecting agent wins over its own ghost.
    kick: CancellationToken,
}

#[derive(Clone, Copy)]
struct Heard {
    monotonic: Duration,
    at: Timestamp,
}

impl Live {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            since: clock.monotonic(),
            clock,
            inner: Mutex::default(),
        }
    }

    /// Opens a session and ends an older one of the same agent. Answers its number.
    pub(super) fn open(
        &self,
        agent: AgentId,
        name: String,
        labels: Vec<String>,
        kick: CancellationToken,
    ) -> u64 {
        let mut inner = self.inner.lock();
        inner.last_number += 1;
        let number = inner.last_number;
        if let Some(ghost) = inner.sessions.insert(
            agent,
            Session {
                number,
                name,
                labels,
                kick,
            },
        ) {
            ghost.kick.cancel();
        }
        drop(inner);
        self.heard(agent);
        number
    }

    /// Closes a session; says whether it was still the agent's present one.
    pub(super) fn close(&self, agent: AgentId, number: u64) -> bool {
        let mut inner = self.inner.lock();
        let present = inner
            .sessions
            .get(&agent)
            .is_some_and(|session| session.number == number);
        if present {
            inner.sessions.remove(&agent);
        }
        present
    }

    /// Remembers that `agent` said something.
    pub(super) fn heard(&self, agent: AgentId) {
        let heard = Heard {
            monotonic: self.clock.monotonic(),
            at: self.clock.now(),
        };
        self.inner.lock().heard.insert(agent, heard);
    }

    /// How long `agent` has been silent; since the server began when it was never heard.
    pub(super) fn silence(&self, agent: AgentId) -> Duration {
        let last = self
            .inner
            .lock()
            .heard
            .get(&agent)
            .map_or(self.since, |heard| heard.monotonic);
        self.clock.monotonic().saturating_sub(last)
    }

    /// When `agent` was last heard by this server.
    pub(super) fn last_heard_at(&self, agent: AgentId) -> Option<Timestamp> {
        self.inner.lock().heard.get(&agent).map(|heard| heard.at)
    }

    /// `online`, `suspect` or `offline`.
    pub(super) fn state(&self, agent: AgentId) -> &'static str {
        let connected = self.inner.lock().sessions.contains_key(&agent);
        match connected {
            false => "offline",
            true if self.silence(agent) > SUSPECT_AFTER => "suspect",
            true => "online",
        }
    }

    /// Labels and name of everybody who is connected.
    pub(super) fn connected(&self) -> Vec<(Vec<String>, String)> {
        let inner = self.inner.lock();
        inner
            .sessions
            .values()
            .map(|session| (session.labels.clone(), session.name.clone()))
            .collect()
    }
}
