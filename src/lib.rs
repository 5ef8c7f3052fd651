//! testhide: one binary that runs a team's tests and tells people what the failures mean.
//!
//! `ARCHITECTURE.md` is the map; the order of the modules below is the order in which they may import each other.

pub mod config;
pub mod kit;

pub mod events;
pub mod index;
pub mod ml;
pub mod storage;
pub mod web;

pub mod accounts;
pub mod audit;
pub mod jobs;
pub mod projects;

pub mod agents;
pub mod artifacts;
pub mod builds;
pub mod history;
pub mod logs;
pub mod reports;
pub mod triggers;

pub mod analysis;
pub mod feed;
pub mod gates;
pub mod search;

pub mod app;
pub mod cli;
