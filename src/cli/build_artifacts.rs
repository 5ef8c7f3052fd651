//! Use case: list the files kept from a build.

use super::error::CliError;
use super::output::{Cell, Table, bytes};
use super::session::Session;
use testhide_protocol::api::Artifact;

/// Lists the files kept from a build.
pub(super) async fn run(session: &Session, build: &str) -> Result<(), CliError> {
    let artifacts: Vec<Artifact> = session
        .client()?
        .short_list(&["builds", build, "artifacts"])
        .await?;
    let mut table = Table::new(&["~PATH", ">SIZE", ">ATTEMPT", "ID"]);
    for artifact in &artifacts {
        table.row([
            Cell::from(&artifact.path),
            bytes(artifact.size).into(),
            artifact.attempt.to_string().into(),
            artifact.id.to_string().into(),
        ]);
    }
    session
        .out
        .list(&artifacts, &table, "the build has no files")
}
