//! Words of technical text: identifiers are taken whole and in their parts.

use super::mask::prefix;

/// Texts are read up to this many bytes.
const MAX_INPUT: usize = 64 * 1024;

/// More words than any message or trace has; bounds memory on hostile input.
const MAX_WORDS: usize = 8_192;

/// Longer runs of letters are data, not words.
const MAX_WORD_BYTES: usize = 64;

/// Lower-case words of `text` in order. `OrderService.placeOrder` gives `orderservice order service placeorder place
/// order`; paths and `snake_case` names fall apart the same way.
///
/// A lower-case word in angle brackets is left out: it is a mask (`<num>`) or markup and says nothing. Words of one
/// byte and words over 64 bytes are left out; text beyond 64 KiB and words beyond 8,192 are not read.
pub fn words(text: &str) -> Vec<String> {
    let text = prefix(text, MAX_INPUT);
    let mut words = Vec::new();
    let mut start = None;
    for (position, character) in text.char_indices() {
        if character.is_alphanumeric() || character == '_' {
            start.get_or_insert(position);
        } else if let Some(start) = start.take() {
            push_identifier(text, start, position, &mut words);
        }
        if words.len() >= MAX_WORDS {
            break;
        }
    }
    if let Some(start) = start {
        push_identifier(text, start, text.len(), &mut words);
    }
    words.truncate(MAX_WORDS);
    words
}

/// Appends the identifier at `start..end` and, when it has several, its parts.
fn push_identifier(text: &str, start: usize, end: usize, words: &mut Vec<String>) {
    let identifier = &text[start..end];
    let bracketed = text[..start].ends_with('<') && text[end..].starts_with('>');
    if bracketed && identifier.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return;
    }
    let parts: Vec<&str> = identifier.split('_').flat_map(camel_parts).collect();
    if parts.len() > 1 {
        push_word(&parts.concat(), words);
    }
    for part in parts {
        push_word(part, words);
    }
}

fn push_word(word: &str, words: &mut Vec<String>) {
    if (2..=MAX_WORD_BYTES).contains(&word.len()) {
        words.push(word.to_lowercase());
    }
}

/// `HTTPServerError` as `HTTP`, `Server`, `Error`. Digits stay with what stands before them.
fn camel_parts(word: &str) -> Vec<&str> {
    let characters: Vec<(usize, char)> = word.char_indices().collect();
    let mut parts = Vec::new();
    let mut start = 0;
    for index in 1..characters.len() {
        let (position, current) = characters[index];
        let previous = characters[index - 1].1;
        let next_is_lower = characters
            .get(index + 1)
            .is_some_and(|(_, next)| next.is_lowercase());
        if current.is_uppercase() && (!previous.is_uppercase() || next_is_lower) {
            parts.push(&word[start..position]);
            start = position;
        }
    }
    if start < word.len() {
        parts.push(&word[start..]);
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn splits() {
        fn check(input: &str, expected: &str) {
            assert_eq!(words(input).join(" "), expected, "{input}");
        }
        check("", "");
        check(
            "OrderService.placeOrder",
            "orderservice order service placeorder place order",
        );
        check(
            "src/orders/place_order.py",
            "src orders placeorder place order py",
        );
        check(
            "HTTPServerError utf8",
            "httpservererror http server error utf8",
        );
        check("expected <num> in <path>, got <T>", "expected in got");
        check("__init__ a _ x9", "init x9");
        check("Größe ÜberLauf", "größe überlauf über lauf");
        check(&"x".repeat(65), "");
    }

    #[test]
    fn hostile_input_is_bounded() {
        assert_eq!(words(&"aB ".repeat(100_000)).len(), MAX_WORDS);
    }

    proptest! {
        #[test]
        fn words_are_lower_case_and_without_separators(text in "\\PC{0,80}") {
            for word in words(&text) {
                prop_assert!(word.chars().all(char::is_alphanumeric) || !word.is_ascii(), "{}", word);
                prop_assert_eq!(word.to_lowercase(), word);
            }
        }
    }
}
