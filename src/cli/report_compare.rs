//! Use case: what differs between two runs, by the identity of their tests. Needs no server.

use super::args::{CompareReports, FailOn};
use super::build_compare::draw;
use super::error::{CliError, Exit};
use super::report_input::{inputs, read_all};
use super::session::Session;
use crate::reports::CompactRow;
use crate::reports::compare;
use std::path::Path;

/// Compares two runs; the exit code is 1 when there is a difference that `--fail-on` names.
pub(super) fn run(session: &Session, args: &CompareReports) -> Result<Exit, CliError> {
    let base = side(session, &args.base)?;
    let head = side(session, &args.head)?;
    let comparison = compare(&base, &head);
    session
        .out
        .show(&comparison, |theme| draw(&comparison, theme))?;
    let failed = match args.fail_on {
        Some(FailOn::NewFailures) => !comparison.new_failures.is_empty(),
        None => false,
    };
    Ok(if failed { Exit::Failed } else { Exit::Ok })
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
