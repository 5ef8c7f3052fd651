//! When the guard looks, and who hears of it.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::room::{self, Made};
use super::strays;
use crate::machine::MachineRules;
use crate::run::{Attempts, Log, Workspaces};

/// How often an idle machine is looked at.
const EVERY: Duration = Duration::from_secs(60);

/// Makes room for a build that is about to begin; its log says what that took, and whether there is hardly any.
pub(crate) async fn before_build(workspaces: &Workspaces, rules: &MachineRules, log: &mut Log) {
    let Made { said, shortage } = make_room(workspaces, rules).await;
    for sentence in said {
        log.say(&sentence).await;
    }
    match shortage {
        Some(shortage) if shortage.is_dire => log.say(&shortage.sentence).await,
        Some(shortage) => tracing::warn!("{}", shortage.sentence),
        None => {}
    }
}

/// Looks after the machine until the caller drops it.
pub(crate) async fn keep(attempts: &Attempts, workspaces: &Workspaces, rules: &MachineRules) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_short = false;
    loop {
        tick.tick().await;
        if !attempts.are_idle() {
            continue;
        }
        let Made { said, shortage } = make_room(workspaces, rules).await;
        for sentence in said {
            tracing::warn!("{sentence}");
        }
        // Once, and not each minute as long as it lasts.
        if let Some(shortage) = shortage.as_ref().filter(|_| !was_short) {
            tracing::warn!("{}", shortage.sentence);
        }
        was_short = shortage.is_some();
        // A build may have begun meanwhile, and its processes may have these names.
        if attempts.are_idle() && !rules.stray_processes.is_empty() {
            strays::end(&rules.stray_processes).await;
        }
    }
}

async fn make_room(workspaces: &Workspaces, rules: &MachineRules) -> Made {
    let (workspaces, rules) = (workspaces.clone(), rules.clone());
    let made = spawn_blocking(move || room::make(&workspaces, &rules)).await;
    made.unwrap_or_else(|error| Made {
        said: vec![format!("the disk cannot be looked after: {error}")],
        shortage: None,
    })
}
