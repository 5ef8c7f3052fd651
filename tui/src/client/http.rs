//! Requests to `/api/v3`, and failures in words that a person can act on.

use std::time::Duration;

use reqwest::{RequestBuilder, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use testhide_protocol::api::Problem;

use crate::run::TuiError;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an answer may take beyond what the server was asked to wait.
const ANSWER: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read; a page of a log is far below.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// A connection to one server; clones share it.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    /// A client for the server at this address. Nothing is sent yet.
    pub(crate) fn new(server: &str, token: String) -> Result<Self, TuiError> {
        let base = server.trim_end_matches('/');
        let address = reqwest::Url::parse(base).map_err(|error| TuiError::Server {
            server: base.to_owned(),
            why: error.to_string(),
        })?;
        if !matches!(address.scheme(), "http" | "https") {
            let why = "the address must begin with `http://` or `https://`".to_owned();
            return Err(TuiError::Server {
                server: base.to_owned(),
                why,
            });
        }
        let http = reqwest::Client::builder().connect_timeout(CONNECT).build();
        let http = http.map_err(|error| TuiError::Server {
            server: base.to_owned(),
            why: in_words(&error),
        })?;
        Ok(Self {
            http,
            base: format!("{base}/api/v3"),
            token,
        })
    }

    /// Reads something.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
    ) -> Result<T, String> {
        self.get_waiting(path, query, Duration::ZERO).await
    }

    /// Reads something that the server may wait for.
    pub(crate) async fn get_waiting<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &impl Serialize,
        wait: Duration,
    ) -> Result<T, String> {
        let request = self.http.get(format!("{}{path}", self.base)).query(query);
        let body = self.send(request.timeout(wait + ANSWER)).await?;
        parse(&body)
    }

    /// Changes something; `key` makes a repeated request the same one. The answer's body may be anything.
    pub(crate) async fn post(
        &self,
        path: &str,
        body: &impl Serialize,
        key: Option<&str>,
    ) -> Result<Vec<u8>, String> {
        let mut request = self
            .http
            .post(format!("{}{path}", self.base))
            .json(body)
            .timeout(ANSWER);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        self.send(request).await
    }

    async fn send(&self, request: RequestBuilder) -> Result<Vec<u8>, String> {
        let request = request.bearer_auth(&self.token);
        let mut response = request.send().await.map_err(|error| in_words(&error))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| in_words(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err("the answer is larger than this terminal takes".to_owned());
            }
            body.extend_from_slice(&chunk);
        }
        if status.is_success() {
            Ok(body)
        } else {
            Err(refusal(status, &body))
        }
    }
}

/// Reads an answer.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body)
        .map_err(|error| format!("the answer is not what this version understands: {error}"))
}

/// Why the server refused.
fn refusal(status: StatusCode, body: &[u8]) -> String {
    match serde_json::from_slice::<Problem>(body) {
        Ok(problem) => match &problem.hint {
            Some(hint) => format!("{}; {hint}", problem.detail),
            None => problem.detail,
        },
        Err(_) if status == StatusCode::UNAUTHORIZED => {
            "the server does not accept the token".to_owned()
        }
        Err(_) => format!("the server answered {status}"),
    }
}

/// Why the server was not reached: the innermost cause says it best.
fn in_words(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "the server did not answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let kind = if error.is_connect() {
        "the server was not reached"
    } else {
        "the connection broke"
    };
    format!("{kind}: {cause}")
}
