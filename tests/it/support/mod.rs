//! What every test needs: a server, a client, an agent.

mod client;
mod junit;
mod raw_agent;
mod server;
mod speaker;
mod venv;

pub(crate) use client::{Answer, Client};
pub(crate) use junit::{Case, junit};
pub(crate) use raw_agent::{Line, RawAgent, ended, passed, started};
pub(crate) use server::{TestAgent, TestServer, job_with_script, lines_of};
pub(crate) use speaker::{Speaker, chunk, journal};
pub(crate) use venv::venv;
