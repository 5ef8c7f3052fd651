//! Selections in lists, and what the list screens ask the server for.

use testhide_protocol::ResultId;

use super::is_live;
use crate::event::{Effect, Key};
use crate::model::{Model, Place};
use crate::screens;

/// Builds held at most: more are found by search, not by scrolling.
const MAX_BUILDS: usize = 5_000;

/// A move of the selection or of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    By(i64),
    First,
    Last,
}

/// The move that a key means on a screen with this many rows.
pub(super) fn movement(key: Key, rows: u16) -> Option<Move> {
    let page = i64::from(rows.saturating_sub(2).max(1));
    Some(match key {
        Key::Char('j') | Key::Down => Move::By(1),
        Key::Char('k') | Key::Up => Move::By(-1),
        Key::PageDown | Key::Ctrl('f') | Key::Char(' ') => Move::By(page),
        Key::PageUp | Key::Ctrl('b') => Move::By(-page),
        Key::Char('g') | Key::Home => Move::First,
        Key::Char('G') | Key::End => Move::Last,
        _ => return None,
    })
}

/// Where a move leads in a list of `length` rows.
pub(super) fn moved(cursor: usize, length: usize, to: Move) -> usize {
    let last = length.saturating_sub(1);
    match to {
        Move::First => 0,
        Move::Last => last,
        Move::By(rows) => {
            let rows = isize::try_from(rows).unwrap_or(0);
            cursor.saturating_add_signed(rows).min(last)
        }
    }
}

/// Moves the selection of the shown screen.
pub(super) fn select(model: &mut Model, to: Move) {
    match model.place {
        Place::Builds => {
            let shown = model.builds.shown();
            let row = moved(model.builds.cursor(&shown), shown.len(), to);
            let selected = shown.get(row).map(|build| build.build_number);
            // The first row means "the newest", whichever build that is.
            model.builds.selected = if row == 0 { None } else { selected };
        }
        Place::Build(_) => {
            let shown = model.build.shown();
            let row = moved(model.build.cursor(&shown), shown.len(), to);
            model.build.selected = shown.get(row).map(|failure| failure.result_id);
        }
        Place::Agents => {
            let shown = model.agents.shown();
            let row = moved(model.agents.cursor(&shown), shown.len(), to);
            model.agents.selected = shown.get(row).map(|agent| agent.id);
        }
        Place::Search => {
            let length = model.search.entries().len();
            model.search.cursor = moved(model.search.cursor, length, to);
        }
        Place::Failure(_) => {
            let length = screens::failure_rows(model, model.size.0);
            let last_top = length.saturating_sub(usize::from(model.body_height()));
            model.failure.top = moved(model.failure.top, last_top + 1, to);
        }
        Place::Log { .. } => {}
    }
}

/// Selects the next failed build, older ones with `older`.
pub(super) fn next_failed(model: &mut Model, older: bool) {
    let shown = model.builds.shown();
    let cursor = model.builds.cursor(&shown);
    let has_failed = |row: &usize| {
        use testhide_protocol::api::BuildState::{Failed, InfraLost, TimedOut};
        matches!(shown[*row].status, Failed | TimedOut | InfraLost)
    };
    let found = if older {
        (cursor + 1..shown.len()).find(has_failed)
    } else {
        (0..cursor.min(shown.len())).rev().find(has_failed)
    };
    match found {
        Some(row) => model.builds.selected = Some(shown[row].build_number),
        None => model.say(if older {
            "no older failed build in this list"
        } else {
            "no newer failed build in this list"
        }),
    }
}

pub(super) fn wants_builds(model: &mut Model) -> Vec<Effect> {
    let height = usize::from(model.body_height());
    let may_ask = model.now >= model.retry_at;
    let builds = &mut model.builds;
    if builds.loading || !may_ask {
        return Vec::new();
    }
    if builds.stale || !builds.loaded {
        (builds.stale, builds.loading) = (false, true);
        return vec![Effect::LoadBuilds { cursor: None }];
    }
    let shown = builds.shown();
    let is_near_end = builds.cursor(&shown) + height >= shown.len();
    if is_near_end && builds.next.is_some() && builds.known.len() < MAX_BUILDS {
        builds.loading = true;
        return vec![Effect::LoadBuilds {
            cursor: builds.next.clone(),
        }];
    }
    Vec::new()
}

pub(super) fn wants_build(model: &mut Model, number: u64) -> Vec<Effect> {
    if model.build.loading || !model.build.stale || model.now < model.retry_at {
        return Vec::new();
    }
    (model.build.stale, model.build.loading) = (false, true);
    vec![Effect::LoadBuild(number), Effect::LoadVerdicts(number)]
}

pub(super) fn wants_failure(model: &mut Model, id: ResultId) -> Vec<Effect> {
    if model.failure.loading || !model.failure.stale || model.now < model.retry_at {
        return Vec::new();
    }
    (model.failure.stale, model.failure.loading) = (false, true);
    vec![Effect::LoadFailure(id)]
}

pub(super) fn wants_agents(model: &mut Model) -> Vec<Effect> {
    if model.agents.loading || model.now < model.retry_at {
        return Vec::new();
    }
    if model.agents.stale {
        (model.agents.stale, model.agents.loading) = (false, true);
        return vec![Effect::LoadAgents];
    }
    let shown = model.agents.shown();
    let selected = shown
        .get(model.agents.cursor(&shown))
        .map(|agent| agent.id)
        .filter(|agent| model.agents.asked != Some(*agent));
    match selected {
        Some(agent) => {
            model.agents.asked = Some(agent);
            vec![Effect::LoadAgent(agent)]
        }
        None => Vec::new(),
    }
}

pub(super) fn wants_search(model: &mut Model) -> Vec<Effect> {
    let length = model.search.entries().len();
    let search = &mut model.search;
    let Some(answer) = &search.answer else {
        return Vec::new();
    };
    let is_near_end = search.cursor + 20 >= length;
    let Some(cursor) = answer
        .next
        .clone()
        .filter(|_| is_near_end && !search.loading && search.error.is_none())
    else {
        return Vec::new();
    };
    search.loading = true;
    vec![Effect::Search {
        query: search.query.clone(),
        cursor: Some(cursor),
    }]
}

/// Starts a search and shows its screen.
pub(super) fn search(model: &mut Model, query: &str) -> Vec<Effect> {
    let query = query.trim().to_owned();
    super::go(model, Place::Search);
    if query.is_empty() {
        return Vec::new();
    }
    let search = &mut model.search;
    (search.answer, search.error, search.cursor, search.loading) = (None, None, 0, true);
    search.query.clone_from(&query);
    if !is_live(model) {
        model.say("the server did not answer last time; trying");
    }
    vec![Effect::Search {
        query,
        cursor: None,
    }]
}
