//! Splits Rust source into tokens, so that a rule about code never trips over a comment or a string.
//!
//! Comments vanish, a literal becomes one token without its content, and every token knows its
//! line. It is a lexer for checking, not for compiling: it accepts anything and never fails.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An identifier or a keyword; raw identifiers come without their `r#`.
    Word,
    /// A string, character or number. `text` of strings and characters is empty.
    Literal,
    /// A lifetime or a loop label.
    Lifetime,
    /// `::`, or any other single character.
    Punctuation,
}

/// A piece of code and the line (from 1) it begins on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

impl Token<'_> {
    /// Whether this is the word or the punctuation `text`.
    pub(crate) fn is(&self, text: &str) -> bool {
        matches!(self.kind, Kind::Word | Kind::Punctuation) && self.text == text
    }
}

/// All tokens of `source`, in order.
pub(crate) fn lex(source: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer {
        source,
        at: 0,
        line: 1,
        tokens: Vec::new(),
    };
    while lexer.at < source.len() {
        lexer.step();
    }
    lexer.tokens
}

struct Lexer<'a> {
    source: &'a str,
    at: usize,
    line: usize,
    tokens: Vec<Token<'a>>,
}

impl<'a> Lexer<'a> {
    fn step(&mut self) {
        let rest = &self.source[self.at..];
        let Some(first) = rest.chars().next() else {
            return;
        };
        if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else if rest.starts_with("//") {
            self.skip(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.skip(block_comment(rest));
        } else if let Some(length) = string(rest) {
            self.literal(length);
        } else if first == '\'' || rest.starts_with("b'") {
            match character(rest) {
                Some(length) => self.literal(length),
                None => self.push(Kind::Lifetime, 1 + word(&rest[1..])),
            }
        } else if first.is_ascii_digit() {
            self.push(Kind::Literal, word(rest));
        } else if rest.starts_with("r#") && word(&rest[2..]) > 0 {
            self.at += 2;
            self.push(Kind::Word, word(&self.source[self.at..]));
        } else if word(rest) > 0 {
            self.push(Kind::Word, word(rest));
        } else if rest.starts_with("::") {
            self.push(Kind::Punctuation, 2);
        } else {
            self.push(Kind::Punctuation, first.len_utf8());
        }
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let text = &self.source[self.at..self.at + length];
        self.tokens.push(Token {
            kind,
            text,
            line: self.line,
        });
        self.at += length;
    }

    fn literal(&mut self, length: usize) {
        self.tokens.push(Token {
            kind: Kind::Literal,
            text: "",
            line: self.line,
        });
        self.skip(length);
    }

    fn skip(&mut self, length: usize) {
        let skipped = &self.source[self.at..self.at + length];
        self.line += skipped.matches('\n').count();
        self.at += length;
    }
}

/// Length of the identifier (or the digits) that `rest` begins with.
fn word(rest: &str) -> usize {
    rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(rest.len())
}

/// Length of the comment that `rest` begins with; comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Length of the string literal that `rest` begins with, raw, byte and C strings included.
fn string(rest: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|after| {
            after.starts_with('"') || (prefix.ends_with('r') && raw_quote(after).is_some())
        })
    })?;
    let after = &rest[prefix.len()..];
    if prefix.ends_with('r') {
        let hashes = raw_quote(after)?;
        let open = prefix.len() + hashes + 1;
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(
            rest[open..]
                .find(&end)
                .map_or(rest.len(), |at| open + at + end.len()),
        );
    }
    Some(prefix.len() + quoted(after, b'"'))
}

/// Number of `#` before the quote of a raw string's beginning.
fn raw_quote(after: &str) -> Option<usize> {
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// Length from the opening to the closing `quote`, both included; a backslash escapes.
fn quoted(text: &str, quote: u8) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text.as_bytes()[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

/// Length of the character literal that `rest` begins with, or nothing for a lifetime.
fn character(rest: &str) -> Option<usize> {
    let prefix = usize::from(rest.starts_with('b'));
    let text = &rest[prefix..];
    let inside = text[1..].chars().next()?;
    let is_character = inside == '\\' || text[1 + inside.len_utf8()..].starts_with('\'');
    is_character.then(|| prefix + quoted(text, b'\''))
}

#[test]
fn comments_and_literals_leave_no_words_behind() {
    fn check(source: &str, expected: &str) {
        let words: Vec<_> = lex(source).iter().map(|token| token.text).collect();
        assert_eq!(words.join(" "), expected, "of {source}");
    }
    check("a /* b /* c */ d */ e // f\ng", "a e g");
    check("/// doc\n//! doc\nx", "x");
    check(r#"f("unwrap \" (", y)"#, "f (  , y )");
    check("r\"a\" r#\"b \" c\"# br##\"d\"# e\"## cr\"f\" g", "    g");
    check("b\"a\" c\"b\" b'x' '\\'' '\"' 'é' z", "      z");
    check(
        "fn f<'a>(x: &'a str) {}",
        "fn f < 'a > ( x : & 'a str ) { }",
    );
    check(
        "'outer: loop { break 'outer }",
        "'outer : loop { break 'outer }",
    );
    check("r#type::x 1.5 0x1f_u8", "type :: x 1 . 5 0x1f_u8");
    check("/* never closed", "");
    check("\"never closed \\", "");
    check("'", "'");
}

#[test]
fn lines_are_counted_through_comments_and_strings() {
    let tokens = lex("/* one\ntwo */ a \"x\n\ny\" b\nc");
    let lines: Vec<_> = tokens
        .iter()
        .map(|token| (token.text, token.line))
        .collect();
    assert_eq!(lines, [("a", 2), ("", 2), ("b", 4), ("c", 5)]);
}

#[test]
fn any_piece_of_source_is_lexed() {
    let source =
        "r##\"é\\\"#\"## 'é' 'a b'\\'' \"\\é\" /*é/**/*/ b\"\\\\\" r#é::x br\"\" 1é //é\n#!['x] ";
    let boundaries: Vec<_> = source.char_indices().map(|(at, _)| at).collect();
    for &from in &boundaries {
        for &to in boundaries.iter().filter(|to| **to > from) {
            let piece = &source[from..to];
            let length: usize = lex(piece).iter().map(|token| token.text.len()).sum();
            assert!(length <= piece.len(), "of {piece}");
        }
    }
}
