//! An import as it is shown before anything is stored: what would be a secret and why, what would be seen, and what is odd.

use super::looks::{Why, looks_secret};
use super::parse::{EnvFile, Problem};
use crate::mask::{InvalidSecret, Masks, Secret};
use std::collections::HashMap;
use std::fmt;

/// What is shown of a secret: the same for each, so that not even its length is told.
const HIDDEN: &str = "********";

/// Most characters that are shown of a value.
const SHOWN: usize = 120;

/// What an import would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Its variables, in the order of the text.
    pub rows: Vec<PreviewRow>,
    /// Lines that were not read.
    pub problems: Vec<Problem>,
}

/// One variable of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewRow {
    /// Number of its line.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// What it would become.
    pub kind: Kind,
    /// Why it looks secret.
    pub why: Option<Why>,
    /// Its value as it may be shown.
    pub shown: String,
    /// What is odd about it.
    pub warnings: Vec<Warning>,
}

/// What a variable becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A variable that everybody may read.
    Plain,
    /// A secret.
    Secret,
}

/// What is odd about a variable, though it can be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// It has no value.
    Empty,
    /// A later line gives the same name another value, which counts.
    Replaced {
        /// The line that counts.
        by_line: usize,
    },
    /// It looks secret and cannot be one.
    NotMaskable(InvalidSecret),
    /// White space at its begin or end, which quotes keep.
    SpaceAround,
    /// It names another variable, which is not put in its place.
    Reference,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the value is empty"),
            Self::Replaced { by_line } => {
                write!(f, "line {by_line} gives it another value, which counts")
            }
            Self::NotMaskable(why) => why.fmt(f),
            Self::SpaceAround => f.write_str("the value begins or ends with white space"),
            Self::Reference => {
                f.write_str("`$` names another variable, which is not put in its place")
            }
        }
    }
}

/// Shows what an import of `file` would do. No value of a secret is in it, also not where another variable holds it.
#[must_use]
pub fn preview(file: &EnvFile) -> Preview {
    let last_lines: HashMap<_, _> = file
        .entries
        .iter()
        .map(|entry| (entry.name.as_str(), entry.line))
        .collect();
    let reasons: Vec<_> = file
        .entries
        .iter()
        .map(|entry| looks_secret(&entry.name, &entry.value))
        .collect();
    let looked = || file.entries.iter().zip(&reasons);
    let secrets: Vec<_> = looked()
        .filter(|(_, why)| why.is_some())
        .filter_map(|(entry, _)| Secret::new(entry.name.as_str(), entry.value.as_str()).ok())
        .collect();
    let masks = Masks::new(&secrets).ok();
    let rows = looked().map(|(entry, why)| {
        let value = entry.value.as_str();
        let mut warnings = Vec::new();
        if value.is_empty() {
            warnings.push(Warning::Empty);
        }
        let by_line = last_lines
            .get(entry.name.as_str())
            .copied()
            .unwrap_or(entry.line);
        if by_line != entry.line {
            warnings.push(Warning::Replaced { by_line });
        }
        if value.trim() != value {
            warnings.push(Warning::SpaceAround);
        }
        if why.is_none() && value.contains("${") {
            warnings.push(Warning::Reference);
        }
        let invalid = why.and_then(|_| Secret::new(entry.name.as_str(), value).err());
        warnings.extend(invalid.map(Warning::NotMaskable));
        let shown = match (why, &masks) {
            (None, Some(masks)) => shown(&masks.mask(value.as_bytes())),
            // Without a search for the secrets nothing is certain to hold none of them.
            (Some(_), _) | (None, None) => HIDDEN.to_owned(),
        };
        PreviewRow {
            line: entry.line,
            name: entry.name.clone(),
            kind: why.map_or(Kind::Plain, |_| Kind::Secret),
            why: *why,
            shown,
            warnings,
        }
    });
    Preview {
        rows: rows.collect(),
        problems: file.problems.clone(),
    }
}

/// The beginning of a value, on one line.
fn shown(value: &[u8]) -> String {
    let value = String::from_utf8_lossy(value);
    let mut shown = String::new();
    for char in value.chars().take(SHOWN) {
        if char.is_control() {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    if value.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env_file::parse;

    #[test]
    fn an_import_is_shown_without_its_secrets() {
        let text = "\
# settings
LOG_LEVEL=debug
API_TOKEN=s3cr3t-t0ken
CURL_FLAGS=\"-H 'X-Auth: s3cr3t-t0ken'\"
PIN_PASSWORD=1234
EMPTY=
LOG_LEVEL=info
HOME_DIR=\"${HOME} \"
LINES=\"a\\nb\"
nonsense
";
        let preview = preview(&parse(text));
        let rows: Vec<_> = preview
            .rows
            .iter()
            .map(|row| {
                let warnings: Vec<_> = row.warnings.iter().map(Warning::to_string).collect();
                (
                    row.line,
                    row.name.as_str(),
                    row.kind,
                    row.shown.as_str(),
                    warnings.join("; "),
                )
            })
            .collect();
        let none = String::new();
        let short = "value of secret `PIN_PASSWORD` has fewer than 8 bytes, white space around it not counted: it cannot be masked in logs";
        assert_eq!(
            rows,
            [
                (2, "LOG_LEVEL", Kind::Plain, "debug", "line 7 gives it another value, which counts".to_owned()),
                (3, "API_TOKEN", Kind::Secret, "********", none.clone()),
                (4, "CURL_FLAGS", Kind::Plain, "-H 'X-Auth: [secret:API_TOKEN]'", none.clone()),
                (5, "PIN_PASSWORD", Kind::Secret, "********", short.to_owned()),
                (6, "EMPTY", Kind::Plain, "", "the value is empty".to_owned()),
                (7, "LOG_LEVEL", Kind::Plain, "info", none.clone()),
                (8, "HOME_DIR", Kind::Plain, "${HOME} ", "the value begins or ends with white space; `$` names another variable, which is not put in its place".to_owned()),
                (9, "LINES", Kind::Plain, "a\\nb", none),
            ]
        );
        assert_eq!(preview.rows[1].why, Some(Why::Name));
        assert_eq!(preview.problems.len(), 1);
        assert_eq!(preview.problems[0].line, 10);
    }
}
