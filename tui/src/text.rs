//! The one gate between texts from outside and the screen: [`sanitise`].
//!
//! What comes out holds no control character, no escape sequence, nothing that reorders or hides text; colours of
//! ANSI SGR sequences come out as styles. [`crate::paint::Canvas`] sends every text through here, so nothing can go past.

use ratatui::style::{Color, Modifier, Style};
use unicode_width::UnicodeWidthChar;

/// Marks kept on one letter; more of them would paint over the lines around.
const MAX_MARKS: usize = 3;
/// Columns between tab stops.
const TAB: usize = 8;

/// A text in one style, fit for the screen.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) style: Style,
}

/// Makes `raw` fit for the screen, up to about `columns` columns of it.
///
/// SGR sequences become styles on top of `base`; other complete sequences are dropped; single control characters are
/// shown as their pictures (`␇`); controls of direction and invisible characters as `\u{fffd}`; tabs become spaces.
pub(crate) fn sanitise(raw: &str, base: Style, columns: usize) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let (mut style, mut column, mut marks) = (base, 0, 0);
    let mut rest = raw;
    while let Some(first) = rest.chars().next() {
        if column >= columns {
            break;
        }
        if first == '\u{1b}'
            && let Some((sequence, after)) = escape_sequence(rest)
        {
            if let Some(parameters) = sequence
                .strip_prefix("\u{1b}[")
                .and_then(|it| it.strip_suffix('m'))
            {
                style = select(parameters, style, base);
            }
            rest = after;
            continue;
        }
        rest = &rest[first.len_utf8()..];
        if first == '\r' && rest.is_empty() {
            break;
        }
        if pieces.last().is_none_or(|piece| piece.style != style) {
            pieces.push(Piece {
                text: String::new(),
                style,
            });
        }
        let text = &mut pieces
            .last_mut()
            .expect("a piece was pushed if there was none")
            .text;
        match shown(first) {
            Shown::Tab => {
                let spaces = TAB - column % TAB;
                text.extend(std::iter::repeat_n(' ', spaces));
                (column, marks) = (column + spaces, 0);
            }
            Shown::Nothing => {}
            Shown::Mark(mark) => {
                if marks < MAX_MARKS && column > 0 {
                    text.push(mark);
                    marks += 1;
                }
            }
            Shown::Letter(letter, width) => {
                text.push(letter);
                (column, marks) = (column + width, 0);
            }
        }
    }
    pieces.retain(|piece| !piece.text.is_empty());
    pieces
}

/// The same without styles.
pub(crate) fn plain(raw: &str) -> String {
    sanitise(raw, Style::new(), usize::MAX)
        .into_iter()
        .map(|piece| piece.text)
        .collect()
}

/// Columns that an already clean text takes.
pub(crate) fn width(clean: &str) -> usize {
    clean
        .chars()
        .map(|letter| letter.width().unwrap_or(0))
        .sum()
}

/// Breaks clean pieces into rows of at most `columns`; always at least one row.
pub(crate) fn wrap(pieces: &[Piece], columns: usize) -> Vec<Vec<Piece>> {
    let columns = columns.max(1);
    let (mut rows, mut row, mut used): (Vec<_>, Vec<Piece>, usize) = (Vec::new(), Vec::new(), 0);
    for piece in pieces {
        let mut text = String::new();
        for letter in piece.text.chars() {
            let width = letter.width().unwrap_or(0);
            if used + width > columns && used > 0 {
                if !text.is_empty() {
                    row.push(Piece {
                        text: std::mem::take(&mut text),
                        style: piece.style,
                    });
                }
                rows.push(std::mem::take(&mut row));
                used = 0;
            }
            text.push(letter);
            used += width;
        }
        if !text.is_empty() {
            row.push(Piece {
                text,
                style: piece.style,
            });
        }
    }
    rows.push(row);
    rows
}

/// Breaks a clean text into rows of at most `columns`, at spaces where there are any.
pub(crate) fn wrap_words(clean: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let indent: String = clean.chars().take_while(|letter| *letter == ' ').collect();
    let (mut rows, mut row, mut used) = (Vec::new(), String::new(), 0);
    for word in clean.split_inclusive(' ') {
        let needed = width(word.trim_end());
        if used > 0 && used + needed > columns && used > indent.len() {
            rows.push(std::mem::take(&mut row));
            used = 0;
        }
        for letter in word.chars() {
            let wide = letter.width().unwrap_or(0);
            if used + wide > columns && used > 0 {
                if letter == ' ' {
                    continue;
                }
                rows.push(std::mem::take(&mut row));
                used = 0;
            }
            row.push(letter);
            used += wide;
        }
    }
    rows.push(row);
    rows
}

enum Shown {
    Tab,
    Nothing,
    Mark(char),
    Letter(char, usize),
}

/// What stands on the screen for one character.
fn shown(letter: char) -> Shown {
    match letter {
        '\t' => Shown::Tab,
        // Joiners and selectors change widths in ways that terminals disagree on.
        '\u{200d}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => Shown::Nothing,
        '\0'..='\u{1f}' => Shown::Letter(picture(u32::from(letter)), 1),
        '\u{7f}' => Shown::Letter('\u{2421}', 1),
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e00ff}' => Shown::Letter(char::REPLACEMENT_CHARACTER, 1),
        _ => match letter.width() {
            Some(0) => Shown::Mark(letter),
            Some(width) => Shown::Letter(letter, width),
            None => Shown::Letter(char::REPLACEMENT_CHARACTER, 1),
        },
    }
}

/// The picture of a C0 control character.
fn picture(code: u32) -> char {
    char::from_u32(0x2400 + code).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Splits a complete escape sequence off the front. An unfinished one is no sequence: it must not swallow the text after it.
fn escape_sequence(text: &str) -> Option<(&str, &str)> {
    let after = text.strip_prefix('\u{1b}')?;
    let length = match after.bytes().next()? {
        b'[' => {
            let body = after[1..]
                .bytes()
                .take_while(|byte| (0x20..0x40).contains(byte))
                .count();
            let last = after.as_bytes().get(1 + body)?;
            (0x40..0x7f).contains(last).then_some(body + 2)?
        }
        b']' | b'P' | b'X' | b'^' | b'_' => {
            let bell = after.find('\u{7}').map(|at| at + 1);
            let terminator = after.find("\u{1b}\\").map(|at| at + 2);
            bell.into_iter().chain(terminator).min()?
        }
        0x20..0x30 => {
            let body = after
                .bytes()
                .take_while(|byte| (0x20..0x30).contains(byte))
                .count();
            let last = after.as_bytes().get(body)?;
            (0x30..0x7f).contains(last).then_some(body + 1)?
        }
        0x30..0x7f => 1,
        _ => return None,
    };
    Some(text.split_at(length + 1))
}

/// The style after an SGR sequence with these parameters.
fn select(parameters: &str, mut style: Style, base: Style) -> Style {
    let mut codes = parameters.split([';', ':']).map(|code| {
        if code.is_empty() {
            Some(0)
        } else {
            code.parse::<u16>().ok()
        }
    });
    while let Some(code) = codes.next() {
        let Some(code) = code else { return style };
        style = match code {
            0 => base,
            1 => style.add_modifier(Modifier::BOLD),
            2 => style.add_modifier(Modifier::DIM),
            3 => style.add_modifier(Modifier::ITALIC),
            4 => style.add_modifier(Modifier::UNDERLINED),
            7 => style.add_modifier(Modifier::REVERSED),
            9 => style.add_modifier(Modifier::CROSSED_OUT),
            22 => style.remove_modifier(Modifier::BOLD | Modifier::DIM),
            23 => style.remove_modifier(Modifier::ITALIC),
            24 => style.remove_modifier(Modifier::UNDERLINED),
            27 => style.remove_modifier(Modifier::REVERSED),
            29 => style.remove_modifier(Modifier::CROSSED_OUT),
            30..=37 => style.fg(indexed(code - 30)),
            38 => extended(&mut codes).map_or(style, |colour| style.fg(colour)),
            39 => Style {
                fg: base.fg,
                ..style
            },
            40..=47 => style.bg(indexed(code - 40)),
            48 => extended(&mut codes).map_or(style, |colour| style.bg(colour)),
            49 => Style {
                bg: base.bg,
                ..style
            },
            90..=97 => style.fg(indexed(code - 82)),
            100..=107 => style.bg(indexed(code - 92)),
            // 5, 6 and 8 blink and hide: nobody needs them, and hidden text is a trick.
            _ => style,
        };
    }
    style
}

fn indexed(code: u16) -> Color {
    Color::Indexed(u8::try_from(code).unwrap_or(7))
}

/// The colour after `38` or `48`.
fn extended(codes: &mut impl Iterator<Item = Option<u16>>) -> Option<Color> {
    let mut byte = || {
        codes
            .next()
            .flatten()
            .and_then(|code| u8::try_from(code).ok())
    };
    match byte()? {
        5 => Some(Color::Indexed(byte()?)),
        2 => Some(Color::Rgb(byte()?, byte()?, byte()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Piece, plain, sanitise, width, wrap, wrap_words};
    use proptest::prelude::*;
    use ratatui::style::{Color, Modifier, Style};

    #[track_caller]
    fn check(raw: &str, expected: &str) {
        assert_eq!(plain(raw), expected, "of {raw:?}");
    }

    #[test]
    fn nothing_from_outside_steers_the_terminal() {
        check("plain", "plain");
        check("\u{1b}[31mred\u{1b}[0m", "red");
        check("\u{1b}[2J\u{1b}[Hgone", "gone");
        check("\u{1b}]0;title\u{7}after", "after");
        check("\u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\", "link");
        check("\u{1b}]0;never ends", "␛]0;never ends");
        check("\u{1b}[31", "␛[31");
        check("\u{1b}(Bx\u{1b}cy", "xy");
        check("a\u{9b}31mb", "a\u{fffd}31mb");
        check("a\u{7}\u{8}\0b", "a␇␈␀b");
        check("line\r", "line");
        check("10%\r20%", "10%␍20%");
        check("a\tb", "a       b");
        check("user\u{202e}gnp.exe", "user\u{fffd}gnp.exe");
        check("a\u{200b}b\u{feff}", "a\u{fffd}b\u{fffd}");
        check("e\u{301}", "e\u{301}");
        check(
            "e\u{301}\u{301}\u{301}\u{301}\u{301}",
            "e\u{301}\u{301}\u{301}",
        );
        check("日本", "日本");
    }

    #[test]
    fn colours_become_styles() {
        let base = Style::new();
        let piece = |text: &str, style| Piece {
            text: text.to_owned(),
            style,
        };
        let check =
            |raw, expected: &[Piece]| assert_eq!(sanitise(raw, base, 80), expected, "of {raw:?}");
        check(
            "\u{1b}[1;31mx\u{1b}[my",
            &[
                piece("x", base.fg(Color::Indexed(1)).add_modifier(Modifier::BOLD)),
                piece("y", base),
            ],
        );
        check(
            "\u{1b}[38;5;200mx",
            &[piece("x", base.fg(Color::Indexed(200)))],
        );
        check(
            "\u{1b}[48;2;1;2;3mx",
            &[piece("x", base.bg(Color::Rgb(1, 2, 3)))],
        );
        check("\u{1b}[38;5mx", &[piece("x", base)]);
        check("\u{1b}[?25lx\u{1b}[>1mz", &[piece("xz", base)]);
        check("\u{1b}[8mhidden", &[piece("hidden", base)]);
    }

    #[test]
    fn words_stay_whole_where_they_fit() {
        let check = |text, columns, expected: &[&str]| {
            assert_eq!(wrap_words(text, columns), expected, "of {text:?}");
        };
        check("one two three", 8, &["one two ", "three"]);
        check("abcdefghij", 4, &["abcd", "efgh", "ij"]);
        check("", 4, &[""]);
        check("日本語", 4, &["日本", "語"]);
    }

    fn nasty() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            any::<char>().prop_map(String::from),
            "\u{1b}[\\[\\]PX^_(#0-9;:?a-zA-Z\u{7}\\\\]{0,6}",
            Just("\u{202e}".to_owned()),
            "[a-z日本\u{301}\t\r\n ]{0,6}",
        ];
        prop::collection::vec(part, 0..20).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn what_comes_out_is_harmless_and_stays_as_it_is(raw in nasty()) {
            let clean = plain(&raw);
            prop_assert!(!clean.chars().any(char::is_control), "{clean:?}");
            let turns = clean.contains(['\u{202a}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{200f}', '\u{61c}']);
            prop_assert!(!turns);
            prop_assert_eq!(plain(&clean), clean);
        }

        #[test]
        fn wrapping_loses_nothing_and_keeps_to_the_width(raw in nasty(), columns in 2usize..40) {
            let pieces = sanitise(&raw, Style::new(), usize::MAX);
            let rows = wrap(&pieces, columns);
            let row_text = |row: &Vec<Piece>| row.iter().map(|piece| piece.text.as_str()).collect::<String>();
            prop_assert_eq!(rows.iter().map(row_text).collect::<String>(), plain(&raw));
            for row in &rows {
                prop_assert!(width(&row_text(row)) <= columns);
            }
        }
    }
}
