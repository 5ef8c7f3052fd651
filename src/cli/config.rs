//! Use cases: show the server's settings, and check that they can be read.

use super::args::{ConfigCommand, ServeArgs};
use super::error::CliError;
use super::output::{Cell, Table};
use super::session::Session;
use crate::config::{Settings, check};
use serde_json::json;

/// Shows or checks settings. Secrets are masked.
pub(super) fn run(session: &Session, command: ConfigCommand) -> Result<(), CliError> {
    match command {
        ConfigCommand::Show(args) => show(session, args),
        ConfigCommand::Check(args) => say_whether_usable(session, args),
    }
}

fn show(session: &Session, args: ServeArgs) -> Result<(), CliError> {
    let rows = load(session, args)?.rows();
    let mut table = Table::new(&["KEY", "~VALUE", "FROM", "~WHAT IT DOES"]);
    for row in &rows {
        table.row([
            Cell::from(row.key),
            Cell::from(&row.value),
            Cell::from(&row.source),
            Cell::from(row.doc),
        ]);
    }
    session.out.list(&rows, &table, "there are no settings")
}

fn say_whether_usable(session: &Session, args: ServeArgs) -> Result<(), CliError> {
    load(session, args)?;
    let warnings = check(&session.environment);
    for warning in &warnings {
        session.out.warn(warning);
    }
    session
        .out
        .show(&json!({ "usable": true, "warnings": warnings }), |_| {
            "the settings can be used\n".to_owned()
        })
}

fn load(session: &Session, args: ServeArgs) -> Result<Settings, CliError> {
    Ok(Settings::load(&args.into(), &session.environment)?)
}
