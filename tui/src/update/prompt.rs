//! The line being typed: commands, filters, what to find, what to search.

use super::{go, lists, log};
use crate::event::{Effect, Key};
use crate::model::{Model, Place, Prompt, PromptKind};

/// Characters that a prompt takes.
const MAX_TYPED: usize = 500;

/// Opens the prompt that `/` means here.
pub(super) fn open_slash(model: &mut Model) {
    let (kind, text) = match model.place {
        Place::Log { .. } => (PromptKind::Find, String::new()),
        Place::Search => (PromptKind::Search, model.search.query.clone()),
        Place::Failure(_) => {
            return model.say("nothing to filter here; :search QUERY looks everywhere");
        }
        Place::Builds | Place::Build(_) | Place::Agents => {
            (PromptKind::Filter, filter(model).clone())
        }
    };
    model.prompt = Some(Prompt {
        kind,
        before: text.clone(),
        text,
    });
}

/// Opens the prompt for commands.
pub(super) fn open_command(model: &mut Model) {
    model.prompt = Some(Prompt {
        kind: PromptKind::Command,
        text: String::new(),
        before: String::new(),
    });
}

/// Adds pasted text to an open prompt; without one, nothing happens.
pub(super) fn paste(model: &mut Model, text: &str) {
    if let Some(prompt) = &mut model.prompt {
        let room = MAX_TYPED.saturating_sub(prompt.text.chars().count());
        prompt.text.extend(
            text.chars()
                .filter(|letter| !letter.is_control())
                .take(room),
        );
        apply_filter(model);
    }
}

/// A key while something is being typed.
pub(super) fn press(model: &mut Model, key: Key) -> Vec<Effect> {
    let Some(prompt) = &mut model.prompt else {
        return Vec::new();
    };
    match key {
        Key::Char(letter) if prompt.text.chars().count() < MAX_TYPED => prompt.text.push(letter),
        Key::Backspace if prompt.text.is_empty() => return leave(model),
        Key::Backspace => drop(prompt.text.pop()),
        Key::Ctrl('u') => prompt.text.clear(),
        Key::Ctrl('w') => {
            let kept = prompt.text.trim_end().rfind(' ').map_or(0, |at| at + 1);
            prompt.text.truncate(kept);
        }
        Key::Esc => return leave(model),
        Key::Enter => return accept(model),
        _ => {}
    }
    apply_filter(model);
    Vec::new()
}

fn leave(model: &mut Model) -> Vec<Effect> {
    if let Some(prompt) = model.prompt.take()
        && prompt.kind == PromptKind::Filter
    {
        filter(model).clear();
    }
    Vec::new()
}

fn accept(model: &mut Model) -> Vec<Effect> {
    let Some(prompt) = model.prompt.take() else {
        return Vec::new();
    };
    match prompt.kind {
        PromptKind::Filter => {}
        PromptKind::Find => log::find(model, &prompt.text),
        PromptKind::Search => return lists::search(model, &prompt.text),
        PromptKind::Command => return command(model, &prompt.text),
    }
    Vec::new()
}

/// A filter works while it is being typed.
fn apply_filter(model: &mut Model) {
    let Some(prompt) = model
        .prompt
        .as_ref()
        .filter(|prompt| prompt.kind == PromptKind::Filter)
    else {
        return;
    };
    let text = prompt.text.clone();
    *filter(model) = text;
}

/// The filter of the shown list.
pub(super) fn filter(model: &mut Model) -> &mut String {
    match model.place {
        Place::Build(_) => &mut model.build.filter,
        Place::Agents => &mut model.agents.filter,
        _ => &mut model.builds.filter,
    }
}

fn command(model: &mut Model, text: &str) -> Vec<Effect> {
    let text = text.trim();
    let (name, rest) = text
        .split_once(' ')
        .map_or((text, ""), |(name, rest)| (name, rest.trim()));
    let number = rest.trim_start_matches('#').parse::<u64>();
    match (name, number) {
        ("", _) => {}
        ("q" | "quit", _) => return vec![Effect::Quit],
        ("builds", _) => go(model, Place::Builds),
        ("agents", _) => go(model, Place::Agents),
        ("search", _) if rest.is_empty() => {
            go(model, Place::Search);
            open_slash(model);
        }
        ("search", _) => return lists::search(model, rest),
        ("build", Ok(number)) => go(model, Place::Build(number)),
        ("log", Ok(build)) => go(
            model,
            Place::Log {
                build,
                attempt: None,
                line: None,
            },
        ),
        ("build" | "log", Err(_)) => model.complain(format!("which build? `:{name} 421`")),
        ("help", _) => model.help = true,
        _ => model.complain(format!(
            "`:{name}` is no command; builds, build N, log N, agents, search QUERY, q are"
        )),
    }
    Vec::new()
}
