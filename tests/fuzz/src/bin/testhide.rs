//! Any bytes, read as `testhide`.

#![no_main]

testhide_fuzz::target!(Testhide);
