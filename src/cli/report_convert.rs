//! Use cases: write reports in another format; put several together.

use super::args::{Convert, Merge};
use super::error::{CliError, Exit};
use super::output::clean;
use super::report::counts;
use super::report_input::{inputs, read_merged};
use super::session::Session;
use crate::kit::write_atomic_with;
use crate::reports::convert::{Losses, TargetFormat, write_report};
use crate::reports::digest::Digest;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Writes one or several reports as one in another format.
pub(super) fn convert(session: &Session, args: &Convert) -> Result<(), CliError> {
    write(session, &args.files, args.to.into(), args.output.as_deref())
}

/// Writes several reports as one.
pub(super) fn merge(session: &Session, args: &Merge) -> Result<(), CliError> {
    write(session, &args.files, args.to.into(), args.output.as_deref())
}

fn write(
    session: &Session,
    files: &[PathBuf],
    format: TargetFormat,
    output: Option<&Path>,
) -> Result<(), CliError> {
    let mut inputs = inputs(files)?;
    if let Some(output) = output {
        // What an earlier call wrote into the folder is no run of its own.
        inputs.retain(|input| !input.was_found_at(output));
        if inputs.is_empty() {
            let detail = format!("there is no report but the output `{}`", output.display());
            return Err(CliError::new(Exit::NotFound, "no_report", detail));
        }
    }
    let digest = read_merged(&inputs)?;
    for finding in digest.files.iter().flat_map(|file| &file.findings) {
        let file = finding.report.as_deref().unwrap_or_default();
        session.out.warn(&format!(
            "{}: `{file}`: {}",
            finding.kind.as_str(),
            finding.message
        ));
    }
    let now = session.out.now();
    let losses = match output.filter(|path| path.as_os_str() != "-") {
        None => session
            .out
            .stream(|out| write_report(&digest, format, now, out))?,
        Some(path) => {
            let losses = write_atomic_with(path, |out| write_report(&digest, format, now, out))
                .map_err(|error| CliError::file("write", path, &error))?;
            told(session, &digest, format, path, &losses)?;
            losses
        }
    };
    if !losses.is_empty() {
        session
            .out
            .warn(&format!("not all fits into {}: {losses}", format.as_str()));
    }
    Ok(())
}

/// Says what was written; a result, since the report itself went to a file.
fn told(
    session: &Session,
    digest: &Digest,
    format: TargetFormat,
    path: &Path,
    losses: &Losses,
) -> Result<(), CliError> {
    let tests = digest.tests_by_outcome();
    let value = json!({
        "output": path.display().to_string(),
        "format": format.as_str(),
        "files": digest.files.iter().map(|file| &file.name).collect::<Vec<_>>(),
        "tests": tests,
        "repeated_rows": digest.repeated_rows,
        "losses": if losses.is_empty() { None } else { Some(losses.to_string()) },
    });
    session.out.show(&value, |_| {
        let many = match digest.files.len() {
            1 => String::new(),
            many => format!(" from {many} files"),
        };
        let repeated = match digest.repeated_rows {
            0 => String::new(),
            rows => format!(", {rows} equal rows left out"),
        };
        let path = clean(&path.display().to_string());
        format!("{path}  {}{many}{repeated}\n", counts(&tests))
    })
}
