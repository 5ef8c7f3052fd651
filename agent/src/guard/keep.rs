//! When the guard looks, and who hears of it.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::{room, strays};
use crate::machine::MachineRules;
use crate::run::{Attempts, Log, Workspaces};

/// How often an idle machine is looked at.
const EVERY: Duration = Duration::from_secs(60);

/// Makes room for a build that is about to begin; its log says what that took.
pub(crate) async fn before_build(workspaces: &Workspaces, rules: &MachineRules, log: &mut Log) {
    for sentence in make_room(workspaces, rules).await {
        log.say(&sentence).await;
    }
}

/// Looks after the machine until the caller drops it.
pub(crate) async fn keep(attempts: &Attempts, workspaces: &Workspaces, rules: &MachineRules) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if !attempts.are_idle() {
            continue;
        }
        for sentence in make_room(workspaces, rules).await {
            tracing::warn!("{sentence}");
        }
        // A build may have begun meanwhile, and its processes may have these names.
        if attempts.are_idle() && !rules.stray_processes.is_empty() {
            strays::end(&rules.stray_processes).await;
        }
    }
}

async fn make_room(workspaces: &Workspaces, rules: &MachineRules) -> Vec<String> {
    let (workspaces, rules) = (workspaces.clone(), rules.clone());
    let made = spawn_blocking(move || room::make(&workspaces, &rules)).await;
    made.unwrap_or_else(|error| vec![format!("the disk cannot be looked after: {error}")])
}
