//! Why an agent cannot start or go on.

use std::io;
use std::path::{Path, PathBuf};

use crate::spool::SpoolError;

/// Why an agent cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// A file of the agent cannot be read or written.
    #[error("`{path}`: {source}", path = path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the agent does not say what it should.
    #[error("`{path}` cannot be read: {why}", path = path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What and, where known, in which line.
        why: String,
    },
    /// There is no configuration.
    #[error("there is no `{path}`; write one with `agent config --url URL --instance-id NAME`", path = path.display())]
    NotConfigured {
        /// Where it should be.
        path: PathBuf,
    },
    /// There is no identity.
    #[error("this agent is not enrolled; run `agent enroll` with a token of the server")]
    NotEnrolled,
    /// Something that was given cannot be used.
    #[error("{0}")]
    Usage(String),
    /// Another agent process works in the same directory.
    #[error("another agent runs in `{path}`", path = path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
    /// The spool cannot be read or written.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// The server does not want this agent, and trying again does not help.
    #[error("the server refuses this agent: {reason} ({code})")]
    Refused {
        /// Stable code.
        code: String,
        /// In words.
        reason: String,
    },
    /// The server cannot be reached.
    #[error("`{url}` cannot be reached: {why}")]
    Unreachable {
        /// Which address.
        url: String,
        /// Why.
        why: String,
    },
    /// The random numbers or keys of this machine fail.
    #[error("the key `{path}` cannot be used: {why}", path = path.display())]
    Key {
        /// Which.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
}

impl AgentError {
    /// Names the file for an error of the system.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// The exit code of the command line: 1 failed, 2 usage, 4 not allowed, 5 conflict, 6 not reachable.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_)
            | Self::NotConfigured { .. }
            | Self::NotEnrolled
            | Self::Invalid { .. } => 2,
            Self::Refused { .. } => 4,
            Self::Locked { .. } => 5,
            Self::Unreachable { .. } => 6,
            Self::File { .. } | Self::Spool(_) | Self::Key { .. } => 1,
        }
    }
}
