//! Ways in which programs print a secret, written anew here: what masking knows of encodings is not asked.

use super::random::Random;
use std::fmt::Write as _;

/// A secret as it is printed.
pub(crate) struct Printed {
    pub(crate) bytes: Vec<u8>,
    /// How many bytes of it are not the secret's: quotes, and what is encoded together with it.
    pub(crate) around: usize,
}

impl Printed {
    fn exactly(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        Some(Self { bytes, around: 0 })
    }

    fn within(open: &str, bytes: impl AsRef<[u8]>, close: &str) -> Option<Self> {
        let bytes = [open.as_bytes(), bytes.as_ref(), close.as_bytes()].concat();
        let around = open.len() + close.len();
        Some(Self { bytes, around })
    }
}

pub(crate) const NAMES: &[&str] = &[
    "raw",
    "crlf",
    "colours",
    "colour of each",
    "utf-16le",
    "utf-16be",
    "base64",
    "base64 without padding",
    "base64url",
    "base64 wrapped",
    "base64 wrapped, crlf, indented",
    "base64 wrapped, in json",
    "base64 in an url",
    "base64 of utf-16le",
    "hex",
    "HEX",
    "hex wrapped",
    "url",
    "url, lower case",
    "form",
    "reserved characters left",
    "url twice",
    "json",
    "json with slashes",
    "json in ascii",
    "json in ascii, upper case",
    "json in json",
    "coloured json",
    "json with colours",
    "json of ansi",
    "form of json",
    "shell quotes",
    "shell quotes of python",
    "backslashes",
    "ansi-c quotes",
    "sql",
    "csv",
    "xml",
    "html numbers",
];

/// `secret` in the way called `name`; nothing where a program would not print it that way.
pub(crate) fn print(name: &str, secret: &[u8], random: &mut Random) -> Option<Printed> {
    let text = str::from_utf8(secret).ok();
    let plain = text.filter(|text| !text.contains(['\0', '\x1b', '\r']));
    match name {
        "raw" => Printed::exactly(secret),
        "crlf" => Printed::exactly(plain?.replace('\n', "\r\n")),
        "colours" => coloured(plain?, 5, random),
        "colour of each" => coloured(plain?, 1, random),
        "utf-16le" => {
            // The last byte of an ASCII text is a zero that nothing follows.
            let bytes = utf16(plain?, u16::to_le_bytes);
            Some(Printed { bytes, around: 1 })
        }
        "utf-16be" => {
            let bytes = utf16(plain?, u16::to_be_bytes);
            Some(Printed { bytes, around: 1 })
        }
        "base64" => base64(secret, random, "+/", "="),
        "base64 without padding" => base64(secret, random, "+/", ""),
        "base64url" => base64(secret, random, "-_", "="),
        "base64 wrapped" => wrapped(&base64(secret, random, "+/", "=")?, 76, "\n"),
        "base64 wrapped, crlf, indented" => {
            wrapped(&base64(secret, random, "+/", "=")?, 64, "\r\n    ")
        }
        "base64 wrapped, in json" => wrapped(&base64(secret, random, "+/", "=")?, 64, "\\n"),
        "base64 in an url" => {
            let mut printed = base64(secret, random, "+/", "=")?;
            printed.bytes = percent(&printed.bytes, "", false).into_bytes();
            printed.around *= 3;
            Some(printed)
        }
        "base64 of utf-16le" => base64(&utf16(plain?, u16::to_le_bytes), random, "+/", "="),
        "hex" => Printed::exactly(hex(secret)),
        "HEX" => Printed::exactly(hex(secret).to_uppercase()),
        "hex wrapped" => {
            let bytes = hex(secret).into_bytes();
            wrapped(&Printed { bytes, around: 0 }, 60, "\n")
        }
        "url" => Printed::exactly(percent(secret, "", false)),
        "url, lower case" => Printed::exactly(percent(secret, "", true)),
        "form" => Printed::exactly(percent(secret, " ", false).replace(' ', "+")),
        "reserved characters left" => Printed::exactly(percent(secret, ";,/?:@&=+$#!'()*", false)),
        "url twice" => Printed::exactly(percent(percent(secret, "", false).as_bytes(), "", false)),
        "json" => Printed::within("\"", json(text?), "\""),
        "json with slashes" => Printed::within("\"", json(text?).replace('/', "\\/"), "\""),
        "json in ascii" => Printed::within("\"", ascii(&json(text?)), "\""),
        "json in ascii, upper case" => {
            let json = ascii(&json(text?)).replace("\\u", "\\U").to_uppercase();
            // Only the digits may change: so this is for values without other letters.
            let has_letters = text?.contains(|char: char| char.is_ascii_alphabetic() || char < ' ');
            (!has_letters).then(|| Printed::within("\"", json.replace("\\U", "\\u"), "\""))?
        }
        "json in json" => Printed::within("\\\"", json(&json(text?)), "\\\""),
        "coloured json" => {
            let mut printed = coloured(&json(plain?), 9, random)?;
            printed.bytes = [b"\"", printed.bytes.as_slice(), b"\""].concat();
            printed.around += 2;
            Some(printed)
        }
        "json with colours" => {
            let parts = plain?.chars().map(|char| json(&char.to_string()));
            let parts: Vec<_> = parts.collect();
            Printed::within("\"", parts.join("\\u001b[1m"), "\"")
        }
        "json of ansi" => Printed::within("\"\\u001b[31m", json(plain?), "\\u001b[0m\""),
        "form of json" => Printed::within(
            "%22",
            percent(json(text?).as_bytes(), " ", false).replace(' ', "+"),
            "%22",
        ),
        "shell quotes" => shell_quoted(plain?, r"'\''"),
        "shell quotes of python" => shell_quoted(plain?, r#"'"'"'"#),
        "backslashes" => {
            let mut quoted = String::new();
            for char in plain?.chars() {
                if char.is_control() {
                    return None;
                }
                if char.is_ascii() && !char.is_ascii_alphanumeric() && !"_-./".contains(char) {
                    quoted.push('\\');
                }
                quoted.push(char);
            }
            Printed::exactly(quoted)
        }
        "ansi-c quotes" => Printed::within("$'", ansi_c(secret)?, "'"),
        "sql" => doubled(plain?, "\'"),
        "csv" => doubled(plain?, "\""),
        "xml" => Printed::within(">", xml(plain?), "<"),
        "html numbers" => Printed::within(
            ">",
            plain?.chars().fold(String::new(), |mut html, char| {
                let _ = write!(html, "&#{};", u32::from(char));
                html
            }),
            "<",
        ),
        _ => panic!("no way is called `{name}`"),
    }
}

/// Within single quotes. With quotes at its beginning, it is not clear which of them opens.
fn shell_quoted(text: &str, quote: &str) -> Option<Printed> {
    let mut printed = Printed::within("'", text.replace('\'', quote), "'")?;
    printed.around += 4;
    Some(printed)
}

/// With doubled quotes. Of a quote that opens and a doubled one after it, it is not clear which is which.
fn doubled(text: &str, quote: &str) -> Option<Printed> {
    let mut printed = Printed::within(quote, text.replace(quote, &quote.repeat(2)), quote)?;
    printed.around += 1;
    Some(printed)
}

/// Coloured from before its beginning.
fn coloured(text: &str, every: usize, random: &mut Random) -> Option<Printed> {
    let bytes = colours(text, every, random).into_bytes();
    Some(Printed { bytes, around: 11 })
}

fn colours(text: &str, every: usize, random: &mut Random) -> String {
    let mut coloured = String::new();
    for char in text.chars() {
        if random.below(every) == 0 {
            let sequence = [
                "\x1b[31m",
                "\x1b[0m",
                "\x1b[38;5;200m",
                "\x1b[1;4m",
                "\x1b[K",
                "\x1b(B",
            ];
            coloured.push_str(random.one_of(&sequence));
        }
        coloured.push(char);
    }
    coloured
}

fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

/// Base64 of the secret between some other bytes.
fn base64(secret: &[u8], random: &mut Random, special: &str, padding: &str) -> Option<Printed> {
    let (before, after) = (random.below(7), random.below(4));
    let text = [
        random.text(b"user:", before),
        secret.to_vec(),
        random.text(b"}\n;", after),
    ]
    .concat();
    let digits = format!("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789{special}");
    let mut encoded = Vec::new();
    for group in text.chunks(3) {
        let bits = group
            .iter()
            .fold(0_u32, |bits, byte| (bits << 8) | u32::from(*byte))
            << (8 * (3 - group.len()));
        for index in 0..=group.len() {
            encoded.push(digits.as_bytes()[(bits >> (18 - 6 * index)) as usize & 63]);
        }
        encoded.extend(padding.repeat(3 - group.len()).bytes());
    }
    let around = (before + after).div_ceil(3) * 4 + 6;
    Some(Printed {
        bytes: encoded,
        around,
    })
}

fn wrapped(printed: &Printed, width: usize, end: &str) -> Option<Printed> {
    let lines: Vec<_> = printed.bytes.chunks(width).collect();
    let around = printed.around + 2 * end.len();
    Some(Printed {
        bytes: lines.join(end.as_bytes()),
        around,
    })
}

fn hex(secret: &[u8]) -> String {
    secret.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn percent(text: &[u8], also_plain: &str, is_lower: bool) -> String {
    let mut encoded = String::new();
    for &byte in text {
        let char = char::from(byte);
        if char.is_ascii_alphanumeric() || "-_.~".contains(char) || also_plain.contains(char) {
            encoded.push(char);
        } else if is_lower {
            let _ = write!(encoded, "%{byte:02x}");
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn json(text: &str) -> String {
    let mut json = String::new();
    for char in text.chars() {
        match char {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
    json
}

fn ascii(json: &str) -> String {
    let mut ascii = String::new();
    for char in json.chars() {
        if char.is_ascii() {
            ascii.push(char);
        } else {
            for unit in char.encode_utf16(&mut [0; 2]) {
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    ascii
}

fn ansi_c(secret: &[u8]) -> Option<String> {
    let mut quoted = String::new();
    for &byte in secret {
        match byte {
            0 => return None,
            b'\'' | b'\\' => {
                quoted.push('\\');
                quoted.push(char::from(byte));
            }
            b'\n' => quoted.push_str("\\n"),
            b' '..=b'~' => quoted.push(char::from(byte)),
            other => {
                let _ = write!(quoted, "\\{other:03o}");
            }
        }
    }
    Some(quoted)
}

fn xml(text: &str) -> String {
    let pairs = [
        ("&", "&amp;"),
        ("<", "&lt;"),
        (">", "&gt;"),
        ("\"", "&quot;"),
        ("'", "&#39;"),
    ];
    pairs.iter().fold(text.to_owned(), |text, (char, entity)| {
        text.replace(char, entity)
    })
}
