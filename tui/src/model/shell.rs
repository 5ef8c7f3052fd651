//! The parts that every screen shares: where we are, the prompt, the question, the link to the server.

use testhide_protocol::{ResultId, Timestamp};

use super::{Agents, BuildView, Builds, FailureView, LogView, Search};
use crate::event::Retrigger;

/// The whole state of the terminal.
pub(crate) struct Model {
    /// The server's address, as it is shown.
    pub(crate) server: String,
    pub(crate) readonly: bool,
    /// Whether colours may be used; never the only carrier of a meaning.
    pub(crate) colour: bool,
    /// The time of the last tick: the model has no clock.
    pub(crate) now: Timestamp,
    /// Columns and rows of the terminal.
    pub(crate) size: (u16, u16),
    /// Whether something that is shown changed since the last picture.
    pub(crate) redraw: bool,
    pub(crate) link: Link,
    pub(crate) place: Place,
    /// Where `esc` leads, the nearest last.
    pub(crate) trail: Vec<Place>,
    /// Where `-` leads.
    pub(crate) last: Option<Place>,
    pub(crate) prompt: Option<Prompt>,
    pub(crate) confirm: Option<Confirm>,
    pub(crate) help: bool,
    pub(crate) notice: Option<Notice>,
    /// No request is repeated before, so that a refusal does not become a storm.
    pub(crate) retry_at: Timestamp,
    pub(crate) builds: Builds,
    pub(crate) build: BuildView,
    pub(crate) log: LogView,
    pub(crate) failure: FailureView,
    pub(crate) search: Search,
    pub(crate) agents: Agents,
}

impl Model {
    /// The state before anything is known.
    pub(crate) fn new(server: &str, readonly: bool, colour: bool) -> Self {
        Self {
            server: server
                .trim_start_matches("http://")
                .trim_end_matches('/')
                .to_owned(),
            readonly,
            colour,
            now: Timestamp(0),
            size: (80, 24),
            redraw: true,
            link: Link::Connecting,
            place: Place::Builds,
            trail: Vec::new(),
            last: None,
            prompt: None,
            confirm: None,
            help: false,
            notice: None,
            retry_at: Timestamp(0),
            builds: Builds::default(),
            build: BuildView::default(),
            log: LogView::open(0, None, None),
            failure: FailureView::default(),
            search: Search::default(),
            agents: Agents::default(),
        }
    }

    /// Rows between the title and the hints: what a screen has for itself.
    pub(crate) fn body_height(&self) -> u16 {
        self.size
            .1
            .saturating_sub(2 + u16::from(self.notice.is_some()))
    }

    /// Rows of the log's window: its last line says where we are, if there is room.
    pub(crate) fn log_height(&self) -> u16 {
        let body = self.body_height();
        if body > 2 { body - 1 } else { body }
    }

    /// Says something in the line above the hints.
    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice {
            text: text.into(),
            until: self.now.plus_millis(8_000),
            bad: false,
        });
    }

    /// Says in the same line that something did not work.
    pub(crate) fn complain(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice {
            text: text.into(),
            until: self.now.plus_millis(15_000),
            bad: true,
        });
    }
}

/// How the feed stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Link {
    /// Not reached yet.
    Connecting,
    /// What happens is seen at once.
    Live,
    /// Not reached since then.
    Offline { since: Timestamp, why: String },
}

/// A screen and what it is about.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Place {
    Builds,
    Build(u64),
    /// A log; `line` is where to open it.
    Log {
        build: u64,
        attempt: Option<u32>,
        line: Option<u64>,
    },
    Failure(ResultId),
    Search,
    Agents,
}

/// A line being typed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prompt {
    pub(crate) kind: PromptKind,
    pub(crate) text: String,
    /// What the filter was before, for `esc`.
    pub(crate) before: String,
}

/// What is being typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PromptKind {
    Command,
    Filter,
    Find,
    Search,
}

/// A question that must be answered before something changes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Confirm {
    Cancel { number: u64, what: String },
    Trigger(Retrigger),
}

/// Something said in passing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Notice {
    pub(crate) text: String,
    pub(crate) until: Timestamp,
    pub(crate) bad: bool,
}
