//! Any bytes, read as what they look like; what was recognised must be read as the same.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| testhide_fuzz::check(None, bytes));
