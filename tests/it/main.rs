//! testhide through its front door: the real router and store in a temporary directory, real HTTP, real agents.

mod agent_protocol;
mod agents;
mod agents_managed;
mod backup;
mod bad_input;
mod builds;
mod counts;
mod demo;
mod doctor;
mod documentation;
mod events;
mod false_greens;
mod gates;
mod history;
mod people;
mod pytest;
mod report_cli;
mod reports;
mod search;
mod support;
mod verdicts;
