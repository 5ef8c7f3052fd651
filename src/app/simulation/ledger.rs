//! What must hold after every commit of the server: the life of each build as the event log tells it.
//!
//! The ledger reads the log once, in order, across restarts. An attempt that has ended is written down as it is then, and compared in the
//! end: nothing may change it any more.

use super::server::Server;
use super::trace::Trace;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use testhide_protocol::api::{BuildState, Event, StepState};
use testhide_protocol::{AgentId, BuildId};
use tokio::time::Instant;

/// Events that are read at once.
const BATCH: usize = 256;

/// What the log has said so far.
pub(super) struct Ledger {
    trace: Trace,
    /// The last event that was read.
    seq: u64,
    lives: BTreeMap<BuildId, Life>,
    /// Capacity of each agent.
    capacities: BTreeMap<AgentId, usize>,
    /// Silence after which an agent is lost.
    lost_after: Duration,
    /// When the present server began: it counts nobody's silence from before.
    server_began: Instant,
}

/// A build as its events tell.
#[derive(Default)]
struct Life {
    number: u64,
    state: State,
    /// The attempt that waits, runs or ran last.
    attempt: u32,
    lost: u32,
    logs: BTreeMap<u32, u64>,
    steps: BTreeSet<(u32, u32, String)>,
    artifacts: BTreeSet<String>,
    /// How each attempt stood when it ended.
    ended: BTreeMap<u32, String>,
    status: Option<BuildState>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Unknown,
    Queued,
    Running,
    Finished,
}

impl Ledger {
    pub(super) fn new(trace: Trace, lost_after: Duration) -> Self {
        Self {
            trace,
            seq: 0,
            lives: BTreeMap::new(),
            capacities: BTreeMap::new(),
            lost_after,
            server_began: Instant::now(),
        }
    }

    /// Tells how many builds an agent may run at once.
    pub(super) fn know(&mut self, agent: AgentId, capacity: u32) {
        self.capacities
            .insert(agent, usize::try_from(capacity).expect("a small number"));
    }

    /// Looks at what was committed since the last look.
    pub(super) fn look(&mut self, server: &Server) {
        // A server whose disk is gone answers nothing; the next one will.
        let Ok(leases) = server.builds.leases() else {
            return;
        };
        for (agent, capacity) in &self.capacities {
            let held = leases.iter().filter(|held| held.agent == *agent).count();
            if held > *capacity {
                self.trace.fail(format!(
                    "an agent of capacity {capacity} holds {held} leases"
                ));
            }
        }
        let builds: BTreeSet<BuildId> = leases.iter().map(|held| held.lease.build).collect();
        if builds.len() < leases.len() {
            self.trace.fail("a build has two leases");
        }
        while let Ok(events) = server.events.after(self.seq, BATCH) {
            if events.is_empty() {
                break;
            }
            for record in events {
                if record.seq != self.seq + 1 {
                    let text = format!("event {} follows event {}", record.seq, self.seq);
                    self.trace.fail(text);
                }
                self.seq = record.seq;
                if let Err(what) = self.note(server, &record.event) {
                    self.trace
                        .fail(format!("event {} must not be: {what}", record.seq));
                }
            }
        }
    }

    /// A server came back: it must know everything that one before it has shown.
    pub(super) fn comes_back(&mut self, server: &Server) {
        self.server_began = Instant::now();
        match server.events.last() {
            Ok(last) if last >= self.seq => {}
            Ok(last) => self.trace.fail(format!(
                "the log had {} events before the server died, and has {last}",
                self.seq
            )),
            Err(error) => self.trace.fail(format!("the log cannot be read: {error}")),
        }
    }

    fn note(&mut self, server: &Server, event: &Event) -> Result<(), String> {
        match event {
            Event::BuildQueued {
                build,
                number,
                attempt,
            } => {
                let life = self.lives.entry(*build).or_default();
                let is_legal = match life.state {
                    State::Unknown => *attempt == 1,
                    // An attempt was lost, or its agent declined it.
                    State::Queued => *attempt == life.attempt + 1,
                    State::Running => *attempt == life.attempt,
                    State::Finished => false,
                };
                let text = format!("build {number} attempt {attempt} is queued");
                require(is_legal, || format!("{text} in {:?}", life.state))?;
                self.trace.line(text);
                (life.number, life.state, life.attempt) = (*number, State::Queued, *attempt);
            }
            Event::BuildStarted {
                build,
                number,
                attempt,
                ..
            } => {
                let life = self.lives.entry(*build).or_default();
                let text = format!("build {number} attempt {attempt} starts");
                let is_legal = life.state == State::Queued && life.attempt == *attempt;
                require(is_legal, || format!("{text} in {:?}", life.state))?;
                self.trace.line(text);
                life.state = State::Running;
            }
            Event::AttemptLost {
                build,
                number,
                attempt,
            } => {
                let life = self.lives.entry(*build).or_default();
                let text = format!("build {number} attempt {attempt} is lost");
                let is_legal = life.state == State::Running && life.attempt == *attempt;
                require(is_legal, || format!("{text} in {:?}", life.state))?;
                self.trace.line(text.clone());
                life.lost += 1;
                life.state = State::Queued;
                let end = stored(server, *build, *attempt);
                let is_early = self.server_began.elapsed() < self.lost_after;
                require(!(is_early && end.contains("silent for")), || {
                    format!("{text}, and nobody had the time to come back")
                })?;
                life.ended.insert(*attempt, end);
            }
            Event::BuildFinished {
                build,
                number,
                attempt,
                status,
            } => {
                let life = self.lives.entry(*build).or_default();
                let text = format!("build {number} attempt {attempt} finishes as {status}");
                let is_waiting = life.state == State::Queued && *status == BuildState::Cancelled;
                let is_legal = is_waiting || life.state == State::Running;
                require(is_legal && life.attempt == *attempt, || {
                    format!("{text} in {:?}", life.state)
                })?;
                self.trace.line(text.clone());
                life.state = State::Finished;
                life.status = Some(*status);
                let end = stored(server, *build, *attempt);
                let is_early = self.server_began.elapsed() < self.lost_after;
                require(!(is_early && end.contains("silent for")), || {
                    format!("{text}, and nobody had the time to come back")
                })?;
                life.ended.insert(*attempt, end);
            }
            Event::StepChanged {
                build,
                attempt,
                step,
                status,
            } => {
                let life = self.lives.entry(*build).or_default();
                let is_now = life.state == State::Running && life.attempt == *attempt;
                require(is_now, || format!("step {step} in {:?}", life.state))?;
                let kind = match status {
                    StepState::Running => "began",
                    _ => "ended",
                };
                let is_new = life.steps.insert((*attempt, *step, kind.to_owned()));
                require(is_new, || format!("step {step} {kind} twice"))?;
            }
            Event::LogAppended {
                build,
                attempt,
                from,
                to,
                ..
            } => {
                let life = self.lives.entry(*build).or_default();
                let is_now = life.state == State::Running && life.attempt == *attempt;
                require(is_now, || format!("the log grows in {:?}", life.state))?;
                let end = life.logs.entry(*attempt).or_default();
                require(from == end && to > from, || {
                    format!("the log has {end} bytes and grows from {from} to {to}")
                })?;
                *end = *to;
            }
            Event::ArtifactStored { build, path } => {
                let life = self.lives.entry(*build).or_default();
                let is_new = life.artifacts.insert(path.clone());
                require(is_new, || format!("`{path}` is kept twice"))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// How a build ended, by its events.
    pub(super) fn status(&self, build: BuildId) -> Option<BuildState> {
        self.lives.get(&build)?.status
    }

    /// How often a build's agent was lost and the build was queued again.
    pub(super) fn lost(&self, build: BuildId) -> u32 {
        self.lives.get(&build).map_or(0, |life| life.lost)
    }

    /// Builds that the log tells of.
    pub(super) fn count(&self) -> usize {
        self.lives.len()
    }

    /// Compares every attempt that ended with how it stood then.
    pub(super) fn compare(&self, server: &Server) {
        for (build, life) in &self.lives {
            for (attempt, then) in &life.ended {
                let now = stored(server, *build, *attempt);
                if now != *then {
                    let number = life.number;
                    self.trace.fail(format!(
                        "build {number} attempt {attempt} changed after its end: {then} became {now}"
                    ));
                }
            }
        }
    }
}

/// Everything that is stored of an attempt, as text.
fn stored(server: &Server, build: BuildId, attempt: u32) -> String {
    let record = server.builds.inspect_attempt(build, attempt);
    let log = server.logs.head(build, attempt);
    format!("{record:?} {log:?}")
}

fn require(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
