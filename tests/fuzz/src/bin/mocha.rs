//! Any bytes, read as `mocha`.

#![no_main]

testhide_fuzz::target!(Mocha);
