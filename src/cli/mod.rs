//! The command line: `testhide NOUN VERB`.
//!
//! Each use case is a file that asks a server over the public API (or, for backups and reports, works on files), and prints. Results
//! go to stdout, messages to stderr, and the exit code says how it ended ([`Exit`]). Promises: no text from a server or a report reaches
//! the terminal with control sequences in it (only the colours of logs do), no secret is ever taken from a flag, and a script never
//! meets a prompt, a colour or a progress bar. Knows nothing of the server's inside but backups, settings, and the reading and writing
//! of reports.

mod agent;
mod agent_list;
mod agent_manage;
mod agent_show;
mod agent_token;
mod args;
mod artifact;
mod audit;
mod backup;
#[cfg(test)]
mod backup_tests;
mod build_artifacts;
mod build_cancel;
mod build_compare;
mod build_gates;
mod build_list;
mod build_log;
mod build_show;
mod build_trigger;
mod build_verdicts;
mod build_wait;
mod client;
mod config;
mod credentials;
pub mod demo;
mod doctor;
mod error;
mod events;
mod failure;
mod follow;
#[cfg(test)]
mod follow_tests;
mod gate;
mod gate_rules;
mod interrupt;
mod job;
mod job_file;
mod login;
mod output;
mod password;
mod project;
mod prompt;
mod report;
mod report_compare;
mod report_convert;
mod report_input;
mod report_push;
#[cfg(test)]
mod report_push_tests;
mod report_show;
mod report_validate;
mod run;
mod search;
pub mod serve;
mod session;
mod signed_in;
mod test;
mod test_alias;
#[cfg(test)]
mod test_server;
mod token;
mod tui;
mod user;
mod user_change;
mod version;

pub use error::{CliError, Exit};
pub use run::run;
