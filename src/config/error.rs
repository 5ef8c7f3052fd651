//! What can be wrong with settings.

use std::path::PathBuf;

/// A setting that cannot be used. Nothing was started.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("failed to read config file `{path}`: {source}")]
    Read {
        /// File.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("config file `{path}`: {what}")]
    Syntax {
        /// File.
        path: PathBuf,
        /// What and where.
        what: String,
    },
    /// A key that nobody knows.
    #[error("config file `{path}`: unknown key `{key}`{hint}")]
    UnknownKey {
        /// File.
        path: PathBuf,
        /// Key.
        key: String,
        /// The nearest known key, as a sentence.
        hint: String,
    },
    /// A value that cannot be one.
    #[error("setting `{key}` (from {from}): {what}")]
    Value {
        /// Key.
        key: &'static str,
        /// Where the value came from.
        from: String,
        /// What is wrong with it.
        what: String,
    },
    /// There is no home directory to put data into.
    #[error("no data directory: set --data-dir or TESTHIDE_DATA_DIR")]
    NoDataDir,
}
