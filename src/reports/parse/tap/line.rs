//! One line of TAP: what it is, without what surrounds it.

use crate::reports::parse::input::seconds_to_ms;

/// A line, its indentation taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Version,
    Plan {
        count: u64,
        skip: Option<&'a str>,
    },
    Point(Point),
    BailOut(&'a str),
    Pragma,
    /// `# Subtest: name`
    Subtest(String),
    Comment(&'a str),
    /// `---`
    YamlStart,
    Blank,
    Other(&'a str),
}

/// A test point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) ok: bool,
    pub(super) number: Option<u64>,
    /// The description was written after a dash.
    pub(super) dashed: bool,
    pub(super) description: String,
    pub(super) directive: Option<Directive>,
    /// The line ends in ` {`: its subtest follows, unless the brace is of the name.
    pub(super) braced: bool,
    /// `# time=1.5ms`, from node-tap.
    pub(super) time_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    Skip(String),
    Todo(String),
}

impl<'a> Line<'a> {
    /// Classifies a line.
    pub(super) fn new(text: &'a str) -> Self {
        let text = text.trim_end();
        if text.is_empty() {
            return Self::Blank;
        }
        if let Some(comment) = text.strip_prefix('#') {
            let comment = comment.strip_prefix(' ').unwrap_or(comment);
            return match comment.strip_prefix("Subtest: ") {
                Some(name) => Self::Subtest(unescape(name.trim())),
                None => Self::Comment(comment),
            };
        }
        if let Some(rest) = text.strip_prefix("TAP version ") {
            if rest.trim().parse::<u32>().is_ok() {
                return Self::Version;
            }
        } else if let Some(rest) = text.strip_prefix("Bail out!") {
            return Self::BailOut(rest.trim());
        } else if let Some(rest) = text.strip_prefix("pragma ") {
            if rest.trim_start().starts_with(['+', '-']) {
                return Self::Pragma;
            }
        } else if text == "---" {
            return Self::YamlStart;
        } else if let Some(plan) = plan(text) {
            return plan;
        } else if let Some(point) = point(text) {
            return Self::Point(point);
        }
        Self::Other(text)
    }
}

fn plan(text: &str) -> Option<Line<'_>> {
    let rest = text.strip_prefix("1..")?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let count = rest[..end].parse().ok()?;
    let after = rest[end..].trim();
    let comment = after.strip_prefix('#').map(str::trim_start);
    if !after.is_empty() && comment.is_none() {
        return None;
    }
    let skip = comment
        .and_then(|comment| keyword(comment, "skip"))
        .filter(|_| count == 0);
    Some(Line::Plan { count, skip })
}

fn point(text: &str) -> Option<Point> {
    let (ok, rest) = match text.strip_prefix("not ok") {
        Some(rest) => (false, rest),
        None => (true, text.strip_prefix("ok")?),
    };
    if !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return None;
    }
    let rest = rest.trim_start();
    let digits = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let numbered = digits > 0 && !rest[digits..].starts_with(|c: char| !c.is_whitespace());
    let (number, rest) = if numbered {
        (rest[..digits].parse().ok(), rest[digits..].trim_start())
    } else {
        (None, rest)
    };
    let dash = rest.strip_prefix("- ").or((rest == "-").then_some(""));
    let body = dash.unwrap_or(rest);
    let opened = body.strip_suffix(" {");
    let body = opened.unwrap_or(body);
    let mut point = Point {
        braced: opened.is_some(),
        ok,
        number,
        dashed: dash.is_some(),
        ..Point::default()
    };
    let mut description = body.trim();
    let mut end = body.len();
    // The last ` # ` that no backslash takes back is the directive's, if a directive follows it.
    for (at, _) in body
        .match_indices('#')
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
    {
        let before = &body[..at];
        if is_escaped(before) || !(before.is_empty() || before.ends_with(char::is_whitespace)) {
            continue;
        }
        let words = body[at + 1..end].trim();
        if let Some(time) = words.strip_prefix("time=") {
            point.time_ms = seconds_to_ms(time);
        } else if let Some(reason) = keyword(words, "skip") {
            point.directive = Some(Directive::Skip(unescape(reason)));
        } else if let Some(reason) = keyword(words, "todo") {
            point.directive = Some(Directive::Todo(unescape(reason)));
        } else {
            continue;
        }
        description = before.trim();
        end = at;
    }
    point.description = unescape(description);
    Some(point)
}

/// What follows a directive's name; `SKIPPED` and `skip:` are as good as `SKIP`.
fn keyword<'a>(words: &'a str, name: &str) -> Option<&'a str> {
    let head = words.get(..name.len())?;
    if !head.eq_ignore_ascii_case(name) {
        return None;
    }
    let rest = &words[name.len()..];
    let end = rest
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(rest.len());
    Some(rest[end..].trim_start_matches(':').trim())
}

fn is_escaped(before: &str) -> bool {
    before
        .bytes()
        .rev()
        .take_while(|&byte| byte == b'\\')
        .count()
        % 2
        == 1
}

/// `\#` is `#`, `\\` is `\`; any other backslash is one.
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match (next, rest.peek()) {
            ('\\', Some(&('#' | '\\'))) => plain.extend(rest.next()),
            _ => plain.push(next),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points() {
        let check = |text: &str,
                     ok: bool,
                     number: Option<u64>,
                     description: &str,
                     directive: Option<Directive>| {
            let Line::Point(point) = Line::new(text) else {
                panic!("{text}");
            };
            assert_eq!((point.ok, point.number), (ok, number), "{text}");
            assert_eq!(point.description, description, "{text}");
            assert_eq!(point.directive, directive, "{text}");
        };
        let skip = |why: &str| Some(Directive::Skip(why.to_owned()));
        let todo = |why: &str| Some(Directive::Todo(why.to_owned()));
        check("ok", true, None, "", None);
        check("not ok 12", false, Some(12), "", None);
        check("ok 1 - adds", true, Some(1), "adds", None);
        check("ok 1 adds", true, Some(1), "adds", None);
        check("ok 2nd try", true, None, "2nd try", None);
        check("ok - adds", true, None, "adds", None);
        check(
            "ok 4 # skip no printer",
            true,
            Some(4),
            "",
            skip("no printer"),
        );
        check("ok 4 - x # SKIPPED: why", true, Some(4), "x", skip("why"));
        check("not ok 5 - later # TODO", false, Some(5), "later", todo(""));
        check(r"ok 1 - a \# TODO b", true, Some(1), "a # TODO b", None);
        check(r"ok 1 - a \\ # TODO b", true, Some(1), r"a \", todo("b"));
        check(
            "ok 1 - issue #12 is closed",
            true,
            Some(1),
            "issue #12 is closed",
            None,
        );
        check("ok 1 - c# # SKIP d", true, Some(1), "c#", skip("d"));
        check(
            "ok 3 - deeper # time=1.982ms",
            true,
            Some(3),
            "deeper",
            None,
        );
        check(
            "ok 3 - a # TODO b # time=5ms",
            true,
            Some(3),
            "a",
            todo("b"),
        );
    }

    #[test]
    fn lines() {
        let check =
            |text: &str, expected: Line<'_>| assert_eq!(Line::new(text), expected, "{text}");
        check(
            "1..0 # SKIP why",
            Line::Plan {
                count: 0,
                skip: Some("why"),
            },
        );
        check(
            "1..3",
            Line::Plan {
                count: 3,
                skip: None,
            },
        );
        check("1..3 things", Line::Other("1..3 things"));
        check("okay", Line::Other("okay"));
        check("TAP version 14", Line::Version);
        check("Bail out! gone", Line::BailOut("gone"));
        check("pragma +strict", Line::Pragma);
        check("#", Line::Comment(""));
        check("#   at t line 3.", Line::Comment("  at t line 3."));
        check(r"# Subtest: a \# b", Line::Subtest("a # b".to_owned()));
    }
}
