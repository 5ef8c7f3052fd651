//! What the feed says: facts it carries are taken at once, for the rest the screens ask again.

use testhide_protocol::BuildId;
use testhide_protocol::api::{BuildState, Event as Happened, EventRecord};

use super::mark_stale;
use crate::event::Feed;
use crate::model::{Link, LogView, Model};

/// Takes word from the feed.
pub(super) fn hear(model: &mut Model, word: Feed) {
    match word {
        Feed::Live => {
            if model.link != Link::Live {
                model.redraw = true;
                model.link = Link::Live;
            }
            mark_stale(model);
        }
        Feed::Offline(why) => {
            model.redraw = true;
            let since = match model.link {
                Link::Offline { since, .. } => since,
                Link::Connecting | Link::Live => {
                    model.complain(why.clone());
                    model.now
                }
            };
            model.link = Link::Offline { since, why };
        }
        Feed::Records(records) => {
            for record in records {
                happened(model, &record);
            }
        }
    }
}

fn happened(model: &mut Model, record: &EventRecord) {
    match record.event {
        Happened::BuildQueued {
            number, attempt, ..
        } => {
            set_state(model, number, BuildState::Queued);
            attempt_began(model, number, attempt);
        }
        Happened::BuildStarted {
            number, attempt, ..
        } => {
            if let Some(build) = model.builds.known.get_mut(&number) {
                build.started_at = Some(record.time);
            }
            set_state(model, number, BuildState::Running);
            attempt_began(model, number, attempt);
            model.agents.stale = true;
        }
        Happened::BuildFinished {
            build,
            number,
            attempt,
            status,
        } => {
            set_state(model, number, status);
            model.agents.stale = true;
            if model.log.id == Some(build) && model.log.shown_attempt == Some(attempt) {
                model.log.stale = true;
            }
        }
        Happened::BuildCancelRequested { number, .. }
        | Happened::AttemptLost { number, .. }
        | Happened::GateEvaluated { number, .. } => {
            model.builds.stale = true;
            model.build.stale |= model.build.number == number;
        }
        Happened::StepChanged { build, .. } | Happened::ArtifactStored { build, .. } => {
            changed(model, build);
        }
        Happened::ReportStored { build, .. } | Happened::VerdictsReached { build, .. } => {
            model.builds.stale = true;
            model.failure.stale = true;
            if let Some(build) = build {
                changed(model, build);
            }
        }
        Happened::LogAppended {
            build,
            attempt,
            to,
            lines,
            ..
        } => {
            let log = &mut model.log;
            if log.id == Some(build) && log.shown_attempt == Some(attempt) && lines > log.total {
                // While following, the lines come with the answer that waits for them.
                if !log.follow {
                    (log.total, log.bytes) = (lines, to.max(log.bytes));
                    model.redraw = true;
                }
            }
        }
        Happened::FailureLabelled { .. } => model.failure.stale = true,
        Happened::AgentEnrolled { .. }
        | Happened::AgentModeChanged { .. }
        | Happened::AgentKeyRotated { .. }
        | Happened::AgentRemoved { .. }
        | Happened::AgentConnected { .. }
        | Happened::AgentDisconnected { .. } => {
            model.agents.stale = true;
        }
        Happened::UserCreated { .. }
        | Happened::ProjectCreated { .. }
        | Happened::ProjectChanged { .. }
        | Happened::TestAliasProposed { .. }
        | Happened::TestAliasDecided { .. }
        | Happened::JobCreated { .. }
        | Happened::JobChanged { .. }
        | Happened::GateCreated { .. }
        | Happened::GateChanged { .. }
        | Happened::GateDeleted { .. } => {}
    }
}

fn set_state(model: &mut Model, number: u64, state: BuildState) {
    model.builds.stale = true;
    if let Some(build) = model.builds.known.get_mut(&number) {
        build.status = state;
        model.redraw = true;
    }
    model.build.stale |= model.build.number == number;
}

fn changed(model: &mut Model, id: BuildId) {
    model.build.stale |= model
        .build
        .build
        .as_ref()
        .is_some_and(|build| build.id == id);
}

/// Who follows a build's log goes on with its next attempt; who reads an earlier one stays there.
fn attempt_began(model: &mut Model, number: u64, attempt: u32) {
    let log = &model.log;
    if log.build != number {
        return;
    }
    let is_later = log.shown_attempt.is_some_and(|shown| shown < attempt);
    if is_later && log.attempt.is_none() && log.follow {
        let (wrap, times) = (log.wrap, log.times);
        model.log = LogView {
            wrap,
            times,
            ..LogView::open(number, None, None)
        };
        model.say(format!("build {number} began attempt {attempt}"));
    } else if !log.loaded {
        model.log.retry_at = model.now;
    }
}
