//! Any bytes, read as `cucumber`.

#![no_main]

testhide_fuzz::target!(Cucumber);
