//! Any bytes, read as `jest`.

#![no_main]

testhide_fuzz::target!(Jest);
