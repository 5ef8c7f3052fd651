//! The attempts this agent holds: with a runner, or ended and not wholly delivered.
//!
//! An attempt is seen through its spool directory only, so that one which an earlier agent process began is no different from one
//! of this process. `care.rs` looks after their runners.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use testhide_protocol::wire::{Assignment, Lease};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::ending::Cause;
use super::workspace::Workspaces;
use crate::runner::Runner;
use crate::spool::{
    self, Boot, Order, Settings, Spool, SpoolDir, SpoolError, StopOrder, Stored, Survival,
};
use crate::threads::off_thread;

/// What an agent's attempts have in common.
pub(crate) struct Setup {
    /// The agent's directory; spool and workspaces are below it.
    pub(crate) dir: PathBuf,
    /// Attempts that run at once.
    pub(crate) capacity: usize,
    /// What each runner is told.
    pub(crate) settings: Settings,
    /// What runs attempts.
    pub(crate) runner: Arc<dyn Runner>,
    /// Stops everything where it is.
    pub(crate) kill: CancellationToken,
}

/// The attempts of one agent process.
#[derive(Clone)]
pub(crate) struct Attempts(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub(super) spool_root: PathBuf,
    pub(super) capacity: usize,
    pub(super) settings: Settings,
    pub(super) runner: Arc<dyn Runner>,
    /// The machine's run in which this process began.
    pub(super) boot: Boot,
    pub(super) state: Mutex<State>,
    /// How many are held, for who waits for the last delivery.
    pub(super) held: watch::Sender<usize>,
    /// Wakes delivery.
    pub(super) wake: Arc<Notify>,
    /// There is a runner to watch.
    pub(super) begun: Notify,
    /// The server has said how far it has an attempt.
    pub(super) heard: Notify,
    /// An attempt is gone that the server believes to run.
    pub(super) vanished: Notify,
    /// No more work is taken.
    pub(super) stopping: CancellationToken,
    /// Stops everything where it is.
    kill: CancellationToken,
    pub(super) tasks: TaskTracker,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) held: BTreeMap<Lease, Held>,
    /// Given up, and something of it may still run; deleted afterwards.
    pub(super) leaving: BTreeMap<Lease, Held>,
}

pub(super) struct Held {
    pub(super) spool: Arc<Spool>,
    pub(super) phase: Phase,
    /// What the server said that it has, for a journal of which nobody knows how much is left.
    pub(super) stored: Option<Stored>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A runner writes it.
    Running,
    /// Its runner is dead, and a task of this process ends it.
    Ending,
    /// Nothing writes it any more.
    Over,
}

impl Held {
    fn new(spool: Arc<Spool>, phase: Phase) -> Self {
        Self {
            spool,
            phase,
            stored: None,
        }
    }

    /// Whether something of it runs, and it has not said its end.
    fn is_live(&self) -> bool {
        self.phase != Phase::Over && !self.spool.progress().ended
    }
}

impl Attempts {
    /// Opens the spool. Attempts that an earlier process began and that have a runner are gone on with; the others are ended, while this
    /// agent is at work already: a disk that is full does not keep it from starting.
    ///
    /// # Errors
    /// When the spool cannot be read.
    pub(crate) fn open(setup: Setup) -> Result<Self, SpoolError> {
        let Setup {
            dir,
            capacity,
            settings,
            runner,
            kill,
        } = setup;
        let spool_root = dir.join("spool");
        std::fs::create_dir_all(&spool_root).map_err(SpoolError::at(&spool_root))?;
        let attempts = Self(Arc::new(Shared {
            capacity,
            settings,
            boot: runner.boot(),
            runner,
            state: Mutex::default(),
            held: watch::Sender::new(0),
            wake: Arc::new(Notify::new()),
            begun: Notify::new(),
            heard: Notify::new(),
            vanished: Notify::new(),
            stopping: CancellationToken::new(),
            kill,
            tasks: TaskTracker::new(),
            spool_root,
        }));
        for dir in spool::directories(&attempts.0.spool_root)? {
            let lease = dir.lease();
            if let Err(error) = attempts.find(dir) {
                tracing::error!(build.id = %lease.build, build.attempt = lease.attempt, %error, "cannot open an attempt of an earlier run");
            }
        }
        if let Err(error) = Workspaces::new(dir).forget_temporary() {
            tracing::warn!(%error, "cannot delete temporary files of an earlier run");
        }
        Ok(attempts)
    }

    /// Takes over what an earlier process left in a directory.
    fn find(&self, dir: SpoolDir) -> Result<(), SpoolError> {
        let (shared, lease) = (&self.0, dir.lease());
        let is_alive = shared.runner.is_alive(dir.path());
        let is_abandoned = dir.stop_order() == Some(StopOrder::Abandon);
        let survival = spool::survival(&dir, shared.boot);
        let spool = Spool::open(dir, Arc::clone(&shared.wake))?;
        let mut state = shared.state.lock();
        if is_abandoned {
            let held = Held::new(spool, Phase::Running);
            state.leaving.insert(lease, held);
            return Ok(());
        }
        if is_alive {
            tracing::info!(build.id = %lease.build, build.attempt = lease.attempt, "goes on with an attempt that an earlier agent process began");
        } else if survival == Survival::Unknown {
            spool.unsettle();
        }
        let has_ended = survival == Survival::Whole && spool.progress().ended;
        let phase = if !is_alive && has_ended {
            Phase::Over
        } else {
            Phase::Running
        };
        state.held.insert(lease, Held::new(spool, phase));
        if !is_alive && !has_ended {
            self.end_dead(&mut state, lease, Cause::AgentRestarted);
        }
        shared.held.send_replace(state.held.len());
        Ok(())
    }

    /// Notified when a journal has grown.
    pub(crate) fn wake(&self) -> &Notify {
        &self.0.wake
    }

    /// Every spool, oldest build first.
    pub(crate) fn spools(&self) -> Vec<Arc<Spool>> {
        let state = self.0.state.lock();
        let spools = state.held.values().map(|held| Arc::clone(&held.spool));
        spools.collect()
    }

    /// Begins an attempt; gives its spool, or nothing when it is held already.
    ///
    /// # Errors
    /// Why the assignment is declined.
    pub(crate) fn start(&self, assignment: Assignment) -> Result<Option<Arc<Spool>>, String> {
        let (shared, lease) = (&self.0, assignment.lease);
        let mut state = shared.state.lock();
        if state.held.contains_key(&lease) {
            return Ok(None);
        }
        if self.is_stopping() {
            return Err("the agent is stopping".to_owned());
        }
        // One that was given up or has delivered its end still clears away; its place is free for the server, which
        // counts leases.
        let live = state.held.values().filter(|held| held.is_live()).count();
        if live >= shared.capacity {
            return Err(format!("the agent runs {live} builds already"));
        }
        let order = Order {
            assignment,
            settings: shared.settings.clone(),
        };
        let dir =
            SpoolDir::create(&shared.spool_root, &order).map_err(|error| error.to_string())?;
        let launched = Spool::open(dir.clone(), Arc::clone(&shared.wake))
            .map_err(|error| error.to_string())
            .and_then(|spool| {
                let launched = shared.runner.launch(dir.path());
                launched.map_err(|error| format!("its runner cannot be started: {error}"))?;
                Ok(spool)
            });
        let spool = launched.inspect_err(|_| remove(&dir))?;
        tracing::info!(build.id = %lease.build, build.attempt = lease.attempt, "begins an attempt");
        let held = Held::new(Arc::clone(&spool), Phase::Running);
        state.held.insert(lease, held);
        shared.held.send_replace(state.held.len());
        shared.begun.notify_one();
        Ok(Some(spool))
    }

    /// Stops an attempt, which then delivers its end.
    pub(crate) fn cancel(&self, lease: &Lease, reason: String) {
        if let Some(held) = self.0.state.lock().held.get(lease)
            && held.phase == Phase::Running
        {
            ask(&held.spool, &StopOrder::cancel(reason));
        }
    }

    /// Stops an attempt and forgets it, delivered or not.
    pub(crate) fn abandon(&self, lease: &Lease, reason: &str) {
        let mut state = self.0.state.lock();
        let Some(held) = self.0.forget(&mut state, lease) else {
            return;
        };
        tracing::warn!(build.id = %lease.build, build.attempt = lease.attempt, reason, "gives an attempt up");
        if held.phase == Phase::Over {
            self.remove_later(held.spool);
        } else {
            ask(&held.spool, &StopOrder::Abandon);
            state.leaving.insert(*lease, held);
            // A task that ends it may wait for the server's word.
            self.0.heard.notify_waiters();
            self.0.begun.notify_one();
        }
    }

    /// The server has everything up to `seq`. Deletes what is delivered; says whether that was the last record.
    pub(crate) fn acknowledged(&self, lease: &Lease, seq: u64) -> bool {
        let mut state = self.0.state.lock();
        let Some(held) = state.held.get(lease) else {
            return false;
        };
        let progress = held.spool.progress();
        if progress.ended && seq >= progress.seq {
            if let Some(held) = self.0.forget(&mut state, lease) {
                self.leave(&mut state, held);
            }
            return true;
        }
        let needless = held.spool.delivered(seq);
        if !needless.is_empty() {
            let delete = move || needless.iter().for_each(|path| spool::delete(path));
            self.do_later(delete);
        }
        false
    }

    /// The server says how far it has an attempt of which nobody here knows how much is left.
    pub(crate) fn server_has(&self, lease: &Lease, stored: Stored) {
        if let Some(held) = self.0.state.lock().held.get_mut(lease) {
            held.stored.get_or_insert(stored);
            self.0.heard.notify_waiters();
        }
    }

    /// Waits until an attempt has vanished without an end; only a new introduction tells the server.
    pub(crate) async fn vanished(&self) {
        self.0.vanished.notified().await;
    }

    /// Takes no more work and stops what runs.
    pub(crate) fn stop_all(&self) {
        let state = self.0.state.lock();
        self.0.stopping.cancel();
        let running = |held: &&Held| held.phase == Phase::Running && !held.spool.progress().ended;
        for held in state.held.values().filter(running) {
            ask(&held.spool, &StopOrder::Shutdown);
        }
    }

    /// Whether no more work is taken.
    pub(crate) fn is_stopping(&self) -> bool {
        self.0.stopping.is_cancelled()
    }

    /// Whether nothing runs.
    pub(crate) fn are_idle(&self) -> bool {
        let state = self.0.state.lock();
        state.leaving.is_empty() && state.held.values().all(|held| held.phase == Phase::Over)
    }

    /// Waits until nothing is held any more.
    pub(crate) async fn delivered(&self) {
        let mut held = self.0.held.subscribe();
        // The sender lives in `self`.
        drop(held.wait_for(|count| *count == 0).await);
    }

    /// Deletes an attempt that is delivered, once its runner has gone.
    fn leave(&self, state: &mut State, held: Held) {
        if held.phase == Phase::Over || !self.0.runner.is_alive(held.spool.dir().path()) {
            self.remove_later(held.spool);
        } else {
            state.leaving.insert(held.spool.lease(), held);
            self.0.begun.notify_one();
        }
    }

    /// Deletes a spool on a thread that may wait for the disk.
    pub(super) fn remove_later(&self, spool: Arc<Spool>) {
        self.do_later(move || remove(spool.dir()));
    }

    /// Works on a thread that may wait for the disk.
    fn do_later(&self, work: impl FnOnce() + Send + 'static) {
        self.spawn(async move { drop(off_thread(work).await) });
    }

    /// Runs a task of this process.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let kill = self.0.kill.clone();
        self.0.tasks.spawn(async move {
            kill.run_until_cancelled_owned(task).await;
        });
    }

    /// Waits until nothing of it runs any more; only after the kill.
    pub(crate) async fn stopped(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }
}

impl Shared {
    pub(super) fn forget(&self, state: &mut State, lease: &Lease) -> Option<Held> {
        let held = state.held.remove(lease);
        self.held.send_replace(state.held.len());
        held
    }
}

fn ask(spool: &Spool, order: &StopOrder) {
    if let Err(error) = spool.dir().ask_to_stop(order) {
        tracing::error!(build.id = %spool.lease().build, %error, "cannot ask a runner to stop");
    }
}

fn remove(dir: &SpoolDir) {
    if let Err(error) = dir.remove() {
        tracing::warn!(build.id = %dir.lease().build, %error, "cannot delete a spool; the next start tries again");
    }
}
