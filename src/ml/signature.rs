//! The stable name of a failure.
//!
//! A signature is a hash of what stays the same when a failure comes back: the exception's bare type, the first line of
//! the message with volatile parts masked, and the innermost functions of the product. Line numbers, addresses,
//! directories, times and identifiers of one run are not part of it, nor is the test: two tests that break for one
//! reason share a signature as long as three product functions lie between them and the failure.
//!
//! A report without a readable trace gives another signature than the same failure with one; likeness across that gap is
//! the business of vectors.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::frames::{Frame, frames};
use super::mask::{mask, prefix};
use super::origin::Origin;

/// Changes when anything below changes what a failure's name is.
const DOMAIN: &[u8] = b"testhide failure signature 1";

/// Functions nearest to the failure. More would split one failure by the test that reached it.
const MAX_FUNCTIONS: usize = 3;

/// Bytes of the masked first line that count. Assertions print whole values after that.
const MAX_MESSAGE: usize = 240;

/// Sixteen bytes that are equal for the same failure on another machine and another day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Signature([u8; 16]);

impl Signature {
    /// The signature with these bytes, as [`Signature::as_bytes`] gave them.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes, for keys of a store.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Signature {
    /// Thirty-two lower-case hexadecimal digits.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// The text is not thirty-two hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signature is 32 hexadecimal digits")]
pub struct NotASignature;

impl FromStr for Signature {
    type Err = NotASignature;

    fn from_str(text: &str) -> Result<Self, NotASignature> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotASignature);
        }
        let value = u128::from_str_radix(text, 16).map_err(|_| NotASignature)?;
        Ok(Self(value.to_be_bytes()))
    }
}

/// The signature of a failure from its exception type (where the report has one), its message and its trace (either may
/// be empty).
///
/// A type at the start of the message (`shop.OrderError: …`) counts the same as one given apart, and only its last part
/// counts, since reporters disagree on how far to qualify it.
pub fn signature(kind: Option<&str>, message: &str, trace: &str) -> Signature {
    let (stated, rest) = split_kind(first_line(message));
    let kind = kind.map(bare_kind).filter(|kind| !kind.is_empty());
    // A prefix that is not the given type belongs to the message.
    let (kind, message) = match (kind, stated) {
        (Some(kind), Some(stated)) if kind != stated => (kind, first_line(message)),
        (Some(kind), _) => (kind, rest),
        (None, Some(stated)) => (stated, rest),
        (None, None) => ("", rest),
    };
    let masked = mask(message);
    let message = masked.split_whitespace().collect::<Vec<_>>().join(" ");

    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(
            &u64::try_from(bytes.len())
                .expect("a length fits 64 bits")
                .to_le_bytes(),
        );
        hasher.update(bytes);
    };
    part(DOMAIN);
    part(kind.as_bytes());
    part(prefix(&message, MAX_MESSAGE).as_bytes());
    for function in top_functions(&frames(trace)) {
        part(function.as_bytes());
    }
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    Signature(bytes)
}

/// The bare exception type of a failure: the given one, or the one its message starts with.
pub fn failure_kind<'a>(kind: Option<&'a str>, message: &'a str) -> Option<&'a str> {
    kind.map(bare_kind)
        .filter(|kind| !kind.is_empty())
        .or_else(|| split_kind(first_line(message)).0)
}

fn first_line(text: &str) -> &str {
    text.lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default()
}

/// Splits `shop.OrderError: no stock` into the bare type and the rest; no type where the start does not look like one.
fn split_kind(line: &str) -> (Option<&str>, &str) {
    let (start, rest) = match line.split_once(": ") {
        Some((start, rest)) => (start, rest),
        None => (line.strip_suffix(':').unwrap_or(line), ""),
    };
    let kind = bare_kind(start);
    let is_name = !kind.is_empty()
        && start
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.$:".contains(&byte));
    let is_kind = [
        "Error",
        "Exception",
        "Failure",
        "Failed",
        "Fault",
        "Interrupt",
        "Exit",
        "Timeout",
        "Warning",
    ]
    .iter()
    .any(|end| kind.ends_with(end));
    if is_name && is_kind {
        (Some(kind), rest.trim_start())
    } else {
        (None, line)
    }
}

/// `OrderError` of `shop.orders.OrderError` and `shop::OrderError`.
fn bare_kind(kind: &str) -> &str {
    let kind = kind.trim().trim_end_matches(':');
    kind.rsplit(['.', ':']).next().unwrap_or(kind)
}

/// The innermost functions of the product; of the tests where no product frame is known. Repeats count once.
fn top_functions(frames: &[Frame]) -> Vec<String> {
    let of = |wanted: Origin| {
        let mut functions: Vec<String> = Vec::new();
        for frame in frames.iter().filter(|frame| frame.origin == wanted) {
            let function = stable_function(frame);
            if !functions.contains(&function) {
                functions.push(function);
            }
            if functions.len() == MAX_FUNCTIONS {
                break;
            }
        }
        functions
    };
    let product = of(Origin::Product);
    if product.is_empty() {
        of(Origin::Test)
    } else {
        product
    }
}

/// File name and function without what compilers number or hash: Rust's `::h0123…`, Java's `lambda$3`, Go's `func1`.
fn stable_function(frame: &Frame) -> String {
    let file = frame.file.rsplit(['/', '\\']).next().unwrap_or_default();
    let function = match frame.function.rsplit_once("::h") {
        Some((function, hash))
            if hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) =>
        {
            function
        }
        _ => &frame.function,
    };
    let mut stable = format!("{} ", mask(file));
    for character in function.chars() {
        let numbered = character.is_ascii_digit()
            && (stable.ends_with(['$', '_']) || stable.ends_with(".func"));
        if !numbered {
            stable.push(character);
        }
    }
    stable
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "Traceback (most recent call last):\n  File \"/ws/tests/test_order.py\", line 8, in test_place\n  \
        File \"/ws/src/order.py\", line 21, in place\n  File \"/ws/src/stock.py\", line 3, in reserve\nshop.StockError: none left\n";

    #[test]
    fn the_same_failure_has_the_same_name() {
        let one = signature(Some("StockError"), "none left of 7", TRACE);
        assert_eq!(
            one,
            signature(
                Some("shop.StockError"),
                "shop.StockError: none left of 12",
                TRACE
            )
        );
        assert_eq!(
            one,
            signature(None, "\n  StockError: none  left of 7\nmore", TRACE)
        );
        let moved = TRACE
            .replace("/ws/", r"C:\\builds\\17\\")
            .replace("line 3", "line 44");
        assert_eq!(one, signature(Some("StockError"), "none left of 7", &moved));
    }

    #[test]
    fn another_failure_has_another_name() {
        let one = signature(Some("StockError"), "none left", TRACE);
        for other in [
            signature(Some("OrderError"), "none left", TRACE),
            signature(Some("StockError"), "all gone", TRACE),
            signature(
                Some("StockError"),
                "none left",
                &TRACE.replace("reserve", "release"),
            ),
            signature(Some("StockError"), "none left", ""),
            signature(None, "none left", TRACE),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn the_test_counts_only_without_product_frames() {
        let other_test = TRACE
            .replace("test_place", "test_cart")
            .replace("test_order.py", "test_cart.py");
        assert_eq!(
            signature(None, "x", TRACE),
            signature(None, "x", &other_test)
        );
        let alone = "  File \"/ws/tests/test_order.py\", line 8, in test_place\n";
        let other_alone = alone.replace("test_place", "test_cart");
        assert_ne!(
            signature(None, "x", alone),
            signature(None, "x", &other_alone)
        );
    }

    #[test]
    fn numbers_of_compilers_do_not_count() {
        fn check(one: &str, other: &str) {
            assert_eq!(
                signature(None, "x", one),
                signature(None, "x", other),
                "{one} {other}"
            );
        }
        check(
            "\tat a.B.lambda$place$1(B.java:1)",
            "\tat a.B.lambda$place$22(B.java:3)",
        );
        check(
            "a.Place.func1()\n\t/ws/a.go:1 +0x1\n",
            "a.Place.func2()\n\t/w/a.go:9 +0x2\n",
        );
        check(
            "   1: shop::place::h0123456789abcdef\n    at ./src/a.rs:1:1\n",
            "   4: shop::place::hfedcba9876543210\n    at ./src/a.rs:2:1\n",
        );
    }

    #[test]
    fn kinds() {
        fn check(kind: Option<&str>, message: &str, expected: Option<&str>) {
            assert_eq!(failure_kind(kind, message), expected, "{kind:?} {message}");
        }
        check(Some("shop.orders.OrderError"), "", Some("OrderError"));
        check(Some("shop::OrderError"), "", Some("OrderError"));
        check(
            Some(" "),
            "java.io.IOException: closed",
            Some("IOException"),
        );
        check(None, "AssertionError", Some("AssertionError"));
        check(None, "KeyError:\n 'x'", Some("KeyError"));
        check(None, "expected 3: got 4", None);
        check(None, "An Error: of mine", None);
        check(None, "", None);
    }

    #[test]
    fn text_form_round_trips() {
        let one = signature(None, "x", "");
        assert_eq!(one.to_string().parse(), Ok(one));
        assert_eq!(Signature::from_bytes(*one.as_bytes()), one);
        assert_eq!(
            "+123456789012345678901234567890ab".parse::<Signature>(),
            Err(NotASignature)
        );
        assert_eq!("".parse::<Signature>(), Err(NotASignature));
    }

    #[test]
    fn the_name_is_the_one_that_stores_hold() {
        // A change here makes every known failure look new: it needs a new DOMAIN and a reindex.
        let one = signature(Some("StockError"), "none left of 7", TRACE);
        assert_eq!(one.to_string(), "4ac5c02f8fa8de922aa79246377d698a");
    }

    proptest! {
        #[test]
        fn volatile_changes_do_not_move_it(
            order in any::<u32>(), address in any::<u64>(), line in 1..9_999_u32, second in 0..60,
            directory in "[a-z]{1,8}(/[a-z0-9]{1,8}){0,3}",
        ) {
            let make = |order: u32, address: u64, line: u32, second: i32, directory: &str| {
                let message = format!("order {order} at 0x{address:x} 2026-01-02T10:11:{second:02}Z in /tmp/{directory}/db");
                let trace = format!("  File \"/{directory}/src/order.py\", line {line}, in place\n");
                signature(Some("OrderError"), &message, &trace)
            };
            prop_assert_eq!(make(order, address, line, second, &directory), make(1, 1, 1, 1, "ws"));
        }

        #[test]
        fn any_text_has_one(kind in prop::option::of("\\PC{0,20}"), message in "\\PC{0,200}", trace in "\\PC{0,200}") {
            let make = || signature(kind.as_deref(), &message, &trace);
            prop_assert_eq!(make(), make());
        }
    }
}
