//! Answers that are files: read part by part, never held whole.

use super::http::{Client, Query};
use super::problem;
use crate::cli::error::{CliError, Exit};
use bytes::Bytes;
use reqwest::header::RANGE;
use reqwest::{Method, Response, StatusCode};

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
        self.download_from(path, query, 0).await
    }

    /// GET of the bytes behind the first `from` of them, for a file that broke off.
    pub(in crate::cli) async fn download_from(
        &self,
        path: &[&str],
        query: Query<'_>,
        from: u64,
    ) -> Result<Download, CliError> {
        let mut request = self.request(Method::GET, path, query)?;
        if from > 0 {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let response = self.send(request).await?;
        if from > 0 && response.status() != StatusCode::PARTIAL_CONTENT {
            return Err(CliError::new(
                Exit::Failed,
                "cannot_resume",
                format!("`{}` does not go on where a file broke off", self.server()),
            ));
        }
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
