//! What does not fit together in a build, for the rule `no_inconsistencies`.

use testhide_protocol::api::{Build, Finding};

/// The findings of a build, or in words why they are not known; then the rule does not hold.
pub(super) fn findings_of(build: &Build) -> Result<Vec<Finding>, String> {
    if !build.status.is_final() {
        return Err("what does not fit is told at the build's end".to_owned());
    }
    Ok(build.findings.clone())
}
