//! Any bytes, read as `testng`.

#![no_main]

testhide_fuzz::target!(Testng);
