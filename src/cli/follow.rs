//! Reading a log line by line, over broken connections, without losing or doubling a line.
//!
//! The next wanted line number is the only state: it moves when a line was handed on, and each request asks from it. So a break at
//! any byte of an answer costs nothing but the request.

use super::client::{Backoff, Client};
use super::error::CliError;
use testhide_protocol::api::{Build, LogLine, LogPage};

/// Lines asked for at once.
const LINES: u32 = 2000;

/// Seconds that the server may wait for the next line.
const WAIT_SECONDS: u32 = 25;

/// Which log, and from where.
#[derive(Debug, Clone)]
pub(in crate::cli) struct LogPlace {
    /// Number or id.
    pub build: String,
    /// The last when absent; then later attempts follow.
    pub attempt: Option<u32>,
    /// First line.
    pub from: u64,
    /// Whether to go on until the build ends.
    pub follow: bool,
    /// Whether the line that is being written is wanted, too.
    pub running: bool,
}

impl LogPlace {
    /// The whole log of the last attempt.
    pub(in crate::cli) fn new(build: &str) -> Self {
        Self {
            build: build.to_owned(),
            attempt: None,
            from: 1,
            follow: false,
            running: false,
        }
    }

    /// The same, until the build ends.
    pub(in crate::cli) fn following(self) -> Self {
        Self {
            follow: true,
            ..self
        }
    }
}

/// What a reader of a log hears.
pub(in crate::cli) enum Heard<'a> {
    /// Lines, in order, each once.
    Lines(&'a [LogLine]),
    /// The line that is being written, as it looks now; the next that is heard stands in its place.
    Running(&'a LogLine),
    /// The lines after this belong to a later attempt, because the agent of the one before was lost.
    Attempt(u32),
    /// The connection broke; it is tried again.
    Broken(&'a CliError),
    /// It is back.
    Back,
}

/// Hands a log's lines to `hear` until its end; with `follow` until the build's end.
///
/// # Errors
/// The first question's error, whatever it is; later only errors that trying again does not mend, and those of `hear`.
pub(in crate::cli) async fn read_log(
    client: &Client,
    place: &LogPlace,
    backoff: Backoff,
    hear: &mut impl FnMut(Heard<'_>) -> Result<(), CliError>,
) -> Result<(), CliError> {
    let mut reader = Reader {
        client,
        place,
        attempt: place.attempt,
        next: place.from.max(1),
        known_bytes: 0,
        running: None,
    };
    let mut line = Line {
        backoff,
        was_answered: false,
        is_broken: false,
    };
    loop {
        let Some(page) = line.heal(reader.page().await, hear).await? else {
            continue;
        };
        reader.attempt = Some(page.attempt);
        let has_grown = reader.hand_on(&page, hear)?;
        if reader.next <= page.total_lines && !page.lines.is_empty() {
            continue;
        }
        if !place.follow {
            return Ok(());
        }
        if !page.complete && has_grown {
            continue;
        }
        let Some(build) = line.heal(reader.build().await, hear).await? else {
            continue;
        };
        if place.attempt.is_none() && build.attempt > page.attempt {
            reader.attempt = Some(build.attempt);
            reader.next = 1;
            reader.known_bytes = 0;
            hear(Heard::Attempt(build.attempt))?;
        } else if page.complete && (place.attempt.is_some() || build.status.is_final()) {
            return Ok(());
        } else if build.status.is_final() || build.attempt > page.attempt {
            // The attempt is over; what came since the last look is asked for once more.
            let Some(rest) = line.heal(reader.page().await, hear).await? else {
                continue;
            };
            let had = reader.next;
            reader.hand_on(&rest, hear)?;
            if reader.next == had {
                return Ok(());
            }
        } else {
            // Nothing new: a queued build, or one between two attempts. The server may have answered at once.
            line.backoff.pause(None).await;
        }
    }
}

struct Reader<'a> {
    client: &'a Client,
    place: &'a LogPlace,
    attempt: Option<u32>,
    /// Number of the next line to hand on.
    next: u64,
    /// Bytes that the log had when it was last looked at.
    known_bytes: u64,
    /// The line that was being written then.
    running: Option<LogLine>,
}

impl Reader<'_> {
    async fn page(&self) -> Result<LogPage, CliError> {
        let wait = if self.place.follow { WAIT_SECONDS } else { 0 };
        let mut query = vec![
            ("from", self.next.to_string()),
            ("limit", LINES.to_string()),
            ("wait_seconds", wait.to_string()),
        ];
        query.extend(self.attempt.map(|attempt| ("attempt", attempt.to_string())));
        if self.place.running && self.place.follow {
            query.push(("known_bytes", self.known_bytes.to_string()));
        }
        self.client
            .get(&["builds", &self.place.build, "log"], &query)
            .await
    }

    async fn build(&self) -> Result<Build, CliError> {
        self.client.get(&["builds", &self.place.build], &[]).await
    }

    /// Hands on what is new in a page; says whether the log has grown since the last.
    fn hand_on(
        &mut self,
        page: &LogPage,
        hear: &mut impl FnMut(Heard<'_>) -> Result<(), CliError>,
    ) -> Result<bool, CliError> {
        let new = page.lines.partition_point(|line| line.number < self.next);
        let lines = &page.lines[new..];
        if let Some(last) = lines.last() {
            hear(Heard::Lines(lines))?;
            self.next = last.number + 1;
            self.running = None;
        }
        let has_grown = !page.lines.is_empty() || page.total_bytes > self.known_bytes;
        self.known_bytes = page.total_bytes;
        let running = page
            .running
            .as_ref()
            .filter(|line| line.number == self.next);
        if self.place.running && running != self.running.as_ref() {
            self.running = running.cloned();
            if let Some(line) = running {
                hear(Heard::Running(line))?;
            }
        }
        Ok(has_grown)
    }
}

/// The connection, as far as it is known to stand.
struct Line {
    backoff: Backoff,
    was_answered: bool,
    is_broken: bool,
}

impl Line {
    /// The answer, or `None` after a pause when the question has to be asked again.
    async fn heal<T>(
        &mut self,
        answer: Result<T, CliError>,
        hear: &mut impl FnMut(Heard<'_>) -> Result<(), CliError>,
    ) -> Result<Option<T>, CliError> {
        match answer {
            Ok(answer) => {
                self.was_answered = true;
                if self.is_broken {
                    self.is_broken = false;
                    hear(Heard::Back)?;
                }
                self.backoff.reset();
                Ok(Some(answer))
            }
            Err(error) if self.was_answered && error.is_temporary() => {
                if !self.is_broken {
                    self.is_broken = true;
                    hear(Heard::Broken(&error))?;
                }
                self.backoff.pause(error.retry_after).await;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
