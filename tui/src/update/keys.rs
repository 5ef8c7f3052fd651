//! What keys mean: first to a question, then to a prompt, then to help, then everywhere, then on the screen.

use testhide_protocol::api::{Build, Trigger};

use super::lists::{self, Move, movement};
use super::{go, log, places, prompt};
use crate::event::{Effect, Key, Retrigger};
use crate::model::{Confirm, Model, Place};

/// Takes a key.
pub(super) fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    if key == Key::Ctrl('c') {
        return vec![Effect::Quit];
    }
    if let Some(question) = model.confirm.take() {
        return answer(model, question, key);
    }
    if model.prompt.is_some() {
        return prompt::press(model, key);
    }
    match key {
        Key::Char('q') => return vec![Effect::Quit],
        Key::Char('?') => model.help = !model.help,
        Key::Esc if model.help => model.help = false,
        _ if model.help => {}
        Key::Char(':') => prompt::open_command(model),
        Key::Char('/') => prompt::open_slash(model),
        Key::Char('-') => places::last(model),
        Key::Ctrl('r') => return places::reload(model),
        Key::Esc => escape(model),
        _ => return on_screen(model, key),
    }
    Vec::new()
}

/// Drops the nearest thing that can be dropped, else goes back.
fn escape(model: &mut Model) {
    let is_list = matches!(model.place, Place::Builds | Place::Build(_) | Place::Agents);
    if is_list && !prompt::filter(model).is_empty() {
        prompt::filter(model).clear();
    } else if matches!(model.place, Place::Log { .. }) && model.log.find.is_some() {
        model.log.find = None;
    } else {
        places::back(model);
    }
}

fn on_screen(model: &mut Model, key: Key) -> Vec<Effect> {
    if matches!(model.place, Place::Log { .. }) {
        let height = model.log_height();
        if !log::press(model, key)
            && let Some(to) = movement(key, height)
        {
            log::scroll(&mut model.log, to, height);
        }
        return Vec::new();
    }
    if let Some(to) = movement(key, model.body_height()) {
        lists::select(model, to);
        return Vec::new();
    }
    match key {
        Key::Enter | Key::Right => open(model),
        Key::Left | Key::Char('h') => places::back(model),
        Key::Char('l') => open_log(model),
        Key::Char('b') => {
            if let Some(number) = failures_build(model) {
                go(model, Place::Build(number));
            }
        }
        Key::Char('n' | 'N') if model.place == Place::Builds => {
            lists::next_failed(model, key == Key::Char('n'));
        }
        Key::Char('n') => lists::select(model, Move::By(1)),
        Key::Char('N') => lists::select(model, Move::By(-1)),
        Key::Char(digit @ '1'..='9') => open_similar(model, digit),
        Key::Char('c') => ask_cancel(model),
        Key::Char('r') => ask_trigger(model),
        _ => {}
    }
    Vec::new()
}

/// Opens what is selected.
fn open(model: &mut Model) {
    let place = match model.place {
        Place::Builds => model
            .builds
            .current()
            .map(|build| Place::Build(build.build_number)),
        Place::Build(_) => {
            let shown = model.build.shown();
            shown
                .get(model.build.cursor(&shown))
                .map(|failure| Place::Failure(failure.result_id))
        }
        Place::Agents => {
            let shown = model.agents.shown();
            let lease = shown
                .get(model.agents.cursor(&shown))
                .and_then(|agent| agent.builds.first());
            lease.map(|lease| Place::Build(lease.build_number))
        }
        Place::Search => model
            .search
            .entries()
            .get(model.search.cursor)
            .and_then(|(hit, line)| match (hit.result_id, hit.build_number) {
                (Some(result), _) => Some(Place::Failure(result)),
                (None, Some(build)) => Some(Place::Log {
                    build,
                    attempt: hit.attempt,
                    line: line.map(|line| line.number),
                }),
                (None, None) => None,
            }),
        Place::Failure(_) | Place::Log { .. } => None,
    };
    match place {
        Some(place) => go(model, place),
        None if model.place == Place::Agents => model.say("this agent works on nothing"),
        None => {}
    }
}

fn open_log(model: &mut Model) {
    let build = match model.place {
        Place::Builds => model.builds.current().map(|build| build.build_number),
        Place::Build(number) => Some(number),
        _ => failures_build(model),
    };
    if let Some(build) = build {
        go(
            model,
            Place::Log {
                build,
                attempt: None,
                line: None,
            },
        );
    }
}

/// The build that the shown failure belongs to.
fn failures_build(model: &mut Model) -> Option<u64> {
    let Place::Failure(_) = model.place else {
        return None;
    };
    let number = model
        .failure
        .failure
        .as_ref()
        .and_then(|failure| failure.build);
    if number.is_none() {
        model.say("the report of this failure belongs to no build");
    }
    number
}

fn open_similar(model: &mut Model, digit: char) {
    let Place::Failure(_) = model.place else {
        return;
    };
    let index = digit.to_digit(10).map_or(0, |digit| digit as usize - 1);
    let similar = model
        .failure
        .failure
        .as_ref()
        .and_then(|failure| failure.verdict.similar.get(index));
    match similar.map(|similar| similar.run.result_id) {
        Some(result) => go(model, Place::Failure(result)),
        None => model.say(format!("there is no similar failure {digit}")),
    }
}

/// The build that `c` and `r` are about; says why there is none.
fn changeable(model: &mut Model) -> Option<Build> {
    if model.readonly {
        model.complain("this terminal is read-only: nothing is cancelled or started from here");
        return None;
    }
    match model.place {
        Place::Builds => model.builds.current().cloned(),
        Place::Build(_) => model.build.build.clone(),
        _ => None,
    }
}

fn ask_cancel(model: &mut Model) {
    let Some(build) = changeable(model) else {
        return;
    };
    let number = build.build_number;
    if build.status.is_final() {
        model.say(format!(
            "build {number} has ended: there is nothing to cancel"
        ));
    } else {
        model.confirm = Some(Confirm::Cancel {
            number,
            what: format!("{} on {}", build.job_name, build.branch),
        });
    }
}

fn ask_trigger(model: &mut Model) {
    let Some(build) = changeable(model) else {
        return;
    };
    let trigger = Trigger {
        branch: Some(build.branch),
        commit: build.commit,
        parameters: build.parameters,
    };
    model.confirm = Some(Confirm::Trigger(Retrigger {
        job: build.job_id,
        job_name: build.job_name,
        trigger,
    }));
}

/// The answer to a question: one key says yes, every other one no.
fn answer(model: &mut Model, question: Confirm, key: Key) -> Vec<Effect> {
    match (question, key) {
        (Confirm::Cancel { number, .. }, Key::Ctrl('d')) => vec![Effect::Cancel(number)],
        (Confirm::Trigger(retrigger), Key::Enter) => vec![Effect::Trigger(retrigger)],
        (Confirm::Cancel { number, .. }, _) => {
            model.say(format!("build {number} goes on"));
            Vec::new()
        }
        (Confirm::Trigger(_), _) => {
            model.say("nothing was started");
            Vec::new()
        }
    }
}
