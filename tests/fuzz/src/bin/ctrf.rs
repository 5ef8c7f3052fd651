//! Any bytes, read as `ctrf`.

#![no_main]

testhide_fuzz::target!(Ctrf);
