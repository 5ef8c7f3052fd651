//! How a command can end other than well: one line for people, one number for scripts.

use crate::config::ConfigError;
use crate::storage::StorageError;
use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use testhide_protocol::api::Problem;

/// What the exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It was done.
    Ok = 0,
    /// It was answered, and what was asked about failed.
    Failed = 1,
    /// The command or a value in it cannot be.
    Usage = 2,
    /// There is no such thing, or the caller may not see it.
    NotFound = 3,
    /// The caller is unknown or not allowed.
    NotAllowed = 4,
    /// It is in the way of what is there.
    Conflict = 5,
    /// The server cannot be reached or cannot do it now; the same command may work later.
    TryAgain = 6,
    /// The time that was given is over.
    TimedOut = 7,
    /// Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// The class of an HTTP status that is not a success.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::NotAllowed,
            404 | 410 => Self::NotFound,
            409 | 412 => Self::Conflict,
            408 | 425 | 429 => Self::TryAgain,
            400..500 => Self::Usage,
            // A server that failed says nothing about what was asked: never `Failed`, which would read as a red build.
            _ => Self::TryAgain,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command did not do what it was asked.
#[derive(Debug, Clone)]
pub struct CliError {
    /// For scripts.
    pub exit: Exit,
    /// Stable and machine-readable.
    pub code: Cow<'static, str>,
    /// One sentence for people.
    pub detail: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// How long the server wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl CliError {
    /// A failure with its class, code and sentence.
    #[must_use]
    pub fn new(exit: Exit, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            exit,
            code: Cow::Borrowed(code),
            detail: detail.into(),
            hint: None,
            retry_after: None,
        }
    }

    /// A command or value that cannot be.
    #[must_use]
    pub fn usage(detail: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", detail)
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A server's refusal.
    #[must_use]
    pub fn refused(problem: Problem, retry_after: Option<Duration>) -> Self {
        let detail = match problem.line {
            Some(line) => format!("{} (line {line})", problem.detail),
            None => problem.detail,
        };
        Self {
            exit: Exit::of_status(problem.status),
            code: problem.code.into(),
            detail,
            hint: problem.hint,
            retry_after,
        }
    }

    /// A file of this machine that cannot be used; `action` is a verb such as `read`.
    #[must_use]
    pub fn file(action: &str, path: &Path, source: &io::Error) -> Self {
        let detail = format!("failed to {action} `{}`: {source}", path.display());
        Self::new(exit_of_io(source), "file", detail)
    }

    /// Nobody reads stdout any more (`| head`); ends the command without a word.
    #[must_use]
    pub fn stdout_closed() -> Self {
        Self::new(Exit::Ok, "stdout_closed", "nobody reads stdout")
    }

    /// Whether the same request may work a little later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        self.exit == Exit::TryAgain && self.code != "unreadable_answer"
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.code)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CliError {}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, "config", error.to_string())
    }
}

impl From<StorageError> for CliError {
    fn from(error: StorageError) -> Self {
        let (exit, code) = match &error {
            StorageError::Locked(_) => (Exit::Conflict, "data_dir_in_use"),
            StorageError::NewerFormat { .. } => (Exit::Conflict, "newer_format"),
            StorageError::ReadOnly { .. } | StorageError::NoRoom { .. } => {
                (Exit::TryAgain, "disk_full")
            }
            StorageError::Unavailable { .. } => (Exit::TryAgain, "store_unavailable"),
            StorageError::Io { source, .. } => (exit_of_io(source), "file"),
            StorageError::Backup { .. } => (Exit::Failed, "backup_not_usable"),
            _ => (Exit::Failed, "store"),
        };
        Self::new(exit, code, error.to_string())
    }
}

impl From<anyhow::Error> for CliError {
    fn from(error: anyhow::Error) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(own) => return own,
            Err(other) => other,
        };
        let error = match error.downcast::<ConfigError>() {
            Ok(config) => return config.into(),
            Err(other) => other,
        };
        match error.downcast::<StorageError>() {
            Ok(storage) => storage.into(),
            Err(other) => Self::new(Exit::Failed, "failed", format!("{other:#}")),
        }
    }
}

fn exit_of_io(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::NotFound => Exit::NotFound,
        io::ErrorKind::PermissionDenied => Exit::NotAllowed,
        io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty => Exit::Conflict,
        _ => Exit::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::{CliError, Exit};
    use std::io;
    use std::path::Path;
    use testhide_protocol::api::Problem;

    #[test]
    fn statuses_become_exit_codes() {
        let check = |status: u16, expected: u8| {
            assert_eq!(Exit::of_status(status) as u8, expected, "status {status}");
        };
        for status in [400, 405, 411, 413, 415, 422, 499] {
            check(status, 2);
        }
        for (status, expected) in [
            (401, 4),
            (403, 4),
            (404, 3),
            (409, 5),
            (412, 5),
            (408, 6),
            (429, 6),
        ] {
            check(status, expected);
        }
        for status in [301, 500, 502, 503, 504, 507] {
            check(status, 6);
        }
    }

    #[test]
    fn a_refusal_is_one_line_with_code_line_and_hint() {
        let problem = Problem {
            kind: String::new(),
            title: "Unprocessable Content".to_owned(),
            status: 422,
            code: "unreadable_report".to_owned(),
            detail: "the file is not a report".to_owned(),
            hint: Some("send JUnit XML".to_owned()),
            line: Some(7),
        };
        let error = CliError::refused(problem, None);
        assert_eq!(
            error.to_string(),
            "the file is not a report (line 7) (unreadable_report); send JUnit XML"
        );
        assert_eq!(error.exit, Exit::Usage);
    }

    #[test]
    fn files_become_exit_codes() {
        let check = |kind: io::ErrorKind, expected: Exit| {
            assert_eq!(
                CliError::file("read", Path::new("a.xml"), &kind.into()).exit,
                expected
            );
        };
        check(io::ErrorKind::NotFound, Exit::NotFound);
        check(io::ErrorKind::PermissionDenied, Exit::NotAllowed);
        check(io::ErrorKind::AlreadyExists, Exit::Conflict);
        check(io::ErrorKind::InvalidData, Exit::Failed);
    }

    #[test]
    fn an_error_keeps_its_class_through_anyhow() {
        let error =
            anyhow::Error::from(CliError::new(Exit::Conflict, "taken", "the name is taken"));
        assert_eq!(CliError::from(error).exit, Exit::Conflict);
    }
}
