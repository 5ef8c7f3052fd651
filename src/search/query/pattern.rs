//! Regular expressions: compiled for matching, and the texts that every match contains.

use regex::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, ClassUnicode, Hir, HirKind};

use super::literal::Literal;
use crate::index::{Candidates, fold, is_word};

/// Bound for the compiled program; larger ones are refused when the query is read.
const SIZE_LIMIT: usize = 1 << 20;

/// Fewest letters or digits in a row that an expression must contain, or every block would have to be read.
const MIN_LITERAL_CHARS: usize = 3;

/// A regular expression that the index can help with.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) regex: Regex,
    pub(super) candidates: Candidates,
}

impl Pattern {
    /// Compiles an expression, without regard to case; `^` and `$` stand for the ends of a line. Matching takes time
    /// linear in the text.
    pub(super) fn new(pattern: &str) -> Result<Pattern, String> {
        let regex = RegexBuilder::new(pattern)
            .case_insensitive(true)
            .multi_line(true)
            .size_limit(SIZE_LIMIT)
            .build()
            .map_err(|error| describe(&error))?;
        let hir = ParserBuilder::new()
            .case_insensitive(true)
            .multi_line(true)
            .build()
            .parse(pattern)
            .map_err(|error| last_line(&error.to_string()))?;
        match required(&hir) {
            Candidates::All => Err(format!(
                "the expression must contain {MIN_LITERAL_CHARS} letters or digits in a row, in each of its alternatives"
            )),
            candidates => Ok(Pattern { regex, candidates }),
        }
    }
}

fn describe(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "the expression is too large".to_owned(),
        error => last_line(&error.to_string()),
    }
}

/// The reason stands last, below a drawing of the expression.
fn last_line(report: &str) -> String {
    let reason = report.lines().last().unwrap_or_default().trim();
    format!(
        "not a regular expression: {}",
        reason.strip_prefix("error: ").unwrap_or(reason)
    )
}

/// What must be in a block that holds a match.
fn required(hir: &Hir) -> Candidates {
    let mut text = String::new();
    let mut found = Vec::new();
    collect(hir, &mut text, &mut found);
    flush(&mut text, &mut found);
    Candidates::and(found)
}

/// Walks the pieces that follow each other in every match. `text` is the literal text directly before.
fn collect(hir: &Hir, text: &mut String, found: &mut Vec<Candidates>) {
    match hir.kind() {
        // Assertions take up no text.
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => match std::str::from_utf8(&literal.0) {
            Ok(literal) => text.extend(literal.chars().map(fold)),
            Err(_) => flush(text, found),
        },
        HirKind::Class(class) => match single(class) {
            Some(c) => text.push(c),
            None => flush(text, found),
        },
        HirKind::Capture(capture) => collect(&capture.sub, text, found),
        HirKind::Concat(parts) => parts.iter().for_each(|part| collect(part, text, found)),
        HirKind::Repetition(repetition) => {
            flush(text, found);
            if repetition.min > 0 {
                found.push(required(&repetition.sub));
            }
        }
        HirKind::Alternation(alternatives) => {
            flush(text, found);
            found.push(Candidates::or(alternatives.iter().map(required).collect()));
        }
    }
}

fn flush(text: &mut String, found: &mut Vec<Candidates>) {
    let longest = text
        .split(|c| !is_word(c))
        .map(|run| run.chars().count())
        .max();
    if longest >= Some(MIN_LITERAL_CHARS) {
        found.push(Literal::anywhere(text).candidates());
    }
    text.clear();
}

/// The one character that all members of a class are compared as, such as `k` for `[Kk]`.
fn single(class: &Class) -> Option<char> {
    let Class::Unicode(class) = class else {
        return None;
    };
    let mut members = few(class)?;
    let first = fold(members.next()?);
    members.all(|c| fold(c) == first).then_some(first)
}

/// The members of a class that has only a few ranges of cases; larger classes are no letter.
fn few(class: &ClassUnicode) -> Option<impl Iterator<Item = char>> {
    let ranges = class.ranges();
    let count: usize = ranges.iter().map(|range| range.len()).sum();
    (count <= 8).then(|| ranges.iter().flat_map(|range| range.start()..=range.end()))
}
