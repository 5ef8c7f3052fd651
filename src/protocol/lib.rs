//! What testhide's server, agent and terminal say to each other.
//!
//! Three floors: ids and [`Timestamp`] are the vocabulary, [`api`] holds the objects of `/api/v3`
//! and the live feed, [`wire`] the messages and frames between an agent and the server. Beside them stands
//! what agent and server must do alike: [`mask`] hides secrets in output.
//! This crate does no I/O and knows no clock.

pub mod api;
mod id;
pub mod mask;
mod time;
pub mod wire;

pub use id::{
    AgentId, AliasId, ArtifactId, BuildId, GateId, InvalidId, JobId, ProjectId, ReportId, ResultId,
    TestId, TokenId, UserId,
};
pub use time::{InvalidTimestamp, Timestamp};
