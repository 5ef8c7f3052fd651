//! What testhide's server, agent and terminal say to each other.
//!
//! Three floors: ids and [`Timestamp`] are the vocabulary, [`api`] holds the objects of `/api/v3`
//! and the live feed, [`wire`] the messages and frames between an agent and the server. Beside them stands
//! what its users must do alike: [`mask`] hides secrets in output, [`env_file`] reads variables and tells secrets among them.
//! This crate does no I/O and knows no clock.

pub mod api;
pub mod env_file;
mod id;
pub mod mask;
mod time;
pub mod wire;

pub use id::{
    AgentId, AliasId, ArtifactId, BuildId, GateId, InvalidId, JobId, ProjectId, ReportId, ResultId,
    SessionId, TestId, TokenId, UserId,
};
pub use time::{InvalidTimestamp, Timestamp};
