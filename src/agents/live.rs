//! Who is connected now. Memory only: after a restart of the server everybody has the full time to come back.

use super::store::SUSPECT_AFTER;
use crate::kit::Clock;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;
use testhide_protocol::{AgentId, Timestamp};
use tokio_util::sync::CancellationToken;

/// Comings and goings of one agent are told at most this often: one that is turned away again and again does not fill the event log.
const TELL_EVERY: Duration = Duration::from_secs(60);

/// The sessions that are open, and when each agent was last heard.
pub(super) struct Live {
    clock: Clock,
    /// When this server began to listen, on the monotonic clock.
    since: Duration,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    told: HashMap<AgentId, Told>,
    sessions: HashMap<AgentId, Session>,
    heard: HashMap<AgentId, Heard>,
    last_number: u64,
}

struct Session {
    number: u64,
    name: String,
    labels: Vec<String>,
    /// When it began, on the monotonic clock.
    since: Duration,
    /// Ends the session: a reconnecting agent wins over its own ghost.
    kick: CancellationToken,
}

/// What the event log last said of an agent.
#[derive(Clone, Copy)]
struct Told {
    connected: bool,
    monotonic: Duration,
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
        let since = self.clock.monotonic();
        let mut inner = self.inner.lock();
        inner.last_number += 1;
        let number = inner.last_number;
        if let Some(ghost) = inner.sessions.insert(
            agent,
            Session {
                number,
                name,
                labels,
                since,
                kick,
            },
        ) {
            ghost.kick.cancel();
        }
        drop(inner);
        self.heard(agent);
        number
    }

    /// Whether a session is still the agent's present one.
    pub(super) fn is_present(&self, agent: AgentId, number: u64) -> bool {
        let inner = self.inner.lock();
        let session = inner.sessions.get(&agent);
        session.is_some_and(|session| session.number == number && !session.kick.is_cancelled())
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

    /// How long `agent` has been connected without a break, if it is.
    pub(super) fn connected_for(&self, agent: AgentId) -> Option<Duration> {
        let inner = self.inner.lock();
        let session = inner.sessions.get(&agent)?;
        Some(self.clock.monotonic().saturating_sub(session.since))
    }

    /// Whether the event log is to be told now that `agent` is connected (or not); the answer counts as told. A coming or going is told
    /// at once unless one was told in the last [`TELL_EVERY`]; what is left out is told later if it is still so.
    pub(super) fn to_tell(&self, agent: AgentId) -> Option<bool> {
        let monotonic = self.clock.monotonic();
        let mut inner = self.inner.lock();
        let connected = inner.sessions.contains_key(&agent);
        let known = match inner.told.get(&agent) {
            Some(told) => {
                told.connected == connected || monotonic.saturating_sub(told.monotonic) < TELL_EVERY
            }
            None => !connected,
        };
        if known {
            return None;
        }
        let told = Told {
            connected,
            monotonic,
        };
        inner.told.insert(agent, told);
        Some(connected)
    }

    /// What [`Live::to_tell`] answered of `agent` did not reach the event log: it is told again, at once when it is still so.
    pub(super) fn not_told(&self, agent: AgentId, told: Option<bool>) {
        let mut inner = self.inner.lock();
        let known = inner.told.get_mut(&agent);
        if let Some(known) = known.filter(|known| Some(known.connected) == told) {
            known.connected = !known.connected;
            known.monotonic = known.monotonic.saturating_sub(TELL_EVERY);
        }
    }

    /// Agents of which the event log was told anything, the oldest first.
    pub(super) fn told(&self) -> Vec<AgentId> {
        let mut told: Vec<AgentId> = self.inner.lock().told.keys().copied().collect();
        told.sort_unstable();
        told
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

    /// Ends the agent's session, if there is one.
    pub(super) fn kick(&self, agent: AgentId) {
        if let Some(session) = self.inner.lock().sessions.get(&agent) {
            session.kick.cancel();
        }
    }

    /// Everybody who is connected, with labels and name.
    pub(super) fn connected(&self) -> Vec<(AgentId, Vec<String>, String)> {
        let inner = self.inner.lock();
        inner
            .sessions
            .iter()
            .map(|(agent, session)| (*agent, session.labels.clone(), session.name.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_session_ends_its_ghost_and_outlives_it() {
        let live = Live::new(Clock::manual(Timestamp(0)));
        let agent = AgentId::generate();
        let kicks = [CancellationToken::new(), CancellationToken::new()];
        let come =
            |kick: &CancellationToken| live.open(agent, "one".to_owned(), Vec::new(), kick.clone());
        let ghost = come(&kicks[0]);
        assert!(!kicks[0].is_cancelled());
        come(&kicks[1]);
        assert!(kicks[0].is_cancelled() && !kicks[1].is_cancelled());
        assert!(!live.close(agent, ghost));
        assert_eq!(live.state(agent), "online");
    }

    #[test]
    fn an_agent_that_comes_and_goes_is_told_once_a_minute() {
        let clock = Clock::manual(Timestamp(0));
        let live = Live::new(clock.clone());
        let agent = AgentId::generate();
        let come = || {
            live.open(
                agent,
                "one".to_owned(),
                Vec::new(),
                CancellationToken::new(),
            )
        };
        assert_eq!(live.to_tell(agent), None, "it was never here");
        let mut told = Vec::new();
        for _ in 0..120 {
            let session = come();
            told.extend(live.to_tell(agent));
            live.close(agent, session);
            told.extend(live.to_tell(agent));
            clock.advance(Duration::from_secs(1));
        }
        assert_eq!(told, [true, false], "at 0 s, and at 60 s that it is gone");
        clock.advance(TELL_EVERY);
        assert_eq!(live.to_tell(agent), None, "it is gone, as was told");
        come();
        assert_eq!(live.to_tell(agent), Some(true));
        assert_eq!(live.told(), [agent]);
    }

    #[test]
    fn what_could_not_be_stored_is_told_again() {
        let clock = Clock::manual(Timestamp(0));
        clock.advance(TELL_EVERY);
        let live = Live::new(clock.clone());
        let agent = AgentId::generate();
        let name = || "one".to_owned();
        let session = live.open(agent, name(), Vec::new(), CancellationToken::new());
        let told = live.to_tell(agent);
        live.not_told(agent, told);
        assert_eq!(live.told(), [agent]);
        assert_eq!(live.to_tell(agent), Some(true), "it is still here");
        live.not_told(agent, None);
        assert_eq!(live.to_tell(agent), None);
        clock.advance(TELL_EVERY);
        live.close(agent, session);
        let told = live.to_tell(agent);
        assert_eq!(told, Some(false));
        live.not_told(agent, told);
        live.open(agent, name(), Vec::new(), CancellationToken::new());
        assert_eq!(live.to_tell(agent), None, "the log has it as connected");
    }

    #[test]
    fn a_new_session_begins_its_own_time() {
        let clock = Clock::manual(Timestamp(0));
        let live = Live::new(clock.clone());
        let agent = AgentId::generate();
        let come = || {
            live.open(
                agent,
                "one".to_owned(),
                Vec::new(),
                CancellationToken::new(),
            )
        };
        assert_eq!(live.connected_for(agent), None);
        let first = come();
        assert!(live.is_present(agent, first));
        clock.advance(Duration::from_secs(9));
        assert_eq!(live.connected_for(agent), Some(Duration::from_secs(9)));
        let second = come();
        assert_eq!(live.connected_for(agent), Some(Duration::ZERO));
        assert!(!live.is_present(agent, first) && live.is_present(agent, second));
        live.kick(agent);
        assert!(!live.is_present(agent, second));
    }
}
