//! Answers of the server, put where the screens read them.

use testhide_protocol::api::{Build, Page, SearchAnswer};

use super::{RETRY_MS, go, log};
use crate::event::{Answer, Answered};
use crate::model::{Model, Place};

/// Takes an answer; one about something that is no longer shown is dropped.
pub(super) fn take(model: &mut Model, answer: Answer) {
    match answer {
        Answer::Builds { cursor, page } => builds(model, cursor.is_none(), page),
        Answer::Build { number, build } => {
            if number != model.build.number {
                return;
            }
            model.build.loading = false;
            match build {
                Ok(build) => (model.build.build, model.build.error) = (Some(*build), None),
                Err(error) => {
                    (model.build.error, model.build.stale) = (Some(error), true);
                    later(model);
                }
            }
        }
        Answer::Verdicts { number, verdicts } => {
            if number == model.build.number {
                match verdicts {
                    Ok(verdicts) => {
                        (model.build.verdicts, model.build.verdicts_error) = (Some(verdicts), None);
                    }
                    Err(error) => model.build.verdicts_error = Some(error),
                }
            }
        }
        Answer::Log { range, page } => log::take(model, range, page),
        Answer::Failure { result, failure } => {
            if model.failure.id != Some(result) {
                return;
            }
            model.failure.loading = false;
            match failure {
                Ok(failure) => {
                    (model.failure.failure, model.failure.error) = (Some(*failure), None);
                }
                Err(error) => {
                    (model.failure.error, model.failure.stale) = (Some(error), true);
                    later(model);
                }
            }
        }
        Answer::Search {
            query,
            cursor,
            answer,
        } => {
            if query == model.search.query {
                search(model, cursor.is_none(), answer);
            }
        }
        Answer::Agents(answer) => {
            model.agents.loading = false;
            match answer {
                Ok(mut agents) => {
                    agents.sort_by(|a, b| a.name.cmp(&b.name).then(a.id.cmp(&b.id)));
                    (model.agents.known, model.agents.error) = (Some(agents), None);
                    model.agents.asked = None;
                }
                Err(error) => {
                    (model.agents.error, model.agents.stale) = (Some(error), true);
                    later(model);
                }
            }
        }
        // Without it the screen says less; the list says whether the server can be reached.
        Answer::Agent(answer) => {
            if let Ok(details) = answer {
                model.agents.details = Some(details);
            }
        }
        Answer::Cancelled { number, outcome } => match outcome {
            Ok(()) => {
                model.say(format!("build {number} is being cancelled"));
                (model.builds.stale, model.build.stale) = (true, true);
            }
            Err(error) => model.complain(format!("build {number} was not cancelled: {error}")),
        },
        Answer::Triggered(outcome) => match outcome {
            Ok(build) => {
                let number = build.build_number;
                model.builds.known.insert(number, *build);
                model.builds.stale = true;
                go(model, Place::Build(number));
                model.say(format!("build {number} is queued"));
            }
            Err(error) => model.complain(format!("nothing was started: {error}")),
        },
    }
}

/// Lets some time pass before the next request.
fn later(model: &mut Model) {
    model.retry_at = model.now.plus_millis(RETRY_MS);
}

fn builds(model: &mut Model, is_first: bool, page: Answered<Page<Build>>) {
    model.builds.loading = false;
    let page = match page {
        Ok(page) => page,
        Err(error) => {
            model.builds.error = Some(error);
            model.builds.stale |= is_first;
            return later(model);
        }
    };
    let builds = &mut model.builds;
    builds.error = None;
    if is_first {
        let oldest = page.items.iter().map(|build| build.build_number).min();
        let newest_known = builds.known.last_key_value().map(|(number, _)| *number);
        let has_gap = match (oldest, newest_known) {
            (Some(oldest), Some(newest)) => oldest > newest + 1,
            _ => true,
        };
        if has_gap {
            // More was started than one page tells: what lies between is asked for by scrolling.
            builds.known.clear();
        }
        if has_gap || !builds.loaded {
            builds.next = page.next;
        }
        builds.loaded = true;
    } else {
        builds.next = page.next;
    }
    builds.known.extend(
        page.items
            .into_iter()
            .map(|build| (build.build_number, build)),
    );
}

fn search(model: &mut Model, is_first: bool, answer: Answered<SearchAnswer>) {
    let search = &mut model.search;
    search.loading = false;
    match answer {
        Err(error) => search.error = Some(error),
        Ok(answer) if is_first => {
            (search.answer, search.error, search.cursor) = (Some(answer), None, 0);
        }
        Ok(answer) => {
            if let Some(known) = &mut search.answer {
                // An empty page with a cursor would be asked for for ever.
                known.next = answer.next.filter(|_| !answer.hits.is_empty());
                known.hits.extend(answer.hits);
                known.index_lag = answer.index_lag;
            }
        }
    }
}
