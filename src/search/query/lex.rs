//! Cuts a query into tokens.

use super::error::QueryError;

/// Longest query, in characters. Bounds the work of every later step.
const MAX_QUERY_CHARS: usize = 2_000;

/// A piece of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    /// Anything between spaces, parentheses and quotes.
    Word(String),
    /// `name:"value"`.
    QuotedField(String, String),
    Phrase(String),
    Regex(String),
}

/// A token and the character at which it starts.
pub(super) type Placed = (usize, Token);

/// The tokens of `query` in their order.
pub(super) fn tokens(query: &str) -> Result<Vec<Placed>, QueryError> {
    let chars: Vec<char> = query.chars().take(MAX_QUERY_CHARS + 1).collect();
    if chars.len() > MAX_QUERY_CHARS {
        let message = format!("the query is longer than {MAX_QUERY_CHARS} characters");
        return Err(QueryError::new(MAX_QUERY_CHARS, message));
    }
    let mut lexer = Lexer { chars, at: 0 };
    let mut found = Vec::new();
    while let Some(c) = lexer.peek(0) {
        let start = lexer.at;
        if c.is_whitespace() {
            lexer.at += 1;
            continue;
        }
        found.push((start, lexer.token(c)?));
    }
    Ok(found)
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).copied()
    }

    fn token(&mut self, first: char) -> Result<Token, QueryError> {
        match first {
            '(' => Ok(self.single(Token::Open)),
            ')' => Ok(self.single(Token::Close)),
            '"' => self.quoted().map(Token::Phrase),
            '-' if self.peek(1).is_some_and(excludes) => Ok(self.single(Token::Not)),
            '/' => Ok(self.regex().unwrap_or_else(|| self.word())),
            _ => {
                let word = self.word();
                match word {
                    Token::Word(text) if is_field_name(&text) && self.peek(0) == Some('"') => {
                        let value = self.quoted()?;
                        Ok(Token::QuotedField(text[..text.len() - 1].to_owned(), value))
                    }
                    word => Ok(word),
                }
            }
        }
    }

    fn single(&mut self, token: Token) -> Token {
        self.at += 1;
        token
    }

    fn word(&mut self) -> Token {
        let start = self.at;
        while self.peek(0).is_some_and(|c| !ends_word(c)) {
            self.at += 1;
        }
        let text: String = self.chars[start..self.at].iter().collect();
        match text.as_str() {
            "AND" => Token::And,
            "OR" => Token::Or,
            "NOT" => Token::Not,
            _ => Token::Word(text),
        }
    }

    /// From the opening to the closing quote; a backslash takes the next character as it is.
    fn quoted(&mut self) -> Result<String, QueryError> {
        let start = self.at;
        let mut text = String::new();
        self.at += 1;
        while let Some(c) = self.peek(0) {
            self.at += 1;
            match c {
                '"' => return Ok(text),
                '\\' if matches!(self.peek(0), Some('"' | '\\')) => {
                    text.extend(self.peek(0));
                    self.at += 1;
                }
                c => text.push(c),
            }
        }
        Err(QueryError::new(start, "this quote is never closed"))
    }

    /// A slash opens a regular expression if a later one closes it before a space, a parenthesis or the end;
    /// otherwise it is the beginning of a path.
    fn regex(&mut self) -> Option<Token> {
        let start = self.at + 1;
        let mut end = start;
        loop {
            match *self.chars.get(end)? {
                '\\' => end += 2,
                '/' if end > start
                    && self.chars.get(end + 1).is_none_or(|&next| ends_word(next)) =>
                {
                    break;
                }
                _ => end += 1,
            }
        }
        self.at = end + 1;
        Some(Token::Regex(self.chars[start..end].iter().collect()))
    }
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '"')
}

/// Whether a minus before `next` means "not". Options (`--verbose`) and arrows (`->`) are words.
fn excludes(next: char) -> bool {
    !next.is_whitespace() && !matches!(next, '-' | '>' | '=' | ')')
}

/// Whether `text` is the beginning of `name:"value"`.
fn is_field_name(text: &str) -> bool {
    text.strip_suffix(':')
        .is_some_and(|name| name.len() > 1 && name.bytes().all(|byte| byte.is_ascii_lowercase()))
}
