//! Any bytes, read as `libtest`.

#![no_main]

testhide_fuzz::target!(Libtest);
