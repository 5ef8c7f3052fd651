//! Reads `.env` text.
//!
//! The dialect is what dotenv tools agree on:
//!
//! * `NAME=value`, with white space around name and value, an optional `export` before it, and `: ` in place of `=` as YAML has it;
//! * lines that are blank or begin with `#` are left out, and so is what follows ` #` after a value;
//! * `'…'` holds a value as it stands, over several lines if need be;
//! * `"…"` holds a value in which `\n \r \t \" \\ \$` are escapes, other backslashes stand, over several lines if need be;
//! * a bare value goes to the end of its line, stands as it is, and may be empty.
//!
//! `$NAME` is not replaced: a value that comes from elsewhere would not be the one that was looked through for secrets.

/// One variable.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Number of the line that it begins on, from 1.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Shows the name only: the value may be secret.
impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("line", &self.line)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A line that is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {wrong}")]
pub struct Problem {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// Why a line cannot be read. Says nothing of what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// No `=`.
    #[error("expected `NAME=value`")]
    NoAssignment,
    /// The name is none.
    #[error(
        "the name must begin with a letter or `_`, and have letters, digits, `_`, `-` and `.` only"
    )]
    Name,
    /// A quote is not closed before the end of the text.
    #[error("the quote that opens the value is not closed")]
    OpenQuote,
    /// Something follows a closing quote.
    #[error("something other than a comment follows the closing quote")]
    AfterQuote,
    /// An environment cannot hold this.
    #[error("a value cannot hold a NUL byte")]
    Nul,
}

/// What a text holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnvFile {
    /// Its variables, in the order of the text; a name may come more than once.
    pub entries: Vec<Entry>,
    /// Lines that were not read.
    pub problems: Vec<Problem>,
}

/// Reads all lines that can be read. A line that cannot does not keep others from being read.
#[must_use]
pub fn parse(text: &str) -> EnvFile {
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut line = 1;
    let mut file = EnvFile::default();
    while !rest.is_empty() {
        let (len, read) = statement(rest);
        match read {
            Ok(None) => {}
            Ok(Some((name, value))) => file.entries.push(Entry { line, name, value }),
            Err(wrong) => file.problems.push(Problem { line, wrong }),
        }
        line += rest[..len].bytes().filter(|byte| *byte == b'\n').count();
        rest = &rest[len..];
    }
    file
}

/// Reads the beginning of `text`, which is not empty: how long that is, at least one byte, and the variable if there is one.
fn statement(text: &str) -> (usize, Result<Option<(String, String)>, Wrong>) {
    let line_len = text.find('\n').map_or(text.len(), |end| end + 1);
    let line = text[..line_len].trim_end();
    let content = line.trim_start();
    if content.is_empty() || content.starts_with('#') {
        return (line_len, Ok(None));
    }
    let begin = line.len() - content.len();
    let (name, value_at) = match assignment(content) {
        Ok((name, value_at)) => (name.to_owned(), begin + value_at),
        Err(wrong) => return (line_len, Err(wrong)),
    };
    let blank = line[value_at..].len() - line[value_at..].trim_start().len();
    let value_at = value_at + blank;
    let value = match line[value_at..].chars().next() {
        Some(quote @ ('"' | '\'')) => match quoted(&text[value_at + 1..], quote) {
            Some((value, len)) => {
                let after = value_at + 1 + len;
                let end = text[after..]
                    .find('\n')
                    .map_or(text.len(), |end| after + end + 1);
                let tail = text[after..end].trim();
                if !tail.is_empty() && !tail.starts_with('#') {
                    return (end, Err(Wrong::AfterQuote));
                }
                return (end, without_nul(name, value));
            }
            None => return (line_len, Err(Wrong::OpenQuote)),
        },
        _ => bare(&line[value_at..], blank > 0),
    };
    (line_len, without_nul(name, value.to_owned()))
}

fn without_nul(name: String, value: String) -> Result<Option<(String, String)>, Wrong> {
    if value.contains('\0') {
        Err(Wrong::Nul)
    } else {
        Ok(Some((name, value)))
    }
}

/// The name that a line assigns to, and where the value begins.
fn assignment(content: &str) -> Result<(&str, usize), Wrong> {
    let exported = content.strip_prefix("export").map(str::trim_start);
    let exported = exported.filter(|rest| {
        content["export".len()..].starts_with(char::is_whitespace) && !rest.starts_with('=')
    });
    let assigned = exported.unwrap_or(content);
    let begin = content.len() - assigned.len();
    let equals = assigned.find('=').map(|at| (at, 1));
    let colon = assigned.find(": ").map(|at| (at, 2));
    // The first of both that has a name before it.
    let candidates = [equals, colon].into_iter().flatten();
    let candidates = candidates.map(|(at, len)| (assigned[..at].trim_end(), begin + at + len));
    let found = candidates.clone().find(|(name, _)| is_name(name));
    match found {
        Some(found) => Ok(found),
        None if candidates.count() == 0 => Err(Wrong::NoAssignment),
        None => Err(Wrong::Name),
    }
}

/// Whether tools take it as a name.
pub(super) fn is_name(name: &str) -> bool {
    let is_first = |char: char| char.is_ascii_alphabetic() || char == '_';
    let is_part = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.');
    name.starts_with(is_first) && name.chars().all(is_part)
}

/// The value up to the closing quote, and how long it is in the text together with that quote.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        if char == quote {
            return Some((value, at + 1));
        }
        // Ends of lines are `\n` in values, also when a Windows editor saved the file.
        if text[at..].starts_with("\r\n") {
            continue;
        }
        if char != '\\' || quote == '\'' {
            value.push(char);
            continue;
        }
        match chars.next()?.1 {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            escaped @ ('"' | '\\' | '$') => value.push(escaped),
            other => value.extend(['\\', other]),
        }
    }
    None
}

/// A value without quotes, up to its comment. `#` begins one after white space only: `#fff` and `a#b` are values.
fn bare(text: &str, is_after_blank: bool) -> &str {
    if is_after_blank && text.starts_with('#') {
        return "";
    }
    let comment = text
        .match_indices('#')
        .find(|(at, _)| text[..*at].ends_with(char::is_whitespace));
    text[..comment.map_or(text.len(), |(at, _)| at)].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let file = parse(text);
        let entries: Vec<_> = file
            .entries
            .iter()
            .map(|entry| (entry.name.as_str(), entry.value.as_str()))
            .collect();
        assert_eq!(entries, expected, "{text:?}");
        assert_eq!(file.problems, [], "{text:?}");
    }

    #[test]
    fn what_people_write_is_read() {
        check("", &[]);
        check("A=1\nB=2", &[("A", "1"), ("B", "2")]);
        check("\u{feff}A=1\r\nB=2\r\n", &[("A", "1"), ("B", "2")]);
        check("# comment\n\n  \t\n  # another\nA=1", &[("A", "1")]);
        check("export A=1\n  export\tB = 2", &[("A", "1"), ("B", "2")]);
        check("export=1\nexportA=2", &[("export", "1"), ("exportA", "2")]);
        check(
            "A=\nB=  \nC=''\nD=\"\"",
            &[("A", ""), ("B", ""), ("C", ""), ("D", "")],
        );
        check("A=1\nA=2", &[("A", "1"), ("A", "2")]);
        check(
            "A: 1\nB: x=y\nC=a: b",
            &[("A", "1"), ("B", "x=y"), ("C", "a: b")],
        );
        check("my-app.name=x", &[("my-app.name", "x")]);
    }

    #[test]
    fn comments_begin_after_white_space() {
        check(
            "A=x # y\nB=x#y\nC=#fff\nD= # y",
            &[("A", "x"), ("B", "x#y"), ("C", "#fff"), ("D", "")],
        );
        check(
            "A='x # y' # z\nB=\"x # y\"#z",
            &[("A", "x # y"), ("B", "x # y")],
        );
    }

    #[test]
    fn quotes_hold_what_they_say() {
        check(r"A='a\n$b\'", &[("A", r"a\n$b\")]);
        check(r#"A="a\n\t\"\\\$b\w""#, &[("A", "a\n\t\"\\$b\\w")]);
        check(
            "A=\"one\r\ntwo\"\nB='one\ntwo'\nC=3",
            &[("A", "one\ntwo"), ("B", "one\ntwo"), ("C", "3")],
        );
        check(r#"A="a\r\nb""#, &[("A", "a\r\nb")]);
        check("A=it's\nB=a\"b\"", &[("A", "it's"), ("B", "a\"b\"")]);
        check("A=\"\u{e9} \u{1f600}\"", &[("A", "\u{e9} \u{1f600}")]);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named() {
        let text = "A=1\nnonsense\n=x\n1A=x\nA B=x\nC='x' y\nD=\"a\nb\" c\nE=\"open\nF=2\nG=a\0b\n";
        let file = parse(text);
        let problems: Vec<_> = file
            .problems
            .iter()
            .map(|problem| (problem.line, problem.wrong))
            .collect();
        let expected = [
            (2, Wrong::NoAssignment),
            (3, Wrong::Name),
            (4, Wrong::Name),
            (5, Wrong::Name),
            (6, Wrong::AfterQuote),
            (7, Wrong::AfterQuote),
            (9, Wrong::OpenQuote),
            (11, Wrong::Nul),
        ];
        assert_eq!(problems, expected);
        let entries: Vec<_> = file
            .entries
            .iter()
            .map(|entry| (entry.line, entry.name.as_str()))
            .collect();
        assert_eq!(entries, [(1, "A"), (10, "F")]);
        assert_eq!(
            file.problems[0].to_string(),
            "line 2: expected `NAME=value`"
        );
    }

    #[test]
    fn debug_shows_no_value() {
        assert!(!format!("{:?}", parse("A=hidden")).contains("hidden"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(parts in proptest::collection::vec(prop_oneof![
            Just("A"), Just("="), Just("\""), Just("'"), Just("\\"), Just("\n"), Just("\r\n"), Just("#"), Just(" "), Just("export "),
            Just(": "), Just("\u{e9}"), Just("\0"), Just("\u{2003}"), Just("\u{feff}")], 0..60)) {
            let text = parts.concat();
            let file = parse(&text);
            let lines = text.split('\n').count();
            let numbers: Vec<_> = file.entries.iter().map(|entry| entry.line).collect();
            prop_assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(numbers.iter().chain(file.problems.iter().map(|problem| &problem.line)).all(|line| (1..=lines).contains(line)));
            prop_assert!(file.entries.iter().all(|entry| is_name(&entry.name) && !entry.value.contains('\0')));
        }
    }
}
