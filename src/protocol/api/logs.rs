//! Log lines.

use crate::{BuildId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// What the agent itself says (checkout, commands, end reasons).
    System,
}

/// One line of a build's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// Counts from 1 over the whole attempt.
    pub number: u64,
    /// Index of the step that wrote it.
    pub step: u32,
    /// Where its first byte came from.
    pub stream: Stream,
    /// When the agent read it.
    pub time: Timestamp,
    /// Text without its line end: of a line that was written over itself with carriage returns, what it said last. Invalid UTF-8
    /// replaced; ANSI kept as written.
    pub text: String,
    /// The line is longer than 64 KiB: its text goes on in the next.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continued: bool,
}

/// A range of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LogPage {
    /// Build.
    pub build_id: BuildId,
    /// Attempt.
    pub attempt: u32,
    /// Lines in order.
    pub lines: Vec<LogLine>,
    /// The line that is being written, as it looks now, when the page reaches the end of the log. It has a number, and comes again under it
    /// until it ends and counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<LogLine>,
    /// Lines that the attempt has so far.
    pub total_lines: u64,
    /// Bytes that the attempt has so far.
    pub total_bytes: u64,
    /// Whether nothing will follow.
    pub complete: bool,
}
