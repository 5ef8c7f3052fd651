//! Any bytes, read as `junit`.

#![no_main]

testhide_fuzz::target!(Junit);
