//! TestNG's own XML, `testng-results.xml`.

mod method;
mod order;
mod read;

pub(in crate::reports::parse) use read::read;
