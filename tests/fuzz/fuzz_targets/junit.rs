//! Content of a suite under small limits: texts stay within them, and nothing forbidden gets through.

#![no_main]

use libfuzzer_sys::fuzz_target;
use testhide::reports::parse::{Limits, ParsedCase, Sink, Stop, SuiteInfo, parse};

struct Checked;

impl Sink for Checked {
    fn suite(&mut self, _suite: SuiteInfo) {}

    fn case(&mut self, case: ParsedCase) -> Result<(), Stop> {
        for text in [&case.trace, &case.stdout, &case.stderr]
            .into_iter()
            .flatten()
        {
            assert!(
                text.value.len() <= 300,
                "longer than the limit and its marker"
            );
        }
        assert!(!case.name.is_empty() && !case.name.contains('\0'));
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits {
        depth: 8,
        tag_bytes: 256,
        attribute_bytes: 64,
        text_bytes: 128,
        properties: 4,
        retries: 2,
        ..Limits::default()
    };
    let document = [b"<testsuite name='s'>", bytes].concat();
    drop(parse(&document[..], &limits, &mut Checked));
});
