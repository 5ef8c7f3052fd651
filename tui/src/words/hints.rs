//! The hint bar: the keys that do something here, the most wanted first.

use crate::model::{Model, Place, PromptKind};

/// A key and what it does.
pub(crate) type Hint = (&'static str, &'static str);

/// What the bar shows now.
pub(crate) fn hints(model: &Model) -> Vec<Hint> {
    if model.help {
        return vec![("esc", "close"), ("q", "quit")];
    }
    let changes: &[Hint] = if model.readonly {
        &[]
    } else {
        &[("c", "cancel"), ("r", "again")]
    };
    let of_screen: &[Hint] = match model.place {
        Place::Builds => &[("enter", "open"), ("l", "log"), ("/", "filter")],
        Place::Build(_) => &[
            ("enter", "failure"),
            ("l", "log"),
            ("/", "filter"),
            ("esc", "back"),
        ],
        Place::Log { .. } => &[
            ("f", "follow"),
            ("/", "find"),
            ("n N", "next"),
            ("w", "wrap"),
            ("t", "times"),
            ("g G", "ends"),
            ("esc", "back"),
        ],
        Place::Failure(_) => &[
            ("j k", "scroll"),
            ("1-9", "similar"),
            ("b", "build"),
            ("l", "log"),
            ("esc", "back"),
        ],
        Place::Search => &[("enter", "open"), ("/", "query"), ("esc", "back")],
        Place::Agents => &[("enter", "its build"), ("/", "filter"), ("esc", "back")],
    };
    let has_build = matches!(model.place, Place::Builds | Place::Build(_));
    let mut hints = of_screen.to_vec();
    if has_build {
        hints.extend(changes);
    }
    hints.extend([(":", "go to"), ("?", "help"), ("q", "quit")]);
    hints
}

/// What stands before the text being typed, and what the keys do meanwhile.
pub(crate) fn prompt_sign(kind: PromptKind) -> (&'static str, &'static str) {
    match kind {
        PromptKind::Command => (":", "builds · build N · log N · agents · search QUERY · q"),
        PromptKind::Filter => ("filter /", "words · !without · enter keeps · esc drops"),
        PromptKind::Find => ("find /", "enter looks · esc leaves"),
        PromptKind::Search => ("search /", "enter searches · esc leaves"),
    }
}
