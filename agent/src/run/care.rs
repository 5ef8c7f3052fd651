//! Looks after runners: how far they are, whether they live, and what becomes of what a dead one left.

use std::sync::Arc;

use testhide_protocol::wire::Lease;
use tokio::time::sleep;

use super::attempts::{Attempts, Held, Phase, State};
use super::ending::{self, Cause, Ended};
use super::leftovers::end_leftovers;
use crate::spool::Stored;

/// Every so many looks it is asked whether a runner lives; what a dead one left waits that long.
const ALIVE_EVERY: u32 = 10;

impl Attempts {
    /// Looks after runners for ever.
    pub(crate) async fn watch(&self) {
        let mut looks = 0u32;
        loop {
            looks = looks.wrapping_add(1);
            if self.pass(looks.is_multiple_of(ALIVE_EVERY)) == 0 {
                self.0.begun.notified().await;
            } else {
                sleep(self.0.runner.look_every()).await;
            }
        }
    }

    /// Waits until nothing runs any more; only after [`Self::stop_all`], and while nobody watches.
    pub(crate) async fn ended(&self) {
        while self.pass(true) > 0 {
            sleep(self.0.runner.look_every()).await;
        }
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Looks how far every runner is, and with `alive` whether it lives; ends what a dead one left. Gives how many there are to look
    /// after.
    fn pass(&self, alive: bool) -> usize {
        let shared = &self.0;
        let mut state = shared.state.lock();
        let mut dead = Vec::new();
        for (lease, held) in &mut state.held {
            if held.phase != Phase::Running {
                continue;
            }
            held.spool.look();
            if !alive || shared.runner.is_alive(held.spool.dir().path()) {
                continue;
            }
            // It may have written its last record after the look.
            held.spool.look();
            if held.spool.progress().ended {
                held.phase = Phase::Over;
            } else {
                dead.push(*lease);
            }
        }
        for lease in dead {
            self.end_dead(&mut state, lease, Cause::RunnerGone);
        }
        let mut left = Vec::new();
        for (lease, held) in &mut state.leaving {
            let path = held.spool.dir().path();
            if held.phase == Phase::Running && alive && !shared.runner.is_alive(path) {
                held.phase = Phase::Ending;
                left.push((*lease, Arc::clone(&held.spool)));
            }
        }
        for (lease, spool) in left {
            let attempts = self.clone();
            self.spawn(async move {
                // One that came to its end has ended its processes itself.
                if !spool.progress().ended {
                    end_leftovers(lease, spool.dir().read_group()).await;
                }
                attempts.left(&lease);
            });
        }
        let runs = |held: &&Held| held.phase == Phase::Running;
        let held = state.held.values().filter(runs).count();
        held + state.leaving.len()
    }

    /// Nothing of a given-up attempt runs any more.
    fn left(&self, lease: &Lease) {
        if let Some(held) = self.0.state.lock().leaving.remove(lease) {
            self.remove_later(held.spool);
        }
    }

    /// Ends an attempt whose runner is dead, in a task.
    pub(super) fn end_dead(&self, state: &mut State, lease: Lease, cause: Cause) {
        let Some(held) = state.held.get_mut(&lease) else {
            return;
        };
        held.phase = Phase::Ending;
        let (attempts, spool) = (self.clone(), Arc::clone(&held.spool));
        self.spawn(async move {
            let shared = &attempts.0;
            let word = attempts.word(lease);
            let ended = ending::end(&spool, shared.boot, cause, word, &shared.stopping).await;
            attempts.has_ended(lease, ended);
        });
    }

    /// What became of an attempt whose runner was dead.
    fn has_ended(&self, lease: Lease, ended: Ended) {
        let shared = &self.0;
        let mut state = shared.state.lock();
        if state.leaving.contains_key(&lease) {
            drop(state);
            self.left(&lease);
            return;
        }
        let Some(held) = state.held.get_mut(&lease) else {
            return;
        };
        match ended {
            Ended::Yes => {
                held.phase = Phase::Over;
                held.spool.settle();
            }
            Ended::RunnerLives => {
                held.phase = Phase::Running;
                held.spool.settle();
                shared.begun.notify_one();
            }
            // The next start tries again.
            Ended::NotNow => held.phase = Phase::Over,
            // Its disk takes no end: for the server this build is lost, and it hears so at once.
            Ended::Never => {
                if let Some(held) = shared.forget(&mut state, &lease) {
                    self.remove_later(held.spool);
                }
                shared.vanished.notify_one();
            }
        }
    }

    /// What the server has of an attempt, once it says so; nothing when the attempt was given up meanwhile.
    async fn word(&self, lease: Lease) -> Option<Stored> {
        loop {
            let heard = self.0.heard.notified();
            tokio::pin!(heard);
            heard.as_mut().enable();
            match self.0.state.lock().held.get(&lease) {
                None => return None,
                Some(held) if held.stored.is_some() => return held.stored,
                Some(_) => {}
            }
            heard.await;
        }
    }
}
