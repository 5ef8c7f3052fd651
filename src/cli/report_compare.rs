//! Use case: what differs between two runs, by the identity of their tests. Files need no server; two ids ask one.

use super::args::{CompareReports, FailOn};
use super::build_compare::draw;
use super::error::{CliError, Exit};
use super::report_input::{inputs, read_all};
use super::report_show::id_on_server;
use super::session::Session;
use crate::reports::CompactRow;
use crate::reports::compare;
use std::path::Path;
use testhide_protocol::api::Comparison;

/// Compares two runs; the exit code is 1 when there is a difference that `--fail-on` names.
pub(super) async fn run(session: &Session, args: &CompareReports) -> Result<Exit, CliError> {
    let comparison = match (id_on_server(&args.base), id_on_server(&args.head)) {
        (Some(base), Some(head)) => on_server(session, base, head).await?,
        _ => compare(&side(session, &args.base)?, &side(session, &args.head)?),
    };
    session
        .out
        .show(&comparison, |theme| draw(&comparison, theme))?;
    let failed = match args.fail_on {
        Some(FailOn::NewFailures) => comparison.counts.new_failures > 0,
        None => false,
    };
    Ok(if failed { Exit::Failed } else { Exit::Ok })
}

/// What the server says, which knows the history of durations and the old names of tests.
async fn on_server(session: &Session, base: &str, head: &str) -> Result<Comparison, CliError> {
    let query = [("base", base.to_owned()), ("head", head.to_owned())];
    session.client()?.get(&["compare"], &query).await
}

/// The tests of one side. A side that is not whole is told, since its missing tests look removed.
fn side(session: &Session, path: &Path) -> Result<Vec<CompactRow>, CliError> {
    let digest = read_all(&inputs(&[path.to_owned()])?)?;
    for finding in digest.files.iter().flat_map(|file| &file.findings) {
        let file = finding.report.as_deref().unwrap_or_default();
        session.out.warn(&format!(
            "{}: `{file}`: {}",
            finding.kind.as_str(),
            finding.message
        ));
    }
    Ok(digest.compact_rows())
}
