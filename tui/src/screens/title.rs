//! What the title says of the screen that is shown.

use crate::model::{Model, Place};

/// The title of the shown screen.
pub(crate) fn title(model: &Model) -> String {
    match model.place {
        Place::Builds => "builds".to_owned(),
        Place::Build(number) => format!("build {number}"),
        Place::Log { build, .. } => match model.log.shown_attempt {
            Some(attempt) if attempt > 1 => format!("log of build {build}, attempt {attempt}"),
            _ => format!("log of build {build}"),
        },
        Place::Failure(_) => match model
            .failure
            .failure
            .as_ref()
            .and_then(|failure| failure.build)
        {
            Some(build) => format!("failure in build {build}"),
            None => "failure".to_owned(),
        },
        Place::Search => "search".to_owned(),
        Place::Agents => "agents".to_owned(),
    }
}
