//! A job's definition as it travels in an assignment: read by agents that may be older than the server.
//!
//! What people write is read strictly, so that a typing error is found. What a server sends is not: an older agent leaves out fields that
//! it does not know. A kind of step, source or report that it does not know is an error: it cannot do that, and must not pass over it.

use crate::api::{JobDefinition, ProviderKind, Source, Step};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// Reads a definition, leaving out what is not known.
///
/// # Errors
/// A kind of step, source or report that is not known, and a field that cannot be read.
pub(super) fn lenient<'de, D: Deserializer<'de>>(from: D) -> Result<JobDefinition, D::Error> {
    WireDefinition::deserialize(from).map(JobDefinition::from)
}

#[derive(Deserialize)]
struct WireDefinition {
    #[serde(default)]
    source_management: Option<WireSource>,
    steps: Vec<WireStep>,
    #[serde(default)]
    post_steps: Vec<WireStep>,
    #[serde(default)]
    labels: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    #[serde(default)]
    timeout_seconds: Option<u32>,
    #[serde(default)]
    infra_retries: Option<u32>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WireSource {
    Git {
        url: String,
        #[serde(default)]
        branch: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum WireStep {
    Bash {
        #[serde(default)]
        name: Option<String>,
        run: String,
        #[serde(default)]
        env: BTreeMap<String, String>,
        #[serde(default)]
        timeout_seconds: Option<u32>,
        #[serde(default)]
        continue_on_error: bool,
    },
    TestProvider {
        #[serde(default)]
        name: Option<String>,
        provider: ProviderKind,
        path: String,
    },
    CopyArtifacts {
        #[serde(default)]
        name: Option<String>,
        source: String,
        #[serde(default)]
        target: String,
    },
}

impl From<WireDefinition> for JobDefinition {
    fn from(wire: WireDefinition) -> Self {
        let steps = |steps: Vec<WireStep>| steps.into_iter().map(Step::from).collect();
        Self {
            source_management: wire.source_management.map(Source::from),
            steps: steps(wire.steps),
            post_steps: steps(wire.post_steps),
            labels: wire.labels,
            environment: wire.environment,
            parameters: wire.parameters,
            timeout_seconds: wire.timeout_seconds,
            infra_retries: wire.infra_retries,
        }
    }
}

impl From<WireSource> for Source {
    fn from(wire: WireSource) -> Self {
        match wire {
            WireSource::Git { url, branch } => Self::Git { url, branch },
        }
    }
}

impl From<WireStep> for Step {
    fn from(wire: WireStep) -> Self {
        match wire {
            WireStep::Bash {
                name,
                run,
                env,
                timeout_seconds,
                continue_on_error,
            } => Self::Bash {
                name,
                run,
                env,
                timeout_seconds,
                continue_on_error,
            },
            WireStep::TestProvider {
                name,
                provider,
                path,
            } => Self::TestProvider {
                name,
                provider,
                path,
            },
            WireStep::CopyArtifacts {
                name,
                source,
                target,
            } => Self::CopyArtifacts {
                name,
                source,
                target,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::api::JobDefinition;
    use crate::wire::{Assignment, ServerMessage, UnreadableAssignment};
    use serde_json::{Value, json};

    /// Every field of every kind, so that one that is forgotten here is missed below.
    fn definition() -> Value {
        json!({
            "source_management": {"type": "git", "url": "https://git.example.com/shop.git", "branch": "next"},
            "steps": [
                {"type": "bash", "name": "build", "run": "make", "env": {"A": "1"}, "timeout_seconds": 7, "continue_on_error": true},
                {"type": "bash", "run": "true"},
            ],
            "post_steps": [
                {"type": "test_provider", "name": "tests", "provider": "junit", "path": "*.xml"},
                {"type": "copy_artifacts", "name": "files", "source": "out/**", "target": "kept"},
            ],
            "labels": ["linux"],
            "environment": {"B": "2"},
            "parameters": {"C": "3"},
            "timeout_seconds": 60,
            "infra_retries": 2,
        })
    }

    fn assignment(definition: &Value) -> Value {
        json!({
            "lease": {"build": "0198c1a3-0000-7000-8000-000000000001", "attempt": 1, "fence": 17},
            "build_number": 421, "job_name": "tests", "project_name": "shop", "definition": definition,
            "branch": "main", "timeout_seconds": 3600,
        })
    }

    fn read(definition: &Value) -> Result<JobDefinition, String> {
        let read: Result<Assignment, _> = serde_json::from_value(assignment(definition));
        read.map(|assignment| assignment.definition)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_wire_reads_what_people_write() {
        let strict: JobDefinition = serde_json::from_value(definition()).unwrap();
        assert_eq!(read(&definition()), Ok(strict.clone()));
        assert_eq!(
            serde_json::to_value(strict).unwrap()["steps"][0],
            definition()["steps"][0]
        );
    }

    #[test]
    fn fields_of_a_newer_server_are_left_out_on_the_wire_and_an_error_of_people() {
        for place in [
            "",
            "/source_management",
            "/steps/0",
            "/post_steps/0",
            "/post_steps/1",
        ] {
            let mut newer = definition();
            let fields = newer
                .pointer_mut(place)
                .and_then(Value::as_object_mut)
                .unwrap();
            fields.insert("invented_later".to_owned(), json!({"a": [1]}));
            assert_eq!(read(&newer), read(&definition()), "{place}");
            assert!(
                serde_json::from_value::<JobDefinition>(newer).is_err(),
                "{place}"
            );
        }
    }

    #[test]
    fn what_an_agent_cannot_do_is_an_error_that_names_it() {
        for (place, field, value) in [
            ("/steps/0", "type", "docker"),
            ("/source_management", "type", "docker"),
            ("/post_steps/0", "provider", "docker"),
        ] {
            let mut newer = definition();
            newer.pointer_mut(place).unwrap()[field] = json!(value);
            let error = read(&newer).unwrap_err();
            assert!(error.contains("`docker`"), "{error}");
            let message = json!({"type": "assign", "assignment": assignment(&newer)}).to_string();
            assert!(serde_json::from_str::<ServerMessage>(&message).is_err());
            let read: Result<UnreadableAssignment, _> = serde_json::from_str(&message);
            let UnreadableAssignment::Assign { assignment } = read.unwrap();
            assert_eq!(assignment.lease.fence, 17, "it can be declined");
        }
        for other in [
            "{}",
            r#"{"type": "assign"}"#,
            r#"{"type": "cancel", "assignment": {"lease": 7}}"#,
        ] {
            assert!(
                serde_json::from_str::<UnreadableAssignment>(other).is_err(),
                "{other}"
            );
        }
    }
}
