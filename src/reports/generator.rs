//! Writes reports of any size for tests.

use bytes::Bytes;
use std::fmt::Write;
use std::io;

/// A report of `tests` tests as the body of an upload brings it, part by part; each `fail_every`-th test fails.
pub(super) fn junit(tests: usize, fail_every: usize) -> impl Iterator<Item = io::Result<Bytes>> {
    let head = format!(
        "<?xml version=\"1.0\"?><testsuites><testsuite name=\"generated\" tests=\"{tests}\">"
    );
    let cases = (0..tests).map(move |number| Ok(Bytes::from(case(number, fail_every))));
    [Ok(Bytes::from(head))]
        .into_iter()
        .chain(cases)
        .chain([Ok(Bytes::from_static(b"</testsuite></testsuites>"))])
}

fn case(number: usize, fail_every: usize) -> String {
    let module = number / 200;
    let mut case = format!(
        "<testcase classname=\"tests.test_{module}.T\" name=\"test_{number}\" file=\"tests/test_{module}.py\" time=\"0.{:03}\">",
        number % 1000
    );
    if number.is_multiple_of(fail_every) {
        let trace = format!(
            "  File \"/ws/src/shop.py\", line {number}, in sell\\nAssertionError: {number}\n"
        );
        write!(
            case,
            "<failure type=\"AssertionError\" message=\"wrong {number}\">{trace}</failure>"
        )
        .expect("a string takes text");
    }
    write!(
        case,
        "<system-out>output of {number}</system-out></testcase>"
    )
    .expect("a string takes text");
    case
}
