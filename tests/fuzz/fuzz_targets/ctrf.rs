//! Content of `results.tests` under small limits.

#![no_main]

use libfuzzer_sys::fuzz_target;
use testhide::reports::parse::{Limits, ParsedCase, Sink, Stop, SuiteInfo, parse};

struct Counted(u64);

impl Sink for Counted {
    fn suite(&mut self, _suite: SuiteInfo) {}

    fn case(&mut self, case: ParsedCase) -> Result<(), Stop> {
        assert!(!case.name.is_empty());
        self.0 += 1;
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits {
        attribute_bytes: 64,
        text_bytes: 128,
        properties: 4,
        retries: 2,
        json_values: 64,
        cases: 100,
        ..Limits::default()
    };
    let document = [br#"{"results":{"tests":["#, bytes].concat();
    let mut sink = Counted(0);
    if let Ok(summary) = parse(&document[..], &limits, &mut sink) {
        assert_eq!(summary.counts.total, sink.0);
    }
});
