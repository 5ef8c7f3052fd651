//! Reads a query.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::ast::{Expr, Name, Query};
use super::error::QueryError;
use super::lex::{Placed, Token, tokens};
use super::pattern::Pattern;
use crate::index::{Facet, Kind};

/// Deepest nesting of parentheses and negations; bounds recursion here and in every later step.
const MAX_DEPTH: usize = 32;

/// Fewest characters between the stars of a substring: shorter ones are in nearly every block.
const MIN_SUBSTRING_CHARS: usize = 3;

const FIELDS: &str = "project, job, branch, status, agent, test, step, kind, build, before, after";

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// The place and the reason, for the person who typed it.
    pub fn parse(query: &str) -> Result<Query, QueryError> {
        let mut parser = Parser {
            tokens: tokens(query)?,
            at: 0,
            end: query.chars().count(),
        };
        let expr = parser.any(0)?;
        match parser.peek() {
            None => Ok(Query { expr }),
            // Everything but a closing parenthesis is taken up by the loops below.
            Some((offset, _)) => Err(QueryError::new(*offset, "no parenthesis is open here")),
        }
    }
}

struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    /// Offset behind the last character, where something is missing.
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Placed> {
        self.tokens.get(self.at)
    }

    fn next_is(&self, token: &Token) -> bool {
        self.peek().is_some_and(|(_, next)| next == token)
    }

    fn take(&mut self, token: &Token) -> bool {
        let taken = self.next_is(token);
        self.at += usize::from(taken);
        taken
    }

    /// `all OR all OR …`
    fn any(&mut self, depth: usize) -> Result<Expr, QueryError> {
        let mut parts = vec![self.all(depth)?];
        while self.take(&Token::Or) {
            parts.push(self.all(depth)?);
        }
        Ok(Expr::or(parts))
    }

    /// `term AND term term …`
    fn all(&mut self, depth: usize) -> Result<Expr, QueryError> {
        let mut parts = vec![self.term(depth)?];
        while self.take(&Token::And)
            || self
                .peek()
                .is_some_and(|(_, next)| !matches!(next, Token::Or | Token::Close))
        {
            parts.push(self.term(depth)?);
        }
        Ok(Expr::and(parts))
    }

    fn term(&mut self, depth: usize) -> Result<Expr, QueryError> {
        let Some((offset, token)) = self.tokens.get(self.at).cloned() else {
            return Err(QueryError::new(self.end, "a word is missing here"));
        };
        if depth > MAX_DEPTH {
            return Err(QueryError::new(
                offset,
                format!("nested deeper than {MAX_DEPTH} levels"),
            ));
        }
        self.at += 1;
        match token {
            Token::Not => Ok(Expr::Not(Box::new(self.term(depth + 1)?))),
            Token::Open if self.next_is(&Token::Close) => Err(QueryError::new(
                offset,
                "nothing between the parentheses; quote text that holds them",
            )),
            Token::Open => {
                let inner = self.any(depth + 1)?;
                if self.take(&Token::Close) {
                    Ok(inner)
                } else {
                    Err(QueryError::new(offset, "this parenthesis is never closed"))
                }
            }
            Token::Close | Token::And | Token::Or => {
                Err(QueryError::new(offset, "a word is missing before this"))
            }
            Token::Phrase(text) if text.trim().is_empty() => {
                Err(QueryError::new(offset, "nothing between the quotes"))
            }
            Token::Phrase(text) => Ok(Expr::Text(text)),
            Token::Regex(pattern) => match Pattern::new(&pattern) {
                Ok(_) => Ok(Expr::Regex(pattern)),
                Err(reason) => Err(QueryError::new(offset, reason)),
            },
            Token::QuotedField(name, text) => field(
                offset,
                &name,
                Name {
                    text,
                    prefix: false,
                },
            ),
            Token::Word(word) => bare(offset, &word),
        }
    }
}

/// A word without quotes: a field, or text with or without stars.
fn bare(offset: usize, word: &str) -> Result<Expr, QueryError> {
    if let Some((name, value)) = word.split_once(':')
        && (is_field(name) || looks_like_field(name, value))
    {
        let behind = offset + name.chars().count() + 1;
        let name_value = match value.strip_suffix('*') {
            Some(start) => Name {
                text: start.to_owned(),
                prefix: true,
            },
            None => Name {
                text: value.to_owned(),
                prefix: false,
            },
        };
        if let Some(star) = name_value.text.chars().position(|c| c == '*') {
            return Err(QueryError::new(
                behind + star,
                "`*` stands only at the end of a value; quote it to mean the character",
            ));
        }
        return field(offset, name, name_value);
    }
    let stars = "`*` stands at the end (`foo*`) or on both sides (`*foo*`); quote the word to mean the character";
    let (front, rest) = word
        .strip_prefix('*')
        .map_or((false, word), |rest| (true, rest));
    let (back, text) = rest
        .strip_suffix('*')
        .map_or((false, rest), |text| (true, text));
    if let Some(star) = text.chars().position(|c| c == '*') {
        return Err(QueryError::new(offset + usize::from(front) + star, stars));
    }
    match (front, back) {
        (false, false) => Ok(Expr::Text(word.to_owned())),
        (false, true) => Ok(Expr::Prefix(text.to_owned())),
        (true, true) if text.chars().count() < MIN_SUBSTRING_CHARS => {
            let message =
                format!("at least {MIN_SUBSTRING_CHARS} characters must stand between the stars");
            Err(QueryError::new(offset, message))
        }
        (true, true) => Ok(Expr::Substring(text.to_owned())),
        (true, false) => Err(QueryError::new(offset, stars)),
    }
}

fn is_field(name: &str) -> bool {
    facet(name).is_some() || matches!(name, "project" | "kind" | "build" | "before" | "after")
}

/// Whether `name:value` is meant as a field that does not exist, and not as a URL, an address or a path.
fn looks_like_field(name: &str, value: &str) -> bool {
    name.len() > 1
        && name.bytes().all(|byte| byte.is_ascii_lowercase())
        && value.starts_with(char::is_alphabetic)
}

fn facet(name: &str) -> Option<Facet> {
    Facet::ALL.into_iter().find(|facet| facet.name() == name)
}

fn field(offset: usize, name: &str, value: Name) -> Result<Expr, QueryError> {
    let behind = offset + name.chars().count() + 1;
    let fail = |message: &str| Err(QueryError::new(behind, message));
    if !is_field(name) {
        let message =
            format!("`{name}` is no field ({FIELDS}); quote the word to search for the text");
        return Err(QueryError::new(offset, message));
    }
    if value.text.trim().is_empty() {
        return fail("a value is missing here");
    }
    if let Some(facet) = facet(name) {
        return Ok(Expr::Facet(facet, value));
    }
    if name == "project" {
        return Ok(Expr::Project(value));
    }
    if value.prefix {
        return fail("this field takes no `*`");
    }
    match name {
        "kind" => match value.text.as_str() {
            "log" => Ok(Expr::Kind(Kind::Log)),
            "failure" => Ok(Expr::Kind(Kind::Failure)),
            _ => fail("a kind is `log` or `failure`"),
        },
        "build" => match value.text.parse() {
            Ok(number) => Ok(Expr::Build(number)),
            Err(_) => fail("a build is a number, such as `build:421`"),
        },
        _ => match moment(&value.text) {
            Some(moment) if name == "before" => Ok(Expr::Before(moment)),
            Some(moment) => Ok(Expr::After(moment)),
            None => fail("a time is `2026-11-21` or `2026-11-21T18:00:00Z`"),
        },
    }
}

/// Milliseconds since the epoch; a date is its first moment in UTC.
fn moment(text: &str) -> Option<i64> {
    let timestamp = match text.parse::<Timestamp>() {
        Ok(timestamp) => timestamp,
        // The date parser also takes a date and a time without an offset: that would be a guess.
        Err(_) if text.contains([':', 'T', 't', ' ']) => return None,
        Err(_) => text
            .parse::<Date>()
            .ok()?
            .to_zoned(TimeZone::UTC)
            .ok()?
            .timestamp(),
    };
    Some(timestamp.as_millisecond())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn queries_are_read() {
        let check = |query: &str, expected: &str| {
            let read = Query::parse(query).unwrap_or_else(|error| panic!("{}", error.show(query)));
            assert_eq!(read.to_string(), expected, "{query}");
        };
        check("timeout", "timeout");
        check("a b AND c", "a b c");
        check("a b OR c d", "a b OR c d");
        check("a (b OR c) d", "a (b OR c) d");
        check("((a))", "a");
        check("a AND (b AND c)", "a b c");
        check("-a -(b c) NOT d", "NOT a NOT (b c) NOT d");
        check("--verbose -> a", "\"--verbose\" \"->\" a");
        check("\"connection  refused\"", "\"connection  refused\"");
        check(r#""say \"hi\"""#, r#""say \"hi\"""#);
        check("time* *meou*", "time* *meou*");
        check(r"/took \d{4,} ms/ x", r"/took \d{4,} ms/ x");
        check("/usr/bin/env", "\"/usr/bin/env\"");
        check(
            "job:nightly branch:release* test:\"a b\"",
            "job:\"nightly\" branch:release* test:\"a b\"",
        );
        check(
            "build:421 kind:log -kind:failure",
            "build:421 kind:log NOT kind:failure",
        );
        check("before:2026-11-21", "before:2026-11-21T00:00:00Z");
        check(
            "after:2026-11-21T18:00:00+02:00",
            "after:2026-11-21T16:00:00Z",
        );
        check(
            "localhost:8080 http://x std::io",
            "\"localhost:8080\" \"http://x\" \"std::io\"",
        );
        check("error: x", "\"error:\" x");
        check(r"/pre* \/ \\\/", r#"/pre* "\/" "\\\\\/""#);
    }

    #[test]
    fn errors_name_the_place() {
        let check = |query: &str, offset: usize, part: &str| {
            let error = Query::parse(query).expect_err(query);
            assert_eq!(error.offset, offset, "{query}: {error}");
            assert!(error.message.contains(part), "{query}: {error}");
        };
        check("", 0, "missing");
        check("a OR", 4, "missing");
        check("OR a", 0, "missing");
        check("a AND OR b", 6, "missing");
        check("(a", 0, "never closed");
        check("ä b)", 3, "no parenthesis");
        check("a ()", 2, "nothing between");
        check("a \"b", 2, "never closed");
        check("\" \"", 0, "nothing between");
        check("x jbo:nightly", 2, "`jbo` is no field");
        check("job:", 4, "value is missing");
        check("job:a*b", 5, "only at the end");
        check("f*o", 1, "quote the word");
        check("*foo", 0, "quote the word");
        check("*fo*", 0, "at least 3");
        check("build:last", 6, "number");
        check("kind:file", 5, "`log` or `failure`");
        check("before:yesterday", 7, "2026-11-21");
        check("before:2026-11-21T10:00:00", 7, "2026-11-21");
        check("a /fo+/", 2, "3 letters or digits");
        check("/foo|b/", 0, "alternatives");
        check("/foo[/", 0, "not a regular expression");
        check(&"(".repeat(40), 33, "nested");
        check(&"a".repeat(3_000), 2_000, "longer");
    }

    #[test]
    fn the_caret_stands_below_the_place() {
        let error = Query::parse("größe jbo:x").expect_err("no field");
        let shown = error.show("größe jbo:x");
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[..2], ["größe jbo:x", "      ^"]);
    }

    /// Pieces that matter to the grammar, in any order.
    fn query() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "a",
            "foo",
            "place_order",
            "AND",
            "OR",
            "NOT",
            "-",
            "--",
            "(",
            ")",
            "\"",
            "\"b c\"",
            "*",
            "/",
            "\\",
            "\\/",
            "/foo/",
            "/usr",
            "*abc*",
            "pre*",
            "job:",
            "job:x",
            "test:\"y z\"",
            "build:7",
            "before:2026-01-02",
            "é",
            ">",
            "branch:r*",
            ":",
            ".",
            "kind:log",
            "/(foo|bar)+x?/",
        ]);
        prop::collection::vec((piece, prop::bool::weighted(0.6)), 0..12).prop_map(|pieces| {
            pieces
                .into_iter()
                .map(|(text, space)| {
                    if space {
                        format!("{text} ")
                    } else {
                        text.to_owned()
                    }
                })
                .collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn a_printed_query_reads_the_same(query in query()) {
            if let Ok(read) = Query::parse(&query) {
                let printed = read.to_string();
                prop_assert_eq!(Query::parse(&printed), Ok(read), "{}", printed);
            }
        }

        #[test]
        fn any_text_is_a_query_or_an_error_inside_of_it(query in "(?s).{0,40}") {
            if let Err(error) = Query::parse(&query) {
                prop_assert!(error.offset <= query.chars().count());
                prop_assert_eq!(error.show(&query).lines().count(), 3);
            }
        }
    }
}
