//! What names and passwords can be, and sets of permissions.

use serde::{Deserialize, Serialize};
use testhide_protocol::api::ProjectPermission;

/// Fewest characters of a password. Length is what makes a password hard to guess, so nothing else is asked of it.
const PASSWORD_MIN_CHARS: usize = 10;

/// Most bytes of a password; more only costs work.
const PASSWORD_MAX_BYTES: usize = 1024;

/// Most characters of a user name.
const USERNAME_MAX: usize = 64;

/// Most characters of a token's name.
const TOKEN_NAME_MAX: usize = 100;

/// Longest life of a token that ends, ten years.
const TOKEN_DAYS_MAX: u32 = 3650;

/// A value that cannot be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadValue {
    /// User name.
    #[error(
        "a user name has 1 to {USERNAME_MAX} characters out of letters, digits, `.`, `_`, `-`, `@`"
    )]
    Username,
    /// Password.
    #[error(
        "a password has at least {PASSWORD_MIN_CHARS} characters and at most {PASSWORD_MAX_BYTES} bytes"
    )]
    Password,
    /// Name of a token.
    #[error(
        "a token's name has 1 to {TOKEN_NAME_MAX} characters, none of them a control character"
    )]
    TokenName,
    /// Life of a token.
    #[error("a token lives for 1 to {TOKEN_DAYS_MAX} days, or without end")]
    TokenLife,
    /// Permissions of a token.
    #[error("a token that is limited to permissions has at least one")]
    TokenPermissions,
}

/// Checks a new user's name.
pub(super) fn check_username(name: &str) -> Result<(), BadValue> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    let good = (1..=USERNAME_MAX).contains(&name.len()) && name.chars().all(fits);
    if good {
        Ok(())
    } else {
        Err(BadValue::Username)
    }
}

/// The form in which user names are compared: `Ann` and `ann` are one person.
pub(super) fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Checks a new password.
pub(super) fn check_password(password: &str) -> Result<(), BadValue> {
    let good =
        password.chars().count() >= PASSWORD_MIN_CHARS && password.len() <= PASSWORD_MAX_BYTES;
    if good {
        Ok(())
    } else {
        Err(BadValue::Password)
    }
}

/// Checks a new token's name and life.
pub(super) fn check_token(name: &str, days: Option<u32>) -> Result<(), BadValue> {
    let length = name.chars().count();
    if !(1..=TOKEN_NAME_MAX).contains(&length)
        || name.trim().is_empty()
        || name.chars().any(char::is_control)
    {
        return Err(BadValue::TokenName);
    }
    match days {
        None | Some(1..=TOKEN_DAYS_MAX) => Ok(()),
        Some(_) => Err(BadValue::TokenLife),
    }
}

/// What somebody may do in one project.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PermissionSet(u8);

impl PermissionSet {
    /// Everything.
    pub(super) const ALL: Self = Self(0b1111);

    /// Whether nothing is in it.
    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in both.
    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether `permission` is in it.
    pub(super) fn contains(self, permission: ProjectPermission) -> bool {
        self.0 & bit(permission) != 0
    }

    /// Its permissions, in the order of their declaration.
    pub(super) fn list(self) -> Vec<ProjectPermission> {
        use ProjectPermission::{Delete, Execute, Read, Write};
        [Read, Write, Execute, Delete]
            .into_iter()
            .filter(|permission| self.contains(*permission))
            .collect()
    }
}

impl FromIterator<ProjectPermission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = ProjectPermission>>(permissions: I) -> Self {
        Self(
            permissions
                .into_iter()
                .fold(0, |bits, permission| bits | bit(permission)),
        )
    }
}

/// The bit that is stored for a permission; never changed.
fn bit(permission: ProjectPermission) -> u8 {
    match permission {
        ProjectPermission::Read => 1,
        ProjectPermission::Write => 2,
        ProjectPermission::Execute => 4,
        ProjectPermission::Delete => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::{BadValue, PermissionSet, check_password, check_token, check_username};
    use proptest::prelude::*;
    use testhide_protocol::api::ProjectPermission;

    #[test]
    fn user_names() {
        let check = |name: &str, expected: bool| {
            assert_eq!(check_username(name).is_ok(), expected, "{name:?}");
        };
        check("ann", true);
        check("Ann.B_c-d@example.com", true);
        check(&"a".repeat(64), true);
        check(&"a".repeat(65), false);
        check("", false);
        check("ann b", false);
        check("ann\n", false);
        check("änn", false);
        check("а", false); // Cyrillic, looks like a Latin letter
    }

    #[test]
    fn passwords() {
        let check = |password: &str, expected: bool| {
            assert_eq!(check_password(password).is_ok(), expected, "{password:?}");
        };
        check("123456789", false);
        check("1234567890", true);
        check("ääääääääää", true);
        check("ääääääää9", false);
        check(&"x".repeat(1024), true);
        check(&"x".repeat(1025), false);
    }

    #[test]
    fn tokens() {
        let check = |name: &str, days, expected| {
            assert_eq!(check_token(name, days), expected, "{name:?} {days:?}");
        };
        check("ci", None, Ok(()));
        check("ci", Some(1), Ok(()));
        check("ci", Some(3650), Ok(()));
        check("ci", Some(0), Err(BadValue::TokenLife));
        check("ci", Some(3651), Err(BadValue::TokenLife));
        check("", None, Err(BadValue::TokenName));
        check("  ", None, Err(BadValue::TokenName));
        check("a\u{7}", None, Err(BadValue::TokenName));
        check(&"ä".repeat(100), None, Ok(()));
        check(&"ä".repeat(101), None, Err(BadValue::TokenName));
    }

    fn permission() -> impl Strategy<Value = ProjectPermission> {
        use ProjectPermission::{Delete, Execute, Read, Write};
        prop::sample::select(vec![Read, Write, Execute, Delete])
    }

    proptest! {
        #[test]
        fn a_set_holds_what_was_put_in(permissions in prop::collection::btree_set(permission(), 0..5)) {
            let set: PermissionSet = permissions.iter().copied().collect();
            prop_assert_eq!(set.list(), permissions.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(set.is_empty(), permissions.is_empty());
            prop_assert_eq!(set == PermissionSet::ALL, permissions.len() == 4);
        }
    }
}
