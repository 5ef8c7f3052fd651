//! Typed masks for what changes from run to run: `<uuid>` instead of a UUID, `<path>` instead of a temporary path.
//!
//! One regular expression holds all rules as alternatives in a fixed order, so a text is read once from left to right
//! and the first rule wins where several match at one place. The engine has no backtracking: time is linear.
//!
//! Masking twice changes nothing. That follows from three properties every rule must keep, and a test checks: no rule
//! can match `<` or `>`; a match that begins or ends with a word character does so at a word boundary; the first rule
//! keeps masks as they are.

use std::borrow::Cow;
use std::net::Ipv6Addr;
use std::sync::LazyLock;

use regex::Regex;

/// Texts are read up to this many bytes. A failure's message is far shorter; the limit bounds the work on hostile input.
const MAX_INPUT: usize = 64 * 1024;

/// What happens to the text that a rule matched.
enum Action {
    Keep,
    Mask(&'static str),
    /// The function names the mask, or says `None` to keep the text.
    Decide(fn(&str) -> Option<&'static str>),
}

/// In order of precedence at one place of the text. `\b` is the ASCII word boundary (see [`PATTERN`]).
static RULES: &[(Action, &str)] = &[
    (
        Action::Keep,
        r"<(?:attempt|date|dur|hex|host|id|ip|num|path|size|time|url|uuid|version|worker)>",
    ),
    (
        Action::Mask("<url>"),
        r#"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>|)\]}]+"#,
    ),
    (
        Action::Mask("<uuid>"),
        r"\b(?:[A-Za-z0-9_]*_)?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b",
    ),
    // 2026-03-05, 2026-03-05T10:11:12.345+01:00, 20260305T101112Z
    (
        Action::Mask("<date>"),
        r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T _][0-9]{2}[:.-]?[0-9]{2}(?:[:.-]?[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:Z| ?[+-][0-9]{2}:?[0-9]{2})?)?\b",
    ),
    (Action::Mask("<date>"), r"\b[0-9]{8}T[0-9]{6}Z?\b"),
    (
        Action::Mask("<date>"),
        r"\b[0-9]{4}/[0-9]{2}/[0-9]{2}\b|\b[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}\b",
    ),
    // Thu Mar  5 10:11:12 2026, Thu Mar 5 10:11:12 UTC 2026
    (
        Action::Mask("<date>"),
        r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}[0-9]{1,2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?: [A-Z]{3,4})?(?: [0-9]{4})?\b",
    ),
    // Thu, 05 Mar 2026 10:11:12 GMT, 05-Mar-2026
    (
        Action::Mask("<date>"),
        r"\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?[0-9]{1,2}[ -](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[ -][0-9]{4}(?: [0-9]{2}:[0-9]{2}:[0-9]{2}(?: (?:GMT|UTC|[+-][0-9]{4}))?)?\b",
    ),
    (
        Action::Mask("<time>"),
        r"\b[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?Z?\b",
    ),
    (
        Action::Mask("<ip>"),
        r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?\b",
    ),
    (
        Action::Mask("<ip>"),
        r"\b[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){7}\b",
    ),
    (
        Action::Decide(compressed_ipv6),
        r"\b[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){0,5}::[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4}){0,5}\b",
    ),
    (
        Action::Decide(bracketed_ipv6),
        r"\[[0-9a-fA-F:]*::[0-9a-fA-F:.]*\](?::[0-9]{1,5}\b)?",
    ),
    (Action::Mask("<ip>"), r"::1\b"),
    (
        Action::Mask("<host>"),
        r"\b(?:localhost|(?:[A-Za-z0-9][A-Za-z0-9-]*\.)+(?:com|net|org|io|dev|local|internal|lan|svc|test|example|localdomain)):[0-9]{1,5}\b",
    ),
    (Action::Mask("<path>"), r#"\b[A-Za-z]:[\\/][^\s"'<>|:*?]*"#),
    (
        Action::Mask("<path>"),
        r#"\\\\[A-Za-z0-9_.-]+\\[^\s"'<>|:*?]*"#,
    ),
    (Action::Mask("<num>"), r"\b[0-9]+(?:/[0-9]+)+\b"),
    // A path inside the product says where; it stays unless a part of it looks made up for this run.
    (
        Action::Decide(relative_path),
        r"\b[A-Za-z_][A-Za-z0-9_.@+~%=,-]*(?:/[A-Za-z0-9_.@+~%=,-]+)+",
    ),
    (
        Action::Mask("<path>"),
        r"~?/[A-Za-z0-9_.@+~%=,-]+(?:/[A-Za-z0-9_.@+~%=,-]+)+/?",
    ),
    (Action::Mask("<hex>"), r"\b0[xX][0-9a-fA-F]+\b"),
    // The identity hash that Java appends to a class name.
    (Action::Decide(identity_hash), r"@[0-9a-f]{5,16}\b"),
    (
        Action::Mask("<attempt>"),
        r"\b(?:[Aa]ttempt|[Rr]etry|[Rr]erun|[Tt]ry)[ _-]?#?[0-9]+(?:(?: of |/)[0-9]+)?\b",
    ),
    // 250ms, 1.5 seconds, 1m30s
    (
        Action::Mask("<dur>"),
        r"\b[0-9]+(?:[.,][0-9]+)? ?(?:ns|us|µs|μs|ms|msecs?|milliseconds?|secs?|seconds?|mins?|minutes?|hrs?|hours?|days?)\b",
    ),
    (
        Action::Mask("<dur>"),
        r"\b(?:[0-9]+(?:\.[0-9]+)?(?:ns|us|ms|s|m|h|d))+\b",
    ),
    (
        Action::Mask("<size>"),
        r"\b[0-9]+(?:[.,][0-9]+)? ?(?:[KMGTkmgt]i?B|bytes?|B)\b|\b[0-9]+(?:[.,][0-9]+)?(?:[KMGTk]\b|%)",
    ),
    (
        Action::Mask("<version>"),
        r"\bv?[0-9]+\.[0-9]+\.[0-9]+(?:[.+-][A-Za-z0-9]+)*\b",
    ),
    (
        Action::Mask("<num>"),
        r"\b[0-9]+(?:[.,][0-9]+)*(?:[eE][+-]?[0-9]+)?(?:st|nd|rd|th)?\b",
    ),
    // Workers of pytest-xdist.
    (Action::Mask("<worker>"), r"\bgw[0-9]+\b"),
    (
        Action::Decide(word_with_digits),
        r"\b[A-Za-z_]*[0-9][A-Za-z0-9_]*\b",
    ),
];

/// All rules as one expression, each in a capture group of its own.
///
/// `\b` is narrowed to ASCII: the boundary then means the same in every rule, and the engine can use its fast automaton
/// on texts in any language.
static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
    let groups: Vec<String> = RULES
        .iter()
        .map(|(_, pattern)| format!("({pattern})"))
        .collect();
    Regex::new(&groups.join("|").replace(r"\b", r"(?-u:\b)"))
        .expect("the rules are constants that a test compiles")
});

/// Replaces the volatile parts of `text` by typed masks such as `<uuid>`, `<date>`, `<path>`, `<num>`.
///
/// Terminal colour sequences are removed. Text beyond 64 KiB is cut off. Masking the result again changes nothing, as
/// long as the result is within that limit too.
pub fn mask(text: &str) -> String {
    let text = without_escapes(prefix(text, MAX_INPUT));
    let mut masked = String::with_capacity(text.len());
    let mut copied = 0;
    for captures in PATTERN.captures_iter(&text) {
        let (rule, found) = (1..captures.len())
            .find_map(|group| captures.get(group).map(|found| (group - 1, found)))
            .expect("the expression is nothing but groups");
        let replacement = match RULES[rule].0 {
            Action::Keep => None,
            Action::Mask(mask) => Some(mask),
            Action::Decide(decide) => decide(found.as_str()),
        };
        if let Some(replacement) = replacement {
            masked.push_str(&text[copied..found.start()]);
            masked.push_str(replacement);
            copied = found.end();
        }
    }
    masked.push_str(&text[copied..]);
    masked
}

/// The longest start of `text` that has at most `limit` bytes and ends between two characters.
pub(super) fn prefix(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

/// `text` without terminal escape sequences; no escape character is left, whatever the input.
fn without_escapes(text: &str) -> Cow<'_, str> {
    const ESCAPE: char = '\u{1b}';
    if !text.contains(ESCAPE) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != ESCAPE {
            plain.push(character);
        } else if characters.next_if_eq(&'[').is_some() {
            // Parameters, then one final character: `[1;31m`. Anything else ends the sequence unread.
            while characters
                .next_if(|next| matches!(next, ' '..='?'))
                .is_some()
            {}
            characters.next_if(|next| matches!(next, '@'..='~'));
        }
    }
    Cow::Owned(plain)
}

fn compressed_ipv6(text: &str) -> Option<&'static str> {
    // `add::face` is code; an address nearly always has a digit.
    let is_address = text.contains(|character: char| character.is_ascii_digit())
        && text.parse::<Ipv6Addr>().is_ok();
    is_address.then_some("<ip>")
}

fn bracketed_ipv6(text: &str) -> Option<&'static str> {
    let inner = text.strip_prefix('[')?.split(']').next()?;
    inner.parse::<Ipv6Addr>().is_ok().then_some("<ip>")
}

fn relative_path(text: &str) -> Option<&'static str> {
    // A build number, a date or a hash in a directory's name; product names rarely have four digits.
    text.split('/')
        .any(|part| digits(part) >= 4)
        .then_some("<path>")
}

fn identity_hash(text: &str) -> Option<&'static str> {
    // `@added` is an annotation; eight random hexadecimal places lack a digit once in 2,500.
    (digits(text) > 0).then_some("<hex>")
}

fn word_with_digits(text: &str) -> Option<&'static str> {
    if text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'_')
    {
        return text
            .starts_with(|first: char| first.is_ascii_digit())
            .then_some("<num>");
    }
    // Seven places are the shortest commit hash that tools print.
    if text.len() >= 7 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some("<hex>");
    }
    (text.len() >= 8 && digits(text) >= 4).then_some("<id>")
}

fn digits(text: &str) -> usize {
    text.bytes().filter(u8::is_ascii_digit).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn masks() {
        fn check(input: &str, expected: &str) {
            assert_eq!(mask(input), expected, "{input}");
            assert_eq!(mask(expected), expected, "masked twice: {input}");
        }
        check("", "");
        check("Order not found", "Order not found");
        check(
            "GET https://shop.example/o/7?x=1 failed",
            "GET <url> failed",
        );
        check("id 550e8400-e29b-41d4-a716-446655440000.", "id <uuid>.");
        check("run_550e8400-e29b-41d4-a716-446655440000", "<uuid>");
        check("at 2026-03-05T10:11:12.345Z end", "at <date> end");
        check("at 2026-03-05 10:11:12,345 +0100 end", "at <date> end");
        check("on 2026-03-05, 20260305T101112Z", "on <date>, <date>");
        check("Thu Mar  5 10:11:12 2026", "<date>");
        check("Thu, 05 Mar 2026 10:11:12 GMT", "<date>");
        check("03/05/2026 2026/03/05", "<date> <date>");
        check("[10:11:12.5] x", "[<time>] x");
        check("refused by 10.0.0.12:5432", "refused by <ip>");
        check("refused by fe80::1ff:fe23:4567:890a", "refused by <ip>");
        check("refused by [::1]:8080 and ::1", "refused by <ip> and <ip>");
        check("in add::face and std::f64", "in add::face and std::f64");
        check("localhost:8080, db.shop.internal:5432", "<host>, <host>");
        check(
            "com.example.net.Client failed",
            "com.example.net.Client failed",
        );
        check(
            "open /tmp/pytest-of-ci/pytest-3/a.txt: no",
            "open <path>: no",
        );
        check(r"open 'C:\Users\ci\AppData\x.txt'", "open '<path>'");
        check(r"open \\server\share\x", "open <path>");
        check(
            "in src/orders/place.py:12 and/or",
            "in src/orders/place.py:<num> and/or",
        );
        check("in build/20260305/out.xml", "in <path>");
        check(
            "at 0x7ffd3a, Order@1b6d3586, @added",
            "at <hex>, Order<hex>, @added",
        );
        check(
            "attempt 3 failed, Attempt 2/5, retry #4",
            "<attempt> failed, <attempt>, <attempt>",
        );
        check(
            "took 1.5 seconds, 250ms, 1m30s, 3 days",
            "took <dur>, <dur>, <dur>, <dur>",
        );
        check("used 12.5 MiB, 99%, 10k", "used <size>, <size>, <size>");
        check(
            "assert 3 == -4.5e-7, 1,000 the 3rd",
            "assert <num> == -<num>, <num> the <num>",
        );
        check("needs v1.2.3-rc1", "needs <version>");
        check("3/4/5 done", "<num> done");
        check(
            "[gw3] commit 3f9a2c1 key k1B2x3D4e5",
            "[<worker>] commit <hex> key <id>",
        );
        check(
            "Utf8Error in test_status_500",
            "Utf8Error in test_status_500",
        );
        check("\u{1b}[1;31mred\u{1b}[0m 5", "red <num>");
        check("Größe 5 µs, 12€", "Größe <dur>, <num>€");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let text = "é".repeat(MAX_INPUT);
        assert_eq!(mask(&text).len(), MAX_INPUT);
    }

    /// Pieces that meet each other in every order, to find boundaries that a rule forgot.
    fn pieces() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "[ -~]{0,6}",
            "[0-9a-f:./_-]{1,8}",
            "\\PC{0,3}",
            prop::sample::select(vec![
                "<num>",
                "<path>",
                "<",
                ">",
                "/",
                "//",
                "\\",
                "::",
                "://",
                "C:",
                "0x",
                "@",
                " ",
                "1",
                "12:34:56",
                "2026-03-05",
                "T10:11",
                "attempt ",
                "550e8400-e29b-41d4-a716-446655440000",
                "_",
                "ms",
                "10.0.0.1",
                ":80",
                "a/b",
                "/tmp/x1",
                "localhost",
                "[",
                "]",
                "\u{1b}[",
                "\u{1b}",
                "é",
                "µs",
                "1e",
                "v1.2.3",
                "Mar 5 10:11:12",
                " 2026",
                "gw1",
                "%",
            ])
            .prop_map(str::to_owned),
        ];
        prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn masking_twice_changes_nothing(text in pieces()) {
            let once = mask(&text);
            prop_assert_eq!(mask(&once), once);
        }
    }

    proptest! {
        #[test]
        fn volatile_values_disappear(number in any::<u32>(), high in any::<u128>(), minute in 0..60, port in 1024..65535_u32) {
            let uuid = format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 96, (high >> 80) & 0xffff, (high >> 64) & 0xffff,
                (high >> 48) & 0xffff, high & 0xffff_ffff_ffff);
            let text = format!("order {number} ({uuid}) at 2026-01-02 10:{minute:02}:07 on 10.1.2.3:{port}, /tmp/w{number}/a.db");
            prop_assert_eq!(mask(&text), "order <num> (<uuid>) at <date> on <ip>, <path>");
        }
    }
}
