//! Use case: the operator terminal.

use super::args::Tui;
use super::error::{CliError, Exit};
use super::session::Session;
use testhide_tui::{Options, Start, TuiError};

/// Runs the operator terminal until its user leaves it.
pub(super) async fn run(session: &Session, args: &Tui) -> Result<(), CliError> {
    let client = session.client()?;
    let Some(token) = client.token() else {
        return Err(CliError::new(
            Exit::NotAllowed,
            "not_authenticated",
            format!("there is no token for `{}`", client.server()),
        )
        .hint("run `testhide login`"));
    };
    let start = args.build.map_or(Start::Builds, Start::Build);
    let options = Options {
        server: client.server().to_owned(),
        token: token.to_owned(),
        readonly: args.readonly,
        start,
    };
    Box::pin(testhide_tui::run(options)).await.map_err(|error| {
        let (exit, code) = match &error {
            TuiError::NoTerminal(_) => (Exit::Usage, "no_terminal"),
            TuiError::Server { .. } => (Exit::Usage, "server"),
            TuiError::Terminal(_) => (Exit::Failed, "terminal"),
        };
        CliError::new(exit, code, error.to_string())
    })
}
