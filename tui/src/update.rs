//! How the model changes: [`update`] takes one event and answers what is to be done outside.
//!
//! Pure: no I/O, no clock, no terminal. Time comes in with [`Event::Tick`], answers with [`Event::Answer`].

mod answers;
mod feed;
mod keys;
mod lists;
mod log;
mod places;
mod prompt;

use crate::event::{Effect, Event};
use crate::model::{Link, Model, Place};

pub(crate) use places::{enter, go};

/// Milliseconds between a failed request and the next try.
const RETRY_MS: i64 = 3_000;

/// Changes the model as the event demands.
pub(crate) fn update(model: &mut Model, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    match event {
        Event::Tick(now) => tick(model, now),
        Event::Resize(columns, rows) => {
            model.size = (columns, rows);
            model.redraw = true;
        }
        Event::Key(key) => {
            model.redraw = true;
            effects = keys::press(model, key);
        }
        Event::Paste(text) => {
            model.redraw = true;
            prompt::paste(model, &text);
        }
        Event::Feed(word) => feed::hear(model, word),
        Event::Answer(answer) => {
            model.redraw = true;
            answers::take(model, answer);
        }
    }
    effects.extend(wants(model));
    if model.readonly {
        // The keys refuse already; this holds whatever way an effect came about.
        effects.retain(|effect| !effect.changes_something());
    }
    effects
}

fn tick(model: &mut Model, now: testhide_protocol::Timestamp) {
    let seconds = |time: testhide_protocol::Timestamp| time.0.div_euclid(1_000);
    let (before, after) = (seconds(model.now), seconds(now));
    model.now = now;
    // Durations of what runs change each second, ages each minute (in the first minute each second).
    if before != after && (shows_seconds(model) || before.div_euclid(60) != after.div_euclid(60)) {
        model.redraw = true;
    }
    if model
        .notice
        .as_ref()
        .is_some_and(|notice| notice.until <= now)
    {
        model.notice = None;
        model.redraw = true;
    }
}

/// Whether something on the screen counts seconds.
fn shows_seconds(model: &Model) -> bool {
    let is_young = |build: &testhide_protocol::api::Build| {
        !build.status.is_final() || model.now.millis_since(build.queued_at) < 120_000
    };
    match model.place {
        Place::Builds => model.builds.known.values().rev().take(200).any(is_young),
        Place::Build(_) => model.build.build.as_ref().is_some_and(is_young),
        Place::Agents => true,
        Place::Log { .. } | Place::Failure(_) | Place::Search => false,
    }
}

/// What the screen that is shown lacks.
fn wants(model: &mut Model) -> Vec<Effect> {
    match model.place {
        Place::Builds => lists::wants_builds(model),
        Place::Build(number) => lists::wants_build(model, number),
        Place::Log { .. } => log::wants(model),
        Place::Failure(id) => lists::wants_failure(model, id),
        Place::Search => lists::wants_search(model),
        Place::Agents => lists::wants_agents(model),
    }
}

/// Marks everything as older than the server's state.
fn mark_stale(model: &mut Model) {
    model.builds.stale = true;
    model.build.stale = true;
    model.failure.stale = true;
    model.agents.stale = true;
    model.log.stale = true;
    model.retry_at = model.now;
    model.log.retry_at = model.now;
}

/// Whether the server was reached last time it was tried.
fn is_live(model: &Model) -> bool {
    model.link == Link::Live
}
