//! What must hold when all work is done: what the server has against what the scripts wrote.

use super::runner::{Attempted, Fate};
use super::script::mark;
use super::world::World;
use crate::builds::{Inspected, InspectedAttempt};
use crate::logs::RawLog;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use testhide_protocol::BuildId;
use testhide_protocol::api::BuildState;
use testhide_protocol::wire::{AttemptEnd, Lease};

/// How long after a fault an agent may need to be heard again: a connection that is dead without a word, and the longest wait.
const RECOVERS: Duration = Duration::from_secs(75);

/// Lines of a log that are read at once.
const PAGE: usize = 10_000;

/// Checks everything; what does not hold goes into the trace.
pub(super) fn check(world: &World) {
    if let Err(what) = check_all(world) {
        world.trace.fail(what);
    }
}

fn check_all(world: &World) -> Result<(), String> {
    let Some(server) = &world.server else {
        return Err("there is no server".to_owned());
    };
    let inspected = server.builds.inspect().map_err(|error| error.to_string())?;
    let mut written: BTreeMap<Lease, Attempted> = BTreeMap::new();
    for machine in &world.machines {
        written.extend(machine.attempts());
    }
    let asked = world.answered;
    if inspected.builds.len() != asked || world.ledger.count() != asked {
        let (stored, told) = (inspected.builds.len(), world.ledger.count());
        return Err(format!(
            "{asked} builds were asked for, {stored} are stored, events tell of {told}"
        ));
    }
    world.ledger.compare(server);
    check_numbers(&inspected)?;
    check_fences(&inspected)?;
    for attempt in &inspected.attempts {
        let name = name_of(&inspected, attempt);
        check_attempt(world, attempt, written.get(&attempt.lease))
            .and_then(|()| check_reason(world, attempt))
            .map_err(|what| format!("{name}: {what}"))?;
    }
    for build in &inspected.builds {
        let number = build.record.number;
        check_build(world, &inspected, build.record.id, &written)
            .map_err(|what| format!("build {number}: {what}"))?;
    }
    Ok(())
}

fn name_of(inspected: &Inspected, attempt: &InspectedAttempt) -> String {
    let build = inspected
        .builds
        .iter()
        .find(|build| build.record.id == attempt.lease.build);
    let number = build.map_or(0, |build| build.record.number);
    format!("build {number} attempt {}", attempt.lease.attempt)
}

/// Builds are numbered without a gap, and so are the attempts of each.
fn check_numbers(inspected: &Inspected) -> Result<(), String> {
    for (place, build) in inspected.builds.iter().enumerate() {
        let (number, record) = (build.record.number, &build.record);
        if number != place as u64 + 1 {
            return Err(format!("build {number} stands at place {}", place + 1));
        }
        let attempts: Vec<u32> = inspected
            .attempts
            .iter()
            .filter(|attempt| attempt.lease.build == record.id)
            .map(|attempt| attempt.lease.attempt)
            .collect();
        let last = u32::try_from(attempts.len()).expect("a few attempts");
        let is_whole = attempts.iter().copied().eq(1..=last);
        // One that was cancelled while it waited has no record of the attempt that it waited for.
        let fits = last == record.attempt
            || (record.state == BuildState::Cancelled && last + 1 == record.attempt);
        if !is_whole || !fits {
            return Err(format!(
                "build {number} is at attempt {} and has {attempts:?}",
                record.attempt
            ));
        }
    }
    Ok(())
}

/// No fencing number was given twice.
fn check_fences(inspected: &Inspected) -> Result<(), String> {
    let fences: BTreeSet<u64> = inspected
        .attempts
        .iter()
        .map(|attempt| attempt.lease.fence)
        .collect();
    if fences.len() == inspected.attempts.len() {
        Ok(())
    } else {
        Err("a fencing number was given twice".to_owned())
    }
}

/// The log of an attempt against what its script wrote, and its end against the script's.
fn check_attempt(
    world: &World,
    attempt: &InspectedAttempt,
    written: Option<&Attempted>,
) -> Result<(), String> {
    let Some(server) = &world.server else {
        return Err("there is no server".to_owned());
    };
    let log = read_log(server, attempt.lease)?;
    let Some(written) = written else {
        // It was given to an agent that never heard of it, or that died before it began.
        return if log.is_empty() || !log.starts_with(b"o ") && !log.starts_with(b"e ") {
            Ok(())
        } else {
            Err("it has a log and was never run".to_owned())
        };
    };
    let common = log
        .iter()
        .zip(&written.bytes)
        .take_while(|(stored, wrote)| stored == wrote)
        .count();
    let (rest, stored, wrote) = (&log[common..], log.len(), written.bytes.len());
    let is_marker = rest.is_empty() || is_words_of_the_agent(rest);
    if !is_marker {
        return Err(format!(
            "its log leaves what was written at byte {common}: {stored} stored, {wrote} written, fate {:?}",
            written.fate
        ));
    }
    if attempt.ended_by_agent {
        let must_have = match written.fate {
            Fate::Ended(_) | Fate::Died => wrote,
            Fate::PowerLost { synced } => synced,
            Fate::Running => return Err("it ended while its script runs".to_owned()),
        };
        if common < must_have {
            return Err(format!(
                "its log has {common} of {must_have} bytes that must be there, fate {:?}",
                written.fate
            ));
        }
        if matches!(written.fate, Fate::Ended(_)) && !rest.is_empty() {
            return Err("words of the agent follow an end that its script wrote".to_owned());
        }
    }
    check_streams(server, attempt.lease)
}

/// An attempt is given up for a cause only.
fn check_reason(world: &World, attempt: &InspectedAttempt) -> Result<(), String> {
    let reason = attempt.reason.as_deref().unwrap_or_default();
    for never in [
        "sent what cannot be",
        "came back without it",
        "did not end it",
    ] {
        if reason.contains(never) {
            return Err(format!("it was given up: {reason}"));
        }
    }
    if !reason.contains("silent for") {
        return Ok(());
    }
    let mut machines = world.machines.iter();
    let machine = machines.find(|machine| machine.id() == Some(attempt.agent));
    let own = machine.and_then(|machine| world.disturbed.get(&machine.number()));
    let disturbed = own.copied().unwrap_or_default() + world.server_disturbed + RECOVERS;
    if disturbed < world.plan.lost_after {
        let seconds = disturbed.as_secs();
        return Err(format!(
            "its agent was away for {seconds} s at most: {reason}"
        ));
    }
    Ok(())
}

/// Whether a log goes on with lines of the agent itself, perhaps behind a line that was cut.
fn is_words_of_the_agent(rest: &[u8]) -> bool {
    let text = String::from_utf8_lossy(rest);
    let mut lines = text.lines().skip_while(|line| line.is_empty());
    lines.all(|line| !line.starts_with("o b") && !line.starts_with("e b"))
}

/// Every line of a step stands under the stream that it was written to.
fn check_streams(server: &super::server::Server, lease: Lease) -> Result<(), String> {
    let page = server.logs.page(lease.build, lease.attempt, 1, PAGE);
    for line in page.map_err(|error| error.to_string())?.lines {
        let first = line.text.chars().next();
        let is_said = line.text.starts_with("o b") || line.text.starts_with("e b");
        if is_said && first != Some(mark(line.stream)) {
            return Err(format!(
                "line {} stands under {:?}",
                line.number, line.stream
            ));
        }
    }
    Ok(())
}

fn read_log(server: &super::server::Server, lease: Lease) -> Result<Vec<u8>, String> {
    let words = |error: crate::logs::LogsError| error.to_string();
    let head = server.logs.head(lease.build, lease.attempt);
    let all = 0..head.map_err(|error| error.to_string())?.bytes;
    let mut log = RawLog::new(server.logs.clone(), lease.build, lease.attempt, all);
    let mut bytes = Vec::new();
    while let Some(more) = log.next_bytes().map_err(words)? {
        bytes.extend(more);
    }
    Ok(bytes)
}

/// The state of a build against its attempts, its retries and its files.
fn check_build(
    world: &World,
    inspected: &Inspected,
    id: BuildId,
    written: &BTreeMap<Lease, Attempted>,
) -> Result<(), String> {
    let build = inspected.builds.iter().find(|build| build.record.id == id);
    let build = build.ok_or("it is not stored")?;
    let record = &build.record;
    let (state, lost) = (record.state, world.ledger.lost(id));
    let told = world.ledger.status(id);
    if told != Some(state) {
        return Err(format!("it is {state}, its events say {told:?}"));
    }
    let retries = build.definition.infra_retries.unwrap_or(1);
    if lost + build.retries_left != retries {
        let left = build.retries_left;
        return Err(format!(
            "of {retries} retries {lost} were used and {left} are left"
        ));
    }
    if state == BuildState::InfraLost && build.retries_left > 0 {
        return Err("it is infra_lost, and retries are left".to_owned());
    }
    if state == BuildState::Cancelled && !build.cancel_requested {
        return Err("it is cancelled, and nobody asked for that".to_owned());
    }
    let attempts = || {
        inspected
            .attempts
            .iter()
            .filter(|attempt| attempt.lease.build == id)
    };
    for attempt in attempts().filter(|attempt| attempt.lease.attempt < record.attempt) {
        if attempt.state != BuildState::InfraLost {
            let (number, state) = (attempt.lease.attempt, attempt.state);
            return Err(format!(
                "attempt {number} is {state}, and another one follows"
            ));
        }
    }
    let last = attempts().find(|attempt| attempt.lease.attempt == record.attempt);
    if let Some(last) = last {
        if last.state != state {
            return Err(format!("it is {state}, its last attempt is {}", last.state));
        }
        let wrote = written.get(&last.lease);
        let end = wrote.and_then(|written| match written.fate {
            Fate::Ended(end) => Some(end),
            _ => None,
        });
        let fits = match state {
            BuildState::Passed => end == Some(AttemptEnd::Passed) && last.ended_by_agent,
            // A file that is too large fails its step.
            BuildState::Failed => {
                let refused = wrote.is_some_and(|written| written.has_too_large);
                let failed = end == Some(AttemptEnd::Failed);
                last.ended_by_agent && (failed || (refused && end == Some(AttemptEnd::Passed)))
            }
            BuildState::InfraLost | BuildState::Cancelled => true,
            BuildState::Queued | BuildState::Running | BuildState::TimedOut => false,
        };
        if !fits {
            return Err(format!("it is {state}, its script ended as {end:?}"));
        }
    }
    check_files(world, inspected, id, written)
}

/// Every file that a script delivered is kept once and whole.
fn check_files(
    world: &World,
    inspected: &Inspected,
    id: BuildId,
    written: &BTreeMap<Lease, Attempted>,
) -> Result<(), String> {
    let Some(server) = &world.server else {
        return Err("there is no server".to_owned());
    };
    let kept = server
        .artifacts
        .of_build(id)
        .map_err(|error| error.to_string())?;
    for attempt in &inspected.attempts {
        if attempt.lease.build != id {
            continue;
        }
        let mut missing = written
            .get(&attempt.lease)
            .map(|written| written.files.clone())
            .unwrap_or_default();
        for artifact in kept
            .iter()
            .filter(|kept| kept.attempt == attempt.lease.attempt)
        {
            match missing.remove(&artifact.path) {
                Some(hash) if hash == artifact.file.blake3 => {}
                Some(_) => return Err(format!("`{}` is not what was delivered", artifact.path)),
                None => return Err(format!("`{}` was never delivered", artifact.path)),
            }
        }
        let is_whole = written
            .get(&attempt.lease)
            .is_some_and(|written| matches!(written.fate, Fate::Ended(_) | Fate::Died));
        if attempt.ended_by_agent && is_whole && !missing.is_empty() {
            return Err(format!("{} files are missing", missing.len()));
        }
    }
    Ok(())
}
