//! Why a file is refused as a whole. Each error names a line and has a code that does not change.

use std::io;

/// A report that could not be read at all, or must not be read.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// The content is none of the formats; `reason` says what was found instead.
    #[error("line {line}: not a known report format: {reason}")]
    NotRecognised {
        /// Line of the first thing that did not fit.
        line: u64,
        /// What was found.
        reason: String,
    },
    /// The document declares a document type or entities. Nothing of it was expanded.
    #[error("line {line}: document type declarations and entities are refused")]
    DoctypeRefused {
        /// Line of the declaration.
        line: u64,
    },
    /// The content begins like a report and breaks before the first test.
    #[error("line {line}: broken before the first test: {reason}")]
    Broken {
        /// Line where it breaks.
        line: u64,
        /// What broke.
        reason: String,
    },
    /// The sink asked to stop.
    #[error("line {line}: stopped by the receiver")]
    Stopped {
        /// Line of the case at which it stopped.
        line: u64,
    },
    /// The input itself could not be read.
    #[error("line {line}: failed to read the input: {source}")]
    Input {
        /// Line reached.
        line: u64,
        /// The reader's error.
        source: io::Error,
    },
}

impl ParseError {
    /// A stable code for API answers.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotRecognised { .. } => "report_not_recognised",
            Self::DoctypeRefused { .. } => "report_doctype_refused",
            Self::Broken { .. } => "report_broken",
            Self::Stopped { .. } => "report_stopped",
            Self::Input { .. } => "report_unreadable",
        }
    }

    /// The line the error is about, counted from 1.
    pub fn line(&self) -> u64 {
        match self {
            Self::NotRecognised { line, .. }
            | Self::DoctypeRefused { line }
            | Self::Broken { line, .. }
            | Self::Stopped { line }
            | Self::Input { line, .. } => *line,
        }
    }
}
