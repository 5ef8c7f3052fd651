//! The Python environment of the tests.

use std::path::PathBuf;

/// The virtual environment that has the Python reporters: `.ci/run` makes it.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn venv() -> Option<PathBuf> {
    let dir = std::env::var_os("TESTHIDE_TEST_VENV")
        .map(PathBuf::from)
        .filter(|dir| dir.join("bin/pytest").exists());
    if dir.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "TESTHIDE_TEST_VENV must name an environment with pytest and its plugin"
        );
        eprintln!(
            "SKIPPED: set TESTHIDE_TEST_VENV to a virtual environment with the reporters (see .ci/run)"
        );
    }
    dir
}
