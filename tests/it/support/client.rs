//! A client that says what it asked when the answer is another than expected.

use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A client of one server as one user.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// An answer with what was asked.
pub(crate) struct Answer {
    /// What was asked.
    pub(crate) asked: String,
    /// Status.
    pub(crate) status: StatusCode,
    /// Headers.
    pub(crate) headers: reqwest::header::HeaderMap,
    /// Body.
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// Nobody's client.
    pub(crate) fn anonymous(base: &str) -> Self {
        let http = reqwest::Client::builder().build().expect("a client");
        Self {
            http,
            base: base.to_owned(),
            token: None,
        }
    }

    /// The client of whoever holds `token`.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The token, if any.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().expect("the client has a token")
    }

    /// The server's base address.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// GET below `/api/v3`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// POST of JSON below `/api/v3`.
    pub(crate) async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(body).expect("JSON");
        self.send(
            Method::POST,
            path,
            &[("content-type", "application/json")],
            Some(body),
        )
        .await
    }

    /// PATCH of JSON below `/api/v3`.
    pub(crate) async fn patch(&self, path: &str, body: &impl Serialize) -> Answer {
        let body = serde_json::to_vec(body).expect("JSON");
        self.send(
            Method::PATCH,
            path,
            &[("content-type", "application/json")],
            Some(body),
        )
        .await
    }

    /// POST of a file below `/api/v3`.
    pub(crate) async fn upload(&self, path: &str, kind: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.send(
            Method::POST,
            path,
            &[("content-type", kind)],
            Some(body.into()),
        )
        .await
    }

    /// Anything below `/api/v3`.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Answer {
        let path = if path.starts_with("//") {
            path[1..].to_owned()
        } else {
            format!("/api/v3{path}")
        };
        let asked = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let answer = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("{asked}: {error}"));
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = answer
            .bytes()
            .await
            .unwrap_or_else(|error| panic!("{asked}: {error}"))
            .to_vec();
        Answer {
            asked,
            status,
            headers,
            body,
        }
    }
}

impl Answer {
    /// The JSON of a success.
    pub(crate) fn ok<T: DeserializeOwned>(self) -> T {
        let text = String::from_utf8_lossy(&self.body);
        assert!(
            self.status.is_success(),
            "{}: {} {text}",
            self.asked,
            self.status
        );
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{}: {error} in {text}", self.asked))
    }

    /// The JSON of a success, untyped.
    pub(crate) fn json(self) -> Value {
        self.ok()
    }

    /// Checks that it is a problem document with this status and code; answers the document.
    pub(crate) fn refused(self, status: u16, code: &str) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status.as_u16(), status, "{}: {text}", self.asked);
        let kind = self
            .headers
            .get("content-type")
            .and_then(|value| value.to_str().ok());
        assert_eq!(
            kind,
            Some("application/problem+json"),
            "{}: {text}",
            self.asked
        );
        let problem: Value = serde_json::from_slice(&self.body).expect("a problem is JSON");
        assert_eq!(
            (problem["code"].as_str(), problem["status"].as_u64()),
            (Some(code), Some(u64::from(status))),
            "{problem}"
        );
        problem
    }
}
