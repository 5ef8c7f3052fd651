//! Identities: one newtype a noun, so that a build's id can never stand where a job's is meant.
//!
//! Ids are UUIDs of version 7 (time-ordered), made by the server alone. [`TestId`] is the exception: it is a
//! hash of what identifies a test, so that the same test has the same id wherever it is computed.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;
use uuid::Uuid;

/// A text that is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an id (a UUID such as `0198c1a2-7f3e-7abc-8def-0123456789ab`)")]
pub struct InvalidId(pub String);

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id; later ids sort after earlier ones.
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id from its sixteen bytes, as stored in keys.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The sixteen bytes that keys hold.
            #[must_use]
            pub fn bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId(text.chars().take(64).collect()))
            }
        }
    };
}

id!(
    /// A person or a service account.
    UserId
);
id!(
    /// An API token.
    TokenId
);
id!(
    /// A sign-in and everything that was refreshed from it.
    SessionId
);
id!(
    /// A project: the border of visibility.
    ProjectId
);
id!(
    /// A job of a project.
    JobId
);
id!(
    /// One build of a job; its attempts share it.
    BuildId
);
id!(
    /// A quality gate of a project.
    GateId
);
id!(
    /// An enrolled agent.
    AgentId
);
id!(
    /// One uploaded test report.
    ReportId
);
id!(
    /// One result (a test's outcome in one report).
    ResultId
);
id!(
    /// A test over all its runs: a hash of project and identity, not a random number.
    TestId
);
id!(
    /// A file kept from a build.
    ArtifactId
);
id!(
    /// A proposal that two tests are one, and what people said of it.
    AliasId
);
