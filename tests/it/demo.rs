//! The demo, as a newcomer runs it.

use std::process::{Command, Stdio};

#[test]
fn the_demo_ends_well_and_says_what_the_failures_mean() {
    let output = Command::new(env!("CARGO_BIN_EXE_testhide"))
        .args(["demo", "--exit"])
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    for expected in [
        "NEW    python/tests/test_cart.py::CartTest::test_adding_the_same_item_adds_up",
        "FLAKY  python/tests/test_stock.py::StockTest::test_the_last_item_is_sold_once",
        "KNOWN  python/tests/test_pricing.py::PricingTest::test_vat_is_rounded_on_each_line",
        "FIXED  python/tests/test_stock.py::StockTest::test_releasing_gives_the_items_back",
    ] {
        assert!(text.contains(expected), "{expected} is missing in\n{text}");
    }
    let restart = regex::Regex::new(
        r"  lines 1–(\d+) +printed before it had stopped; (\d+) of them were stored
  lines (\d+)–(\d+) +printed while there was no server
  lines (\d+)–(\d+) +printed from its new start on

Build 9 passed in its first attempt. Its log was read again: lines 1–(\d+), each once, in order, nothing missing.",
    );
    let parts = restart.expect("an expression").captures(&text);
    let parts = parts.unwrap_or_else(|| panic!("the restart is missing in\n{text}"));
    let numbers: Vec<u64> = (1..=7)
        .map(|part| parts[part].parse().expect("a number"))
        .collect();
    let [before, stored, first, without, second, last, all] = numbers[..] else {
        panic!("seven numbers")
    };
    assert!(0 < stored && stored <= before, "{text}");
    assert!(before < without && without < all, "{text}");
    assert_eq!(
        (first, second, last),
        (before + 1, without + 1, all),
        "{text}"
    );
    assert_eq!(errors, "", "nothing is said on stderr");
}
