//! Enrolment: a one-time token becomes an identity with a key of its own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use testhide_protocol::AgentId;
use testhide_protocol::api::{Enroll, Enrolled, Problem};

use crate::config::{Addresses, Config};
use crate::crypto::install_crypto;
use crate::error::AgentError;
use crate::files;
use crate::keys::AgentKey;

/// How long the server may take to answer.
const LIMIT: Duration = Duration::from_secs(30);

/// The identity, as kept beside the key.
#[derive(Serialize, Deserialize)]
struct Identity {
    agent_id: AgentId,
}

/// Enrols the configured agent in `dir`: makes a key pair, exchanges `token`, keeps the identity. One that is enrolled already changes
/// its key: the token must be one that was made for it.
///
/// # Errors
/// When there is no configuration, the server is not reachable or refuses the token. A key that was made stays and is
/// used the next time.
pub async fn enroll(dir: &Path, token: &str) -> Result<AgentId, AgentError> {
    let config = Config::load(dir)?;
    // An agent that is enrolled gets a new key. It stays beside the old one until the server has it.
    let (key_path, next_path) = (key_path(dir), dir.join("agent.key.next"));
    let rotates = identity_path(dir).exists();
    let made = if rotates { &next_path } else { &key_path };
    let key = AgentKey::load_or_create(made)?;
    let url = format!(
        "{}/api/v3/agents/enroll",
        Addresses::of(&config.web_socket_url)?.http
    );
    let body = Enroll {
        token: token.trim().to_owned(),
        name: config.instance_id,
        public_key: key.public_hex(),
    };
    install_crypto();
    let unreachable = |error: reqwest::Error| AgentError::Unreachable {
        url: url.clone(),
        why: chain(&error),
    };
    let client = reqwest::Client::builder()
        .timeout(LIMIT)
        .build()
        .map_err(unreachable)?;
    let response = client
        .post(&url)
        .json(&body)
        .send()
        .await
        .map_err(unreachable)?;
    let status = response.status();
    if !status.is_success() {
        let problem = response.json::<Problem>().await.ok();
        return Err(refusal(url, status, problem));
    }
    let Enrolled { agent_id } = response.json().await.map_err(unreachable)?;
    if rotates {
        fs::rename(&next_path, &key_path).map_err(AgentError::file(&key_path))?;
    }
    let identity = serde_json::to_vec(&Identity { agent_id }).expect("an id is JSON");
    files::write(&identity_path(dir), &identity)?;
    Ok(agent_id)
}

/// The identity that an enrolment left in `dir`.
pub(crate) fn identity(dir: &Path) -> Result<AgentId, AgentError> {
    let path = identity_path(dir);
    match fs::read(&path) {
        Ok(bytes) => match serde_json::from_slice::<Identity>(&bytes) {
            Ok(identity) => Ok(identity.agent_id),
            Err(error) => Err(AgentError::Invalid {
                path,
                why: error.to_string(),
            }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(AgentError::NotEnrolled),
        Err(error) => Err(AgentError::file(&path)(error)),
    }
}

/// Where the private key is.
pub(crate) fn key_path(dir: &Path) -> PathBuf {
    dir.join("agent.key")
}

fn identity_path(dir: &Path) -> PathBuf {
    dir.join("identity.json")
}

fn refusal(url: String, status: StatusCode, problem: Option<Problem>) -> AgentError {
    let (code, reason) = match problem {
        Some(problem) => (problem.code.clone(), problem.detail),
        None => (
            format!("http_{}", status.as_u16()),
            format!("the server answers with status {status}"),
        ),
    };
    if status.is_server_error() {
        return AgentError::Unreachable { url, why: reason };
    }
    AgentError::Refused { code, reason }
}

/// An error with its causes: the first alone says only that a request failed.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
