//! Any bytes, read as `nunit3`.

#![no_main]

testhide_fuzz::target!(Nunit3);
