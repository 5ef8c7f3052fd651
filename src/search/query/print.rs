//! Writes a query so that reading it gives the same query.

use std::fmt;

use jiff::Timestamp;

use super::ast::{Expr, Name, Query};
use crate::index::Kind;

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, &self.expr, Place::Top)
    }
}

/// What surrounds an expression, which decides whether it needs parentheses.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Top,
    InOr,
    InAnd,
}

fn write(f: &mut fmt::Formatter<'_>, expr: &Expr, place: Place) -> fmt::Result {
    match expr {
        Expr::Text(text) if is_plain(text) => f.write_str(text),
        Expr::Text(text) => f.write_str(&quoted(text)),
        Expr::Prefix(text) => write!(f, "{text}*"),
        Expr::Substring(text) => write!(f, "*{text}*"),
        Expr::Regex(pattern) => write!(f, "/{pattern}/"),
        Expr::Facet(facet, name) => write!(f, "{}:{}", facet.name(), value(name)),
        Expr::Project(name) => write!(f, "project:{}", value(name)),
        Expr::Build(number) => write!(f, "build:{number}"),
        Expr::Kind(Kind::Log) => f.write_str("kind:log"),
        Expr::Kind(Kind::Failure) => f.write_str("kind:failure"),
        Expr::Before(moment) => write!(f, "before:{}", rfc3339(*moment)),
        Expr::After(moment) => write!(f, "after:{}", rfc3339(*moment)),
        // A word form, because a minus before a minus would be part of the word.
        Expr::Not(inner) => {
            f.write_str("NOT ")?;
            write(f, inner, Place::InAnd)
        }
        Expr::And(parts) => group(f, parts, " ", Place::InAnd, place == Place::InAnd),
        Expr::Or(parts) => group(f, parts, " OR ", Place::InOr, place == Place::InAnd),
    }
}

fn group(
    f: &mut fmt::Formatter<'_>,
    parts: &[Expr],
    separator: &str,
    inside: Place,
    parentheses: bool,
) -> fmt::Result {
    if parentheses {
        f.write_str("(")?;
    }
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        write(f, part, inside)?;
    }
    if parentheses {
        f.write_str(")")?;
    }
    Ok(())
}

/// Whether `text` means itself without quotes, wherever it stands.
fn is_plain(text: &str) -> bool {
    text.starts_with(char::is_alphanumeric)
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !matches!(text, "AND" | "OR" | "NOT")
}

/// A backslash is doubled only where it would take the next character: a needless second one could end what a slash
/// further in front then opens as a regular expression.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let escape = match c {
            '"' => true,
            '\\' => matches!(rest.peek(), None | Some('"' | '\\')),
            _ => false,
        };
        if escape {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

fn value(name: &Name) -> String {
    if name.prefix {
        format!("{}*", name.text)
    } else {
        quoted(&name.text)
    }
}

fn rfc3339(moment: i64) -> String {
    Timestamp::from_millisecond(moment)
        .expect("the moment was read from a timestamp")
        .to_string()
}
