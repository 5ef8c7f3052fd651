//! Going from screen to screen, and back.

use super::{log, mark_stale};
use crate::event::Effect;
use crate::model::{BuildView, FailureView, LogView, Model, Place};

/// Steps back that are remembered.
const MAX_TRAIL: usize = 50;

/// Goes to a place; `esc` leads back from there.
pub(crate) fn go(model: &mut Model, place: Place) {
    if is_same(&model.place, &place) {
        enter(model, place);
        return;
    }
    let here = remembered(model);
    model.trail.push(here);
    if model.trail.len() > MAX_TRAIL {
        model.trail.remove(0);
    }
    change(model, place);
}

/// Goes back one step; from the first place to the list of builds.
pub(super) fn back(model: &mut Model) {
    let place = model.trail.pop().unwrap_or(Place::Builds);
    if place != model.place {
        change(model, place);
    }
}

/// Goes to the place before this one, and with the next call here again.
pub(super) fn last(model: &mut Model) {
    match model.last.clone() {
        Some(place) => go(model, place),
        None => model.say("there is no last place yet"),
    }
}

/// Throws away what is known and asks again.
pub(super) fn reload(model: &mut Model) -> Vec<Effect> {
    mark_stale(model);
    model.say("asked again");
    Vec::new()
}

fn change(model: &mut Model, place: Place) {
    model.last = Some(remembered(model));
    model.help = false;
    enter(model, place);
}

/// The present place with where we are in it.
fn remembered(model: &Model) -> Place {
    match model.place {
        Place::Log { build, attempt, .. } => {
            let line = (!model.log.follow).then_some(model.log.top);
            Place::Log {
                build,
                attempt,
                line,
            }
        }
        ref place => place.clone(),
    }
}

fn is_same(a: &Place, b: &Place) -> bool {
    match (a, b) {
        (
            Place::Log {
                build: a,
                attempt: x,
                ..
            },
            Place::Log {
                build: b,
                attempt: y,
                ..
            },
        ) => a == b && x == y,
        _ => a == b,
    }
}

/// Makes a place the shown one. What is known of it is shown at once and asked for again.
pub(crate) fn enter(model: &mut Model, place: Place) {
    match place {
        Place::Builds => model.builds.stale = true,
        Place::Build(number) => {
            if model.build.number != number {
                model.build = BuildView {
                    number,
                    ..BuildView::default()
                };
            }
            model.build.stale = true;
        }
        Place::Log {
            build,
            attempt,
            line,
        } => {
            if model.log.build != build || model.log.attempt != attempt {
                let (wrap, times) = (model.log.wrap, model.log.times);
                model.log = LogView {
                    wrap,
                    times,
                    ..LogView::open(build, attempt, line)
                };
            } else if let Some(line) = line {
                let height = model.log_height();
                log::show_line(&mut model.log, line, height);
            } else {
                model.log.follow = true;
            }
            model.log.marked = line.filter(|line| *line > 1);
        }
        Place::Failure(id) => {
            if model.failure.id != Some(id) {
                model.failure = FailureView {
                    id: Some(id),
                    ..FailureView::default()
                };
            }
            model.failure.stale = true;
        }
        Place::Search => {}
        Place::Agents => model.agents.stale = true,
    }
    model.retry_at = model.now;
    model.place = place;
}
