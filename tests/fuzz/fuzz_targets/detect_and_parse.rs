//! Any bytes at all: detection and parsing agree, and neither panics.

#![no_main]

use libfuzzer_sys::fuzz_target;
use testhide::reports::parse::{
    Attempts, Limits, ParsedCase, Sink, Stop, SuiteInfo, detect, parse,
};

#[derive(Default)]
struct Placed {
    attempts: Attempts,
    cases: u64,
}

impl Sink for Placed {
    fn suite(&mut self, _suite: SuiteInfo) {}

    fn case(&mut self, case: ParsedCase) -> Result<(), Stop> {
        self.cases += 1;
        self.attempts.place(&case.key());
        Ok(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let detected = detect(bytes);
    let mut sink = Placed::default();
    match parse(bytes, &Limits::default(), &mut sink) {
        Ok(summary) => {
            assert!(detected.is_some(), "parsed what was not detected");
            assert_eq!(summary.counts.total, sink.cases);
        }
        Err(error) => assert!(error.line() >= 1),
    }
});
