//! The two channels: results on stdout, messages on stderr.

use super::clean::{clean, clean_json};
use super::json::write_json;
use super::progress::ProgressBar;
use super::table::Table;
use super::theme::Theme;
use crate::cli::error::{CliError, Exit};
use crate::config::Environment;
use crate::kit::Clock;
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use testhide_protocol::Timestamp;

/// What was asked for by flags.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::cli) struct Wishes {
    /// `--json`
    pub json: bool,
    /// `--quiet`
    pub quiet: bool,
    /// `--no-color`
    pub no_color: bool,
}

/// Writes results and messages.
pub(in crate::cli) struct Printer {
    /// Whether results are JSON.
    pub json: bool,
    quiet: bool,
    colour: bool,
    unicode: bool,
    width: Option<usize>,
    stderr_is_terminal: bool,
    stdout_is_terminal: bool,
    clock: Clock,
}

impl Printer {
    /// The printer of this process.
    pub(in crate::cli) fn new(wishes: Wishes, environment: &Environment, clock: Clock) -> Self {
        let stdout_is_terminal = io::stdout().is_terminal();
        let is_dumb = environment.get("TERM") == Some("dumb");
        Self {
            json: wishes.json,
            quiet: wishes.quiet,
            colour: stdout_is_terminal
                && !wishes.no_color
                && !is_dumb
                && environment.get("NO_COLOR").is_none(),
            unicode: speaks_utf8(environment),
            width: if stdout_is_terminal {
                terminal_width()
            } else {
                None
            },
            stderr_is_terminal: io::stderr().is_terminal() && !is_dumb,
            stdout_is_terminal,
            clock,
        }
    }

    /// How to draw at this moment.
    pub(in crate::cli) fn theme(&self) -> Theme {
        Theme {
            colour: self.colour,
            unicode: self.unicode,
            width: self.width,
            now: self.now(),
        }
    }

    /// The time.
    pub(in crate::cli) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether a person looks at stdout.
    pub(in crate::cli) fn is_terminal(&self) -> bool {
        self.stdout_is_terminal
    }

    /// Writes a text that is clean already.
    pub(in crate::cli) fn write(&self, text: &str) -> Result<(), CliError> {
        self.write_bytes(text.as_bytes())
    }

    /// Writes a clean line.
    pub(in crate::cli) fn line(&self, text: &str) -> Result<(), CliError> {
        self.write(&format!("{text}\n"))
    }

    /// Writes bytes as they are: files that were asked for.
    pub(in crate::cli) fn write_bytes(&self, bytes: &[u8]) -> Result<(), CliError> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|error| stdout_failed(&error))
    }

    /// Writes a value of any size as indented JSON, while it is made.
    pub(in crate::cli) fn json_stream<T: Serialize>(&self, value: &T) -> Result<(), CliError> {
        write_json(value, io::stdout().lock()).map_err(|error| stdout_failed(&error))
    }

    /// Lets `write` write a file of any size to stdout.
    pub(in crate::cli) fn stream<T>(
        &self,
        write: impl FnOnce(&mut dyn Write) -> io::Result<T>,
    ) -> Result<T, CliError> {
        let mut stdout = io::stdout().lock();
        write(&mut stdout)
            .and_then(|done| stdout.flush().map(|()| done))
            .map_err(|error| stdout_failed(&error))
    }

    /// Writes a value as indented JSON.
    pub(in crate::cli) fn json<T: Serialize>(&self, value: &T) -> Result<(), CliError> {
        let json = serde_json::to_string_pretty(value).expect("API objects are plain data");
        self.line(&clean_json(&json))
    }

    /// Writes a value as one line of JSON, for streams.
    pub(in crate::cli) fn json_line<T: Serialize>(&self, value: &T) -> Result<(), CliError> {
        let json = serde_json::to_string(value).expect("API objects are plain data");
        self.line(&clean_json(&json))
    }

    /// Writes `value` as JSON when that is wanted, else what `draw` makes of it.
    pub(in crate::cli) fn show<T: Serialize>(
        &self,
        value: &T,
        draw: impl FnOnce(&Theme) -> String,
    ) -> Result<(), CliError> {
        if self.json {
            self.json(value)
        } else {
            self.write(&draw(&self.theme()))
        }
    }

    /// Writes a list as JSON or as a table; `nothing` is said on stderr when it is empty.
    pub(in crate::cli) fn list<T: Serialize>(
        &self,
        items: &T,
        table: &Table,
        nothing: &str,
    ) -> Result<(), CliError> {
        if self.json {
            return self.json(items);
        }
        if table.is_empty() {
            self.say(nothing);
            return Ok(());
        }
        self.write(&table.render(&self.theme()))
    }

    /// Tells a person something that is not the result.
    pub(in crate::cli) fn say(&self, message: &str) {
        if !self.quiet {
            self.warn(message);
        }
    }

    /// Tells a person something even when quiet.
    pub(in crate::cli) fn warn(&self, message: &str) {
        // Nobody listens when stderr is closed.
        drop(writeln!(
            io::stderr().lock(),
            "testhide: {}",
            clean(message)
        ));
    }

    /// Says why a command ended, and answers with the exit code.
    pub(in crate::cli) fn report(&self, error: &CliError) -> Exit {
        if error.exit != Exit::Ok {
            self.warn(&error.to_string());
        }
        error.exit
    }

    /// A progress bar over `total` bytes; hidden where stderr is no terminal.
    pub(in crate::cli) fn progress(&self, label: &str, total: Option<u64>) -> ProgressBar {
        ProgressBar::new(&clean(label), total, self.stderr_is_terminal && !self.quiet)
    }
}

fn stdout_failed(error: &io::Error) -> CliError {
    match error.kind() {
        io::ErrorKind::BrokenPipe => CliError::stdout_closed(),
        _ => CliError::new(
            Exit::Failed,
            "stdout",
            format!("failed to write to stdout: {error}"),
        ),
    }
}

fn speaks_utf8(environment: &Environment) -> bool {
    if cfg!(windows) {
        return true;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(|name| environment.get(name));
    locale.is_some_and(|name| {
        let name = name.to_ascii_lowercase();
        name.contains("utf-8") || name.contains("utf8")
    })
}

#[cfg(unix)]
fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}

#[cfg(not(unix))]
fn terminal_width() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::speaks_utf8;
    use crate::config::Environment;

    #[test]
    fn the_locale_decides_about_signs() {
        let check = |pairs: &[(&str, &str)], expected: bool| {
            let pairs = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect();
            assert_eq!(speaks_utf8(&Environment(pairs)), expected || cfg!(windows));
        };
        check(&[("LANG", "de_DE.UTF-8")], true);
        check(&[("LC_ALL", "C.utf8")], true);
        check(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")], false);
        check(&[], false);
    }
}
