//! A secret: a name that may be shown and a value that is long enough to be masked.

use std::fmt;

/// Fewest bytes of a value, white space around it not counted. Shorter values stand in ordinary words and numbers:
/// masking them would hide half of a log, and would tell by what it hides what they are.
pub const MIN_SECRET_BYTES: usize = 8;

/// Most bytes of a value: the longest that environments carry everywhere (Windows allows 32,767 characters).
pub const MAX_SECRET_BYTES: usize = 32 * 1024;

/// Most bytes of a name.
pub const MAX_SECRET_NAME_BYTES: usize = 128;

/// A value that must not be seen, and the name that is shown in its place.
///
/// Who holds one knows that it can be masked. `Debug` shows the name only.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    name: String,
    value: Vec<u8>,
}

/// A secret that cannot be masked, and is therefore refused where it is set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// The name has other characters than names of variables have, or is too long or empty.
    #[error(
        "name of secret `{name}` must be 1 to {MAX_SECRET_NAME_BYTES} ASCII letters, digits, `_`, `-` or `.`"
    )]
    Name {
        /// The name, cut to what is shown.
        name: String,
    },
    /// The value is too short to be masked.
    #[error(
        "value of secret `{name}` has fewer than {MIN_SECRET_BYTES} bytes, white space around it not counted: it cannot be masked in logs"
    )]
    TooShort {
        /// Whose value.
        name: String,
    },
    /// The value is too long.
    #[error("value of secret `{name}` has more than {MAX_SECRET_BYTES} bytes")]
    TooLong {
        /// Whose value.
        name: String,
    },
}

impl Secret {
    /// Takes a value that can be masked under its name.
    ///
    /// # Errors
    /// [`InvalidSecret`] says what about name or value is not possible; it never holds the value.
    pub fn new(name: impl Into<String>, value: impl Into<Vec<u8>>) -> Result<Self, InvalidSecret> {
        let (name, value) = (name.into(), value.into());
        let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if name.is_empty() || name.len() > MAX_SECRET_NAME_BYTES || !name.bytes().all(good) {
            let name = name.chars().take(MAX_SECRET_NAME_BYTES).collect();
            return Err(InvalidSecret::Name { name });
        }
        if value.len() > MAX_SECRET_BYTES {
            return Err(InvalidSecret::TooLong { name });
        }
        if value.trim_ascii().len() < MIN_SECRET_BYTES {
            return Err(InvalidSecret::TooShort { name });
        }
        Ok(Self { name, value })
    }

    /// What is shown in place of the value.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value.
    #[must_use]
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_masked_is_refused() {
        let cases: &[(&str, &[u8], Option<&str>)] = &[
            ("TOKEN", b"12345678", None),
            ("a.b-c_D9", b"  12345678\n", None),
            ("TOKEN", b"  1234567 \n", Some("fewer than 8 bytes")),
            ("TOKEN", b"", Some("fewer than 8 bytes")),
            ("", b"12345678", Some("name of secret ``")),
            ("A B", b"12345678", Some("name of secret `A B`")),
            ("\u{e9}", b"12345678", Some("name of secret")),
        ];
        for (name, value, wrong) in cases {
            let made = Secret::new(*name, *value);
            match (&made, wrong) {
                (Ok(secret), None) => assert_eq!(secret.value(), *value),
                (Err(error), Some(part)) => {
                    assert!(error.to_string().contains(part), "{error}");
                    assert!(value.is_empty() || !error.to_string().contains("1234567 "));
                }
                _ => panic!("{name}: {made:?}"),
            }
        }
        let long = Secret::new("LONG", vec![b'x'; MAX_SECRET_BYTES + 1]);
        assert_eq!(
            long,
            Err(InvalidSecret::TooLong {
                name: "LONG".to_owned()
            })
        );
    }

    #[test]
    fn debug_does_not_show_the_value() {
        let secret = Secret::new("TOKEN", "hunter2hunter2").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret { name: \"TOKEN\", .. }");
    }
}
