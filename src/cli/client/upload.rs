//! A file as the body of a request: streamed, with its length known before.

use super::http::{Client, Query};
use crate::cli::error::CliError;
use crate::cli::output::ProgressBar;
use bytes::Bytes;
use futures_util::stream;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, Method};
use serde::de::DeserializeOwned;
use std::io;
use std::path::Path;
use std::sync::Arc;
use tokio::io::AsyncReadExt;

/// Bytes read at once.
const PART: usize = 64 * 1024;

/// A file to send.
pub(in crate::cli) struct Upload<'a> {
    /// Where it is.
    pub file: &'a Path,
    /// Its length.
    pub size: u64,
    /// Told of every byte that is handed to the connection.
    pub bar: Arc<ProgressBar>,
    /// The same key makes the server do it once.
    pub key: &'a str,
}

impl Client {
    /// POST of a file.
    pub(in crate::cli) async fn upload<T: DeserializeOwned>(
        &self,
        path: &[&str],
        query: Query<'_>,
        upload: &Upload<'_>,
    ) -> Result<T, CliError> {
        let file = tokio::fs::File::open(upload.file)
            .await
            .map_err(|error| CliError::file("open", upload.file, &error))?;
        upload.bar.set(0);
        let bar = upload.bar.clone();
        let parts = stream::try_unfold((file, bar), |(mut file, bar)| async move {
            let mut part = vec![0; PART];
            let length = file.read(&mut part).await?;
            part.truncate(length);
            bar.add(length as u64);
            Ok::<_, io::Error>((length > 0).then(|| (Bytes::from(part), (file, bar))))
        });
        let request = self
            .request(Method::POST, path, query)?
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, upload.size)
            .header("idempotency-key", upload.key)
            .body(Body::wrap_stream(parts));
        self.answer(request).await
    }
}
