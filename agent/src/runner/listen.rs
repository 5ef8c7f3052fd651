//! What a runner hears from its agent: an order to stop, or that there is no agent any more.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::run::{Stop, StopSwitch};
use crate::spool::{SpoolDir, StopOrder};

/// How often the stop order is read.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The file that an agent holds locked as long as it lives, in the agent's directory.
pub(crate) const ALIVE: &str = "agent.alive";

/// Passes on what the agent orders. Ends the attempt when its agent was gone for `orphan_after`.
pub(super) async fn listen(
    dir: &SpoolDir,
    switch: &StopSwitch,
    orphan_after: Duration,
) -> Infallible {
    let alive = dir.agent_dir().map(|agent| agent.join(ALIVE));
    let look_for_agent = (orphan_after / 10).min(Duration::from_secs(1));
    let mut looked = Instant::now();
    let mut gone_since = None;
    loop {
        match dir.stop_order() {
            Some(StopOrder::Cancel(reason)) => switch.stop(Stop::Cancel(reason)),
            Some(StopOrder::Shutdown) => switch.stop(Stop::Shutdown),
            Some(StopOrder::Abandon) => switch.stop(Stop::Abandon),
            None => {}
        }
        if looked.elapsed() >= look_for_agent {
            looked = Instant::now();
            if alive.as_deref().is_some_and(is_held) {
                gone_since = None;
            } else if gone_since.get_or_insert(looked).elapsed() >= orphan_after {
                let seconds = orphan_after.as_secs_f64();
                let words = format!("its agent was gone for {seconds:.0} s");
                switch.stop(Stop::Broken(words));
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

/// Whether somebody holds the lock. When that cannot be said, it is held: an attempt is not ended for a doubt.
fn is_held(path: &Path) -> bool {
    match File::open(path) {
        Ok(file) => file.try_lock_shared().is_err(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}
