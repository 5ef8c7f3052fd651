//! Sentences over several lines, broken between words and aligned below their beginning. Pure.

use super::theme::Theme;
use unicode_width::UnicodeWidthStr;

/// A line with what stands before a sentence and the sentence, broken where the terminal ends; further lines are indented by `hang`.
/// Both texts are clean; `taken` is the width of `before` without colours. A word is never broken.
pub(in crate::cli) fn hanging(
    before: &str,
    taken: usize,
    sentence: &str,
    hang: usize,
    theme: &Theme,
) -> String {
    let room = theme.width.unwrap_or(usize::MAX);
    let mut out = before.to_owned();
    let mut used = taken;
    for (number, word) in sentence.split(' ').enumerate() {
        let gap = usize::from(number > 0);
        if number > 0 && used + gap + word.width() > room && used > hang {
            out.push_str(&format!("\n{:hang$}", ""));
            used = hang;
        } else {
            out.push_str(&" ".repeat(gap));
            used += gap;
        }
        out.push_str(word);
        used += word.width();
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::hanging;
    use crate::cli::build_show::samples::theme;
    use crate::cli::output::Theme;

    #[test]
    fn a_sentence_breaks_between_words() {
        let check = |width: Option<usize>, sentence: &str, expected: &str| {
            let theme = Theme { width, ..theme() };
            assert_eq!(hanging("  gate  ", 8, sentence, 8, &theme), expected);
        };
        check(None, "expected no failure", "  gate  expected no failure\n");
        check(
            Some(20),
            "expected no failure",
            "  gate  expected no\n        failure\n",
        );
        check(
            Some(12),
            "a_word_without_room next",
            "  gate  a_word_without_room\n        next\n",
        );
        check(Some(5), "", "  gate  \n");
    }
}
