//! Any bytes, read as `xunit`.

#![no_main]

testhide_fuzz::target!(Xunit);
