//! Any bytes, read as `tap`.

#![no_main]

testhide_fuzz::target!(Tap);
