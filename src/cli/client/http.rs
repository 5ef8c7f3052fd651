//! Requests and their answers.

use super::problem;
use crate::cli::error::{CliError, Exit};
use reqwest::{Method, RequestBuilder, Response, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Longest time until a server takes the connection.
const CONNECT: Duration = Duration::from_secs(10);

/// Parameters of an address; those without a value are left out by the caller.
pub(in crate::cli) type Query<'a> = &'a [(&'static str, String)];

/// How long an answer may keep silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Patience {
    /// Questions and long polls, which the server answers within 30 s.
    Talk,
    /// Uploads and downloads.
    Bulk,
}

/// A server and who asks it.
#[derive(Clone)]
pub(in crate::cli) struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<String>,
}

impl Client {
    /// A client of the server at `server`; nothing is asked yet.
    ///
    /// # Errors
    /// An address that cannot be one, and a machine without trusted certificates.
    pub(in crate::cli) fn new(
        server: &str,
        token: Option<String>,
        patience: Patience,
    ) -> Result<Self, CliError> {
        let base = read_address(server)?;
        let silence = match patience {
            Patience::Talk => Duration::from_secs(60),
            Patience::Bulk => Duration::from_secs(15 * 60),
        };
        let http = reqwest::Client::builder()
            .user_agent(concat!("testhide/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(silence)
            // A redirected POST would become a GET; the address is to be put right instead.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| {
                let detail = format!("failed to prepare for HTTP: {}", problem::innermost(&error));
                CliError::new(Exit::Failed, "http_client", detail)
            })?;
        Ok(Self { http, base, token })
    }

    /// The server's address without a slash at its end; the name under which credentials are kept.
    #[must_use]
    pub(in crate::cli) fn server(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// The token that requests carry.
    pub(in crate::cli) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The same server, asked with another token.
    pub(in crate::cli) fn with_token(&self, token: String) -> Self {
        Self {
            token: Some(token),
            ..self.clone()
        }
    }

    /// GET.
    pub(in crate::cli) async fn get<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: Query<'_>,
    ) -> Result<T, CliError> {
        self.answer(self.request(Method::GET, path, query)?).await
    }

    /// POST with a JSON body.
    pub(in crate::cli) async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &B,
    ) -> Result<T, CliError> {
        self.answer(self.request(Method::POST, path, &[])?.json(body))
            .await
    }

    /// POST with a JSON body; the answer's body does not matter.
    pub(in crate::cli) async fn tell<B: Serialize>(
        &self,
        path: &[&str],
        body: &B,
    ) -> Result<(), CliError> {
        self.send(self.request(Method::POST, path, &[])?.json(body))
            .await
            .map(drop)
    }

    /// POST with a JSON body that the server does at most once for one `key`.
    pub(in crate::cli) async fn post_once<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &B,
        key: &str,
    ) -> Result<T, CliError> {
        self.answer(
            self.request(Method::POST, path, &[])?
                .header("idempotency-key", key)
                .json(body),
        )
        .await
    }

    /// PATCH with a JSON body.
    pub(in crate::cli) async fn patch<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &B,
    ) -> Result<T, CliError> {
        self.answer(self.request(Method::PATCH, path, &[])?.json(body))
            .await
    }

    /// PUT with a JSON body; the answer's body does not matter.
    pub(in crate::cli) async fn put<B: Serialize>(
        &self,
        path: &[&str],
        body: &B,
    ) -> Result<(), CliError> {
        self.send(self.request(Method::PUT, path, &[])?.json(body))
            .await
            .map(drop)
    }

    /// PUT with a JSON body, for what is there then.
    pub(in crate::cli) async fn replace<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &B,
    ) -> Result<T, CliError> {
        self.answer(self.request(Method::PUT, path, &[])?.json(body))
            .await
    }

    /// DELETE; the answer's body does not matter.
    pub(in crate::cli) async fn delete(&self, path: &[&str]) -> Result<(), CliError> {
        self.send(self.request(Method::DELETE, path, &[])?)
            .await
            .map(drop)
    }

    /// A request for a path below `/api/v3`, given in its parts.
    pub(super) fn request(
        &self,
        method: Method,
        path: &[&str],
        query: Query<'_>,
    ) -> Result<RequestBuilder, CliError> {
        let request = self.http.request(method, self.address(path)?).query(query);
        Ok(match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        })
    }

    /// Sends a request; every answer that is no success is an error.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, CliError> {
        let response = request
            .send()
            .await
            .map_err(|error| problem::unreachable(self.server(), &error))?;
        if response.status().is_success() {
            Ok(response)
        } else {
            Err(problem::refusal(response, self.token.is_some()).await)
        }
    }

    /// Sends a request and reads its answer.
    pub(super) async fn answer<T: DeserializeOwned>(
        &self,
        request: RequestBuilder,
    ) -> Result<T, CliError> {
        let response = self.send(request).await?;
        let bytes = response
            .bytes()
            .await
            .map_err(|error| problem::unreachable(self.server(), &error))?;
        serde_json::from_slice(&bytes).map_err(|error| problem::unreadable(self.server(), &error))
    }

    fn address(&self, path: &[&str]) -> Result<Url, CliError> {
        let mut address = self.base.clone();
        let mut parts = address
            .path_segments_mut()
            .expect("an http address has a path");
        parts.pop_if_empty().extend(["api", "v3"]);
        for part in path {
            // These would be left out, and the request would mean something else.
            if matches!(*part, "" | "." | "..") {
                return Err(CliError::usage(format!(
                    "`{part}` is not a name, number or id"
                )));
            }
            parts.push(part);
        }
        drop(parts);
        Ok(address)
    }
}

fn read_address(server: &str) -> Result<Url, CliError> {
    let refuse = || {
        CliError::usage(format!("`{server}` is not the address of a server"))
            .hint("it looks like `https://testhide.example.com`")
    };
    let mut address = Url::parse(server.trim()).map_err(|_| refuse())?;
    let is_plain = address.username().is_empty() && address.password().is_none();
    if !matches!(address.scheme(), "http" | "https") || !address.has_host() || !is_plain {
        return Err(refuse());
    }
    address.set_query(None);
    address.set_fragment(None);
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::{Client, Patience, read_address};
    use crate::cli::error::Exit;

    fn client(server: &str) -> Client {
        crate::cli::test_server::install_crypto();
        Client::new(server, None, Patience::Talk).unwrap()
    }

    #[test]
    fn addresses_of_servers() {
        let check = |given: &str, expected: &str| assert_eq!(client(given).server(), expected);
        check("http://localhost:8000", "http://localhost:8000");
        check("https://ci.example.com/", "https://ci.example.com");
        check(
            " https://CI.example.com/testhide/?a=1#b ",
            "https://ci.example.com/testhide",
        );
        for wrong in [
            "localhost:8000",
            "ftp://a",
            "http://",
            "",
            "http://me:secret@host",
        ] {
            assert_eq!(
                read_address(wrong).err().map(|error| error.exit),
                Some(Exit::Usage),
                "{wrong}"
            );
        }
    }

    #[test]
    fn parts_of_a_path_cannot_leave_it() {
        let check = |parts: &[&str], expected: &str| {
            assert_eq!(
                client("http://h/ci/").address(parts).unwrap().as_str(),
                expected
            );
        };
        check(&["builds", "421"], "http://h/ci/api/v3/builds/421");
        check(
            &["projects", "a/b?c#d e%2f"],
            "http://h/ci/api/v3/projects/a%2Fb%3Fc%23d%20e%252f",
        );
        for wrong in ["", ".", ".."] {
            assert!(
                client("http://h").address(&["projects", wrong]).is_err(),
                "{wrong:?}"
            );
        }
    }
}
