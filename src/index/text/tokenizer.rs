//! The rules that cut text into terms; pure.
//!
//! A *run* is a maximal sequence of letters and digits. A run is a term, and so is each of its *parts*
//! (`OrderService2` has `order`, `service`, `2`). Two runs joined by one `_` are a term as well (`place_order`).
//! Numbers, durations and hashes have no parts, they would be noise: runs that start with a digit, and runs of at
//! least [`MIN_HASH_LENGTH`] hexadecimal digits.
//! A run of more than [`MAX_RUN_CHARS`] characters is one term, its beginning.
//!
//! The index and the line matcher both call these functions; if they disagreed, searches would lose lines.

/// Longest run, in characters, that is indexed whole: a SHA-256 in hexadecimal just fits.
pub const MAX_RUN_CHARS: usize = 64;

/// Shortest run of hexadecimal digits that counts as a hash: the first group of a UUID.
const MIN_HASH_LENGTH: usize = 8;

/// The one character that `c` is compared as: simple lower case, and the two small letters that have a twin.
pub fn fold(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    match c {
        'ſ' => return 's',
        'ς' => return 'σ',
        _ => {}
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

/// Each character of `text` through [`fold`].
pub fn fold_text(text: &str) -> String {
    text.chars().map(fold).collect()
}

/// Whether `c` belongs to a run; everything else separates runs.
pub fn is_word(c: char) -> bool {
    if c.is_ascii() {
        c.is_ascii_alphanumeric()
    } else {
        c.is_alphanumeric()
    }
}

/// The beginning of `run` that is indexed.
pub fn cut_run(run: &str) -> &str {
    match run.char_indices().nth(MAX_RUN_CHARS) {
        Some((end, _)) => &run[..end],
        None => run,
    }
}

/// Whether `run` is short enough to be indexed whole.
pub(super) fn is_short(run: &str) -> bool {
    run.len() <= MAX_RUN_CHARS || cut_run(run).len() == run.len()
}

/// Whether `run` may have parts and be half of a joined term: short, and neither a number nor a hash.
pub fn is_joinable(run: &str) -> bool {
    !run.starts_with(char::is_numeric) && is_short(run) && !is_hash(run)
}

fn is_hash(run: &str) -> bool {
    let bytes = run.as_bytes();
    bytes.len() >= MIN_HASH_LENGTH
        && bytes.iter().all(u8::is_ascii_hexdigit)
        && bytes.iter().any(u8::is_ascii_digit)
}

/// Byte offsets inside `run` where a further part starts: none when the run is one part.
///
/// A part starts where letters and digits meet, at an upper-case letter after a lower-case one, and at the last
/// upper-case letter of a row that goes on in lower case (`HTTPServer`).
pub fn part_starts(run: &str) -> impl Iterator<Item = usize> {
    let run = if is_joinable(run) { run } else { "" };
    let mut before: Option<Class> = None;
    let mut rest = run.char_indices().peekable();
    std::iter::from_fn(move || {
        while let Some((offset, c)) = rest.next() {
            let class = Class::of(c);
            let after = rest.peek().map(|&(_, next)| Class::of(next));
            let starts = match (before, class) {
                (None, _) => false,
                (Some(Class::Digit), now) => now != Class::Digit,
                (Some(_), Class::Digit) | (Some(Class::Lower), Class::Upper) => true,
                (Some(Class::Upper), Class::Upper) => after == Some(Class::Lower),
                (Some(_), Class::Lower) => false,
            };
            before = Some(class);
            if starts {
                return Some(offset);
            }
        }
        None
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    Upper,
    Digit,
}

impl Class {
    fn of(c: char) -> Class {
        if c.is_numeric() {
            Class::Digit
        } else if c.is_uppercase() {
            Class::Upper
        } else {
            Class::Lower
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_cut_into_parts() {
        let check = |run: &str, expected: &[&str]| {
            let mut starts: Vec<usize> = std::iter::once(0).chain(part_starts(run)).collect();
            starts.push(run.len());
            let parts: Vec<&str> = starts
                .windows(2)
                .map(|pair| &run[pair[0]..pair[1]])
                .collect();
            assert_eq!(parts, expected, "{run}");
        };
        check("order", &["order"]);
        check("ORDER", &["ORDER"]);
        check("placeOrder", &["place", "Order"]);
        check("HTTPServer", &["HTTP", "Server"]);
        check("OrderService2", &["Order", "Service", "2"]);
        check("utf8Reader", &["utf", "8", "Reader"]);
        check("3f2b8c1e", &["3f2b8c1e"]);
        check("f32b8C1e", &["f32b8C1e"]);
        check("f32b8", &["f", "32", "b", "8"]);
        check("ÄrgerÜber", &["Ärger", "Über"]);
        check(&"aB".repeat(33), &["aB".repeat(33).as_str()]);
    }

    #[test]
    fn folding_keeps_the_class_of_every_character() {
        for c in char::MIN..=char::MAX {
            let folded = fold(c);
            assert_eq!(fold(folded), folded, "{c:?}");
            assert_eq!(is_word(c), is_word(folded), "{c:?}");
            assert_eq!(c.is_numeric(), folded.is_numeric(), "{c:?}");
            assert_eq!(c.is_whitespace(), folded.is_whitespace(), "{c:?}");
        }
    }

    #[test]
    fn long_runs_keep_their_beginning() {
        let run = "é".repeat(100);
        assert_eq!(cut_run(&run).chars().count(), MAX_RUN_CHARS);
        assert!(!is_short(&run));
        assert!(is_short(&"é".repeat(MAX_RUN_CHARS)));
    }
}
