//! JSON of the Cucumber family: cucumber-js, cucumber-jvm, cucumber-ruby, behave.

mod element;
mod read;
mod rows;
mod step;

pub(in crate::reports::parse) use read::read;
