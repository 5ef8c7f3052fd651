//! The help of each screen.

use crate::model::{Model, Place};

/// One line of help: keys and effect, or with no keys a heading.
pub(crate) type HelpEntry = (&'static str, &'static str);

/// The title and lines for the screen that is shown.
pub(crate) fn help(model: &Model) -> (&'static str, Vec<HelpEntry>) {
    let (title, own): (_, &[HelpEntry]) = match model.place {
        Place::Builds => ("builds, newest first, live", BUILDS),
        Place::Build(_) => (
            "one build: steps, counts, failures with their verdicts",
            BUILD,
        ),
        Place::Log { .. } => ("the log of one attempt", LOG),
        Place::Failure(_) => ("one failure: what it is and how we know", FAILURE),
        Place::Search => ("search in logs and failures", SEARCH),
        Place::Agents => ("agents and what they do", AGENTS),
    };
    let mut entries = own.to_vec();
    if matches!(model.place, Place::Builds | Place::Build(_)) {
        entries.extend(if model.readonly { READONLY } else { CHANGES });
    }
    entries.extend(EVERYWHERE);
    (title, entries)
}

const BUILDS: &[HelpEntry] = &[
    ("enter →", "open the build"),
    ("l", "open its log"),
    ("/", "filter: all words must fit; !word must not"),
    ("n N", "next, previous failed build"),
];
const BUILD: &[HelpEntry] = &[
    ("enter →", "open the failure"),
    ("l", "open the log"),
    ("/", "filter the failures"),
];
const CHANGES: &[HelpEntry] = &[
    ("c", "cancel the build; ctrl-d confirms"),
    ("r", "run it again with the same commit; enter confirms"),
];
const READONLY: &[HelpEntry] = &[("", "read-only: nothing can be cancelled or started")];
const LOG: &[HelpEntry] = &[
    ("f", "follow the end; scrolling up stops it"),
    ("/", "find; small letters find capitals too"),
    ("n N", "next, previous match, through the whole log"),
    ("w", "wrap long lines"),
    ("t", "time stamps, UTC"),
    ("h l ← →", "scroll sideways"),
];
const FAILURE: &[HelpEntry] = &[
    ("1-9", "open a similar failure"),
    ("b", "open its build"),
    ("l", "open its build's log"),
];
const SEARCH: &[HelpEntry] = &[
    ("enter →", "open the log at the line, or the failure"),
    ("/", "change the query"),
];
const AGENTS: &[HelpEntry] = &[("enter →", "open the build it works on"), ("/", "filter")];
const EVERYWHERE: &[HelpEntry] = &[
    ("j k ↑ ↓", "one row; pgdn pgup ctrl-f ctrl-b: one screen"),
    ("g G", "first, last"),
    ("esc h ←", "back; in a log esc only, h ← scroll sideways"),
    ("-", "the last place, and again back here"),
    (":", "builds, build 421, log 421, agents, search QUERY, q"),
    ("q ctrl-c", "quit"),
];
