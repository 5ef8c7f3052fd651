//! What the doctor says.

use std::fmt::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

/// Everything that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// Whether nothing needs attention.
    pub healthy: bool,
    /// The agent's directory.
    pub directory: PathBuf,
    /// The agent's name, when it is known.
    pub agent: Option<String>,
    /// One for each check, some for several.
    pub findings: Vec<Finding>,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check.
    pub check: &'static str,
    /// Whether somebody has to do something.
    pub state: State,
    /// What was found.
    pub found: String,
    /// What to do about it.
    pub advice: Option<String>,
}

/// How good what was found is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Fine,
    /// Worth knowing.
    Note,
    /// Somebody has to do something.
    Attention,
}

impl Finding {
    /// As it should be.
    pub(super) fn fine(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Fine,
            found: found.into(),
            advice: None,
        }
    }

    /// Worth knowing.
    pub(super) fn note(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            state: State::Note,
            ..Self::fine(check, found)
        }
    }

    /// Somebody has to do something.
    pub(super) fn attention(
        check: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Attention,
            advice: Some(advice.into()),
            ..Self::fine(check, found)
        }
    }

    /// The same with something that can be done.
    pub(super) fn advise(self, advice: impl Into<String>) -> Self {
        Self {
            advice: Some(advice.into()),
            ..self
        }
    }
}

impl fmt::Display for Diagnosis {
    /// A line for each finding, and one below it for what to do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            let state = match finding.state {
                State::Fine => "fine",
                State::Note => "note",
                State::Attention => "ATTENTION",
            };
            writeln!(
                f,
                "{state:<9}  {:<13}  {}",
                finding.check,
                clean(&finding.found)
            )?;
            if let Some(advice) = &finding.advice {
                writeln!(f, "{:<9}  {:<13}  -> {}", "", "", clean(advice))?;
            }
        }
        let count = self
            .findings
            .iter()
            .filter(|finding| finding.state == State::Attention)
            .count();
        match count {
            0 => f.write_str("nothing needs attention"),
            1 => f.write_str("one thing needs attention"),
            count => write!(f, "{count} things need attention"),
        }
    }
}

/// Names of files and words of servers may hold anything; a terminal is shown none of it that it would obey.
fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            write!(clean, "{}", c.escape_default()).expect("a string takes everything");
        } else {
            clean.push(c);
        }
    }
    clean
}
