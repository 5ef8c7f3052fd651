//! Answers that are files: read part by part, never held whole.

use super::http::{Client, Query};
use super::problem;
use crate::cli::error::CliError;
use bytes::Bytes;
use reqwest::{Method, Response};

/// A file on its way.
pub(in crate::cli) struct Download {
    response: Response,
    server: String,
    expected: Option<u64>,
    read: u64,
}

impl Client {
    /// GET of bytes.
    pub(in crate::cli) async fn download(
        &self,
        path: &[&str],
        query: Query<'_>,
    ) -> Result<Download, CliError> {
        let response = self.send(self.request(Method::GET, path, query)?).await?;
        let expected = response.content_length();
        Ok(Download {
            response,
            server: self.server().to_owned(),
            expected,
            read: 0,
        })
    }
}

impl Download {
    /// Bytes that will come, where the server says so.
    pub(in crate::cli) fn expected(&self) -> Option<u64> {
        self.expected
    }

    /// The next bytes; `None` at the end. A file that breaks off is an error, not a short file.
    pub(in crate::cli) async fn next(&mut self) -> Result<Option<Bytes>, CliError> {
        let part = self
            .response
            .chunk()
            .await
            .map_err(|error| problem::unreachable(&self.server, &error))?;
        self.read += part.as_ref().map_or(0, |part| part.len() as u64);
        Ok(part)
    }

    /// Bytes that came so far.
    pub(in crate::cli) fn read(&self) -> u64 {
        self.read
    }
}
