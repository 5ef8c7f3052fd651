//! Any bytes, read as `allure`.

#![no_main]

testhide_fuzz::target!(Allure);
