//! Jobs and their definitions: what a build does.

use crate::{JobId, ProjectId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Makes a job in a project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateJob {
    /// Unique in its project; 1 to 100 characters: letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// What its builds do.
    pub definition: JobDefinition,
}

/// Changes a job; absent fields stay as they are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateJob {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// New definition, whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<JobDefinition>,
    /// A disabled job refuses triggers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Identity.
    pub id: JobId,
    /// Its project.
    pub project_id: ProjectId,
    /// Unique in its project.
    pub name: String,
    /// What its builds do.
    pub definition: JobDefinition,
    /// Whether triggers are taken.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a build does. A build keeps the definition it was started with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JobDefinition {
    /// Where the code comes from; without it the workspace starts empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_management: Option<Source>,
    /// Run in order; the first that fails ends them.
    pub steps: Vec<Step>,
    /// Run in order after the steps, whatever happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub post_steps: Vec<Step>,
    /// An agent must have all of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Given to every step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Parameters a trigger may set, with their defaults; steps see them as environment variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Seconds after which an attempt is ended as `timed_out`; one hour when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// How often a build is queued again when its agent was lost; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub infra_retries: Option<u32>,
}

/// Where the code comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// A git repository that the agent's `git` can read.
    Git {
        /// URL or path.
        url: String,
        /// Branch when the trigger names none; `main` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
    },
}

/// One step of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Step {
    /// A script for bash.
    Bash {
        /// Shown in lists; `bash` when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// The script; it runs with `set -e`.
        run: String,
        /// Given to this step alone, over the job's environment.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        env: BTreeMap<String, String>,
        /// Seconds after which the step is ended as `timed_out`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        timeout_seconds: Option<u32>,
        /// A failure of this step fails the build but not the steps after it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        continue_on_error: bool,
    },
    /// Collects test reports from the workspace.
    TestProvider {
        /// Shown in lists.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Which tool wrote them.
        provider: ProviderKind,
        /// Glob below the workspace, e.g. `**/reports/*.xml`.
        path: String,
    },
    /// Keeps files of the workspace.
    CopyArtifacts {
        /// Shown in lists.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Glob below the workspace.
        source: String,
        /// Folder under which they are kept.
        #[serde(default)]
        target: String,
    },
}

impl Step {
    /// What lists show: the given name, else the type.
    #[must_use]
    pub fn display_name(&self) -> &str {
        match self {
            Self::Bash { name, .. } => name.as_deref().unwrap_or("bash"),
            Self::TestProvider { name, .. } => name.as_deref().unwrap_or("test_provider"),
            Self::CopyArtifacts { name, .. } => name.as_deref().unwrap_or("copy_artifacts"),
        }
    }
}

/// Which tool wrote the reports. The format is found by content; this is a hint for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProviderKind {
    /// pytest with the official plugin or `--junitxml`.
    Pytest,
    /// JUnit XML of any writer.
    Junit,
    /// CTRF JSON.
    Ctrf,
    /// The Testhide v1 dialect.
    Testhide,
}
