//! An agent's machine: its disk, its agent process, and the runners of its attempts, each of which may die by itself.
//!
//! The agent's process is the real one. What its runners write is written down here, to be compared with what the server has in the end.

use super::dice::{Dice, mix};
use super::net::{Net, pass};
use super::plan::{AgentPlan, Going};
use super::runner::{Attempted, Fate, Playing, journal_files, length_of};
use super::script::Script;
use super::server::{SPECIAL, Server};
use super::trace::Trace;
use crate::accounts::Principal;
use futures_util::FutureExt;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use testhide_agent::simulation::{self, Boot, ScriptedAttempt, StopOrder};
use testhide_agent::{
    Agent, AgentError, AgentKey, AgentOptions, ByteStream, Opening, Runner, Uplink,
};
use testhide_protocol::api::Enroll;
use testhide_protocol::wire::{AttemptEnd, Lease};
use testhide_protocol::{AgentId, Timestamp};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How often an agent looks after its runners. A real one looks more often; here each look would only take time.
const WATCH: Duration = Duration::from_millis(250);

/// Sizes of segments of journals: small ones, so that many are begun and deleted, and the real one.
const SEGMENTS: [u64; 3] = [2_000, 30_000, 16 * 1024 * 1024];

/// A machine; clones are the same one.
#[derive(Clone)]
pub(super) struct Machine(Arc<Inner>);

struct Inner {
    number: usize,
    plan: AgentPlan,
    dir: TempDir,
    key: AgentKey,
    net: Net,
    dice: Dice,
    trace: Trace,
    began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    id: Option<AgentId>,
    process: Option<Process>,
    /// What was ever written.
    attempts: BTreeMap<Lease, Attempted>,
    runners: BTreeMap<Lease, RunnerProcess>,
    /// How far its wall clock is off.
    clock_millis: i64,
    boot: u64,
}

struct Process {
    task: JoinHandle<Result<(), AgentError>>,
    shutdown: CancellationToken,
    kill: CancellationToken,
}

struct RunnerProcess {
    task: JoinHandle<()>,
    kill: CancellationToken,
    path: PathBuf,
}

impl Machine {
    pub(super) fn new(number: usize, plan: AgentPlan, net: Net, dice: Dice, trace: Trace) -> Self {
        let dir = in_memory_or_not();
        let key = AgentKey::load_or_create(&dir.path().join("key"));
        Self(Arc::new(Inner {
            number,
            plan,
            key: key.expect("a new directory takes a key"),
            dir,
            net,
            dice,
            trace,
            began: Instant::now(),
            state: Mutex::default(),
        }))
    }

    pub(super) fn number(&self) -> usize {
        self.0.number
    }

    pub(super) fn name(&self) -> String {
        format!("agent-{}", self.0.number)
    }

    /// Its identity.
    pub(super) fn id(&self) -> Option<AgentId> {
        self.0.state.lock().id
    }

    /// Gets its identity.
    pub(super) async fn enrol(&self, server: &Server) -> AgentId {
        let token = server.agents.new_enrolment(&Principal::system()).await;
        let request = Enroll {
            token: token.expect("a token is given").token,
            name: self.name(),
            public_key: self.0.key.public_hex(),
        };
        let id = server.agents.enroll(request, None).await;
        let id = id.expect("a new name and a good token");
        self.0.state.lock().id = Some(id);
        id
    }

    /// Starts the agent's process; nothing when it runs.
    pub(super) fn start(&self) {
        let mut state = self.0.state.lock();
        if state.process.is_some() {
            return;
        }
        self.0.net.power_back(Some(self.0.number));
        let (id, key) = (state.id.expect("it was enrolled"), self.0.key.clone());
        let runner = Arc::new(self.clone());
        let mut options = AgentOptions::new("ws://server", self.0.dir.path(), id, key, runner);
        options.capacity = self.0.plan.capacity;
        if self.0.plan.is_special {
            options.labels.push(SPECIAL.to_owned());
        }
        let agent = match Agent::new(options) {
            Ok(agent) => agent.over(Arc::new(self.clone())),
            Err(error) => {
                let number = self.0.number;
                self.0
                    .trace
                    .fail(format!("agent {number} does not open: {error}"));
                return;
            }
        };
        self.0.trace.line(format!("agent {} starts", self.0.number));
        let (shutdown, kill) = (CancellationToken::new(), CancellationToken::new());
        let running = simulation::run(agent, shutdown.clone(), kill.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "the machine holds it and ends it"
        )]
        let task = tokio::spawn(running);
        state.process = Some(Process {
            task,
            shutdown,
            kill,
        });
    }

    /// Ends the agent's process, and with the power its runners; says whether it ran.
    pub(super) async fn go(&self, how: Going) -> bool {
        let Some(process) = self.0.state.lock().process.take() else {
            return false;
        };
        match how {
            Going::InOrder => process.shutdown.cancel(),
            Going::Killed => process.kill.cancel(),
            Going::PowerLost => {
                self.0.net.power_lost(Some(self.0.number));
                process.kill.cancel();
                self.lose_power().await;
            }
        }
        if process.task.await.is_err() {
            let number = self.0.number;
            self.0.trace.fail(format!("agent {number} panicked"));
        }
        true
    }

    async fn lose_power(&self) {
        let runners = std::mem::take(&mut self.0.state.lock().runners);
        for (lease, runner) in runners {
            runner.kill.cancel();
            drop(runner.task.await);
            let mut state = self.0.state.lock();
            let Some(attempted) = state.attempts.get_mut(&lease) else {
                continue;
            };
            if attempted.fate == Fate::Died {
                let synced = attempted.synced;
                attempted.fate = Fate::PowerLost { synced };
                self.cut_journal(&runner.path, &attempted.files_synced);
            }
        }
        self.0.state.lock().boot += 1;
    }

    /// Of what was not synced, any part from its beginning may be there.
    fn cut_journal(&self, dir: &Path, synced: &BTreeMap<PathBuf, u64>) {
        for path in journal_files(dir) {
            let length = length_of(&path);
            let safe = synced.get(&path).copied().unwrap_or(0);
            if length > safe {
                let kept = self.0.dice.within(safe..length + 1);
                let file = std::fs::OpenOptions::new().write(true).open(&path);
                let cut = file.and_then(|file| file.set_len(kept));
                cut.expect("a file of a dead machine is cut");
            }
        }
    }

    /// One of its runners dies.
    pub(super) fn kill_a_runner(&self) {
        let mut state = self.0.state.lock();
        let running: Vec<Lease> = state.runners.keys().copied().collect();
        if running.is_empty() {
            return;
        }
        let lease = self.0.dice.pick(&running);
        if let Some(runner) = state.runners.remove(&lease) {
            runner.kill.cancel();
        }
    }

    /// Lets its wall clock jump.
    pub(super) fn jump(&self, millis: i64) {
        self.0.state.lock().clock_millis += millis;
    }

    /// What its runners have written, by lease.
    pub(super) fn attempts(&self) -> BTreeMap<Lease, Attempted> {
        self.0.state.lock().attempts.clone()
    }

    /// Looks whether the agent's process ended by itself, which it does only when the server says that it was removed.
    pub(super) fn look(&self) {
        let mut state = self.0.state.lock();
        let Some(process) = state.process.take_if(|process| process.task.is_finished()) else {
            return;
        };
        drop(state);
        let what = match process.task.now_or_never() {
            Some(Ok(Err(AgentError::Refused { code, .. }))) if code == "unknown_agent" => return,
            Some(Ok(Ok(()))) => "without a reason".to_owned(),
            Some(Ok(Err(error))) => error.to_string(),
            Some(Err(error)) => error.to_string(),
            None => return,
        };
        let number = self.0.number;
        self.0
            .trace
            .fail(format!("agent {number} ended by itself: {what}"));
    }

    /// What is left on the machine, if something is.
    pub(super) fn unfinished(&self) -> Option<String> {
        let number = self.0.number;
        let state = self.0.state.lock();
        if state
            .runners
            .values()
            .any(|runner| !runner.task.is_finished())
        {
            return Some(format!("a runner of agent {number} runs"));
        }
        let spool = std::fs::read_dir(self.0.dir.path().join("spool"));
        let left = spool.map_or(0, Iterator::count);
        (left > 0).then(|| format!("agent {number} has {left} entries in its spool"))
    }

    /// Writes down what a runner of it has written.
    pub(super) fn note(&self, lease: Lease, change: impl FnOnce(&mut Attempted)) {
        change(self.0.state.lock().attempts.entry(lease).or_default());
    }

    /// Its wall clock.
    pub(super) fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.0.began.elapsed().as_millis()).expect("some hours");
        let offset = self.0.state.lock().clock_millis;
        Timestamp(super::world::BEGIN.0 + elapsed + offset)
    }

    /// Plays a script into the journal at `path`, until its end or until somebody ends it.
    async fn play(self, path: PathBuf, boot: Boot) {
        // A machine may be slow to start a process.
        let late = if self.0.dice.once_in(8) { 3_000 } else { 40 };
        pass(self.0.dice.millis(1..late)).await;
        let mut attempt = match ScriptedAttempt::open(&path, boot) {
            Ok(attempt) => attempt.with_segments_of(self.0.dice.pick(&SEGMENTS)),
            Err(error) => {
                // Its agent was faster, and has ended what seemed to have no runner.
                let number = self.0.number;
                drop(error);
                self.0
                    .trace
                    .line(format!("a runner of agent {number} comes too late"));
                return;
            }
        };
        let (lease, number) = (
            attempt.assignment().lease,
            attempt.assignment().build_number,
        );
        let name = format!("b{number}.{}.{}", lease.attempt, lease.fence);
        self.0
            .trace
            .line(format!("a runner of agent {} begins {name}", self.0.number));
        let seed = mix(number ^ mix(u64::from(lease.attempt) ^ mix(lease.fence)));
        let steps = attempt.assignment().definition.steps.len();
        let script = Script::roll(&Dice::new(seed), &name, steps);
        let mut playing = Playing {
            machine: self.clone(),
            attempt: &mut attempt,
            lease,
            path,
            began: Instant::now(),
            step: 0,
            files: 0,
        };
        playing.note(|_| {});
        let end = match playing.steps(&script).await {
            Ok(()) => script.end,
            Err(StopOrder::Cancel(reason)) => {
                playing.say(&format!("s cancelled: {reason}\n"));
                AttemptEnd::Cancelled
            }
            Err(StopOrder::Shutdown) => AttemptEnd::Interrupted,
            Err(StopOrder::Abandon) => return,
        };
        attempt.end(end).expect("the disk has room");
        let mut state = self.0.state.lock();
        let attempted = state.attempts.entry(lease).or_default();
        attempted.fate = Fate::Ended(end);
        drop(state);
        self.0.trace.line(format!("{name} ends as {end:?}"));
    }
}

impl Runner for Machine {
    fn launch(&self, spool: &Path) -> io::Result<()> {
        if self.0.dice.once_in(60) {
            self.0.trace.line("a runner cannot be started");
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let lease = simulation::lease_of(spool).ok_or(io::ErrorKind::InvalidInput)?;
        let kill = CancellationToken::new();
        let mut state = self.0.state.lock();
        let boot = Boot::numbered(state.boot);
        let (machine, killed) = (self.clone(), kill.clone());
        let path = spool.to_owned();
        #[expect(
            clippy::disallowed_methods,
            reason = "the machine holds it and ends it"
        )]
        let task = tokio::spawn(async move {
            tokio::select! {
                biased;
                () = killed.cancelled() => {}
                () = machine.clone().play(path, boot) => {}
            }
            let mut state = machine.0.state.lock();
            if let Some(attempted) = state.attempts.get_mut(&lease)
                && attempted.fate == Fate::Running
            {
                attempted.fate = Fate::Died;
            }
        });
        let path = spool.to_owned();
        state
            .runners
            .insert(lease, RunnerProcess { task, kill, path });
        Ok(())
    }

    fn is_alive(&self, spool: &Path) -> bool {
        let state = self.0.state.lock();
        let mut runners = state.runners.values();
        runners.any(|runner| runner.path == spool && !runner.task.is_finished())
    }

    fn look_every(&self) -> Duration {
        WATCH
    }

    fn boot(&self) -> Boot {
        Boot::numbered(self.0.state.lock().boot)
    }
}

impl Uplink for Machine {
    fn open<'a>(&'a self, _: &'a str, _: u16) -> Opening<'a> {
        Box::pin(async move {
            let stream = self.0.net.connect(self.0.number).await?;
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        })
    }

    fn chance(&self) -> f64 {
        self.0.dice.part()
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Machine({})", self.0.number)
    }
}

/// A directory that costs no sync where the system has one in memory.
fn in_memory_or_not() -> TempDir {
    let shared = Path::new("/dev/shm");
    let dir = tempfile::tempdir_in(shared).or_else(|_| tempfile::tempdir());
    dir.expect("there is room for a small directory")
}
