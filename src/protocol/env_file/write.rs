//! Writes `.env` text that [`super::parse`] and other tools read as it was meant.

use super::parse::is_name;
use std::fmt::Write as _;

/// A variable that a `.env` file cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    /// The name is none.
    #[error("`{name}` is not a name of a variable")]
    Name {
        /// The name.
        name: String,
    },
    /// An environment cannot hold the value.
    #[error("value of `{name}` holds a NUL byte")]
    Nul {
        /// Whose value.
        name: String,
    },
}

/// The text of `variables`, a line each, quoted where need be. Values of several lines are written in one.
///
/// # Errors
/// [`Unwritable`] names the first variable that cannot be written.
pub fn write<'a>(
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<String, Unwritable> {
    let mut text = String::new();
    for (name, value) in variables {
        if !is_name(name) {
            let name = name.to_owned();
            return Err(Unwritable::Name { name });
        }
        if value.contains('\0') {
            let name = name.to_owned();
            return Err(Unwritable::Nul { name });
        }
        let line = if value.chars().all(is_plain) {
            writeln!(text, "{name}={value}")
        } else if value.contains(['\'', '\n', '\r']) {
            writeln!(text, "{name}=\"{}\"", escaped(value))
        } else {
            writeln!(text, "{name}='{value}'")
        };
        line.expect("a String takes all that is written");
    }
    Ok(text)
}

/// Whether every tool takes it as it stands.
fn is_plain(char: char) -> bool {
    char.is_ascii_alphanumeric() || "_-./:@%+,".contains(char)
}

fn escaped(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len() + 8);
    for char in value.chars() {
        match char {
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            '"' | '\\' | '$' => escaped.extend(['\\', char]),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env_file::parse;
    use proptest::prelude::*;

    #[test]
    fn quotes_come_where_they_must() {
        let written = write([
            ("A", "plain-1.0"),
            ("B", ""),
            ("C", "two words"),
            ("D", "it's $5\n"),
            ("E", "$x \"y\""),
        ]);
        let expected = "A=plain-1.0\nB=\nC='two words'\nD=\"it's \\$5\\n\"\nE='$x \"y\"'\n";
        assert_eq!(written.unwrap(), expected);
        assert!(matches!(write([("1A", "")]), Err(Unwritable::Name { .. })));
        assert!(matches!(write([("A", "\0")]), Err(Unwritable::Nul { .. })));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in proptest::collection::vec(
            ("[A-Za-z_][A-Za-z0-9_.-]{0,8}", "([a-z'\"\\\\$#=\r\n\t :é]|\\PC){0,20}"), 0..8)) {
            let pairs = || values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let file = parse(&write(pairs()).unwrap());
            prop_assert!(file.problems.is_empty());
            let read: Vec<_> = file.entries.iter().map(|entry| (entry.name.as_str(), entry.value.as_str())).collect();
            prop_assert_eq!(read, pairs().collect::<Vec<_>>());
        }
    }
}
