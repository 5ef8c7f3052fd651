//! Questions to a person, and secrets from stdin. A secret never comes from a flag.

use super::error::CliError;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

/// Longest secret or answer that is read.
const LONGEST: u64 = 64 * 1024;

/// Asks, where asking is allowed.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Prompt {
    /// False with `--no-input`.
    pub allowed: bool,
}

impl Prompt {
    /// A line of text; `instead` says how to answer without a prompt.
    pub(in crate::cli) fn text(self, question: &str, instead: &str) -> Result<String, CliError> {
        self.require(question, instead)?;
        // A prompt that cannot be written is answered by nobody, which the reading finds out.
        drop(write!(io::stderr(), "{question}: "));
        let line = read_line()?;
        if line.is_empty() {
            Err(unanswered(question, instead))
        } else {
            Ok(line)
        }
    }

    /// A secret, without echo.
    pub(in crate::cli) fn secret(self, question: &str, instead: &str) -> Result<String, CliError> {
        self.require(question, instead)?;
        let secret = rpassword::prompt_password(format!("{question}: "))
            .map_err(|_| unanswered(question, instead))?;
        if secret.is_empty() {
            Err(unanswered(question, instead))
        } else {
            Ok(secret)
        }
    }

    /// A new secret, asked for twice.
    pub(in crate::cli) fn new_secret(
        self,
        question: &str,
        instead: &str,
    ) -> Result<String, CliError> {
        let secret = self.secret(question, instead)?;
        if self.secret(&format!("{question} again"), instead)? == secret {
            Ok(secret)
        } else {
            Err(CliError::usage("the two passwords differ"))
        }
    }

    fn require(self, question: &str, instead: &str) -> Result<(), CliError> {
        if self.allowed && io::stdin().is_terminal() {
            Ok(())
        } else {
            Err(unanswered(question, instead))
        }
    }
}

/// The first line of stdin.
pub(in crate::cli) fn read_line() -> Result<String, CliError> {
    let mut line = String::new();
    let read = io::stdin().lock().take(LONGEST).read_line(&mut line);
    read.map_err(|error| CliError::file("read", Path::new("stdin"), &error))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// A secret out of a file's first line; `-` is stdin.
pub(in crate::cli) fn read_secret_file(file: &Path) -> Result<String, CliError> {
    if file == Path::new("-") {
        return read_line();
    }
    let text =
        std::fs::read_to_string(file).map_err(|error| CliError::file("read", file, &error))?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

fn unanswered(question: &str, instead: &str) -> CliError {
    CliError::usage(format!("{} is needed", question.to_lowercase())).hint(instead.to_owned())
}
