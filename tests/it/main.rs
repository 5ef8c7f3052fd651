//! testhide through its front door: the real router and store in a temporary directory, real HTTP, real agents.

mod agent_protocol;
mod agents;
mod backup;
mod bad_input;
mod builds;
mod demo;
mod documentation;
mod events;
mod history;
mod people;
mod pytest;
mod reports;
mod search;
mod support;
mod verdicts;
