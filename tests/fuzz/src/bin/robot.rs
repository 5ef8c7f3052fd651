//! Any bytes, read as `robot`.

#![no_main]

testhide_fuzz::target!(Robot);
