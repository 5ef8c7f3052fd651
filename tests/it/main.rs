//! testhide through its front door: the real router and store in a temporary directory, real HTTP, real agents.

mod agent_page;
mod agent_protocol;
mod agent_refusals;
mod agents;
mod agents_managed;
mod audit;
mod backup;
mod bad_input;
mod builds;
mod counts;
mod demo;
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
