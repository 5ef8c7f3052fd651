//! The gate between texts from outside and the terminal. Pure.
//!
//! Escape sequences vanish, other control characters show as their pictures (`␇`), and characters that reorder or hide text
//! show as `\u{fffd}`. Only logs may keep their colours, and only SGR sequences are colours.

/// Columns between tab stops.
const TAB: usize = 8;

/// One line for the terminal; line ends become spaces.
pub(in crate::cli) fn clean(text: &str) -> String {
    let one_line = text
        .trim_end_matches(['\r', '\n'])
        .replace("\r\n", " ")
        .replace('\n', " ");
    filter(&one_line, false)
}

/// Several lines for the terminal.
pub(in crate::cli) fn clean_lines(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| filter(line.trim_end_matches('\r'), false))
        .collect()
}

/// A line of a log; `colours` keeps its SGR sequences and ends them with the line.
pub(in crate::cli) fn clean_log(text: &str, colours: bool) -> String {
    let mut line = filter(text.trim_end_matches(['\r', '\n']), colours);
    if line.contains('\u{1b}') {
        line.push_str("\u{1b}[0m");
    }
    line
}

/// JSON with the controls that JSON leaves as they are (DEL, C1, directions) escaped; they only stand inside its strings.
pub(in crate::cli) fn clean_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if matches!(c, '\u{7f}'..='\u{9f}') || is_deceptive(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

fn filter(text: &str, colours: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(length) = sequence_length(rest) {
            let sequence = &rest[..length];
            if colours && is_colour(sequence) {
                out.push_str(sequence);
            }
            rest = &rest[length..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\t' => {
                let spaces = TAB - column % TAB;
                out.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
                continue;
            }
            '\0'..='\u{1f}' => out.push(
                char::from_u32(0x2400 + c as u32).expect("the control pictures begin at U+2400"),
            ),
            '\u{7f}' => out.push('\u{2421}'),
            '\u{80}'..='\u{9f}' => out.push('\u{fffd}'),
            c if is_deceptive(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
        column += 1;
    }
    out
}

/// Characters that change the order of what stands around them, break the line, or cannot be seen.
fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn is_colour(sequence: &str) -> bool {
    let parameters = sequence
        .strip_prefix("\u{1b}[")
        .and_then(|rest| rest.strip_suffix('m'));
    parameters.is_some_and(|text| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':'))
    })
}

/// Bytes of the complete escape sequence at the start of `text`, if one stands there.
fn sequence_length(text: &str) -> Option<usize> {
    let (body, start) = if let Some(after) = text.strip_prefix('\u{1b}') {
        let kind = after.chars().next()?;
        match kind {
            '[' | ']' | 'P' | 'X' | '^' | '_' => (kind, 2),
            // Two characters, or with intermediates in between: `ESC ( B`.
            ' '..='~' => {
                let end = after.find(|c| !matches!(c, ' '..='/'))?;
                return matches!(after.as_bytes()[end], b'0'..=b'~').then_some(1 + end + 1);
            }
            _ => return None,
        }
    } else {
        match text.chars().next()? {
            '\u{9b}' => ('[', 2),
            '\u{9d}' => (']', 2),
            '\u{90}' | '\u{98}' | '\u{9e}' | '\u{9f}' => ('P', 2),
            _ => return None,
        }
    };
    let rest = &text[start..];
    if body == '[' {
        let end = rest.find(|c| !matches!(c, ' '..='?'))?;
        return matches!(rest.as_bytes()[end], b'@'..=b'~').then_some(start + end + 1);
    }
    // A string: up to BEL or ST.
    let ends = [("\u{7}", 1), ("\u{1b}\\", 2), ("\u{9c}", 2)];
    let (at, length) = ends
        .iter()
        .filter_map(|(end, length)| Some((rest.find(end)?, *length)))
        .min()?;
    Some(start + at + length)
}

#[cfg(test)]
mod tests {
    use super::{clean, clean_json, clean_log};
    use proptest::prelude::*;

    #[test]
    fn controls_do_not_get_through() {
        let check = |raw: &str, expected: &str| assert_eq!(clean(raw), expected, "{raw:?}");
        check("plain ü 漢", "plain ü 漢");
        check("\u{1b}[2J\u{1b}[Hgone", "gone");
        check("\u{1b}[31mred\u{1b}[0m", "red");
        check("\u{1b}]0;title\u{7}after", "after");
        check("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link");
        check("\u{1b}]52;c;never ended", "␛]52;c;never ended");
        check("\u{1b}(Bcharset\u{1b}c", "charset");
        check("\u{9b}2Jc1", "c1");
        check("bell\u{7} back\u{8}", "bell␇ back␈");
        check("a\tb", "a       b");
        check("two\nlines\r\n", "two lines");
        check("10%\r20%\r", "10%␍20%");
        check("\u{202e}txt.exe", "\u{fffd}txt.exe");
        check("zero\u{200b}width", "zero\u{fffd}width");
        check("ends in \u{1b}", "ends in ␛");
        check("\u{1b}[38;5;", "␛[38;5;");
    }

    #[test]
    fn logs_keep_colours_and_nothing_else() {
        let check =
            |raw: &str, expected: &str| assert_eq!(clean_log(raw, true), expected, "{raw:?}");
        check("\u{1b}[1;31mred", "\u{1b}[1;31mred\u{1b}[0m");
        check("\u{1b}[38:5:1mred", "\u{1b}[38:5:1mred\u{1b}[0m");
        check("\u{1b}[?25l\u{1b}[3Aup", "up");
        check("\u{1b}[>4mx", "x");
        assert_eq!(clean_log("\u{1b}[31mred", false), "red");
    }

    #[test]
    fn json_keeps_its_meaning() {
        let json = serde_json::to_string("a\u{9b}2J\u{7f}\u{202e}b").unwrap();
        let cleaned = clean_json(&json);
        assert!(cleaned.is_ascii(), "{cleaned}");
        assert_eq!(
            serde_json::from_str::<String>(&cleaned).unwrap(),
            "a\u{9b}2J\u{7f}\u{202e}b"
        );
    }

    proptest! {
        #[test]
        fn no_control_character_survives(raw in "(\\PC|\\p{Cc}|\u{1b}\\[[0-9;]{0,4}[A-Za-z]|\u{1b}\\]){0,40}") {
            prop_assert!(!clean(&raw).chars().any(char::is_control));
            let log = clean_log(&raw, true);
            // Every escape that is left is a colour.
            for part in log.split('\u{1b}').skip(1) {
                let end = part.find('m').expect("a colour ends with m");
                prop_assert!(part[1..end].bytes().all(|byte| byte.is_ascii_digit() || byte == b';' || byte == b':'));
                prop_assert!(part.starts_with('['));
            }
        }
    }
}
