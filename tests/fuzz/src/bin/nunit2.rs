//! Any bytes, read as `nunit2`.

#![no_main]

testhide_fuzz::target!(Nunit2);
