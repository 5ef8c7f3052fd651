//! Any bytes, read as `playwright`.

#![no_main]

testhide_fuzz::target!(Playwright);
