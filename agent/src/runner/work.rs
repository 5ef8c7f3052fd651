//! The life of a runner: takes the order from its directory, runs the attempt, and is done when the journal has its end.

use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::listen::listen;
use crate::clock::WorkClock;
use crate::error::AgentError;
use crate::run::{Attempt, Home, Stop, StopSignal, StopSwitch, Workspaces};
use crate::spool::{Boot, Journal, JournalWriter, Patience, Room, SEGMENT_BYTES, SpoolDir};

/// How long a stopped attempt may wait for a full disk: less than its agent waits for it.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// A segment is at most this part of an attempt's room: the one that is written cannot be deleted.
const SEGMENTS_AT_LEAST: u64 = 4;

/// Runs the attempt in the spool directory `dir` to its end. Its processes have ended when this returns, and its journal is complete,
/// unless the server gave it up or the disk took no end. `shutdown` stops it as interrupted.
///
/// # Errors
/// When `dir` is no spool directory, its attempt was begun before, or the disk refuses its journal. Nothing was run then.
pub async fn run_attempt(dir: &Path, shutdown: CancellationToken) -> Result<(), AgentError> {
    run_at(dir, Home::Shared, shutdown).await
}

/// The same in a process that does nothing else: whatever the attempt's steps orphan is adopted by it, and ended with them.
pub(crate) async fn run_alone(dir: &Path, shutdown: CancellationToken) -> Result<(), AgentError> {
    run_at(dir, Home::Own, shutdown).await
}

async fn run_at(dir: &Path, home: Home, shutdown: CancellationToken) -> Result<(), AgentError> {
    let path = std::path::absolute(dir).map_err(AgentError::file(dir))?;
    let spool = SpoolDir::at(&path);
    let (Some(spool), Some(agent_dir)) = (&spool, path.parent().and_then(Path::parent)) else {
        let words = format!("`{}` is not the directory of an attempt", path.display());
        return Err(AgentError::Usage(words));
    };
    let Some(lock) = spool.lock()? else {
        return Err(AgentError::Locked { path });
    };
    let order = spool.take_order()?;
    let room_bytes = order.settings.spool_bytes;
    let segment_bytes = SEGMENT_BYTES.min(room_bytes / SEGMENTS_AT_LEAST);
    let journal = Journal::create(spool.clone(), Boot::current())?.with_segments_of(segment_bytes);
    let (switch, stop) = StopSwitch::new();
    let (breaker, clock) = (switch.clone(), WorkClock::start());
    let room = Room::of(spool.clone(), room_bytes);
    let journal = JournalWriter::start(journal, room, clock.clone(), move |error| {
        breaker.stop(Stop::Broken(error.to_string()));
    });
    let attempt = Attempt {
        assignment: order.assignment,
        spool: spool.clone(),
        journal: journal.clone(),
        stop: stop.clone(),
        workspaces: Workspaces::new(agent_dir.to_owned()),
        git_limit: Duration::from_secs(order.settings.git_limit_seconds),
        clock,
        machine: order.settings.machine,
        home,
    };
    let orphan_after = Duration::from_millis(order.settings.orphan_after_ms);
    tokio::select! {
        () = Box::pin(attempt.run()) => {}
        never = listen(spool, &switch, orphan_after) => match never {},
        never = hurry(stop, &journal) => match never {},
        never = obey(shutdown, &switch) => match never {},
    }
    // Whoever takes the lock next finds a journal that nobody writes any more.
    journal.set_patience(Patience::None);
    if let Err(error) = journal.sync().await {
        tracing::warn!(%error, "the journal of an attempt is not whole");
    }
    drop(lock);
    Ok(())
}

/// A stopped attempt does not wait for room, and not long for a full disk.
async fn hurry(mut stop: StopSignal, journal: &JournalWriter) -> Infallible {
    if let Stop::Cancel(_) = stop.stopped().await {
        journal.set_patience(Patience::Short);
    }
    let reason = stop.hard_only().stopped().await;
    if reason != Stop::Abandon {
        journal.set_patience(Patience::Short);
        tokio::time::sleep(LAST_WAIT).await;
    }
    journal.set_patience(Patience::None);
    std::future::pending().await
}

/// Stops the attempt when this process is asked to end.
async fn obey(shutdown: CancellationToken, switch: &StopSwitch) -> Infallible {
    shutdown.cancelled().await;
    switch.stop(Stop::Shutdown);
    std::future::pending().await
}
