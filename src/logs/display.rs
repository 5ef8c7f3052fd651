//! What of a line is shown. The store keeps every byte; only pages, searches and followers look through this. Pure.

/// The last state of a line that was written over itself: what stands behind its last carriage return, looking past those with
/// nothing behind them (`\r\n` ends a line on some systems).
///
/// A real terminal would keep what a shorter text does not reach (`100%\r50` leaves `500%`). Progress bars never mean that, so the last
/// text counts alone. A bar that clears itself (`\r`, spaces, `\r`) leaves the spaces: that is what was there to see.
#[must_use]
pub fn shown(line: &[u8]) -> &[u8] {
    line.rsplit(|byte| *byte == b'\r')
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::shown;
    use proptest::prelude::*;

    #[test]
    fn the_last_state_of_a_line() {
        let check = |line: &str, expected: &str| {
            assert_eq!(shown(line.as_bytes()), expected.as_bytes(), "{line:?}");
        };
        check("plain", "plain");
        check("", "");
        check("windows\r", "windows");
        check("10%\r20%\r100%", "100%");
        check("10%\r20%\r100%\r", "100%");
        check("100%\r50", "50");
        check("both\r\r", "both");
        check("\r\r", "");
        check("bar\r   \r", "   ");
        check("old\r\u{1b}[Knew", "\u{1b}[Knew");
    }

    proptest! {
        #[test]
        fn it_is_the_last_text_that_was_written(line in "[ab\r]{0,40}") {
            let shown = shown(line.as_bytes());
            prop_assert!(!shown.contains(&b'\r'));
            let mut texts = line.split('\r').filter(|text| !text.is_empty());
            prop_assert_eq!(shown, texts.next_back().unwrap_or("").as_bytes());
        }
    }
}
