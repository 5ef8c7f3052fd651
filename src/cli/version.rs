//! Use case: show the version.

use super::error::CliError;
use super::session::Session;
use crate::storage::FORMAT_VERSION;
use crate::storage::backup::ARCHIVE_VERSION;
use serde_json::json;

/// Shows the version of the program and of what it writes.
pub(super) fn run(session: &Session) -> Result<(), CliError> {
    let version = env!("CARGO_PKG_VERSION");
    let platform = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
    let shown = json!({
        "version": version,
        "platform": platform,
        "data_format": FORMAT_VERSION,
        "backup_format": ARCHIVE_VERSION,
    });
    session.out.show(&shown, |_| {
        format!("testhide {version} ({platform})\ndata format {FORMAT_VERSION}, backup format {ARCHIVE_VERSION}\n")
    })
}
