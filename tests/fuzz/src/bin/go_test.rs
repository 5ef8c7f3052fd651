//! Any bytes, read as `go_test`.

#![no_main]

testhide_fuzz::target!(GoTest);
