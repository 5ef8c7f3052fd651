//! Finds attributes and the code that only tests compile.

use super::lexer::{Kind, Token};

/// Words that begin an item or a statement, in which a comma ends nothing.
const ITEM_WORDS: &[&str] = &[
    "async",
    "const",
    "enum",
    "extern",
    "fn",
    "impl",
    "let",
    "macro_rules",
    "mod",
    "static",
    "struct",
    "trait",
    "type",
    "union",
    "unsafe",
    "use",
];

/// An attribute: where its `#` stands, where its `]` stands, and what is between the brackets.
pub(crate) struct Attribute<'a, 'b> {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) inner: bool,
    pub(crate) tokens: &'b [Token<'a>],
}

impl Attribute<'_, '_> {
    /// Whether the attribute is `name`, or may be `name` through `cfg_attr`.
    pub(crate) fn may_be(&self, name: &str) -> bool {
        let mut words = self.tokens.iter().filter(|token| token.kind == Kind::Word);
        let Some(first) = words.next() else {
            return false;
        };
        first.is(name) || (first.is("cfg_attr") && words.any(|word| word.is(name)))
    }

    /// Whether what the attribute stands on exists in tests only.
    fn is_for_tests(&self) -> bool {
        let texts: Vec<_> = self.tokens.iter().map(|token| token.text).collect();
        matches!(
            texts.as_slice(),
            ["test"] | ["cfg", "(", "test", ")"] | ["cfg", "(", "all", "(", "test", ..]
        ) || matches!(
            texts.as_slice(),
            ["tokio", "::", "test", ..] | ["rstest", ..]
        )
    }
}

/// The attributes of a file, in order.
pub(crate) fn attributes<'a, 'b>(tokens: &'b [Token<'a>]) -> Vec<Attribute<'a, 'b>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let inner = tokens.get(at + 1).is_some_and(|token| token.is("!"));
        let open = at + 1 + usize::from(inner);
        if tokens[at].is("#") && tokens.get(open).is_some_and(|token| token.is("[")) {
            let end = closing(tokens, open);
            found.push(Attribute {
                start: at,
                end,
                inner,
                tokens: &tokens[open + 1..end],
            });
            at = end;
        }
        at += 1;
    }
    found
}

/// For each token, whether it belongs to an item that only tests compile.
pub(crate) fn test_code(tokens: &[Token<'_>]) -> Vec<bool> {
    let mut tests = vec![false; tokens.len()];
    for attribute in attributes(tokens)
        .iter()
        .filter(|attribute| attribute.is_for_tests())
    {
        let end = if attribute.inner {
            tokens.len()
        } else {
            item_end(tokens, attribute.end + 1)
        };
        let start = if attribute.inner { 0 } else { attribute.start };
        tests[start..end].fill(true);
    }
    tests
}

/// Position after the item, statement, field or match arm that begins at `start`.
fn item_end(tokens: &[Token<'_>], start: usize) -> usize {
    let mut at = start;
    while at + 1 < tokens.len() && tokens[at].is("#") && tokens[at + 1].is("[") {
        at = closing(tokens, at + 1) + 1;
    }
    let is_item = tokens[at..]
        .iter()
        .take_while(|token| !token.is(":") && !token.is("="))
        .take(6)
        .any(|token| ITEM_WORDS.contains(&token.text));
    while at < tokens.len() {
        match tokens[at].text {
            ";" => return at + 1,
            "," if !is_item => return at + 1,
            "{" => return (closing(tokens, at) + 1).min(tokens.len()),
            "(" | "[" => at = closing(tokens, at) + 1,
            "}" | ")" | "]" => return at,
            _ => at += 1,
        }
    }
    tokens.len()
}

/// Position of the bracket that closes the one at `open`; the last token where it is missing.
pub(crate) fn closing(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len() - 1
}

#[test]
fn code_of_tests_ends_where_its_item_ends() {
    fn check(source: &str, expected: &str) {
        let tokens = super::lexer::lex(source);
        let tests = test_code(&tokens);
        let kept: Vec<_> = tokens
            .iter()
            .zip(tests)
            .filter(|(_, test)| !test)
            .map(|(token, _)| token.text)
            .collect();
        assert_eq!(kept.join(" "), expected, "of {source}");
    }
    check(
        "fn a() {} #[cfg(test)] mod tests { fn b() {} } fn c() {}",
        "fn a ( ) { } fn c ( ) { }",
    );
    check("#[cfg(test)] mod a_tests; mod b;", "mod b ;");
    check("#[cfg(all(test, unix))] use a::b; x", "x");
    check(
        "#[cfg(not(test))] fn a();",
        "# [ cfg ( not ( test ) ) ] fn a ( ) ;",
    );
    check("#[test] #[other] fn a<A, B>(x: [u8; 2]) { y; } z", "z");
    check("#[tokio::test(start_paused = true)] async fn a() {} z", "z");
    check(
        "struct S { #[cfg(test)] hook: Hook, b: u8 }",
        "struct S { b : u8 }",
    );
    check("struct S { #[cfg(test)] hook: Hook }", "struct S { }");
    check("#![cfg(test)] fn a() {}", "");
    check("#[cfg(test)]", "");
    check("#[cfg(test", "# [ cfg ( test");
}
