//! Any bytes, read as `trx`.

#![no_main]

testhide_fuzz::target!(Trx);
