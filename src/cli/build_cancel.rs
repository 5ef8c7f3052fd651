//! Use case: stop a build.

use super::args::Cancel as CancelArgs;
use super::error::CliError;
use super::output::state_sign;
use super::session::Session;
use testhide_protocol::api::{Build, Cancel};

/// Asks for a build's end. A running build ends when its agent has stopped it.
pub(super) async fn run(session: &Session, args: CancelArgs) -> Result<(), CliError> {
    let build: Build = session
        .client()?
        .post(
            &["builds", &args.build, "cancel"],
            &Cancel {
                reason: args.reason,
            },
        )
        .await?;
    session.out.show(&build, |theme| {
        let state = state_sign(theme, build.status).paint(theme);
        let note = if build.status.is_final() {
            ""
        } else {
            "; its agent is told to stop it"
        };
        format!("build {} {state}{note}\n", build.build_number)
    })
}
