//! How escaped text is read: one rule for each way of escaping, each a pure function of the next few bytes.
//!
//! A rule undoes one layer. It is lenient about which characters were escaped, since encoders differ in that, and strict about
//! how: what is not an escape stands for itself.

/// Most bytes that a rule must see before it decides: two `\uXXXX` of a character outside of the basic plane.
pub(super) const LONGEST_ESCAPE: usize = 12;

/// What a rule says of the bytes at the beginning of its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// More bytes decide.
    More,
    /// The first byte stands for itself.
    Literal,
    /// The first bytes stand for others.
    Escape {
        /// How many bytes the escape has.
        len: usize,
        /// What it stands for.
        bytes: Decoded,
    },
}

/// Up to four bytes: a character in UTF-8 or a single byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decoded {
    bytes: [u8; 4],
    len: u8,
}

impl Decoded {
    fn byte(byte: u8) -> Self {
        Self {
            bytes: [byte, 0, 0, 0],
            len: 1,
        }
    }

    fn char(char: char) -> Self {
        let mut bytes = [0; 4];
        let len = char.encode_utf8(&mut bytes).len() as u8;
        Self { bytes, len }
    }

    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

/// A way of escaping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escaping {
    /// `%41` of URLs; `+` stands for itself.
    Percent,
    /// `%41` of forms and query strings; `+` is a space.
    Form,
    /// `\"`, `\n`, `\u00e9`, `\x41`, `\303`: JSON, source code, `$'…'` and backslashes of a shell.
    Backslash,
    /// `'\''` and `'"'"'`: a single quote within single quotes of a shell.
    ShellQuote,
    /// `''`: SQL, YAML, PowerShell.
    DoubledSingleQuote,
    /// `""`: CSV.
    DoubledDoubleQuote,
    /// `&quot;`, `&#39;`, `&#x27;`: XML and HTML.
    Entity,
}

impl Escaping {
    /// Whether an escape may begin with `byte`.
    pub(super) fn begins_with(self, byte: u8) -> bool {
        match self {
            Self::Percent => byte == b'%',
            Self::Form => matches!(byte, b'%' | b'+'),
            Self::Backslash => byte == b'\\',
            Self::ShellQuote | Self::DoubledSingleQuote => byte == b'\'',
            Self::DoubledDoubleQuote => byte == b'"',
            Self::Entity => byte == b'&',
        }
    }

    /// Reads the beginning of `window`, which is not empty. Decides within [`LONGEST_ESCAPE`] bytes.
    pub(super) fn read(self, window: &[u8]) -> Step {
        if !self.begins_with(window[0]) {
            return Step::Literal;
        }
        match self {
            Self::Form if window[0] == b'+' => escape(1, b' '),
            Self::Percent | Self::Form => percent(window),
            Self::Backslash => backslash(window),
            Self::ShellQuote => shell_quote(window),
            Self::DoubledSingleQuote | Self::DoubledDoubleQuote => doubled_quote(window),
            Self::Entity => entity(window),
        }
    }

    /// The whole of `text` with one layer of escapes undone.
    pub(super) fn decode(self, mut text: &[u8]) -> Vec<u8> {
        let mut decoded = Vec::with_capacity(text.len());
        while let Some(&first) = text.first() {
            match self.read(&text[..text.len().min(LONGEST_ESCAPE)]) {
                Step::More | Step::Literal => {
                    decoded.push(first);
                    text = &text[1..];
                }
                Step::Escape { len, bytes } => {
                    decoded.extend_from_slice(bytes.as_slice());
                    text = &text[len..];
                }
            }
        }
        decoded
    }
}

fn escape(len: usize, byte: u8) -> Step {
    Step::Escape {
        len,
        bytes: Decoded::byte(byte),
    }
}

fn percent(window: &[u8]) -> Step {
    match hex(&window[1..], 2) {
        Digits::Number(value) => escape(3, value as u8),
        Digits::Unknown => Step::More,
        Digits::Wrong => Step::Literal,
    }
}

fn backslash(window: &[u8]) -> Step {
    let Some(&kind) = window.get(1) else {
        return Step::More;
    };
    let rest = &window[2..];
    match kind {
        b'n' => escape(2, b'\n'),
        b'r' => escape(2, b'\r'),
        b't' => escape(2, b'\t'),
        b'a' => escape(2, 0x07),
        b'b' => escape(2, 0x08),
        b'v' => escape(2, 0x0b),
        b'f' => escape(2, 0x0c),
        b'e' | b'E' => escape(2, 0x1b),
        b'x' => match hex(rest, 2) {
            Digits::Number(value) => escape(4, value as u8),
            Digits::Unknown => Step::More,
            Digits::Wrong => escape(2, kind),
        },
        b'u' if rest.first() == Some(&b'{') => braced(rest),
        b'u' => utf16(rest),
        b'U' => code_point(hex(rest, 8), 10, kind),
        b'0'..=b'7' => octal(&window[1..]),
        other => escape(2, other),
    }
}

/// `{1f600}` after `\u`, as Rust and JavaScript write it.
fn braced(rest: &[u8]) -> Step {
    let digits = &rest[1..];
    let len = digits
        .iter()
        .take(7)
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    match digits.get(len) {
        Some(b'}') if (1..=6).contains(&len) => code_point(hex(digits, len), len + 4, b'u'),
        None if len <= 6 => Step::More,
        _ => escape(2, b'u'),
    }
}

/// `XXXX` after `\u`, and the second half of a surrogate pair.
fn utf16(rest: &[u8]) -> Step {
    let first = match hex(rest, 4) {
        Digits::Number(first) => first,
        Digits::Unknown => return Step::More,
        Digits::Wrong => return escape(2, b'u'),
    };
    if !(0xd800..0xdc00).contains(&first) {
        return code_point(Digits::Number(first), 6, b'u');
    }
    match (rest.get(4), rest.get(5)) {
        (None, _) | (Some(b'\\'), None) => Step::More,
        (Some(b'\\'), Some(b'u')) => match hex(&rest[6..], 4) {
            Digits::Number(second @ 0xdc00..0xe000) => {
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                code_point(Digits::Number(code), 12, b'u')
            }
            Digits::Unknown => Step::More,
            Digits::Number(_) | Digits::Wrong => escape(2, b'u'),
        },
        _ => escape(2, b'u'),
    }
}

fn code_point(digits: Digits, len: usize, kind: u8) -> Step {
    match digits {
        Digits::Number(code) => char::from_u32(code).map_or(escape(2, kind), |char| Step::Escape {
            len,
            bytes: Decoded::char(char),
        }),
        Digits::Unknown => Step::More,
        Digits::Wrong => escape(2, kind),
    }
}

/// One to three octal digits, as shells write bytes that cannot be printed.
fn octal(digits: &[u8]) -> Step {
    let mut value = 0_u32;
    for (count, digit) in digits.iter().take(3).enumerate() {
        let next = match digit {
            b'0'..=b'7' => value * 8 + u32::from(digit - b'0'),
            _ => 256,
        };
        if next > 255 {
            return escape(1 + count, value as u8);
        }
        value = next;
    }
    if digits.len() < 3 {
        Step::More
    } else {
        escape(4, value as u8)
    }
}

fn shell_quote(window: &[u8]) -> Step {
    let is_begun = |form: &[u8]| form.starts_with(&window[..window.len().min(form.len())]);
    for form in [br"'\''".as_slice(), br#"'"'"'"#] {
        if is_begun(form) {
            return if window.len() >= form.len() {
                escape(form.len(), b'\'')
            } else {
                Step::More
            };
        }
    }
    Step::Literal
}

fn doubled_quote(window: &[u8]) -> Step {
    match window.get(1) {
        None => Step::More,
        Some(second) if *second == window[0] => escape(2, *second),
        Some(_) => Step::Literal,
    }
}

fn entity(window: &[u8]) -> Step {
    let body = &window[1..];
    let Some(len) = body.iter().position(|byte| *byte == b';') else {
        let may_grow = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'#';
        return if window.len() < LONGEST_ESCAPE && body.iter().all(may_grow) {
            Step::More
        } else {
            Step::Literal
        };
    };
    let char = match &body[..len] {
        b"amp" => Some('&'),
        b"lt" => Some('<'),
        b"gt" => Some('>'),
        b"quot" => Some('"'),
        b"apos" => Some('\''),
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    };
    char.map_or(Step::Literal, |char| Step::Escape {
        len: len + 2,
        bytes: Decoded::char(char),
    })
}

fn number(digits: &[u8], base: u32) -> Option<char> {
    let digits = str::from_utf8(digits).ok()?;
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    char::from_u32(u32::from_str_radix(digits, base).ok()?)
}

/// Digits that were read.
#[derive(Clone, Copy)]
enum Digits {
    /// All of them.
    Number(u32),
    /// The window ends before the last one.
    Unknown,
    /// There is something else.
    Wrong,
}

fn hex(text: &[u8], count: usize) -> Digits {
    let mut value = 0_u32;
    for index in 0..count {
        let Some(&byte) = text.get(index) else {
            return Digits::Unknown;
        };
        let Some(digit) = char::from(byte).to_digit(16) else {
            return Digits::Wrong;
        };
        value = (value << 4) | digit;
    }
    Digits::Number(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Escaping; 7] = [
        Escaping::Percent,
        Escaping::Form,
        Escaping::Backslash,
        Escaping::ShellQuote,
        Escaping::DoubledSingleQuote,
        Escaping::DoubledDoubleQuote,
        Escaping::Entity,
    ];

    #[track_caller]
    fn check(escaping: Escaping, text: &str, expected: &str) {
        let decoded = escaping.decode(text.as_bytes());
        assert_eq!(String::from_utf8_lossy(&decoded), expected, "{text}");
    }

    #[test]
    fn one_layer_is_undone() {
        check(Escaping::Percent, "a%20b%2Fc%2fd+e", "a b/c/d+e");
        check(Escaping::Percent, "100% of %zz %4", "100% of %zz %4");
        check(Escaping::Percent, "%2541", "%41");
        check(Escaping::Form, "a+b%2B", "a b+");
        check(Escaping::Backslash, r#"a\"b\\c\/d\ne"#, "a\"b\\c/d\ne");
        check(
            Escaping::Backslash,
            r"\u00e9\u00E9\ud83d\ude00\U0001f600\u{1f600}",
            "éé😀😀😀",
        );
        check(Escaping::Backslash, r"\x41\101\0z\$\ \xyz", "AA\0z$ xyz");
        check(
            Escaping::Backslash,
            r"\ud83dx \uzz \u{} \777",
            "ud83dx uzz u{} ?7",
        );
        check(Escaping::ShellQuote, r#"a'\''b'"'"'c'd''"#, "a'b'c'd''");
        check(
            Escaping::DoubledSingleQuote,
            "a''b\"\"c'd'''",
            "a'b\"\"c'd''",
        );
        check(Escaping::DoubledDoubleQuote, "a''b\"\"c\"d", "a''b\"c\"d");
        check(
            Escaping::Entity,
            "&lt;a&gt;&amp;&#39;&#x27;&quot;&apos; &no; a&b &#x1F600;",
            "<a>&''\"' &no; a&b 😀",
        );
    }

    proptest! {
        #[test]
        fn a_rule_decides_in_time(text in proptest::collection::vec(prop_oneof![
            Just(b'\\'), Just(b'%'), Just(b'&'), Just(b'\''), Just(b'"'), Just(b'u'), Just(b'{'), Just(b'0'), Just(b'd'), Just(b'8'),
            any::<u8>()], LONGEST_ESCAPE)) {
            for escaping in ALL {
                let step = escaping.read(&text);
                prop_assert_ne!(step, Step::More);
                if let Step::Escape { len, bytes } = step {
                    prop_assert!((1..=LONGEST_ESCAPE).contains(&len));
                    prop_assert!(!bytes.as_slice().is_empty());
                }
                for seen in 1..LONGEST_ESCAPE {
                    let early = escaping.read(&text[..seen]);
                    prop_assert!(early == Step::More || early == step);
                }
            }
        }
    }
}
