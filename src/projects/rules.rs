//! What names and descriptions of projects can be.

use testhide_protocol::ProjectId;

/// Most characters of a name.
const NAME_MAX: usize = 100;

/// Most characters of a description.
const DESCRIPTION_MAX: usize = 2000;

/// A value that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadProject {
    /// Name.
    #[error(
        "a name has 1 to {NAME_MAX} characters out of letters, digits, `.`, `_`, `-`, is not dots alone and not an id"
    )]
    Name,
    /// Description.
    #[error("a description has at most {DESCRIPTION_MAX} characters")]
    Description,
}

/// Whether `text` can name a project or a job. Dots alone would be folders in a URL, and an id would hide what has that id.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=NAME_MAX).contains(&text.len())
        && text.chars().all(fits)
        && text.chars().any(|c| c != '.')
        && text.parse::<ProjectId>().is_err()
}

/// Checks a project's name.
pub(super) fn check_name(name: &str) -> Result<(), BadProject> {
    if is_name(name) {
        Ok(())
    } else {
        Err(BadProject::Name)
    }
}

/// Checks a project's description.
pub(super) fn check_description(description: &str) -> Result<(), BadProject> {
    if description.chars().count() <= DESCRIPTION_MAX {
        Ok(())
    } else {
        Err(BadProject::Description)
    }
}

/// The form in which names are compared: `Shop` and `shop` are one project.
pub(super) fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{check_description, check_name};

    #[test]
    fn names() {
        let check =
            |name: &str, expected: bool| assert_eq!(check_name(name).is_ok(), expected, "{name:?}");
        check("shop", true);
        check("Shop-2.0_beta", true);
        check("7", true);
        check(".github", true);
        check(&"a".repeat(100), true);
        check(&"a".repeat(101), false);
        check("", false);
        check(".", false);
        check("..", false);
        check("a/b", false);
        check("a b", false);
        check("shöp", false);
        check("0198c1a2-7f3e-7abc-8def-0123456789ab", false);
        check("0198c1a27f3e7abc8def0123456789ab", false);
    }

    #[test]
    fn descriptions() {
        let check =
            |text: &str, expected: bool| assert_eq!(check_description(text).is_ok(), expected);
        check("", true);
        check(&"ä".repeat(2000), true);
        check(&"ä".repeat(2001), false);
    }
}
