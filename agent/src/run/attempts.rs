//! The attempts this agent holds: running, or ended and not wholly delivered.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use testhide_protocol::wire::{Assignment, AttemptEnd, Lease};
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;

use super::attempt::Attempt;
use super::confine::Home;
use super::leftovers::end_leftovers;
use super::log::Log;
use super::stop::{Stop, StopSwitch};
use super::workspace::Workspaces;
use crate::machine::MachineRules;
use crate::spool::{self, Journal, JournalWriter, Recovered, Spool, SpoolError};

/// What an agent's attempts have in common.
pub(crate) struct Setup {
    /// The agent's directory; spool and workspaces are below it.
    pub(crate) dir: PathBuf,
    /// Attempts that run at once.
    pub(crate) capacity: usize,
    /// How long a checkout may take.
    pub(crate) git_limit: Duration,
    /// What the machine's owner allows.
    pub(crate) machine: MachineRules,
}

/// The attempts of one agent process.
#[derive(Clone)]
pub(crate) struct Attempts(Arc<Shared>);

struct Shared {
    spool_root: PathBuf,
    workspaces: Workspaces,
    capacity: usize,
    git_limit: Duration,
    machine: MachineRules,
    state: Mutex<State>,
    /// How many are held, for who waits for the last delivery.
    held: watch::Sender<usize>,
    /// Wakes delivery.
    wake: Arc<Notify>,
    /// An attempt is gone that the server believes to run.
    vanished: Notify,
    tasks: TaskTracker,
}

#[derive(Default)]
struct State {
    held: HashMap<Lease, Held>,
    /// Given up and still running; who runs it deletes its spool.
    abandoned: HashSet<Lease>,
    /// No more work is taken.
    stopping: bool,
}

struct Held {
    spool: Arc<Spool>,
    /// Nothing once nothing of it runs.
    switch: Option<StopSwitch>,
}

impl Held {
    /// Whether it runs and has not said its end.
    fn is_live(&self) -> bool {
        self.switch.is_some() && !self.spool.progress().ended
    }
}

impl Attempts {
    /// Opens the spool. Attempts of a dead agent process are ended: first their processes, then their journals.
    ///
    /// # Errors
    /// When the spool cannot be read or written.
    pub(crate) async fn open(setup: Setup) -> Result<Self, SpoolError> {
        let Setup {
            dir,
            capacity,
            git_limit,
            machine,
        } = setup;
        let (spool_root, wake) = (dir.join("spool"), Arc::new(Notify::new()));
        std::fs::create_dir_all(&spool_root).map_err(SpoolError::at(&spool_root))?;
        let mut state = State::default();
        for recovered in spool::recover(&spool_root, &wake)? {
            let spool = Arc::clone(&recovered.spool);
            end_interrupted(recovered).await?;
            state.held.insert(
                spool.lease(),
                Held {
                    spool,
                    switch: None,
                },
            );
        }
        let workspaces = Workspaces::new(dir);
        if let Err(error) = workspaces.forget_temporary() {
            tracing::warn!(%error, "cannot delete temporary files of an earlier run");
        }
        let held = watch::Sender::new(state.held.len());
        let (state, tasks) = (Mutex::new(state), TaskTracker::new());
        Ok(Self(Arc::new(Shared {
            spool_root,
            workspaces,
            capacity,
            git_limit,
            machine,
            state,
            held,
            wake,
            vanished: Notify::new(),
            tasks,
        })))
    }

    /// Notified when a journal has grown.
    pub(crate) fn wake(&self) -> &Notify {
        &self.0.wake
    }

    /// Every spool.
    pub(crate) fn spools(&self) -> Vec<Arc<Spool>> {
        self.0
            .state
            .lock()
            .held
            .values()
            .map(|held| Arc::clone(&held.spool))
            .collect()
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
        if state.stopping {
            return Err("the agent is stopping".to_owned());
        }
        // One that was given up or has delivered its end still clears away; its place is free for the server, which
        // counts leases.
        let live = state.held.values().filter(|held| held.is_live()).count();
        if live >= shared.capacity {
            return Err(format!("the agent runs {live} builds already"));
        }
        let spool = Spool::create(&shared.spool_root, lease, Arc::clone(&shared.wake));
        let spool = spool.map_err(|error| error.to_string())?;
        let journal = match Journal::create(Arc::clone(&spool)) {
            Ok(journal) => journal,
            Err(error) => {
                remove(&spool);
                return Err(error.to_string());
            }
        };
        let (switch, stop) = StopSwitch::new();
        let breaker = switch.clone();
        let journal = JournalWriter::start(journal, move |error| {
            breaker.stop(Stop::Broken(error.to_string()));
        });
        let attempt = Attempt {
            assignment,
            spool: Arc::clone(&spool),
            journal,
            stop,
            workspaces: shared.workspaces.clone(),
            git_limit: shared.git_limit,
            machine: shared.machine.clone(),
            home: Home::Shared,
        };
        tracing::info!(build.id = %lease.build, build.attempt = lease.attempt, "begins an attempt");
        let guard = RunningGuard {
            attempts: self.clone(),
            lease,
            has_returned: false,
        };
        shared.tasks.spawn(async move {
            Box::pin(attempt.run()).await;
            guard.free();
        });
        state.held.insert(
            lease,
            Held {
                spool: Arc::clone(&spool),
                switch: Some(switch),
            },
        );
        shared.held.send_replace(state.held.len());
        Ok(Some(spool))
    }

    /// Stops an attempt, which then delivers its end.
    pub(crate) fn cancel(&self, lease: &Lease, reason: String) {
        if let Some(Held {
            switch: Some(switch),
            ..
        }) = self.0.state.lock().held.get(lease)
        {
            switch.stop(Stop::Cancel(reason));
        }
    }

    /// Stops an attempt and forgets it, delivered or not.
    pub(crate) fn abandon(&self, lease: &Lease, reason: &str) {
        let mut state = self.0.state.lock();
        let Some(held) = self.0.forget(&mut state, lease) else {
            return;
        };
        tracing::warn!(build.id = %lease.build, build.attempt = lease.attempt, reason, "gives an attempt up");
        match &held.switch {
            Some(switch) => {
                state.abandoned.insert(*lease);
                switch.stop(Stop::Abandon);
            }
            None => self.remove_later(held.spool),
        }
    }

    /// The server has everything up to `seq`. Deletes what is delivered; says whether that was the last record.
    pub(crate) fn acknowledged(&self, lease: &Lease, seq: u64) -> bool {
        let mut state = self.0.state.lock();
        let delivered = state.held.get(lease).is_some_and(|held| {
            let progress = held.spool.progress();
            progress.ended && seq >= progress.seq
        });
        if delivered && let Some(held) = self.0.forget(&mut state, lease) {
            self.remove_later(held.spool);
        }
        delivered
    }

    /// Waits until an attempt has vanished without an end; only a new introduction tells the server.
    pub(crate) async fn vanished(&self) {
        self.0.vanished.notified().await;
    }

    /// Takes no more work and stops what runs.
    pub(crate) fn stop_all(&self) {
        let mut state = self.0.state.lock();
        state.stopping = true;
        self.0.tasks.close();
        for switch in state.held.values().filter_map(|held| held.switch.as_ref()) {
            switch.stop(Stop::Shutdown);
        }
    }

    /// Whether no more work is taken.
    pub(crate) fn is_stopping(&self) -> bool {
        self.0.state.lock().stopping
    }

    /// Whether nothing runs.
    pub(crate) fn are_idle(&self) -> bool {
        let state = self.0.state.lock();
        state.abandoned.is_empty() && !state.held.values().any(|held| held.switch.is_some())
    }

    /// The directories of attempts.
    pub(crate) fn workspaces(&self) -> &Workspaces {
        &self.0.workspaces
    }

    /// Waits until nothing is held any more.
    pub(crate) async fn delivered(&self) {
        let mut held = self.0.held.subscribe();
        // The sender lives in `self`.
        drop(held.wait_for(|count| *count == 0).await);
    }

    /// Waits until nothing runs any more; only after [`Self::stop_all`].
    pub(crate) async fn ended(&self) {
        self.0.tasks.wait().await;
    }

    /// Deletes a spool on a thread that may wait for the disk.
    fn remove_later(&self, spool: Arc<Spool>) {
        self.0.tasks.spawn_blocking(move || remove(&spool));
    }
}

impl Shared {
    fn forget(&self, state: &mut State, lease: &Lease) -> Option<Held> {
        let held = state.held.remove(lease);
        self.held.send_replace(state.held.len());
        held
    }
}

/// Clears up after an attempt, however its task ends.
struct RunningGuard {
    attempts: Attempts,
    lease: Lease,
    has_returned: bool,
}

impl RunningGuard {
    /// The attempt has returned.
    fn free(mut self) {
        self.has_returned = true;
    }
}

impl Drop for RunningGuard {
    fn drop(&mut self) {
        let shared = &self.attempts.0;
        let mut state = shared.state.lock();
        if state.abandoned.remove(&self.lease) {
            drop(state);
            remove(&Spool::existing_at(
                &shared.spool_root,
                self.lease,
                &shared.wake,
            ));
            return;
        }
        let Some(held) = state.held.get_mut(&self.lease) else {
            return;
        };
        held.switch = None;
        let is_over = self.has_returned || std::thread::panicking();
        if is_over && !held.spool.progress().ended {
            // Its disk took no end, or it panicked: for the server this build is lost, and it hears so at once. An attempt that
            // is merely dropped with its runtime is ended by the next start.
            let held = shared.forget(&mut state, &self.lease);
            drop(state);
            if let Some(held) = held {
                remove(&held.spool);
            }
            shared.vanished.notify_one();
        }
    }
}

/// Ends the processes and the journal of an attempt whose agent died.
async fn end_interrupted(recovered: Recovered) -> Result<(), SpoolError> {
    let Recovered {
        spool,
        unfinished,
        step,
        open_line,
    } = recovered;
    let Some(journal) = unfinished else {
        return Ok(());
    };
    let lease = spool.lease();
    tracing::warn!(build.id = %lease.build, build.attempt = lease.attempt, "ends an attempt that an earlier agent process left");
    end_leftovers(lease, spool.read_group()).await;
    let message = "the agent was restarted".to_owned();
    let journal = JournalWriter::start(journal, |_| {});
    let mut log = Log::new(journal.clone(), Instant::now());
    log.set_step(step);
    log.set_open_line(open_line);
    log.say(&format!("the build was interrupted: {message}"))
        .await;
    journal.end(AttemptEnd::Interrupted, Some(message)).await
}

fn remove(spool: &Spool) {
    if let Err(error) = spool.remove() {
        tracing::warn!(build.id = %spool.lease().build, %error, "cannot delete a spool; the next start tries again");
    }
}
