//! The forms of a secret that are searched as they stand: itself, its lines, base64, hex, UTF-16.
//!
//! Forms that come from escaping are not listed here, because encoders differ in what they escape: the stream is read with its escapes
//! undone instead (see [`super::reading`]), and what is read is searched for these forms.

use super::escape::Escaping;
use super::secret::MIN_SECRET_BYTES;
use super::stage::visible;
use data_encoding::{BASE64, BASE64URL, Encoding, HEXLOWER, HEXUPPER};

/// Fewest different bytes in a line of a secret that is searched for itself: `--------` is in many logs.
const MIN_DIFFERENT_BYTES: usize = 4;

/// All forms of a secret's value, each of [`MIN_SECRET_BYTES`] or more. May hold a form more than once.
pub(super) fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let value = value.trim_ascii();
    let mut forms = Vec::new();
    let with_line_feeds = without_carriage_returns(value);
    for variant in [value, &with_line_feeds] {
        forms.push(variant.to_vec());
        // For the rare value with bytes that are not seen: as it is read where those are left out.
        forms.push(visible(variant));
        forms.push(HEXLOWER.encode(variant).into_bytes());
        forms.push(HEXUPPER.encode(variant).into_bytes());
        base64(&BASE64, variant, &mut forms);
        base64(&BASE64URL, variant, &mut forms);
    }
    if let Ok(text) = str::from_utf8(value) {
        let units = || text.encode_utf16();
        let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
        base64(&BASE64, &little, &mut forms);
        if !text.is_ascii() {
            forms.push(units().flat_map(u16::to_be_bytes).collect());
            forms.push(little);
        }
    }
    // A key in one line, as `.env` files hold it, is printed by programs with its lines.
    let unescaped = Escaping::Backslash.decode(value);
    for text in [value, &unescaped] {
        forms.extend(lines(text));
    }
    forms.retain(|form| form.len() >= MIN_SECRET_BYTES);
    forms
}

/// Lines that are long enough to be masked alone, when there is more than one. What frames a key in PEM is no secret.
fn lines(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let has_lines = text.contains(&b'\n');
    let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.filter(move |line| has_lines && line.len() >= MIN_SECRET_BYTES);
    let lines = lines.filter(|line| !line.starts_with(b"-----") && differs(line));
    lines.map(<[u8]>::to_vec)
}

fn differs(line: &[u8]) -> bool {
    let mut seen = Vec::with_capacity(MIN_DIFFERENT_BYTES);
    line.iter().any(|byte| {
        if !seen.contains(byte) {
            seen.push(*byte);
        }
        seen.len() == MIN_DIFFERENT_BYTES
    })
}

fn without_carriage_returns(value: &[u8]) -> Vec<u8> {
    let mut text = value.to_vec();
    text.retain(|byte| *byte != b'\r');
    text
}

/// The value in base64, wherever in a longer text it begins: for each of the three alignments the characters that the value alone decides,
/// and those to the end when nothing follows it.
fn base64(encoding: &Encoding, value: &[u8], forms: &mut Vec<Vec<u8>>) {
    for before in 0..3 {
        let mut text = vec![0; before];
        text.extend_from_slice(value);
        // The first characters hold bits of what stands before.
        let first = [0, 2, 3][before];
        let decided = text.len() * 8 / 6;
        let encoded = encoding.encode(&text).into_bytes();
        forms.push(encoded[first..decided].to_vec());
        if decided < encoded.len() {
            forms.push(encoded[first..=decided].to_vec());
            forms.push(encoded[first..].to_vec());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(value: &str) -> Vec<String> {
        let forms = forms(value.as_bytes());
        let mut texts: Vec<_> = forms
            .into_iter()
            .map(|form| String::from_utf8(form).unwrap())
            .collect();
        texts.sort();
        texts.dedup();
        texts
    }

    #[test]
    fn a_token_has_these_forms() {
        assert_eq!(
            texts(" pa55word?\n"),
            [
                "70613535776F72643F",
                "70613535776f72643f",
                "AAYQA1ADUAdwBvAHIAZAA/A",
                "AAYQA1ADUAdwBvAHIAZAA/AA",
                "AAYQA1ADUAdwBvAHIAZAA/AA==",
                "BhNTV3b3JkP",
                "BhNTV3b3JkPw",
                "BhNTV3b3JkPw==",
                "cABhADUANQB3AG8AcgBkAD8A",
                "cGE1NXdvcmQ/",
                "cGE1NXdvcmQ_",
                "pa55word?",
                "wAGEANQA1AHcAbwByAGQAPw",
                "wAGEANQA1AHcAbwByAGQAPwA",
                "wAGEANQA1AHcAbwByAGQAPwA=",
                "wYTU1d29yZD",
                "wYTU1d29yZD8",
                "wYTU1d29yZD8=",
            ]
            .map(str::to_owned)
        );
    }

    #[test]
    fn long_lines_are_secrets_themselves() {
        let key = "-----BEGIN KEY-----\r\nMIIEpAIBAAKC\r\n  q83vEjRWeJ  \r\nshort\r\n========\r\n-----END KEY-----";
        let texts = texts(key);
        for (line, is_secret) in [
            ("MIIEpAIBAAKC", true),
            ("q83vEjRWeJ", true),
            ("short", false),
            ("========", false),
            ("-----BEGIN KEY-----", false),
        ] {
            assert_eq!(texts.contains(&line.to_owned()), is_secret, "{line}");
        }
        assert!(texts.contains(&key.replace('\r', "")));
        assert!(forms(br"KEY\nMIIEpAIBAAKC\nx").contains(&b"MIIEpAIBAAKC".to_vec()));
    }
}
