//! Everything that can happen to the terminal, and everything it can ask for. Both lists are closed.

use testhide_protocol::api::{
    Agent, AgentDetails, Build, BuildVerdicts, EventRecord, FailureVerdict, LogPage, Page,
    SearchAnswer, TestResult,
};
use testhide_protocol::{AgentId, JobId, ResultId, Timestamp};

/// Something that happened.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted; it only ever goes into a prompt.
    Paste(String),
    /// The terminal has this size now: columns, rows.
    Resize(u16, u16),
    /// Time went on.
    Tick(Timestamp),
    /// Word from the feed.
    Feed(Feed),
    /// The answer to an effect.
    Answer(Answer),
}

/// A key, as far as this program tells keys apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Ctrl(char),
    Enter,
    Esc,
    Backspace,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
}

/// Word from the feed.
#[derive(Debug, Clone)]
pub(crate) enum Feed {
    /// The feed stands (again): what is on the screen may be older than its start.
    Live,
    /// What happened, in order.
    Records(Vec<EventRecord>),
    /// The server does not answer, in words.
    Offline(String),
}

/// Which range of which log a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogRange {
    /// The build's number.
    pub(crate) build: u64,
    /// The attempt; the last one when absent.
    pub(crate) attempt: Option<u32>,
    /// First line wanted.
    pub(crate) from: u64,
    /// Most lines wanted.
    pub(crate) limit: u64,
    /// What the lines are for.
    pub(crate) purpose: LogPurpose,
}

/// What log lines are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogPurpose {
    /// To be shown.
    Show,
    /// To be looked through for the next match.
    Find,
    /// The tail: the server waits until there is a line, or more than this many bytes.
    Follow {
        /// Bytes of the log as it was last seen.
        known_bytes: u64,
    },
}

/// The server's answer, or in words why there is none.
pub(crate) type Answered<T> = Result<T, String>;

/// The answer to an effect.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Builds {
        cursor: Option<String>,
        page: Answered<Page<Build>>,
    },
    Build {
        number: u64,
        build: Answered<Box<Build>>,
    },
    Verdicts {
        number: u64,
        verdicts: Answered<BuildVerdicts>,
    },
    Log {
        range: LogRange,
        page: Answered<LogPage>,
    },
    Failure {
        result: ResultId,
        failure: Answered<Box<Failure>>,
    },
    Search {
        query: String,
        cursor: Option<String>,
        answer: Answered<SearchAnswer>,
    },
    Agents(Answered<Vec<Agent>>),
    Agent(Answered<Box<AgentDetails>>),
    Cancelled {
        number: u64,
        outcome: Answered<()>,
    },
    Triggered(Answered<Box<Build>>),
}

/// A failure with what its report says.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) verdict: FailureVerdict,
    pub(crate) result: TestResult,
    /// The number of the build whose report it stands in.
    pub(crate) build: Option<u64>,
}

/// Something to be done outside the model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    LoadBuilds {
        cursor: Option<String>,
    },
    LoadBuild(u64),
    LoadVerdicts(u64),
    LoadLog(LogRange),
    LoadFailure(ResultId),
    Search {
        query: String,
        cursor: Option<String>,
    },
    LoadAgents,
    LoadAgent(AgentId),
    Cancel(u64),
    Trigger(Retrigger),
    Quit,
}

impl Effect {
    /// Whether it changes something on the server.
    pub(crate) fn changes_something(&self) -> bool {
        matches!(self, Self::Cancel(_) | Self::Trigger(_))
    }
}

/// A build to be started like an earlier one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Retrigger {
    pub(crate) job: JobId,
    pub(crate) job_name: String,
    pub(crate) trigger: testhide_protocol::api::Trigger,
}

impl std::fmt::Display for Retrigger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let branch = self.trigger.branch.as_deref().unwrap_or("its branch");
        write!(f, "{} on {branch}", self.job_name)?;
        if let Some(commit) = &self.trigger.commit {
            write!(f, " at {}", commit.chars().take(8).collect::<String>())?;
        }
        Ok(())
    }
}
